//! Closing the window: results of a replay would go with it, so a person is asked first.

use super::Editor;

/// Whether the window stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    #[default]
    Stays,
    /// The person is asked.
    Asks,
    Goes,
}

/// On the way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// Close the window, where nothing is lost by that.
    Close,
    /// Whatever is lost.
    Anyway,
    /// Look at what would be lost instead.
    Look,
    Stay,
}

impl Editor {
    pub(super) fn leave(&mut self, what: Leave) {
        self.closing = match what {
            Leave::Close if self.replaying.unsaved() > 0 => Closing::Asks,
            Leave::Close | Leave::Anyway => Closing::Goes,
            Leave::Look | Leave::Stay => Closing::Stays,
        };
        self.replaying.open |= what == Leave::Look;
    }

    /// Goes where the last result was saved while the person was asked.
    pub(super) fn leave_with_all(&mut self) {
        if self.closing == Closing::Asks && self.replaying.unsaved() == 0 {
            self.closing = Closing::Goes;
        }
    }
}
