//! How far a job has come, so that another worker can go on with it.

use crate::jobs::Job;
use crate::pipeline::{Blueprint, Latents, Made, Observer, Palette, Preview, Progress};
use std::sync::Arc;

/// A job and all that is done of it.
pub struct Course<'a> {
    job: &'a Job,
    made: Vec<Made>,
    /// Blueprints that are written, from the first variation on.
    tokens: Vec<Vec<u32>>,
    /// Of the variation that is being painted, the latents after every step.
    path: Vec<Latents>,
    /// Rises with everything that need not be done again.
    gains: u64,
}

impl<'a> Course<'a> {
    pub fn new(job: &'a Job) -> Self {
        Self { job, made: Vec::new(), tokens: Vec::new(), path: job.path.clone(), gains: 0 }
    }

    /// What is still to be done, at first the job itself: once the blueprints are written, one variation at a time.
    ///
    /// `None` where nothing is left.
    pub fn rest(&self) -> Option<Job> {
        let done = self.made.len();
        if done >= self.job.variations && done > 0 {
            return None;
        }
        if done == 0 && self.tokens.len() < self.job.variations {
            return Some(self.job.clone());
        }
        let mut path = self.path.clone();
        // One step is always left to be painted.
        path.truncate(self.job.recipe.steps.saturating_sub(1));
        let tokens = self.tokens.get(done).cloned().or_else(|| self.job.tokens.clone());
        Some(Job { recipe: self.job.recipe.variation(done as u64), variations: 1, tokens, path, ..self.job.clone() })
    }

    /// Variations that are finished.
    pub fn made(&self) -> usize {
        self.made.len()
    }

    pub fn into_made(self) -> Vec<Made> {
        self.made
    }

    pub fn gains(&self) -> u64 {
        self.gains
    }

    /// Where another worker goes on, as the end of a sentence.
    pub fn place(&self) -> String {
        let of = if self.job.variations > 1 { format!(" of picture {}", self.made.len() + 1) } else { String::new() };
        match self.path.len().min(self.job.recipe.steps.saturating_sub(1)) {
            0 if self.tokens.is_empty() => "it begins again".to_owned(),
            0 => format!("it goes on from the blueprint{of}"),
            steps => format!("it goes on from step {}{of}", steps + 1),
        }
    }

    fn written(&mut self, variation: usize, tokens: &[u32]) {
        if variation == self.tokens.len() && variation < self.job.variations {
            self.tokens.push(tokens.to_vec());
            self.gains += 1;
        }
    }

    fn painted(&mut self, variation: usize, step: usize, latents: &Latents) {
        let follows = variation == self.made.len() && (1..=self.path.len() + 1).contains(&step);
        // Nobody goes on from what is no number.
        if follows && latents.values.iter().all(|v| v.is_finite()) {
            self.gains += u64::from(step > self.path.len());
            self.path.truncate(step - 1);
            self.path.push(latents.clone());
        }
    }
}

/// Takes down what a part of a job tells, and tells it on as if the job were whole.
pub struct Relay<'c, 'a, 'o> {
    pub course: &'c mut Course<'a>,
    pub observer: &'o mut dyn Observer,
    /// Variations that were done when this part began.
    first: usize,
    /// The blueprint was shown already.
    replays: bool,
}

impl<'c, 'a, 'o> Relay<'c, 'a, 'o> {
    /// For what [`Course::rest`] says now.
    pub fn new(course: &'c mut Course<'a>, observer: &'o mut dyn Observer) -> Self {
        let (first, replays) = (course.made.len(), !course.tokens.is_empty());
        Self { course, observer, first, replays }
    }

    /// Latents that a painting ended with early.
    pub fn latents_early(&mut self, variation: usize, step: usize, latents: &Latents) {
        self.observer.latents(self.first + variation, step, latents);
    }
}

impl Observer for Relay<'_, '_, '_> {
    fn progress(&mut self, progress: &Progress) {
        let of = self.course.job.variations;
        let variation = ((self.first + progress.variation.0).min(of.saturating_sub(1)), of);
        self.observer.progress(&Progress { variation, ..*progress });
    }

    fn blueprint(&mut self, blueprint: Blueprint) {
        if !self.replays {
            self.observer.blueprint(blueprint);
        }
    }

    fn palette(&mut self, palette: &Arc<Palette>) {
        if !self.replays {
            self.observer.palette(palette);
        }
    }

    fn preview(&mut self, preview: Preview) {
        self.observer.preview(preview);
    }

    fn tokens(&mut self, variation: usize, tokens: &[u32]) {
        self.course.written(self.first + variation, tokens);
        self.observer.tokens(self.first + variation, tokens);
    }

    fn latents(&mut self, variation: usize, step: usize, latents: &Latents) {
        self.course.painted(self.first + variation, step, latents);
        self.observer.latents(self.first + variation, step, latents);
    }

    fn planned(&mut self, words: &str, is_step_down: bool) {
        self.observer.planned(words, is_step_down);
    }

    fn notice(&mut self, text: &str) {
        self.observer.notice(text);
    }

    fn made(&mut self, made: &Made) {
        if self.course.made.len() < self.course.job.variations {
            self.course.made.push(made.clone());
            self.course.path.clear();
            self.course.gains += 1;
            self.observer.made(made);
        }
    }

    fn wants_previews(&self) -> bool {
        self.observer.wants_previews()
    }

    fn is_cancelled(&self) -> bool {
        self.observer.is_cancelled()
    }

    fn is_enough(&self) -> bool {
        self.observer.is_enough()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Picture;
    use crate::jobs::{DeviceChoice, JobId};
    use crate::recipe::{ModelId, Recipe};

    fn latents(value: f32) -> Latents {
        Latents { channels: 1, height: 1, width: 1, values: vec![value] }
    }

    #[test]
    fn what_is_left_is_what_is_not_done() {
        let recipe = Recipe { seed: 5, steps: 3, ..Recipe::new(ModelId::Nano, "x") };
        let (reference, place, tokens, path) = (None, None, None, vec![]);
        let job = Job { id: JobId(1), recipe, reference, place, variations: 2, tokens, path, device: DeviceChoice::Cpu };
        let mut course = Course::new(&job);
        assert_eq!((course.rest().unwrap().variations, course.place().as_str()), (2, "it begins again"));
        let mut nobody = ();
        let mut relay = Relay::new(&mut course, &mut nobody);
        relay.tokens(0, &[1]);
        assert_eq!(relay.course.rest().unwrap().variations, 2, "one blueprint of two is not enough");
        relay.tokens(1, &[2]);
        relay.latents(0, 1, &latents(0.1));
        relay.latents(0, 3, &latents(0.3)); // one is missing before
        relay.latents(1, 1, &latents(9.0)); // of a picture that has not begun
        relay.latents(0, 2, &latents(f32::NAN));
        let rest = relay.course.rest().unwrap();
        assert_eq!((rest.variations, rest.recipe.seed, rest.tokens, rest.path), (1, 5, Some(vec![1]), vec![latents(0.1)]));
        relay.latents(0, 2, &latents(0.2));
        relay.latents(0, 3, &latents(0.3));
        assert_eq!(relay.course.rest().unwrap().path.len(), 2, "the last step is painted again");
        assert_eq!(course.place(), "it goes on from step 3 of picture 1");
        let picture = Picture::from_rgb8(1, 1, &[0; 3]).unwrap();
        let made = Made { picture, recipe: job.recipe.clone(), tokens: vec![1], path: vec![], reconstruction: None };
        let gains = course.gains();
        Relay::new(&mut course, &mut nobody).made(&made);
        assert!(course.gains() > gains);
        let rest = course.rest().unwrap();
        assert_eq!((rest.recipe.seed, rest.tokens, rest.path.len()), (6, Some(vec![2]), 0));
        assert_eq!(course.place(), "it goes on from the blueprint of picture 2");
        let mut relay = Relay::new(&mut course, &mut nobody);
        relay.latents(0, 1, &latents(0.5)); // the part's first is the job's second
        assert_eq!(relay.course.path, [latents(0.5)]);
        relay.made(&made);
        relay.made(&made);
        assert!(course.rest().is_none() && course.into_made().len() == 2);
    }
}
