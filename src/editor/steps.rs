//! The steps of a painting that is done: looked at one by one, and gone on from.

use super::{Again, Draft, Editor, Mode, NoticeKind, Run, Waiting};
use crate::document::{Origin, RevisionId};
use crate::jobs::{Command, Job, JobId, Latents, Preview};
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
        self.paths.get(&current.id).map_or(0, |path| path.len().saturating_sub(if path.len() < recipe.steps { 2 } else { 1 }))
    }

    /// Looks at a step; the last one, or `None`, is the picture itself.
    pub(super) fn scrub(&mut self, step: Option<usize>) {
        self.scrubbed = None;
        let steps = self.steps_to_scrub();
        let Some(step) = step.filter(|s| *s >= 1 && *s < steps) else { return };
        let (Some(current), Some(map), Some(Ok(facts))) = (self.document.current(), &self.map, &self.model.facts) else { return };
        let Some(path) = self.paths.get(&current.id) else { return };
        let steps_of_run = current.recipe().map_or(path.len(), |r| r.steps);
        let sigma = |after: usize| sigma(after, steps_of_run, facts.shift);
        let latents = path[step - 1].predicted(&path[step], sigma(step), sigma(step + 1));
        self.scrubbed = Some((step, Arc::new(Preview { step, steps, latents, map: map.clone() })));
    }

    /// Runs the recipe of the revision on the canvas once more, with something about it changed.
    pub(super) fn again(&mut self, how: Again, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.current() else { return };
        let Origin::Made { recipe, tokens, .. } = &revision.origin else {
            return self.say(NoticeKind::Failed, "This picture was not made by a model, so there is nothing to make again.");
        };
        let (mut recipe, tokens, parent, id) = (Recipe::clone(recipe), tokens.to_vec(), revision.parent, revision.id);
        if recipe.model != self.model.id {
            let name = recipe.model.name();
            return self.say(NoticeKind::Failed, &format!("This picture was made by {name}; choose that model first."));
        }
        let mut job = Job {
            id: JobId(self.next_job),
            recipe: recipe.clone(),
            reference: None,
            variations: 1,
            tokens: None,
            path: vec![],
            device: self.settings.device,
        };
        let Draft { guidance, .. } = self.draft;
        match how {
            Again::Composition => {
                recipe.finish_seed = Some(recipe.noise_seed());
                recipe.seed = self.roll();
            }
            Again::Finish => {
                recipe.finish_seed = Some(self.roll());
                recipe.guidance = guidance;
                job.tokens = Some(tokens);
            }
            Again::FromStep => {
                let Some((step, _)) = self.scrubbed.take() else { return };
                recipe.guidance = guidance;
                job.tokens = Some(tokens);
                job.path = self.paths.get(&id).map_or_else(Vec::new, |path| path[..step].to_vec());
            }
        }
        self.next_job += 1;
        let source = parent.and_then(|p| self.document.revision(p));
        job.reference = source.map(|r| r.picture.clone());
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

    /// Keeps the latents of a result.
    pub(super) fn keep_path(&mut self, revision: RevisionId, path: Vec<Latents>) {
        self.paths.insert(revision, path.into());
    }
}

/// The noise that is left after so many steps of a schedule, 1 before the first and 0 after the last.
///
/// # Source      diffusers 0.34 `FlowMatchEulerDiscreteScheduler` with sigmas = linspace(1, 1 / N, N)
fn sigma(after: usize, steps: usize, shift: f32) -> f32 {
    let linear = if steps == 0 { 0.0 } else { 1.0 - after as f32 / steps as f32 };
    shift * linear / (1.0 + (shift - 1.0) * linear)
}
