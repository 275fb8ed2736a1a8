//! The whole application without a screen: all state, all decisions.
//!
//! [`Editor::update`] takes what a person did or what a lane has told, and returns what the lanes are to do.
//!
//! Architecture Invariant: no egui, no thread, no file, no clock. The same messages give the same state.

mod action;
mod compare;
mod keeping;
mod run;
mod settings;
mod steps;
mod view;

pub use action::{Action, Again};
pub use compare::Compare;
use keeping::Arrival;
pub use keeping::ProjectFacts;
pub use run::{Past, Run, Waiting};
pub use settings::{Settings, ThemeChoice};
pub use view::View;
// What the surface draws of a job and of a picture.
pub use crate::jobs::{PREVIEW_BLOCK, Preview, Stage, Thumbnail};

use crate::document::{Document, Origin, Revision, RevisionId};
use crate::imaging::{ENDINGS, Format, Picture, Pyramid};
use crate::jobs::{Command, Ending, Event, Job, JobId, ModelFacts, PreviewMap};
use crate::recipe::{ModelId, Recipe, Sampling};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// What a run does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Changes the picture on the canvas.
    #[default]
    Edit,
    /// Makes a new picture from words alone.
    Generate,
}

/// What happens to the editor.
#[derive(Debug)]
pub enum Message {
    Action(Action),
    Event(Event),
}

/// What the next run is made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub prompt: String,
    pub mode: Mode,
    pub steps: usize,
    pub guidance: f32,
    pub seed: u64,
    pub seed_locked: bool,
    pub variations: usize,
}

/// The model that the next run uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub id: ModelId,
    /// `None` while it is looked at.
    pub facts: Option<Result<ModelFacts, String>>,
}

/// How much a notice matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// Goes away by itself.
    Done,
    /// Stays until it is read.
    Failed,
}

/// A sentence for the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub id: u64,
    pub kind: NoticeKind,
    pub text: String,
}

/// What the window asks for by itself, where the system has no file dialogs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    Open,
    Save,
    ModelFolder,
    SaveProject,
}

/// A question and what is typed so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub question: Question,
    pub answer: String,
}

/// What the screen has of a revision.
#[derive(Clone, Debug)]
pub struct Screen {
    pub thumbnail: Thumbnail,
    /// Cut for the canvas; made again when it was let go.
    pub pyramid: Option<Arc<Pyramid>>,
}

/// The most steps and variations that the window offers.
pub const MOST_STEPS: usize = 100;
pub const MOST_VARIATIONS: usize = 4;
/// Notices that are kept.
const MOST_NOTICES: usize = 5;
/// Pixels whose pyramids are kept besides the one that is shown.
const KEPT_PIXELS: u64 = 64_000_000;

/// The application.
#[derive(Debug)]
pub struct Editor {
    pub document: Document,
    pub screens: BTreeMap<RevisionId, Screen>,
    pub view: View,
    pub draft: Draft,
    pub model: Model,
    pub settings: Settings,
    /// The job that runs.
    pub run: Option<Run>,
    pub waiting: VecDeque<Waiting>,
    pub notices: Vec<Notice>,
    pub ask: Option<Ask>,
    pub shows_before: bool,
    /// The split view, where there is one.
    pub compare: Option<Compare>,
    /// Where the last job ran.
    pub device: Option<String>,
    pub past: Option<(ModelId, Mode, Past)>,
    pub project: ProjectFacts,
    /// Whether files can be dropped onto the window.
    pub can_drop: bool,
    /// Why the window is slow, where it is.
    pub slow_screen: Option<String>,
    /// The step of a painting that is looked at.
    pub scrubbed: Option<(usize, Arc<Preview>)>,
    /// Latents to colours, for the model in use.
    map: Option<Arc<PreviewMap>>,
    candidates: Vec<RevisionId>,
    prompts: Vec<String>,
    recalled: Option<usize>,
    next_job: u64,
    next_notice: u64,
    dice: u64,
    /// Pyramids in the order of their last use.
    used: VecDeque<RevisionId>,
    /// Files whose reading was asked for and has not been answered.
    opening: usize,
}

impl Editor {
    /// An empty editor. `dice` is where its random seeds come from.
    pub fn new(settings: Settings, dice: u64) -> (Self, Vec<Command>) {
        let id = settings.model.clone();
        let mut editor = Self {
            document: Document::default(),
            screens: BTreeMap::new(),
            view: View::default(),
            draft: Draft {
                prompt: String::new(),
                mode: Mode::Edit,
                steps: usual_steps(&id),
                guidance: Recipe::new(ModelId::Nano, "").guidance,
                seed: 0,
                seed_locked: false,
                variations: 1,
            },
            model: Model { id: id.clone(), facts: None },
            settings,
            run: None,
            waiting: VecDeque::new(),
            notices: Vec::new(),
            ask: None,
            shows_before: false,
            compare: None,
            device: None,
            past: None,
            can_drop: true,
            slow_screen: None,
            scrubbed: None,
            project: ProjectFacts::default(),
            map: None,
            candidates: Vec::new(),
            prompts: Vec::new(),
            recalled: None,
            next_job: 1,
            next_notice: 1,
            dice,
            used: VecDeque::new(),
            opening: 0,
        };
        editor.draft.seed = editor.roll();
        (editor, vec![Command::LookAt(id)])
    }

    /// One step of the application.
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        let mut commands = Vec::new();
        let before = self.document.current().map(|r| r.id);
        match message {
            Message::Action(action) => self.act(action, &mut commands),
            Message::Event(event) => self.hear(event, &mut commands),
        }
        if before != self.document.current().map(|r| r.id) || self.run_on_canvas().is_some() {
            self.scrubbed = None;
            self.compare = None;
        }
        if before != self.document.current().map(|r| r.id) {
            self.keep_place(&mut commands);
        }
        self.show(&mut commands);
        commands
    }

    fn act(&mut self, action: Action, commands: &mut Vec<Command>) {
        match action {
            Action::Open => commands.push(Command::AskOpen),
            Action::OpenFiles(paths) => self.open(paths, commands),
            Action::Paste => commands.push(Command::Paste),
            Action::Copy => {
                if let Some(revision) = self.document.current() {
                    commands.push(Command::Copy(revision.picture.clone()));
                }
            }
            Action::Export => match self.document.current() {
                Some(revision) => commands.push(Command::AskSave { name: export_name(revision) }),
                None => self.say(NoticeKind::Failed, "There is no picture to export yet: open one, or describe one and press Generate."),
            },
            Action::SaveProject => self.ask_save_project(),
            Action::Run => self.submit(commands),
            Action::Cancel => match &mut self.run {
                Some(run) if !run.stopping && run.has_painting() && !run.asked => run.asked = true,
                _ => self.stop(commands, Command::Cancel),
            },
            Action::Discard => self.stop(commands, Command::Cancel),
            Action::StopAndKeep => self.stop(commands, Command::FinishEarly),
            Action::GoOn => self.run.iter_mut().for_each(|run| run.asked = false),
            Action::Again(how) => self.again(how, commands),
            Action::Scrub(step) => self.scrub(step),
            Action::Candidate(by) => self.candidate(by),
            Action::Accept => self.candidates.clear(),
            Action::Sooner(id) => {
                if let Some(at) = self.waiting.iter().position(|w| w.job.id == id).filter(|at| *at > 0) {
                    self.waiting.swap(at, at - 1);
                }
            }
            Action::Drop(id) => self.waiting.retain(|w| w.job.id != id),
            Action::SetMode(mode) => self.draft.mode = mode,
            Action::SetPrompt(prompt) => {
                self.draft.prompt = prompt;
                self.recalled = None;
            }
            Action::RecallOlder => self.recall(1),
            Action::RecallNewer => self.recall(-1),
            Action::SetSteps(steps) => self.draft.steps = steps.clamp(1, MOST_STEPS),
            Action::SetGuidance(guidance) if guidance.is_finite() => self.draft.guidance = guidance.clamp(1.0, 10.0),
            Action::SetGuidance(_) => {}
            Action::SetSeed(seed) => {
                self.draft.seed = seed;
                self.draft.seed_locked = true;
            }
            Action::LockSeed(locked) => self.draft.seed_locked = locked,
            Action::RollSeed => self.draft.seed = self.roll(),
            Action::SetVariations(n) => self.draft.variations = n.clamp(1, MOST_VARIATIONS),
            Action::ChooseModel => commands.push(Command::AskFolder),
            Action::SetModel(id) => self.set_model(id, commands),
            Action::Go(id) => {
                self.document.go(id);
            }
            Action::Undo => {
                self.document.undo();
            }
            Action::Redo => {
                self.document.redo();
            }
            Action::ShowBefore(on) => self.shows_before = on,
            Action::ToggleCompare => self.toggle_compare(),
            Action::CompareWith(id) => self.compare_with(id),
            Action::Split(at) => self.compare.iter_mut().filter(|_| at.is_finite()).for_each(|c| c.split = at.clamp(0.0, 1.0)),
            Action::TakeRecipe => self.take_recipe(commands),
            Action::Viewport(size) => self.view.set_viewport(size),
            Action::Zoom(factor, at) => self.view.zoom(factor, at),
            Action::Pan(by) => self.view.pan(by),
            Action::Fit => self.view.fit(),
            Action::ActualSize => self.view.actual_size(),
            Action::SetTheme(theme) => {
                self.settings.theme = theme;
                commands.push(Command::SaveSettings(self.settings.to_json()));
            }
            Action::DismissNotice(id) => self.notices.retain(|n| n.id != id),
            Action::SetAnswer(answer) => {
                if let Some(ask) = &mut self.ask {
                    ask.answer = answer;
                }
            }
            Action::Answer => self.answer(commands),
            Action::CancelAnswer => self.ask = None,
        }
    }

    fn hear(&mut self, event: Event, commands: &mut Vec<Command>) {
        match event {
            Event::Started { .. } => {}
            Event::Progress { id, progress } => self.with_run(id, |run| run.progress = Some(progress)),
            Event::Palette { id, palette } => self.with_run(id, |run| run.palette = Some(palette)),
            Event::Blueprint { id, blueprint } => self.with_run(id, |run| run.blueprint = Some(blueprint)),
            Event::Preview { id, preview } => {
                self.map = Some(preview.map.clone());
                self.with_run(id, |run| run.preview = Some(preview));
            }
            Event::Made { id, made, pyramid, thumbnail, at, .. } => {
                let Some(run) = self.run.as_mut().filter(|r| r.id == id) else { return };
                run.preview = None;
                run.asked = false;
                let seconds = run.progress.map_or(0.0, |p| p.seconds);
                let origin = Origin::Made { recipe: Box::new(made.recipe), tokens: made.tokens.into(), seconds };
                let source = run.source;
                let new = Arrival { parent: source, origin, picture: made.picture, path: made.path, at, pyramid, thumbnail };
                let revision = self.record(new, commands);
                let current = self.document.current().map(|r| r.id);
                let Some(run) = &mut self.run else { return };
                let first = run.made.is_empty();
                run.made.push(revision);
                if first && run.looked_at == current {
                    run.looked_at = Some(revision);
                    self.document.go(revision);
                }
            }
            Event::Finished { id, ending } => self.finished(id, ending, commands),
            Event::Model { model, facts } if model == self.model.id => {
                if let Err(why) = &facts {
                    self.say(NoticeKind::Failed, &format!("The model cannot be used: {why}."));
                }
                self.model.facts = Some(facts);
            }
            Event::Model { .. } => {}
            Event::Opened { name, at, result } => self.opened(name, at, result, commands),
            Event::Project(result) => self.found(result),
            Event::ProjectSaved { name, result } => self.saved(name, result),
            Event::NotKept(why) => self.say(NoticeKind::Failed, &format!("What was made is not kept on the disk: {why}.")),
            Event::Prepared { revision, pyramid } => {
                if let Some(screen) = self.screens.get_mut(&revision) {
                    screen.pyramid = Some(pyramid);
                }
            }
            Event::Exported { path, result } => match result {
                Ok(()) => self.say(NoticeKind::Done, &format!("Saved {}", path.display())),
                Err(why) => self.say(NoticeKind::Failed, &format!("The picture was not saved: {why}.")),
            },
            Event::Copied(Ok(())) => self.say(NoticeKind::Done, "The picture is on the clipboard."),
            Event::Copied(Err(why)) => self.say(NoticeKind::Failed, &format!("The picture could not be copied: {why}.")),
            Event::PastedText(text) => self.draft.prompt.push_str(&text),
            Event::ChosenOpen(paths) => self.open(paths, commands),
            Event::ChosenSave(Some(path)) => self.export(path, commands),
            Event::ChosenFolder(Some(path)) => self.set_model(ModelId::Folder(path), commands),
            Event::ChosenSave(None) | Event::ChosenFolder(None) => {}
            Event::NoDialogs(command) => {
                let (question, answer) = match *command {
                    Command::AskOpen => (Question::Open, String::new()),
                    Command::AskSave { name } => (Question::Save, name),
                    Command::AskFolder => (Question::ModelFolder, String::new()),
                    _ => return,
                };
                self.ask = Some(Ask { question, answer });
            }
            Event::SettingsNotSaved(why) => self.say(NoticeKind::Failed, &format!("{why}.")),
            _ => {}
        }
    }

    fn with_run(&mut self, id: JobId, change: impl FnOnce(&mut Run)) {
        if let Some(run) = self.run.as_mut().filter(|r| r.id == id) {
            change(run);
        }
    }

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
    fn stop(&mut self, commands: &mut Vec<Command>, how: impl Fn(JobId) -> Command) {
        if let Some(run) = self.run.as_mut().filter(|run| !run.stopping) {
            run.stopping = true;
            run.asked = false;
            commands.push(how(run.id));
        }
    }

    fn submit(&mut self, commands: &mut Vec<Command>) {
        let mode = match self.ready() {
            Ok(mode) => mode,
            Err(why) => return self.say(NoticeKind::Failed, &why),
        };
        let Some(size) = self.model_size() else { return };
        let source = if mode == Mode::Edit { self.document.current() } else { None };
        let prompt = self.draft.prompt.trim().to_owned();
        let recipe = Recipe {
            seed: self.draft.seed,
            steps: self.draft.steps,
            guidance: self.draft.guidance,
            sampling: Sampling::for_pictures(&self.model.id),
            ..Recipe::new(self.model.id.clone(), prompt.as_str())
        };
        let job = Job {
            id: JobId(self.next_job),
            recipe,
            reference: source.map(|r| r.picture.clone()),
            variations: self.draft.variations,
            tokens: None,
            path: Vec::new(),
            device: self.settings.device,
            place: None,
        };
        self.next_job += 1;
        let source = source.map(|r| r.id);
        self.waiting.push_back(Waiting { job: Box::new(job), mode, source, size });
        self.prompts.retain(|p| *p != prompt);
        self.prompts.push(prompt);
        commands.push(Command::SaveState(self.state()));
        self.recalled = None;
        if !self.draft.seed_locked {
            self.draft.seed = self.roll();
        }
        self.start_next(commands);
    }

    fn start_next(&mut self, commands: &mut Vec<Command>) {
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

    fn finished(&mut self, id: JobId, ending: Ending, commands: &mut Vec<Command>) {
        let Some(run) = self.run.take_if(|r| r.id == id) else { return };
        self.offer(&run);
        match ending {
            Ending::Done { seconds, device } => {
                self.past = Some((self.model.id.clone(), run.mode, Past::of(&seconds, run.steps)));
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
                let next = if out_of_memory { " Close other programs, or use a smaller model." } else { "" };
                self.say(NoticeKind::Failed, &format!("That did not work: {why}.{next}"));
            }
        }
        self.start_next(commands);
    }

    fn open(&mut self, paths: Vec<PathBuf>, commands: &mut Vec<Command>) {
        for path in paths {
            if path.extension().is_some_and(|e| e == "pentimento") {
                commands.push(Command::OpenProject(path));
            } else {
                self.opening += 1;
                commands.push(Command::Open(path));
            }
        }
    }

    fn opened(&mut self, name: String, at: i64, result: Result<(Picture, Arc<Pyramid>, Thumbnail), String>, commands: &mut Vec<Command>) {
        self.opening = self.opening.saturating_sub(1);
        match result {
            Ok((picture, pyramid, thumbnail)) => {
                let origin = if name.is_empty() { Origin::Pasted } else { Origin::Opened { name } };
                let revision = self.record(Arrival { parent: None, origin, picture, path: vec![], at, pyramid, thumbnail }, commands);
                self.document.go(revision);
                self.draft.mode = Mode::Edit;
            }
            Err(why) if name.is_empty() => self.say(NoticeKind::Failed, &format!("What is on the clipboard cannot be opened: {why}.")),
            Err(why) => self.say(NoticeKind::Failed, &format!("{name} cannot be opened: {why}.")),
        }
    }

    /// Writes the picture that is looked at; the ending says how, PNG where there is none.
    fn export(&mut self, mut path: PathBuf, commands: &mut Vec<Command>) {
        const QUALITY: u8 = 92;
        if path.extension().is_none() {
            path.set_extension("png");
        }
        match (Format::of(&path, QUALITY), self.document.current()) {
            (Ok(format), Some(revision)) => commands.push(Command::Export { picture: revision.picture.clone(), path, format }),
            (Err(why), _) => self.say(NoticeKind::Failed, &format!("The picture was not saved: {why}.")),
            (_, None) => {}
        }
    }

    fn answer(&mut self, commands: &mut Vec<Command>) {
        let Some(Ask { question, answer }) = self.ask.take() else { return };
        let path = PathBuf::from(answer.trim());
        if path.as_os_str().is_empty() {
            return;
        }
        match question {
            Question::Open => self.open(vec![path], commands),
            Question::Save => self.export(path, commands),
            Question::SaveProject => self.save_project(path, commands),
            Question::ModelFolder => self.set_model(ModelId::Folder(path), commands),
        }
    }

    fn set_model(&mut self, id: ModelId, commands: &mut Vec<Command>) {
        if id != self.model.id {
            self.map = None;
            self.scrubbed = None;
            self.draft.steps = usual_steps(&id);
        }
        self.settings.model = id.clone();
        self.model = Model { id: id.clone(), facts: None };
        commands.push(Command::LookAt(id));
        commands.push(Command::SaveSettings(self.settings.to_json()));
    }

    fn take_recipe(&mut self, commands: &mut Vec<Command>) {
        let Some(revision) = self.document.current() else { return };
        let Some(recipe) = revision.recipe().cloned() else { return };
        let parent = revision.parent;
        if recipe.model != self.model.id {
            self.set_model(recipe.model.clone(), commands);
        }
        self.draft = Draft {
            prompt: recipe.prompt.clone(),
            mode: if parent.is_some() { Mode::Edit } else { Mode::Generate },
            steps: recipe.steps,
            guidance: recipe.guidance,
            seed: recipe.seed,
            seed_locked: true,
            variations: 1,
        };
        if let Some(parent) = parent {
            self.document.go(parent);
        }
    }

    fn recall(&mut self, older: isize) {
        let count = self.prompts.len() as isize;
        // The prompt that was sent last is still there: the first step goes to the one before.
        let same = isize::from(self.prompts.last() == Some(&self.draft.prompt));
        let at = self.recalled.map_or(same, |n| n as isize + 1) + older;
        if (1..=count).contains(&at) {
            self.recalled = Some(at as usize - 1);
            self.draft.prompt = self.prompts[(count - at) as usize].clone();
        }
    }

    fn say(&mut self, kind: NoticeKind, text: &str) {
        self.notices.retain(|n| n.text != text);
        if self.notices.len() == MOST_NOTICES {
            self.notices.remove(0);
        }
        self.notices.push(Notice { id: self.next_notice, kind, text: text.to_owned() });
        self.next_notice += 1;
    }

    /// A seed that people can read to each other.
    fn roll(&mut self) -> u64 {
        // SplitMix64 (Steele, Lea, Flood 2014).
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.dice;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % 1_000_000_000
    }

    /// The revision whose picture is on the canvas.
    pub fn shown(&self) -> Option<&Revision> {
        let current = self.document.current()?;
        match current.parent.filter(|_| self.shows_before) {
            Some(parent) => self.document.revision(parent),
            None => Some(current),
        }
    }

    /// The run whose progress belongs onto the canvas: the person still looks at what it started from.
    pub fn run_on_canvas(&self) -> Option<&Run> {
        self.run.as_ref().filter(|run| run.made.is_empty() && run.looked_at == self.document.current().map(|r| r.id))
    }

    /// Where a running job paints, in image pixels (x, y, width, height): the model sees the middle of the picture, cut to its
    /// own aspect.
    pub fn run_place(&self, run: &Run) -> [f64; 4] {
        let [w, h] = self.view.image().map(f64::from);
        let (rw, rh) = (f64::from(run.size.width), f64::from(run.size.height));
        let scale = (w / rw).min(h / rh);
        let (pw, ph) = (rw * scale, rh * scale);
        [(w - pw) / 2.0, (h - ph) / 2.0, pw, ph]
    }

    /// Whether a file is being read.
    pub fn is_opening(&self) -> bool {
        self.opening > 0
    }

    /// Seconds until the running job is done, where that can be told.
    pub fn seconds_left(&self) -> Option<f64> {
        let run = self.run.as_ref()?;
        let past = self.past.as_ref().filter(|(model, mode, _)| *model == self.model.id && *mode == run.mode).map(|(_, _, past)| past);
        run.seconds_left(past)
    }

    /// Keeps the view at the size of what is shown, and the pyramids of what was shown lately.
    fn show(&mut self, commands: &mut Vec<Command>) {
        if let Some(run) = self.run_on_canvas().filter(|run| run.mode == Mode::Generate) {
            let size = [run.size.width, run.size.height];
            self.view.set_image(size);
            return;
        }
        if let Some((id, picture)) = self.compared().map(|r| (r.id, r.picture.clone()))
            && !self.used.contains(&id)
        {
            self.used.push_front(id);
            if self.screens.get(&id).is_some_and(|s| s.pyramid.is_none()) {
                commands.push(Command::Prepare { revision: id, picture });
            }
        }
        let Some(shown) = self.shown() else { return };
        let (id, picture) = (shown.id, shown.picture.clone());
        self.view.set_image([picture.width(), picture.height()]);
        if self.used.back() != Some(&id) {
            self.used.retain(|u| *u != id);
            self.used.push_back(id);
            if self.screens.get(&id).is_some_and(|s| s.pyramid.is_none()) {
                commands.push(Command::Prepare { revision: id, picture });
            }
        }
        let pixels =
            |id: &RevisionId| self.document.revision(*id).map_or(0, |r| u64::from(r.picture.width()) * u64::from(r.picture.height()));
        let mut kept = 0;
        let older: Vec<RevisionId> = self.used.iter().rev().skip(1).copied().collect();
        for id in older {
            kept += pixels(&id);
            if kept > KEPT_PIXELS {
                self.used.retain(|u| *u != id);
                if let Some(screen) = self.screens.get_mut(&id) {
                    screen.pyramid = None;
                }
            }
        }
    }
}

/// Steps that suit a model.
fn usual_steps(model: &ModelId) -> usize {
    match model {
        ModelId::Nano => 20,
        ModelId::Folder(_) => Recipe::new(ModelId::Nano, "").steps,
    }
}

/// A file name that suits a revision.
fn export_name(revision: &Revision) -> String {
    let title = revision.title();
    let title =
        title.rsplit_once('.').filter(|(_, ending)| ENDINGS.contains(&ending.to_lowercase().as_str())).map_or(title, |(stem, _)| stem);
    let words: Vec<String> = title
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .take(8)
        .map(|w| w.chars().take(24).collect::<String>().to_lowercase())
        .collect();
    if words.is_empty() { "picture.png".to_owned() } else { format!("{}.png", words.join("-")) }
}
