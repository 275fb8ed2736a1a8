//! The whole application without a screen: all state, all decisions.
//!
//! [`Editor::update`] takes what a person did or what a lane has told, and returns what the lanes are to do.
//!
//! Architecture Invariant: no egui, no thread, no file, no clock. The same messages give the same state.

mod action;
mod compare;
mod drawing;
mod events;
mod examples;
mod export;
mod files;
mod forecast;
mod history;
mod keeping;
mod leaving;
mod models;
mod pixels;
mod placing;
mod replay;
mod report;
mod run;
mod running;
mod selection;
mod settings;
mod smaller;
mod steps;
mod touch;
mod upscale;
mod view;

pub use action::{Action, Again};
pub use compare::{Compare, How, Proof};
pub use examples::{EXAMPLES, Example, WELCOME_NAME};
pub use export::{Export, ExportPage, ExportSettings, Kind};
use files::export_name;
pub use history::{History, HistoryView};
pub use keeping::ProjectFacts;
pub use leaving::{Closing, Leave};
pub use models::{Get, ModelsPage, Removing, Shelf, gigabytes, sentence};
pub use placing::{Adjust, Adjustment, Context, MOST_FEATHER, Preserve};
pub use replay::{MOST_PHOTOS, Photo, Replay, ReplayPage, Sample, State as PhotoState};
pub use run::{Past, Run, Waiting};
use selection::Slider;
pub use selection::{Combine, Select, Selection, Tool};
pub use settings::{Frame, Language, SCALES, Setting, Settings, ThemeChoice};
pub use smaller::{Choice, Conversion, Smaller};
pub use touch::{Touch, Trial};
pub use upscale::Upscale;
pub use view::View;
// What the surface draws of a job, of a picture and of models on the disk.
pub use crate::jobs::{
    CATALOGUE, CatalogueEntry, DeviceChoice, DeviceFacts, Doing, FolderModel, Forecast, Glance, Installed, JobId, Models, Offer,
    PREVIEW_BLOCK, Precision, Preview, ReplayProgress, Shape, Source, Stage, Thumbnail, Unfinished, UpscaleProgress,
};

use crate::document::{Document, Revision, RevisionId};
use crate::imaging::{ContextBox, Difference, Mask, Pyramid, Ratio};
use crate::jobs::{Command, Event, ModelFacts, PreviewMap};
use crate::recipe::{ModelId, Recipe, Shortcuts};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    pub shortcuts: Shortcuts,
    pub seed: u64,
    pub seed_locked: bool,
    pub variations: usize,
    pub preserve: Preserve,
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
    OpenMask,
    SaveMask,
    Recipe,
    SaveRecipe,
    /// Files, or a folder of them.
    Photos,
    /// A folder.
    Results,
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
const MOST_SAID: usize = 200;

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
    /// Pictures that are being made larger: the first is, the others wait.
    pub upscales: Vec<Upscale>,
    pub notices: Vec<Notice>,
    /// All that was said since the start, to be read again.
    pub said: Vec<Notice>,
    /// What was done lately, in the words of a report.
    done: VecDeque<String>,
    /// The person's own folder, which a report does not name.
    pub home: Option<String>,
    pub ask: Option<Ask>,
    pub closing: Closing,
    pub shows_before: bool,
    /// The split view, where there is one.
    pub compare: Option<Compare>,
    /// Where the last job ran.
    pub device: Option<String>,
    /// What the machine can compute with; `None` until it was asked for.
    pub devices: Option<Vec<DeviceFacts>>,
    /// How the last job used memory, as a sentence.
    pub plan: Option<String>,
    pub past: Option<(ModelId, Mode, Past)>,
    /// The pictures of [`EXAMPLES`]; empty until they are decoded.
    pub examples: Vec<Thumbnail>,
    pub project: ProjectFacts,
    /// Whether files can be dropped onto the window.
    pub can_drop: bool,
    /// Whether the window is drawn by the CPU.
    pub slow_screen: bool,
    /// The step of a painting that is looked at.
    pub scrubbed: Option<(usize, Arc<Preview>)>,
    pub selection: Selection,
    /// A result that is being put into its picture in another way.
    pub adjustment: Option<Adjustment>,
    pub history: HistoryView,
    /// The page of models.
    pub shelf: ModelsPage,
    /// The page of exporting.
    pub exporting: ExportPage,
    /// The page of recipes on photos.
    pub replaying: ReplayPage,
    /// A plain tool that is tried.
    pub trial: Option<Trial>,
    /// The shape of a crop.
    pub ratio: Ratio,
    outlook: forecast::Outlook,
    /// The box that the model sees, where a hand has moved it, and the size of the picture that it is of.
    context: Option<([u32; 2], ContextBox)>,
    /// What is less than a pixel of the box's movement.
    context_rest: [f64; 2],
    /// Where an edit has changed its source.
    change: Option<(RevisionId, Mask)>,
    change_asked: Option<RevisionId>,
    /// It becomes the selection when it is there.
    wants_change_selected: bool,
    /// To the picture that each was made from; `None` while that is being counted.
    differences: BTreeMap<RevisionId, Option<Difference>>,
    /// Of one revision and another; `None` while it is painted.
    heat: Option<(RevisionId, RevisionId, Option<Arc<Pyramid>>)>,
    /// Latents to colours, for the model in use.
    map: Option<Arc<PreviewMap>>,
    candidates: Vec<RevisionId>,
    prompts: Vec<String>,
    recalled: Option<usize>,
    next_job: u64,
    /// Numbers of strokes.
    strokes: u64,
    /// What waits for a stroke to be whole.
    later: Vec<Message>,
    next_notice: u64,
    dice: u64,
    /// Pictures in the order of their last use.
    used: VecDeque<RevisionId>,
    /// Those that are in the project's file for good; those that are being read from it, or cannot be; and those that are
    /// being cut for the screen.
    kept: BTreeSet<RevisionId>,
    fetching: BTreeSet<RevisionId>,
    preparing: BTreeSet<RevisionId>,
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
                steps: 0,
                guidance: Recipe::new(ModelId::Nano, "").guidance,
                shortcuts: Shortcuts::default(),
                seed: 0,
                seed_locked: false,
                variations: 1,
                preserve: Preserve::default(),
            },
            model: Model { id: id.clone(), facts: None },
            settings,
            run: None,
            waiting: VecDeque::new(),
            upscales: Vec::new(),
            notices: Vec::new(),
            said: Vec::new(),
            done: VecDeque::new(),
            home: None,
            ask: None,
            closing: Closing::default(),
            shows_before: false,
            compare: None,
            device: None,
            devices: None,
            plan: None,
            past: None,
            examples: Vec::new(),
            can_drop: true,
            slow_screen: false,
            scrubbed: None,
            selection: Selection::default(),
            adjustment: None,
            history: HistoryView::default(),
            shelf: ModelsPage::default(),
            exporting: ExportPage::default(),
            replaying: ReplayPage::default(),
            trial: None,
            ratio: Ratio::default(),
            outlook: forecast::Outlook::default(),
            context: None,
            context_rest: [0.0; 2],
            change: None,
            change_asked: None,
            wants_change_selected: false,
            differences: BTreeMap::new(),
            heat: None,
            project: ProjectFacts::default(),
            map: None,
            candidates: Vec::new(),
            prompts: Vec::new(),
            recalled: None,
            next_job: 1,
            strokes: 0,
            later: Vec::new(),
            next_notice: 1,
            dice,
            used: VecDeque::new(),
            kept: BTreeSet::new(),
            fetching: BTreeSet::new(),
            preparing: BTreeSet::new(),
            opening: 0,
        };
        editor.draft.seed = editor.roll();
        editor.draft.steps = editor.first_steps();
        let begin = editor.settings.folder.clone().map(|folder| Command::BeginDialogsIn(Some(folder)));
        (editor, [Command::LookAt(id)].into_iter().chain(begin).collect())
    }

    /// One step of the application.
    pub fn update(&mut self, message: Message) -> Vec<Command> {
        let mut commands = Vec::new();
        let before = self.document.current().map(|r| r.id);
        self.take_in(message, &mut commands);
        if before != self.document.current().map(|r| r.id) || self.run_on_canvas().is_some() {
            self.scrubbed = None;
            self.compare = None;
        }
        if before != self.document.current().map(|r| r.id) {
            self.adjustment = None;
            self.trial = None;
            self.wants_change_selected = false;
            self.forget_strokes();
            self.keep_place(&mut commands);
        }
        self.leave_with_all();
        self.show(&mut commands);
        self.find_change(&mut commands);
        self.ask_differences(&mut commands);
        self.look_ahead(&mut commands);
        commands
    }

    /// Takes a message in, or keeps it until the stroke before it is whole.
    fn take_in(&mut self, message: Message, commands: &mut Vec<Command>) {
        match self.behind_stroke(message, commands) {
            Some(Message::Action(action)) => self.act(action, commands),
            Some(Message::Event(event)) => self.hear(event, commands),
            None => {}
        }
    }

    fn act(&mut self, action: Action, commands: &mut Vec<Command>) {
        self.note(&action);
        match action {
            Action::Open => commands.push(Command::AskOpen),
            Action::OpenFiles(paths) if self.replaying.open => Self::drop_on_sheet(paths, commands),
            Action::OpenFiles(paths) => self.open(paths, commands),
            Action::Replay(what) => self.replay_action(what, commands),
            Action::Paste => commands.push(Command::Paste),
            Action::Copy => {
                if let Some(picture) = self.document.current().and_then(|r| r.picture.here().cloned()) {
                    commands.push(Command::Copy(picture));
                }
            }
            Action::Export => self.open_export(commands),
            Action::ExportPage(what) => self.export_action(what, commands),
            Action::Touch(what) => self.touch(what, commands),
            Action::SaveProject => self.ask_save_project(),
            Action::Run => self.submit(commands),
            Action::Cancel => match &mut self.run {
                Some(run) if !run.stopping && run.has_painting() && !run.asked => run.asked = true,
                _ => self.stop(commands, Command::Cancel),
            },
            Action::Discard => self.stop(commands, Command::Cancel),
            Action::StopAndKeep => self.stop(commands, Command::FinishEarly),
            Action::GoOn => self.run.iter_mut().for_each(|run| run.asked = false),
            Action::Upscale(by) => self.upscale(by, commands),
            Action::CancelUpscale(id) => self.cancel_upscale(id, commands),
            Action::UpscaleResults(on) => {
                self.settings.upscale_results = on;
                commands.push(Command::SaveSettings(self.settings.to_json()));
            }
            Action::RunExample(at) => self.run_example(at, commands),
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
            Action::SetSteps(steps) => {
                self.before(Slider::Steps);
                self.draft.steps = steps.clamp(1, MOST_STEPS);
            }
            Action::SetQuality(quality) => {
                self.before(Slider::Steps);
                self.draft.shortcuts = quality.shortcuts();
                self.draft.steps = self.first_steps();
            }
            Action::SetGuidance(guidance) if guidance.is_finite() => {
                self.before(Slider::Guidance);
                self.draft.guidance = guidance.clamp(1.0, 10.0);
            }
            Action::SetGuidance(_) => {}
            Action::SetSeed(seed) => {
                self.before(Slider::Seed);
                self.draft.seed = seed;
                self.draft.seed_locked = true;
            }
            Action::LockSeed(locked) => self.draft.seed_locked = locked,
            Action::RollSeed => {
                self.before(Slider::Seed);
                self.draft.seed = self.roll();
            }
            Action::SetVariations(n) => {
                self.before(Slider::Variations);
                self.draft.variations = n.clamp(1, MOST_VARIATIONS);
            }
            Action::KeepRest(on) => {
                self.before(Slider::Preserve);
                self.draft.preserve.keeps_rest = on;
            }
            Action::ChooseModel => commands.push(Command::AskFolder),
            Action::SetModel(id) => self.set_model(id, commands),
            Action::Shelf(what) => self.shelf_action(what, commands),
            Action::Go(id) => {
                self.document.go(id);
            }
            // Strokes and sliders first: they are newer than the picture that is looked at.
            Action::Undo => {
                if !self.take_back(commands) {
                    self.document.undo();
                }
            }
            Action::Redo => {
                if !self.do_again(commands) {
                    self.document.redo();
                }
            }
            Action::ShowBefore(on) => self.shows_before = on,
            Action::ToggleCompare => self.toggle_compare(),
            Action::CompareWith(id) => self.compare_with(id),
            Action::Split(at) => self.compare.iter_mut().filter(|_| at.is_finite()).for_each(|c| c.split = at.clamp(0.0, 1.0)),
            Action::Compare(how) => self.compare_by(how),
            Action::Select(what) => self.select(what, commands),
            Action::Context(how) => self.move_context(how),
            Action::Adjust(how) => self.adjust(how, commands),
            Action::History(what) => self.history_action(what, commands),
            Action::TakeRecipe => self.take_recipe(commands),
            Action::Viewport(size) => self.view.set_viewport(size),
            Action::Zoom(factor, at) => self.view.zoom(factor, at),
            Action::Pan(by) => self.view.pan(by),
            Action::Fit => self.view.fit(),
            Action::ActualSize => self.view.actual_size(),
            Action::Set(setting) => self.set(setting, commands),
            Action::LookAhead => self.outlook.is_stale = true,
            Action::ListDevices => commands.push(Command::ListDevices),
            Action::SetDevice(device) => {
                self.settings.device = device;
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
            Action::Leave(what) => self.leave(what),
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
        let notice = Notice { id: self.next_notice, kind, text: text.to_owned() };
        if self.said.len() == MOST_SAID {
            self.said.remove(0);
        }
        self.said.push(notice.clone());
        self.notices.push(notice);
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

    /// Whether a file is being read.
    pub fn is_opening(&self) -> bool {
        self.opening > 0
    }
}
