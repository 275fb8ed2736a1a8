//! Pictures made larger: where a person asks for it, and on wish whatever the small model makes.

use super::keeping::Arrival;
use super::pixels::STILL_READ;
use super::{Editor, NoticeKind};
use crate::document::{Origin, RevisionId};
use crate::imaging::MOST_ENLARGED_PIXELS;
use crate::jobs::{Command, JobId, Larger, UpscaleProgress};
use crate::recipe::{Factor, ModelId, Upscaling};

/// The longest side of a result that is made larger by itself, in pixels.
const SMALL: u32 = 512;

/// A picture that is being made larger, or waits for its turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Upscale {
    pub id: JobId,
    /// The revision whose picture it is, and that the result is recorded under.
    pub of: RevisionId,
    pub how: Upscaling,
    pub progress: Option<UpscaleProgress>,
    pub stopping: bool,
}

impl Editor {
    /// Whether the picture on the canvas can be made larger, and why not where it cannot.
    ///
    /// # Errors      a sentence for a person
    pub fn may_upscale(&self, by: Factor) -> Result<(), String> {
        let current = self.document.current().ok_or("There is no picture yet: open one, or describe one and press Generate.")?;
        let [width, height] = current.picture.size().map(|side| u64::from(side) * u64::from(by.number()));
        if width * height > MOST_ENLARGED_PIXELS {
            let most = MOST_ENLARGED_PIXELS / 1_000_000;
            return Err(format!("It would have {width} × {height} pixels; {most} million are the most that can be made."));
        }
        if self.upscales.iter().any(|u| u.of == current.id) {
            return Err("It is being made larger already.".to_owned());
        }
        Ok(())
    }

    /// Makes the picture on the canvas larger; goes there where that was done before.
    pub(super) fn upscale(&mut self, by: Factor, commands: &mut Vec<Command>) {
        if let Err(why) = self.may_upscale(by) {
            return self.say(NoticeKind::Failed, &why);
        }
        let Some(of) = self.document.current().map(|r| r.id) else { return };
        let how = Upscaling::new(by);
        let is_it = |origin: &Origin| matches!(origin, Origin::Upscaled { upscaling, .. } if *upscaling == how);
        let there = self.document.children(Some(of)).find(|r| is_it(&r.origin)).map(|r| r.id);
        match there {
            Some(there) => {
                self.document.go(there);
            }
            None => self.begin_upscale(of, how, commands),
        }
    }

    /// Makes a result of the small model larger, where that is wished.
    pub(super) fn upscale_result(&mut self, of: RevisionId, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.revision(of).filter(|_| self.settings.upscale_results) else { return };
        let is_small = revision.picture.size().iter().all(|side| *side <= SMALL);
        if is_small && revision.recipe().is_some_and(|r| r.model == ModelId::Nano) {
            self.begin_upscale(of, Upscaling::new(Factor::Four), commands);
        }
    }

    fn begin_upscale(&mut self, of: RevisionId, how: Upscaling, commands: &mut Vec<Command>) {
        let Some(picture) = self.document.revision(of).and_then(|r| r.picture.here().cloned()) else {
            return self.say(NoticeKind::Failed, STILL_READ);
        };
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.upscales.push(Upscale { id, of, how, progress: None, stopping: false });
        commands.push(Command::Upscale { id, picture, how });
    }

    pub(super) fn cancel_upscale(&mut self, id: JobId, commands: &mut Vec<Command>) {
        if let Some(upscale) = self.upscales.iter_mut().find(|u| u.id == id && !u.stopping) {
            upscale.stopping = true;
            commands.push(Command::CancelUpscale(id));
        }
    }

    /// The one whose progress is shown: that of the picture on the canvas, else the one that runs.
    pub fn shown_upscale(&self) -> Option<&Upscale> {
        let current = self.document.current().map(|r| r.id);
        self.upscales.iter().find(|u| Some(u.of) == current).or(self.upscales.first())
    }

    pub(super) fn upscaling(&mut self, id: JobId, progress: UpscaleProgress) {
        self.upscales.iter_mut().filter(|u| u.id == id).for_each(|u| u.progress = Some(progress));
    }

    pub(super) fn upscaled(&mut self, id: JobId, result: Result<Option<Box<Larger>>, String>, commands: &mut Vec<Command>) {
        // One that is not known belongs to a project that was closed.
        let Some(at) = self.upscales.iter().position(|u| u.id == id) else { return };
        let Upscale { of, how, .. } = self.upscales.remove(at);
        let larger = match result {
            Ok(Some(larger)) => *larger,
            Ok(None) => return self.say(NoticeKind::Done, "Stopped: the picture stays as large as it is."),
            Err(why) => return self.say(NoticeKind::Failed, &format!("The picture was not made larger: {why}.")),
        };
        let Larger { picture, pyramid, thumbnail, at, seconds } = larger;
        let origin = Origin::Upscaled { upscaling: how, seconds };
        let revision =
            self.record(Arrival { parent: Some(of), origin, picture, steps: None, local: None, at, pyramid, thumbnail }, commands);
        // It stands for the small one where a person chooses among results.
        let results = self.run.iter_mut().flat_map(|run| run.made.iter_mut().chain(run.looked_at.as_mut()));
        results.chain(&mut self.candidates).filter(|id| **id == of).for_each(|id| *id = revision);
        if self.document.current().is_some_and(|r| r.id == of) {
            self.document.go(revision);
        } else {
            let name = self.document.revision(of).map_or("The picture", |r| r.title());
            let text = format!("“{name}” is {} times as large; it is in the history.", how.by.number());
            self.say(NoticeKind::Done, &text);
        }
    }
}
