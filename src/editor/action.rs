//! What a person can do.

use super::{Adjust, Context, Export, History, How, Leave, Mode, Replay, Select, Setting, Shelf, Touch};
use crate::document::RevisionId;
use crate::jobs::{DeviceChoice, JobId};
use crate::recipe::{Factor, ModelId, Quality};
use std::path::PathBuf;

/// What is new when a recipe is run again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Other tokens, the same noise.
    Composition,
    /// The same tokens, other noise: nothing is written, only painted.
    Finish,
    /// The painting from the step that is looked at, with the guidance of the settings.
    FromStep,
}

/// Everything that the window can ask of the editor.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Ask for a picture.
    Open,
    OpenFiles(Vec<PathBuf>),
    Paste,
    Copy,
    /// Open the page on which a picture is written into a file.
    Export,
    /// On that page.
    ExportPage(Export),
    /// On the page of recipes on photos.
    Replay(Replay),
    /// A plain tool.
    Touch(Touch),
    /// Save the project in a file of its own.
    SaveProject,
    /// Make or edit with the present settings; waits where a job is running.
    Run,
    /// Escape: stop the running job; where something is painted already, ask first whether to keep it.
    Cancel,
    /// Stop it and keep what is painted so far.
    StopAndKeep,
    /// Stop it and keep nothing.
    Discard,
    /// Not to stop after all.
    GoOn,
    /// Make the picture larger.
    Upscale(Factor),
    CancelUpscale(JobId),
    /// Whether whatever the small model makes is made larger.
    UpscaleResults(bool),
    /// Make the picture of an example again.
    RunExample(usize),
    /// Run the picture's recipe again with something changed.
    Again(Again),
    /// Look at a step of the picture's painting.
    Scrub(Option<usize>),
    /// Look at the candidate that many places further.
    Candidate(isize),
    /// The candidate that is looked at is the one.
    Accept,
    /// One place forward in the queue.
    Sooner(JobId),
    /// Take a job out of the queue.
    Drop(JobId),
    SetMode(Mode),
    SetPrompt(String),
    /// The prompt before this one, and the one after.
    RecallOlder,
    RecallNewer,
    SetSteps(usize),
    /// Steps and shortcuts that go together.
    SetQuality(Quality),
    SetGuidance(f32),
    SetSeed(u64),
    /// Whether the seed stays for the next run.
    LockSeed(bool),
    RollSeed,
    SetVariations(usize),
    /// Ask for a model's folder.
    ChooseModel,
    SetModel(ModelId),
    /// On the page of models.
    Shelf(Shelf),
    Go(RevisionId),
    Undo,
    Redo,
    /// The split view of this picture and the one it was made from, or back to one picture.
    ToggleCompare,
    /// The split view of this picture and another.
    CompareWith(RevisionId),
    /// Where the split is, as a share of the picture's width.
    Split(f64),
    /// While true, the picture that this one was made from is shown.
    ShowBefore(bool),
    /// Take prompt and settings of the revision that is looked at.
    TakeRecipe,
    Compare(How),
    Select(Select),
    Context(Context),
    Adjust(Adjust),
    History(History),
    /// Without a selection: whether only what the model has changed is taken over.
    KeepRest(bool),
    /// Of the viewport, in screen pixels.
    Viewport([f64; 2]),
    /// A factor, and the screen point that stays.
    Zoom(f64, [f64; 2]),
    /// By screen pixels.
    Pan([f64; 2]),
    Fit,
    ActualSize,
    /// A setting of the window.
    Set(Setting),
    /// Find out what this machine can compute with.
    ListDevices,
    /// Find out anew how the next run would use memory.
    LookAhead,
    /// From the next run on.
    SetDevice(DeviceChoice),
    DismissNotice(u64),
    /// What is typed where the window asks for a path.
    SetAnswer(String),
    Answer,
    CancelAnswer,
    /// Close the window.
    Leave(Leave),
}
