//! Plain tools in the window: what is tried is seen at once and changes nothing; what is applied is a revision.

use super::keeping::Arrival;
use super::pixels::STILL_READ;
use super::{Editor, NoticeKind};
use crate::document::{Origin, RevisionId};
use crate::imaging::{Ratio, Rect, Tool};
use crate::jobs::{Changed, Command};

/// A tool that is tried on the picture on the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trial {
    pub of: RevisionId,
    pub tool: Tool,
    /// It is being applied.
    pub is_busy: bool,
}

/// A hand on a plain tool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Touch {
    /// See what it would make.
    Try(Tool),
    /// Move the part that is kept; the ratio holds.
    Crop(Rect),
    Ratio(Ratio),
    /// Make it so, as a revision.
    Apply,
    /// As it was.
    Reset,
    /// Without a trial.
    Now(Tool),
}

impl Editor {
    pub(super) fn touch(&mut self, what: Touch, commands: &mut Vec<Command>) {
        let Some((of, size)) = self.document.current().map(|r| (r.id, r.picture.size())) else { return };
        let busy = self.trial.is_some_and(|t| t.is_busy);
        match what {
            _ if busy => {}
            Touch::Try(tool) if tool.complaint().is_none() => self.trial = Some(Trial { of, tool, is_busy: false }),
            Touch::Try(_) => {}
            Touch::Crop(part) => self.crop(of, part, size),
            Touch::Ratio(ratio) => {
                self.ratio = ratio;
                self.crop(of, self.kept_part().unwrap_or(Rect { left: 0, top: 0, width: size[0], height: size[1] }), size);
            }
            Touch::Reset => self.trial = None,
            Touch::Apply => {
                if let Some(trial) = self.trial {
                    self.apply(of, trial.tool, commands);
                }
            }
            Touch::Now(tool) => self.apply(of, tool, commands),
        }
    }

    fn crop(&mut self, of: RevisionId, part: Rect, size: [u32; 2]) {
        let part = part.intersection(Rect { left: 0, top: 0, width: size[0], height: size[1] });
        if part.is_empty() {
            return;
        }
        let Rect { left, top, width, height } = self.ratio.within(part, size);
        self.trial = Some(Trial { of, tool: Tool::Crop { left, top, width, height, of: size }, is_busy: false });
    }

    /// What a crop that is tried would keep.
    pub fn kept_part(&self) -> Option<Rect> {
        let trial = self.trial?;
        trial.tool.part(self.document.revision(trial.of)?.picture.size())
    }

    fn apply(&mut self, of: RevisionId, tool: Tool, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.revision(of) else { return };
        if tool.is_idle(revision.picture.size()) {
            self.trial = None;
            return;
        }
        let Some(source) = revision.picture.here().cloned() else { return self.say(NoticeKind::Failed, STILL_READ) };
        self.trial = Some(Trial { of, tool, is_busy: true });
        commands.push(Command::Change { of, source, tool });
    }

    pub(super) fn changed(&mut self, of: RevisionId, tool: Tool, result: Result<Box<Changed>, String>, commands: &mut Vec<Command>) {
        self.trial.take_if(|trial| trial.of == of);
        match result {
            Ok(made) => {
                let Changed { picture, pyramid, thumbnail, at } = *made;
                let origin = Origin::Changed { tool };
                let looks = self.document.current().is_some_and(|r| r.id == of);
                let id =
                    self.record(Arrival { parent: Some(of), origin, picture, steps: None, local: None, at, pyramid, thumbnail }, commands);
                // Who has gone elsewhere stays there.
                if looks {
                    self.document.go(id);
                }
            }
            Err(why) => self.say(NoticeKind::Failed, &format!("{} did not work: {why}.", tool.name())),
        }
    }
}
