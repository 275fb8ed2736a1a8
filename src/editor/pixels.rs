//! Which pictures are in memory, and which are cut for the screen: what is looked at, and what was lately.

use super::{Editor, Mode, NoticeKind};
use crate::document::RevisionId;
use crate::imaging::{Picture, Pyramid};
use crate::jobs::Command;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Pixels that are held besides those that are in use.
const KEPT_PIXELS: u64 = 64_000_000;
/// Said where something is wanted of a picture that is on its way from the disk.
pub(super) const STILL_READ: &str = "The picture is still being read from the project: try again in a moment.";

impl Editor {
    /// Keeps the view at the size of what is shown, and asks for what it takes to show it.
    pub(super) fn show(&mut self, commands: &mut Vec<Command>) {
        if let Some(run) = self.run_on_canvas().filter(|run| run.mode == Mode::Generate) {
            let size = [run.size.width, run.size.height];
            self.view.set_image(size);
            return;
        }
        let Some((shown, size)) = self.shown().map(|r| (r.id, r.picture.size())) else { return };
        self.view.set_image(size);
        let seen = [self.compared().map(|r| r.id), Some(shown)];
        for id in seen.into_iter().flatten() {
            if self.used.back() != Some(&id) {
                self.used.retain(|u| *u != id);
                self.used.push_back(id);
            }
            self.prepare(id, commands);
        }
        // What the picture was made from is wanted for nearly everything that is done next.
        for id in self.in_use() {
            self.fetch(id, commands);
        }
        self.let_go();
    }

    /// The picture on the canvas, the one that it was made from, and the one that it is compared with.
    fn in_use(&self) -> BTreeSet<RevisionId> {
        let current = self.document.current();
        let ids = [current.map(|r| r.id), current.and_then(|r| r.parent), self.compared().map(|r| r.id), self.shown().map(|r| r.id)];
        ids.into_iter().flatten().collect()
    }

    fn fetch(&mut self, id: RevisionId, commands: &mut Vec<Command>) {
        let away = self.document.revision(id).is_some_and(|r| r.picture.here().is_none());
        if away && self.fetching.insert(id) {
            commands.push(Command::Fetch(id));
        }
    }

    fn prepare(&mut self, id: RevisionId, commands: &mut Vec<Command>) {
        if self.screens.get(&id).is_none_or(|s| s.pyramid.is_some()) {
            return;
        }
        if let Some(picture) = self.document.revision(id).and_then(|r| r.picture.here().cloned())
            && self.preparing.insert(id)
        {
            commands.push(Command::Prepare { revision: id, picture });
        }
    }

    /// Lets go of what was not looked at for long: of the screen's copies, and of pixels that are kept on the disk.
    fn let_go(&mut self) {
        let in_use = self.in_use();
        let pixels =
            |id: &RevisionId| self.document.revision(*id).map_or(0, |r| u64::from(r.picture.width()) * u64::from(r.picture.height()));
        let mut held = 0;
        let mut gone = Vec::new();
        for id in self.used.iter().rev().filter(|id| !in_use.contains(id)) {
            held += pixels(id);
            if held > KEPT_PIXELS {
                gone.push(*id);
            }
        }
        for id in gone {
            if let Some(screen) = self.screens.get_mut(&id) {
                screen.pyramid = None;
            }
            // What is not kept yet is here and nowhere else.
            if self.kept.contains(&id) {
                self.document.let_go(id);
                self.used.retain(|u| *u != id);
            }
        }
    }

    pub(super) fn fetched(&mut self, id: RevisionId, result: Result<Picture, String>) {
        match result {
            Ok(picture) => {
                self.fetching.remove(&id);
                self.document.bring(id, picture);
                self.used.retain(|u| *u != id);
                self.used.push_front(id);
            }
            // It is not asked for again: nothing would change.
            Err(why) => self.say(NoticeKind::Failed, &format!("A picture of the history cannot be read: {why}.")),
        }
    }

    pub(super) fn prepared(&mut self, id: RevisionId, pyramid: Arc<Pyramid>) {
        self.preparing.remove(&id);
        if let Some(screen) = self.screens.get_mut(&id) {
            screen.pyramid = Some(pyramid);
        }
    }

    /// Whether the picture on the canvas is on its way.
    pub fn is_reading(&self) -> bool {
        self.shown().is_some_and(|r| self.screens.get(&r.id).is_some_and(|s| s.pyramid.is_none()))
    }
}
