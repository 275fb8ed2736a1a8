//! A job on its way, and how long it will take.

use super::Mode;
use crate::document::RevisionId;
use crate::jobs::{Blueprint, Job, JobId, Palette, Place, Preview, Progress, Stage};
use crate::recipe::Size;
use std::sync::Arc;

/// A job that was asked for, until it is finished.
#[derive(Debug)]
pub struct Run {
    pub id: JobId,
    pub mode: Mode,
    pub prompt: String,
    pub variations: usize,
    pub steps: usize,
    /// The revision that it starts from, and that its results are recorded under.
    pub source: Option<RevisionId>,
    /// What the person looked at when it started; results come onto the canvas while that is so.
    pub looked_at: Option<RevisionId>,
    /// Of the pictures that it makes.
    pub size: Size,
    /// Where an edit takes place.
    pub place: Option<Place>,
    /// How it uses memory, as a sentence; `true`: in a smaller way than it began, since memory was short.
    pub plan: Option<(String, bool)>,
    pub stopping: bool,
    /// The person is asked whether to keep what is painted.
    pub asked: bool,
    pub progress: Option<Progress>,
    pub palette: Option<Arc<Palette>>,
    pub blueprint: Option<Blueprint>,
    pub preview: Option<Arc<Preview>>,
    /// What is done of it.
    pub made: Vec<RevisionId>,
}

/// A job that waits for its turn.
#[derive(Clone, Debug)]
pub struct Waiting {
    pub job: Box<Job>,
    pub mode: Mode,
    pub source: Option<RevisionId>,
    pub size: Size,
}

/// How long the stages took the last time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Mean seconds; of the painting per step.
    stages: Vec<(Stage, f64)>,
}

impl Past {
    /// From a finished run.
    pub fn of(seconds: &[(Stage, f64)], steps: usize) -> Self {
        let mut stages: Vec<(Stage, f64)> = Vec::new();
        for stage in [Stage::Vision, Stage::Blueprint, Stage::Denoise, Stage::Decode] {
            let all: Vec<f64> = seconds.iter().filter(|(s, _)| *s == stage).map(|(_, t)| *t).collect();
            if !all.is_empty() {
                let mean = all.iter().sum::<f64>() / all.len() as f64;
                stages.push((stage, if stage == Stage::Denoise { mean / steps.max(1) as f64 } else { mean }));
            }
        }
        Self { stages }
    }

    /// What a later run says of it; the stages that it was spared are as they were.
    #[must_use]
    pub fn then(mut self, later: Self) -> Self {
        self.stages.retain(|(stage, _)| later.stage(*stage).is_none());
        self.stages.extend(later.stages);
        self
    }

    fn stage(&self, stage: Stage) -> Option<f64> {
        self.stages.iter().find(|(s, _)| *s == stage).map(|(_, t)| *t)
    }

    /// Seconds of one variation's painting and developing.
    fn variation(&self, steps: usize) -> Option<f64> {
        Some(self.stage(Stage::Denoise)? * steps as f64 + self.stage(Stage::Decode)?)
    }
}

impl Run {
    /// Whether something is painted that could be kept.
    pub fn has_painting(&self) -> bool {
        self.preview.is_some()
    }

    /// The share that is done of the present stage, 0 to 1.
    pub fn share(&self) -> f32 {
        self.progress.map_or(0.0, |p| if p.total == 0 { 0.0 } else { (p.done as f32 / p.total as f32).clamp(0.0, 1.0) })
    }

    /// Seconds until all is done, as far as can be told: what is left of this stage at its present pace, and the later
    /// stages as they were the last time.
    pub fn seconds_left(&self, past: Option<&Past>) -> Option<f64> {
        let p = self.progress?;
        let here = || (p.done > 0 && p.total > 0).then(|| p.seconds / p.done as f64 * p.total.saturating_sub(p.done) as f64);
        let others = |stage: Stage| -> Option<f64> {
            let (nth, all) = p.variation;
            let more = all.max(1).saturating_sub(nth + 1) as f64;
            let past = past?;
            let each = past.variation(self.steps)?;
            Some(match stage {
                Stage::Load => return None,
                Stage::Vision => past.stage(Stage::Blueprint)? * self.variations as f64 + each * self.variations as f64,
                Stage::Blueprint => each * self.variations as f64,
                Stage::Denoise => past.stage(Stage::Decode)? + each * more,
                Stage::Decode => each * more,
            })
        };
        match (here(), others(p.stage)) {
            (Some(here), Some(others)) => Some(here + others),
            // The first run: nothing is known of what comes after, but the long stage can be told.
            (Some(here), None) if matches!(p.stage, Stage::Denoise | Stage::Decode) && p.variation.1 <= 1 => Some(here),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_counts_this_stage_and_the_later_ones() {
        let past = Past::of(&[(Stage::Load, 9.0), (Stage::Blueprint, 4.0), (Stage::Denoise, 20.0), (Stage::Decode, 3.0)], 10);
        let mut run = Run {
            id: JobId(0),
            mode: Mode::Generate,
            prompt: String::new(),
            variations: 2,
            steps: 5,
            source: None,
            looked_at: None,
            size: Size { width: 1, height: 1 },
            place: None,
            plan: None,
            stopping: false,
            asked: false,
            progress: Some(Progress { stage: Stage::Blueprint, done: 10, total: 40, seconds: 1.0, variation: (0, 2) }),
            palette: None,
            blueprint: None,
            preview: None,
            made: vec![],
        };
        // 3 s of this stage, and twice (5 steps of 2 s and 3 s).
        assert_eq!(run.seconds_left(Some(&past)), Some(3.0 + 2.0 * 13.0));
        assert_eq!(run.seconds_left(None), None);
        run.progress = Some(Progress { stage: Stage::Denoise, done: 1, total: 5, seconds: 2.0, variation: (1, 2) });
        assert_eq!(run.seconds_left(Some(&past)), Some(8.0 + 3.0));
        // A run that was spared the writing says nothing of it.
        let past = past.then(Past::of(&[(Stage::Denoise, 10.0), (Stage::Decode, 4.0)], 10));
        assert_eq!((past.stage(Stage::Blueprint), past.variation(1)), (Some(4.0), Some(5.0)));
    }
}
