//! The steps of a painting that is done: looked at one by one, and gone on from.

use super::pixels::STILL_READ;
use super::{Again, Draft, Editor, Mode, NoticeKind, Run, Waiting};
use crate::document::{Origin, RevisionId, Steps};
use crate::jobs::{Command, Job, JobId, Latents, Place, Preview};
use crate::recipe::{Recipe, Size};
use std::sync::Arc;

impl Editor {
    /// Steps that can be looked at of the revision on the canvas: 1 to so many; 0 where none are known.
    ///
    /// The first step cannot be told from the latents alone, since the noise is not among them; so there is one less than
    /// there are latents, and step n here is the model's step n + 1.
    pub fn steps_to_scrub(&self) -> usize {
        let Some(current) = self.document.current() else { return 0 };
        let Some(recipe) = current.recipe().filter(|r| r.model == self.model.id) else { return 0 };
        if self.map.is_none() || self.run_on_canvas().is_some() {
            return 0;
        }
        // The last of a painting that was ended early did not come from a step.
        let known = current.steps.as_ref().map_or(0, |s| s.values().len());
        known.saturating_sub(if known < recipe.steps { 2 } else { 1 })
    }

    /// Looks at a step; the last one, or `None`, is the picture itself.
    pub(super) fn scrub(&mut self, step: Option<usize>) {
        self.scrubbed = None;
        let steps = self.steps_to_scrub();
        let Some(step) = step.filter(|s| *s >= 1 && *s < steps) else { return };
        let (Some(current), Some(map), Some(Ok(facts))) = (self.document.current(), &self.map, &self.model.facts) else { return };
        let (Some(path), Some(recipe)) = (&current.steps, current.recipe()) else { return };
        let sigma = |after: usize| sigma(after, recipe.steps, facts.shift);
        let (before, after) = (latents(path, step - 1), latents(path, step));
        let latents = before.predicted(&after, sigma(step), sigma(step + 1));
        self.scrubbed = Some((step, Arc::new(Preview { step, steps, latents, map: map.clone() })));
    }

    /// Runs the recipe of the revision on the canvas once more, with something about it changed.
    pub(super) fn again(&mut self, how: Again, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.current() else { return };
        let Origin::Made { recipe, tokens, .. } = &revision.origin else {
            return self.say(NoticeKind::Failed, "This picture was not made by a model, so there is nothing to make again.");
        };
        let (mut recipe, tokens, parent, steps) = (Recipe::clone(recipe), tokens.to_vec(), revision.parent, revision.steps.clone());
        let place = revision.local.as_ref().map(|l| Place { seen: l.seen, placing: l.placing.clone() });
        if recipe.model != self.model.id {
            let name = recipe.model.name();
            return self.say(NoticeKind::Failed, &format!("This picture was made by {name}; choose that model first."));
        }
        let mut job = Job {
            id: JobId(self.next_job),
            recipe: recipe.clone(),
            reference: None,
            place: None,
            variations: 1,
            tokens: None,
            path: vec![],
            device: self.settings.device,
        };
        let Draft { guidance, .. } = self.draft;
        match how {
            Again::Composition => {
                recipe.until = None;
                recipe.finish_seed = Some(recipe.noise_seed());
                recipe.seed = self.roll();
            }
            Again::Finish => {
                recipe.finish_seed = Some(self.roll());
                (recipe.guidance, recipe.earlier, recipe.until) = (guidance, Vec::new(), None);
                job.tokens = Some(tokens);
            }
            Again::FromStep => {
                let Some((step, _)) = self.scrubbed.take() else { return };
                recipe = recipe.from_step(step, guidance);
                job.tokens = Some(tokens);
                job.path = steps.map_or_else(Vec::new, |path| (0..step).map(|i| latents(&path, i)).collect());
            }
        }
        self.next_job += 1;
        let source = parent.and_then(|p| self.document.revision(p));
        job.reference = source.and_then(|r| r.picture.here().cloned());
        if source.is_some() && job.reference.is_none() {
            return self.say(NoticeKind::Failed, STILL_READ);
        }
        job.place = place.filter(|_| source.is_some());
        let size = recipe.size.or_else(|| self.model_size()).unwrap_or(Size { width: 1, height: 1 });
        let mode = if job.reference.is_some() { Mode::Edit } else { Mode::Generate };
        job.recipe = recipe;
        self.waiting.push_back(Waiting { job: Box::new(job), mode, source: source.map(|r| r.id), size });
        self.start_next(commands);
    }

    /// The size of the model's own pictures.
    pub(super) fn model_size(&self) -> Option<Size> {
        match &self.model.facts {
            Some(Ok(facts)) => Some(Size { width: facts.side, height: facts.side }),
            _ => None,
        }
    }

    /// Results of the last run with several, while the person chooses among them.
    pub fn candidates(&self) -> &[RevisionId] {
        &self.candidates
    }

    /// Looks at the candidate that many places further.
    pub(super) fn candidate(&mut self, by: isize) {
        let count = self.candidates.len() as isize;
        let Some(current) = self.document.current().map(|r| r.id) else { return };
        if let Some(at) = self.candidates.iter().position(|c| *c == current) {
            let next = self.candidates[(at as isize + by).rem_euclid(count) as usize];
            self.document.go(next);
        } else if let Some(first) = self.candidates.first().copied() {
            self.document.go(first);
        }
    }

    /// What a run made, once it has ended: several are to be chosen from.
    pub(super) fn offer(&mut self, run: &Run) {
        self.candidates.clear();
        if run.made.len() > 1 && self.document.current().is_some_and(|c| run.made.contains(&c.id)) {
            self.candidates.clone_from(&run.made);
        }
    }
}

/// The latents after a step, counted from 0.
fn latents(path: &Steps, step: usize) -> Latents {
    let (channels, height, width) = (path.channels() as usize, path.height() as usize, path.width() as usize);
    Latents { channels, height, width, values: path.values()[step].to_vec() }
}

/// The latents of a result, for the document.
pub(super) fn steps_of(path: &[Latents]) -> Option<Steps> {
    let first = path.first()?;
    let values = path.iter().map(|l| l.values.as_slice().into()).collect();
    Steps::new(first.channels as u32, first.height as u32, first.width as u32, values)
}

/// The noise that is left after so many steps of a schedule, 1 before the first and 0 after the last.
///
/// # Source      diffusers 0.34 `FlowMatchEulerDiscreteScheduler` with sigmas = linspace(1, 1 / N, N)
fn sigma(after: usize, steps: usize, shift: f32) -> f32 {
    let linear = if steps == 0 { 0.0 } else { 1.0 - after as f32 / steps as f32 };
    shift * linear / (1.0 + (shift - 1.0) * linear)
}
