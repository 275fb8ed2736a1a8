//! What the window asks for, and what it is told. Closed enums: nothing else passes between threads.

use super::{
    Blueprint, ConvertProgress, ConvertRequest, Converted, DeviceChoice, DeviceFacts, Estimate, Forecast, Glance, Intent, Latents, Made,
    Palette, Preview, Progress, Stage, UpscaleProgress,
};
use crate::document::{Chain, Document, LocalEdit, Placing, Revision, RevisionId};
use crate::export::{Found, Layer, Switches};
use crate::hub;
use crate::imaging::{Brush, ContextBox, Difference, Format, Mask, Mode, Patch, Picture, Pyramid, Rect, Tool};
use crate::recipe::{ModelId, Recipe, Upscaling};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// A job's name; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Pictures to make.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub recipe: Recipe,
    /// The picture to edit; without one a new picture is made.
    pub reference: Option<Picture>,
    /// What the model sees of it, and how its result is put back; `None`: the model's own picture is the result.
    pub place: Option<Place>,
    pub variations: usize,
    /// Tokens to go on with instead of writing a blueprint.
    pub tokens: Option<Vec<u32>>,
    /// Latents after the first steps, to go on behind.
    pub path: Vec<Latents>,
    pub device: DeviceChoice,
}

/// Where an edit takes place.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub seen: ContextBox,
    pub placing: Placing,
}

/// Down to the lanes.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make pictures. Answered by `Started` … `Finished`.
    Submit(Box<Job>),
    Cancel(JobId),
    /// Take what is painted so far for the picture: developed, recorded, and no further variation begun.
    FinishEarly(JobId),
    /// Find out how a run would use memory now. Answered by `Forecast`, behind the jobs that were asked for before.
    Forecast(Box<Intent>),
    /// Find out how small a model could be, in a folder that need not be there. Answered by `ConversionEstimated`.
    EstimateConversion {
        model: ModelId,
        out: PathBuf,
    },
    /// Make an official model folder ready. Answered by `Converting`, and once by `Converted`.
    Convert(Box<ConvertRequest>),
    /// Stop all conversions; the same request goes on later.
    CancelConversion,
    /// Make a picture larger; one after the other. Answered by `Upscaling`, and once by `Upscaled`.
    Upscale {
        id: JobId,
        picture: Picture,
        how: Upscaling,
    },
    CancelUpscale(JobId),
    /// Do a recipe on one photo; [`Command::Cancel`] stops it. Answered by `Replaying`, and once by `Replayed`.
    Replay(Box<ReplayJob>),
    /// Read a recipe from a file. Answered by `RecipeRead`.
    ReadRecipe(PathBuf),
    /// Write a recipe into a file of its own. Answered by `RecipeSaved`.
    SaveRecipe {
        path: PathBuf,
        chain: Box<Chain>,
    },
    /// Find the pictures among files and in folders. Answered by `PhotosFound`.
    FindPhotos(Vec<PathBuf>),
    /// Write a result into a folder, beside what is there. Answered by `ReplaySaved`.
    SaveReplayed(Box<SaveReplayed>),
    /// Read the way to a result, to go on with it. Answered by `ReplayOpened`.
    OpenReplayed {
        id: JobId,
        folder: PathBuf,
    },
    /// Remove results, by the folders that `Replayed` told.
    DropReplayed(Vec<PathBuf>),
    /// Read what a model is, without loading it. Answered by `Model`.
    LookAt(ModelId),
    /// Read a picture file. Answered by `Opened`.
    Open(PathBuf),
    /// Decode a picture file that is part of the program. Answered by `Opened`.
    OpenBuiltIn {
        name: &'static str,
        bytes: &'static [u8],
    },
    /// Decode small pictures that are part of the program. Answered by `Examples`.
    OpenExamples(Vec<&'static [u8]>),
    /// Put a result into its picture in another way. Answered by `Adjusted`, unless another of these was asked for meanwhile.
    Adjust {
        of: RevisionId,
        source: Picture,
        edit: Box<LocalEdit>,
    },
    /// Apply a plain tool. Answered by `Changed`.
    Change {
        of: RevisionId,
        source: Picture,
        tool: Tool,
    },
    /// Count the pixels that differ. Answered by `Compared`.
    Compare {
        of: RevisionId,
        before: Picture,
        after: Picture,
        local: Option<Arc<LocalEdit>>,
    },
    /// Paint where two pictures differ. Answered by `HeatMapped`.
    HeatMap {
        of: RevisionId,
        with: RevisionId,
        before: Picture,
        after: Picture,
    },
    /// Find where an edit has changed its source. Answered by `ChangeFound`.
    FindChange {
        of: RevisionId,
        source: Picture,
        local: Arc<LocalEdit>,
    },
    /// Draw on a selection. Answered by `Drawn`.
    Draw(Box<Draw>),
    /// Change all of a selection. Answered by `MaskShaped`.
    ShapeMask {
        mask: Mask,
        by: Shape,
    },
    /// Read a selection from a picture file, for a picture of that size. Answered by `MaskOpened`.
    OpenMask {
        path: PathBuf,
        size: [u32; 2],
    },
    /// Write a selection as a grey picture. Answered by `Exported`.
    SaveMask {
        mask: Mask,
        path: PathBuf,
    },
    /// Read a revision's picture from the project. Answered by `Fetched`.
    Fetch(RevisionId),
    /// Cut a picture for the screen. Answered by `Prepared`.
    Prepare {
        revision: RevisionId,
        picture: Picture,
    },
    /// Write a picture file. Answered by `Exported`.
    Export {
        picture: Picture,
        path: PathBuf,
        format: Format,
        /// The way to the picture.
        chain: Box<Chain>,
        switches: Switches,
    },
    /// Write a file of layers, the first one lowest; pictures that are not here are read from the project. Answered by `Exported`.
    ExportLayers {
        path: PathBuf,
        layers: Vec<(Layer, Option<Picture>)>,
    },
    /// Find out how long a file would be. Answered by `ExportMeasured`, unless something newer is asked for or it is stopped.
    MeasureExport(Box<MeasureRequest>),
    StopMeasuring,
    /// Put a picture on the clipboard. Answered by `Copied`.
    Copy(Picture),
    /// Read the clipboard. Answered by `Opened` or `PastedText`.
    Paste,
    /// Where dialogs for files begin from now on; `None`: as the system has it.
    BeginDialogsIn(Option<PathBuf>),
    /// Ask the person for a picture to open. Answered by `ChosenOpen`.
    AskOpen,
    /// Ask where to write. Answered by `ChosenSave`.
    AskSave {
        name: String,
    },
    /// Ask for a model's folder. Answered by `ChosenFolder`.
    AskFolder,
    /// Ask for a picture to be the selection, and where to write it. Answered by `ChosenOpenMask` and `ChosenSaveMask`.
    AskOpenMask,
    AskSaveMask,
    /// Ask for a recipe, and where to write one. Answered by `ChosenRecipe` and `ChosenSaveRecipe`.
    AskRecipe,
    AskSaveRecipe {
        name: String,
    },
    /// Ask for the photos that a recipe is done on, and for the folder that results go to. Answered by `ChosenPhotos` and
    /// `ChosenResults`.
    AskPhotos,
    AskResults,
    /// Open a project; one that is not there is made when there is something to keep. Answered by `Project` where it is.
    OpenProject(PathBuf),
    /// Write all of it into a new file and go on there. Answered by `ProjectSaved`.
    SaveProject {
        path: PathBuf,
        document: Box<Document>,
        thumbnails: BTreeMap<RevisionId, Thumbnail>,
        state: KeptState,
    },
    /// Keep a revision. These are answered only where that fails, by `NotKept`, and by `KeptAgain` once all is made up for.
    Record {
        revision: Box<Revision>,
        thumbnail: Thumbnail,
    },
    SetCurrent {
        id: RevisionId,
        redo: Option<RevisionId>,
    },
    Rename {
        id: RevisionId,
        name: Option<String>,
    },
    Star {
        id: RevisionId,
        starred: bool,
    },
    /// For good: what `Document::prune` told.
    Prune(Vec<RevisionId>),
    SaveState(KeptState),
    /// Find out what the machine can compute with. Answered by `Devices`.
    ListDevices,
    /// Keep the settings. Answered only where that fails.
    SaveSettings(String),
    /// Tell which models are here and which are begun, also in these folders. Answered by `Models`. Does not connect.
    ListModels(Vec<PathBuf>),
    /// Ask the net what a model consists of. Answered by `ModelLookedUp`.
    LookUpModel(hub::Source),
    /// Fetch what was offered; by this the person accepts the licences whose hashes are named. One at a time.
    /// Answered by `GetProgress` … `GetEnded`.
    GetModel {
        offer: Box<hub::Offer>,
        accepted: Vec<String>,
    },
    /// Go on with an unfinished one, by its name. Answered like `GetModel`.
    ResumeGet(String),
    /// Stop the one that runs and keep what has arrived. It ends with `GetEnding::Paused`.
    PauseGet,
    /// Give up an unfinished one, running or not, and remove what has arrived. Answered by `GetEnded`.
    CancelGet(String),
    /// Compare a model's files with their hashes. Answered by `VerifyProgress` … `ModelVerified`.
    VerifyModel(String),
    /// Remove a model's folder, and with `cached` also its files in the shared cache that no other model of ours uses.
    /// Answered by `ModelRemoved`.
    RemoveModel {
        name: String,
        cached: bool,
    },
    /// Remove a model that a conversion has made, ended or not. Answered by `ConvertedRemoved`.
    RemoveConverted(PathBuf),
}

/// Up to the window.
#[derive(Debug)]
pub enum Event {
    Started {
        id: JobId,
    },
    /// How memory is used, as a sentence; `is_step_down` where it was short.
    Plan {
        id: JobId,
        plan: String,
        is_step_down: bool,
    },
    Progress {
        id: JobId,
        progress: Progress,
    },
    Palette {
        id: JobId,
        palette: Arc<Palette>,
    },
    Blueprint {
        id: JobId,
        blueprint: Blueprint,
    },
    Preview {
        id: JobId,
        preview: Arc<Preview>,
    },
    /// Something that the person should know of a job, as a sentence. It goes on.
    Notice {
        id: JobId,
        text: String,
    },
    /// One of the variations is done, and ready for the screen.
    Made {
        id: JobId,
        made: Box<Made>,
        /// How it was put into the picture that was edited.
        local: Option<Arc<LocalEdit>>,
        pyramid: Arc<Pyramid>,
        thumbnail: Thumbnail,
        /// In seconds since 1970.
        at: i64,
    },
    Finished {
        id: JobId,
        ending: Ending,
    },
    Model {
        model: ModelId,
        facts: Result<ModelFacts, String>,
    },
    Forecast {
        intent: Box<Intent>,
        result: Result<Box<Forecast>, String>,
    },
    ConversionEstimated {
        model: ModelId,
        result: Result<Estimate, String>,
    },
    /// How far the conversion into that folder is.
    Converting {
        out: PathBuf,
        progress: ConvertProgress,
    },
    Converted {
        out: PathBuf,
        result: Result<Converted, String>,
    },
    /// How far a larger picture is. May be lost; the newest wins.
    Upscaling {
        id: JobId,
        progress: UpscaleProgress,
    },
    /// `None`: it was cancelled.
    Upscaled {
        id: JobId,
        result: Result<Option<Box<Larger>>, String>,
    },
    /// How far a photo is. May be lost; the newest wins.
    Replaying {
        id: JobId,
        progress: ReplayProgress,
    },
    /// `None`: it was cancelled.
    Replayed {
        id: JobId,
        result: Result<Option<Box<Repeated>>, String>,
    },
    RecipeRead {
        name: String,
        result: Result<Box<Chain>, String>,
    },
    RecipeSaved {
        path: PathBuf,
        result: Result<(), String>,
    },
    PhotosFound(Vec<PathBuf>),
    ReplaySaved {
        id: JobId,
        result: Result<PathBuf, String>,
    },
    ReplayOpened {
        id: JobId,
        result: Result<Box<Way>, String>,
    },
    Opened {
        name: String,
        /// In seconds since 1970.
        at: i64,
        result: Result<(Picture, Arc<Pyramid>, Thumbnail), String>,
    },
    /// What a file that was just opened says of how its picture was made.
    FoundRecipe {
        name: String,
        found: Box<Found>,
    },
    Prepared {
        revision: RevisionId,
        pyramid: Arc<Pyramid>,
    },
    Adjusted {
        of: RevisionId,
        result: Result<Box<Adjusted>, String>,
    },
    Changed {
        of: RevisionId,
        tool: Tool,
        result: Result<Box<Changed>, String>,
    },
    Compared {
        of: RevisionId,
        found: Difference,
    },
    HeatMapped {
        of: RevisionId,
        with: RevisionId,
        pyramid: Arc<Pyramid>,
    },
    ChangeFound {
        of: RevisionId,
        change: Mask,
    },
    /// The selection drawn upon, where it may have changed, and all of the drawing where this was its end.
    Drawn {
        number: u64,
        mask: Mask,
        dirty: Rect,
        whole: Option<Box<WholeDrawing>>,
    },
    MaskShaped {
        mask: Mask,
    },
    MaskOpened(Result<Mask, String>),
    Exported {
        path: PathBuf,
        result: Result<(), String>,
    },
    ExportMeasured {
        ticket: u64,
        bytes: Result<u64, String>,
    },
    Copied(Result<(), String>),
    PastedText(String),
    /// `None`: the person changed their mind.
    ChosenOpen(Vec<PathBuf>),
    ChosenSave(Option<PathBuf>),
    ChosenFolder(Option<PathBuf>),
    ChosenOpenMask(Option<PathBuf>),
    ChosenSaveMask(Option<PathBuf>),
    ChosenRecipe(Option<PathBuf>),
    ChosenSaveRecipe(Option<PathBuf>),
    ChosenPhotos(Vec<PathBuf>),
    ChosenResults(Option<PathBuf>),
    /// This system has no file dialogs; the window asks by itself.
    NoDialogs(Box<Command>),
    SettingsNotSaved(String),
    /// The CPU first.
    Devices(Vec<DeviceFacts>),
    /// In the order in which they were asked for; none where one cannot be read.
    Examples(Vec<Thumbnail>),
    Project(Result<Box<Kept>, String>),
    ProjectSaved {
        name: String,
        result: Result<(), String>,
    },
    /// A change could not be written, and why. It waits, and is tried again before the next one.
    /// A revision's picture from the project.
    Fetched {
        id: RevisionId,
        result: Result<Picture, String>,
    },
    /// A revision is in the project's file for good.
    KeptRevision(RevisionId),
    NotKept(String),
    /// All that waited is written.
    KeptAgain,
    Models(Result<Models, String>),
    ModelLookedUp {
        source: hub::Source,
        result: Result<Box<hub::Offer>, String>,
    },
    /// May be lost; the newest wins.
    GetProgress {
        name: String,
        progress: hub::Progress,
    },
    /// Exactly once for each `GetModel` and `ResumeGet`, and for a `CancelGet` of one that does not run.
    GetEnded {
        name: String,
        ending: GetEnding,
    },
    /// Bytes looked at, of all. May be lost.
    VerifyProgress {
        name: String,
        done: u64,
        bytes: u64,
    },
    /// Files that are not as they should be; none: all is well.
    ModelVerified {
        name: String,
        result: Result<Vec<hub::BadFile>, String>,
    },
    /// How many bytes are free now that were not before.
    ModelRemoved {
        name: String,
        result: Result<u64, String>,
    },
    ConvertedRemoved {
        folder: PathBuf,
        result: Result<u64, String>,
    },
}

/// The models of this machine.
#[derive(Clone, Debug, Default)]
pub struct Models {
    pub installed: Vec<hub::Installed>,
    /// Begun and not finished: offered to go on with, never begun again without a click.
    pub unfinished: Vec<hub::Unfinished>,
    /// Those that were not downloaded: made smaller, or lying in a folder that a person has chosen.
    pub folders: Vec<FolderModel>,
    /// The folder of all models, the cache, and what is free on its disk.
    pub folder: PathBuf,
    pub cache: PathBuf,
    pub free_bytes: Option<u64>,
    /// `HF_HUB_OFFLINE` is set: nothing can be fetched.
    pub offline: bool,
}

/// A model that is a folder and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderModel {
    pub folder: PathBuf,
    pub glance: Glance,
}

/// How fetching a model ended.
#[derive(Clone, Debug, PartialEq)]
pub enum GetEnding {
    /// The model is here and can be opened.
    Done(hub::Installed),
    /// What has arrived is kept.
    Paused,
    /// What had arrived is removed.
    Cancelled,
    /// In a sentence; what has arrived is kept.
    Failed(String),
}

/// A project as it was kept.
#[derive(Clone, Debug)]
pub struct Kept {
    pub name: String,
    /// Another window has it, or it cannot be written: what is made from here on is not kept.
    pub looks_only: bool,
    pub document: Document,
    pub thumbnails: BTreeMap<RevisionId, Thumbnail>,
    pub state: KeptState,
}

/// Where a person was in a project.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeptState {
    pub prompt: String,
    /// Zoom in screen pixels per image pixel and the image point in the middle; `None`: the whole picture.
    pub view: Option<(f64, [f64; 2])>,
    /// The selection, where there is one.
    pub mask: Option<Mask>,
}

/// A part of what a hand draws on a selection, or all of it.
#[derive(Clone, Debug)]
pub struct Draw {
    /// Of the whole drawing.
    pub number: u64,
    pub mask: Mask,
    pub form: Form,
    /// Where the drawing ends with this: the selection before its first part.
    pub before: Option<Mask>,
}

/// What is drawn, in pixels of the picture.
#[derive(Clone, Debug)]
pub enum Form {
    Stroke {
        way: Vec<[f32; 2]>,
        brush: Brush,
    },
    /// `clears`: in the place of all that was there.
    Rectangle {
        rect: Rect,
        mode: Mode,
        clears: bool,
    },
    Lasso {
        points: Vec<[f32; 2]>,
        mode: Mode,
        clears: bool,
    },
}

/// What a drawing came to.
#[derive(Clone, Debug, Default)]
pub struct WholeDrawing {
    /// What takes it back; `None` where it changed nothing.
    pub back: Option<Patch>,
    /// Around all that is selected now; `None` where nothing is.
    pub bounds: Option<Rect>,
}

/// What is done to all of a selection, by pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Grow(u32),
    Shrink(u32),
    Soften(u32),
    Invert,
}

/// A result put into its picture in another way.
#[derive(Clone, Debug)]
pub struct Adjusted {
    pub edit: LocalEdit,
    pub picture: Picture,
    pub pyramid: Arc<Pyramid>,
    pub thumbnail: Thumbnail,
    /// In seconds since 1970.
    pub at: i64,
}

/// A picture that was made larger.
#[derive(Clone, Debug)]
pub struct Larger {
    pub picture: Picture,
    pub pyramid: Arc<Pyramid>,
    pub thumbnail: Thumbnail,
    /// In seconds since 1970.
    pub at: i64,
    /// How long it took.
    pub seconds: f64,
}

/// A recipe and one photo to do it on.
#[derive(Clone, Debug)]
pub struct ReplayJob {
    pub id: JobId,
    /// `None` where the recipe begins with words.
    pub photo: Option<PathBuf>,
    pub chain: Arc<Chain>,
    /// The model that is used in place of the recipe's own.
    pub model: Option<ModelId>,
    /// Folders of models that are no downloads, for what the recipe names.
    pub folders: Vec<PathBuf>,
    pub device: DeviceChoice,
    /// Where results wait; `None`: in the cache.
    pub room: Option<PathBuf>,
}

/// How far a photo is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayProgress {
    /// The edit that is done, from 0, of so many.
    pub edit: usize,
    pub edits: usize,
    pub doing: Doing,
    /// Since the photo was begun.
    pub seconds: f64,
}

/// What is done to a photo.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doing {
    Opening,
    Tool(Tool),
    Model(Progress),
    Upscaling(UpscaleProgress),
    Keeping,
}

/// A recipe done on one photo. It waits on the disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeated {
    /// Where it waits.
    pub folder: PathBuf,
    /// What it takes there.
    pub bytes: u64,
    /// Width and height of the last picture.
    pub size: [u32; 2],
    pub thumbnail: Thumbnail,
    pub seconds: f64,
}

/// A result that is to be written.
#[derive(Clone, Debug)]
pub struct SaveReplayed {
    pub id: JobId,
    /// Where it waits.
    pub folder: PathBuf,
    /// Its photo, whose name and kind of file it gets.
    pub photo: Option<PathBuf>,
    pub to: PathBuf,
    /// Of JPEG, 1 to 100.
    pub quality: u8,
    pub switches: Switches,
}

/// All pictures on the way to a result, ready for the screen: each begins where the one before it ends.
#[derive(Clone, Debug)]
pub struct Way {
    pub document: Document,
    /// As many as there are revisions.
    pub screens: Vec<(Arc<Pyramid>, Thumbnail)>,
}

/// A picture that a plain tool has made.
#[derive(Clone, Debug)]
pub struct Changed {
    pub picture: Picture,
    pub pyramid: Arc<Pyramid>,
    pub thumbnail: Thumbnail,
    /// In seconds since 1970.
    pub at: i64,
}

/// A file whose length is wanted.
#[derive(Clone, Debug)]
pub struct MeasureRequest {
    /// Never given twice.
    pub ticket: u64,
    pub picture: Picture,
    pub format: Format,
    pub chain: Chain,
    pub switches: Switches,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    Done {
        /// Of every stage, in order.
        seconds: Vec<(Stage, f64)>,
        device: String,
    },
    Cancelled,
    Failed {
        why: String,
        out_of_memory: bool,
    },
}

/// What a model can do and needs.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFacts {
    /// Why it cannot, where it cannot.
    pub can_generate: Result<(), String>,
    pub can_edit: Result<(), String>,
    /// Side of its own pictures, in pixels.
    pub side: u32,
    /// Sides of other pictures are multiples of this.
    pub multiple: u32,
    /// Of the noise schedule.
    pub shift: f32,
    /// Values in all its parts, and bytes on the disk.
    pub values: u64,
    pub bytes: u64,
}

/// A small copy of a picture, at most [`Thumbnail::SIDE`] pixels a side, RGBA not premultiplied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thumbnail {
    pub width: u32,
    pub height: u32,
    pub rgba: Arc<[u8]>,
}

impl Thumbnail {
    /// Twice the size at which it is shown, for screens with small pixels.
    pub const SIDE: u32 = 192;
}
