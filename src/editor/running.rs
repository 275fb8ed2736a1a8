//! Running the model: what would run, what runs, what waits.

use super::pixels::STILL_READ;
use super::{Draft, Editor, Mode, NoticeKind, Past, Run, Select, Waiting};
use crate::document::Placing;
use crate::jobs::{Command, Ending, Job, JobId};
use crate::recipe::{Recipe, Sampling};

impl Editor {
    /// What the present settings would run, or why they cannot.
    pub fn ready(&self) -> Result<Mode, String> {
        let facts = match &self.model.facts {
            None => return Err("The model is being looked at.".to_owned()),
            Some(Err(why)) => return Err(format!("The model cannot be used: {why}.")),
            Some(Ok(facts)) => facts,
        };
        let mode = self.mode();
        let able = if mode == Mode::Edit { &facts.can_edit } else { &facts.can_generate };
        if let Err(why) = able {
            let what = if mode == Mode::Edit { "edit a picture" } else { "make a picture from words" };
            return Err(format!("This model cannot {what}: {why}."));
        }
        if self.draft.prompt.trim().is_empty() {
            let example = if mode == Mode::Edit { "“make it night”" } else { "“a fox in the snow”" };
            return Err(format!("Type what you want first, for example {example}."));
        }
        Ok(mode)
    }

    /// Edits need a picture: without one, a run makes a new one.
    pub fn mode(&self) -> Mode {
        if self.document.current().is_some() { self.draft.mode } else { Mode::Generate }
    }

    /// Ends the running job one way or the other.
    pub(super) fn stop(&mut self, commands: &mut Vec<Command>, how: impl Fn(JobId) -> Command) {
        if let Some(run) = self.run.as_mut().filter(|run| !run.stopping) {
            run.stopping = true;
            run.asked = false;
            commands.push(how(run.id));
        }
    }

    pub(super) fn submit(&mut self, commands: &mut Vec<Command>) {
        let mode = match self.ready() {
            Ok(mode) => mode,
            Err(why) => return self.say(NoticeKind::Failed, &why),
        };
        let Some(size) = self.model_size() else { return };
        let source = if mode == Mode::Edit { self.document.current() } else { None };
        if source.is_some_and(|r| r.picture.here().is_none()) {
            return self.say(NoticeKind::Failed, STILL_READ);
        }
        let prompt = self.draft.prompt.trim().to_owned();
        let recipe = Recipe {
            seed: self.draft.seed,
            steps: self.draft.steps,
            guidance: self.draft.guidance,
            shortcuts: self.draft.shortcuts,
            sampling: Sampling::for_pictures(&self.model.id),
            ..Recipe::new(self.model.id.clone(), prompt.as_str())
        };
        let job = Job {
            id: JobId(self.next_job),
            recipe,
            reference: source.and_then(|r| r.picture.here().cloned()),
            place: source.and_then(|_| self.place()),
            variations: self.draft.variations,
            tokens: None,
            path: Vec::new(),
            device: self.settings.device,
        };
        self.next_job += 1;
        let source = source.map(|r| r.id);
        self.waiting.push_back(Waiting { job: Box::new(job), mode, source, size });
        self.prompts.retain(|p| *p != prompt);
        self.prompts.push(prompt);
        commands.push(Command::SaveState(self.state()));
        self.recalled = None;
        self.forget_strokes();
        if !self.draft.seed_locked {
            self.draft.seed = self.roll();
        }
        self.start_next(commands);
    }

    pub(super) fn start_next(&mut self, commands: &mut Vec<Command>) {
        if self.run.is_some() {
            return;
        }
        let Some(Waiting { job, mode, source, size }) = self.waiting.pop_front() else { return };
        self.run = Some(Run {
            id: job.id,
            mode,
            prompt: job.recipe.prompt.clone(),
            variations: job.variations,
            steps: job.recipe.steps,
            source,
            looked_at: self.document.current().map(|r| r.id),
            size,
            place: job.place.clone(),
            plan: None,
            stopping: false,
            asked: false,
            progress: None,
            palette: None,
            blueprint: None,
            preview: None,
            made: Vec::new(),
        });
        commands.push(Command::Submit(job));
    }

    pub(super) fn finished(&mut self, id: JobId, ending: Ending, commands: &mut Vec<Command>) {
        let Some(run) = self.run.take_if(|r| r.id == id) else { return };
        self.offer(&run);
        self.outlook.is_stale = true;
        match ending {
            Ending::Done { seconds, device } => {
                let before = self.past.take().filter(|(model, mode, _)| (model, mode) == (&self.model.id, &run.mode));
                let past = before.map_or_else(Past::default, |(.., past)| past).then(Past::of(&seconds, run.steps));
                self.past = Some((self.model.id.clone(), run.mode, past));
                self.device = Some(device);
                let away = run.looked_at != self.document.current().map(|r| r.id);
                if away {
                    self.say(NoticeKind::Done, &format!("“{}” is done; it is in the history.", run.prompt));
                }
            }
            Ending::Cancelled => {
                let kept = if run.made.is_empty() { "" } else { " What was finished is in the history." };
                self.say(NoticeKind::Done, &format!("Stopped.{kept}"));
            }
            Ending::Failed { why, out_of_memory } => {
                let next = if out_of_memory { " Close other programs, or make the model smaller (Models…)." } else { "" };
                self.say(NoticeKind::Failed, &format!("That did not work: {why}.{next}"));
            }
        }
        self.start_next(commands);
    }

    /// The run whose progress belongs onto the canvas: the person still looks at what it started from.
    pub fn run_on_canvas(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| run.made.is_empty() && run.looked_at == self.document.current().map(|r| r.id))
    }

    /// Where a running job paints, in image pixels (x, y, width, height).
    pub fn run_place(&self, run: &Run) -> [f64; 4] {
        let [w, h] = self.view.image().map(f64::from);
        match &run.place {
            Some(place) => [place.seen.left as f64, place.seen.top as f64, f64::from(place.seen.width), f64::from(place.seen.height)],
            None => [0.0, 0.0, w, h],
        }
    }

    /// Seconds until the running job is done, where that can be told.
    pub fn seconds_left(&self) -> Option<f64> {
        let run = self.run.as_ref()?;
        let past = self.past.as_ref().filter(|(model, mode, _)| *model == self.model.id && *mode == run.mode).map(|(_, _, past)| past);
        run.seconds_left(past)
    }

    pub(super) fn take_recipe(&mut self, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.current() else { return };
        let Some(recipe) = revision.recipe().cloned() else { return };
        let (parent, local) = (revision.parent, revision.local.clone());
        if let Some(words) = beyond_settings(&recipe) {
            self.say(NoticeKind::Done, words);
        }
        if recipe.model != self.model.id {
            self.set_model(recipe.model.clone(), commands);
        }
        self.draft = Draft {
            prompt: recipe.prompt.clone(),
            mode: if parent.is_some() { Mode::Edit } else { Mode::Generate },
            steps: recipe.steps,
            guidance: recipe.guidance,
            shortcuts: recipe.shortcuts,
            seed: recipe.seed,
            seed_locked: true,
            variations: 1,
            preserve: self.draft.preserve.clone(),
        };
        if let Some(parent) = parent {
            self.document.go(parent);
        }
        if let (Some(local), Some(source)) = (local, self.document.current()) {
            let size = source.picture.size();
            self.context = Some((size, local.seen));
            let preserve = &mut self.draft.preserve;
            match &local.placing {
                Placing::Whole => preserve.keeps_rest = false,
                Placing::Change { reach } => (preserve.keeps_rest, preserve.reach) = (true, *reach),
                Placing::Selection { blend, .. } => (preserve.feather, preserve.matching) = (Some(blend.feather), blend.matching),
            }
            match &local.placing {
                Placing::Selection { mask, .. } => self.take_mask(mask.clone(), commands),
                _ => self.select(Select::Nothing, commands),
            }
        }
    }
}

/// What of a recipe the settings cannot say, as a sentence.
pub(super) fn beyond_settings(recipe: &Recipe) -> Option<&'static str> {
    if !recipe.earlier.is_empty() {
        Some("Its first steps were painted with another guidance, which the settings cannot say; replaying its recipe repeats them.")
    } else if recipe.until.is_some() {
        Some("Its painting was ended early, which the settings cannot say; replaying its recipe ends it there again.")
    } else {
        None
    }
}
