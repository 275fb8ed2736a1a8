//! The one table of what can be done by name. Menu, keys, palette, tooltips, the page of keys and the README's list are made
//! from it.
//!
//! The words are in the catalogue under `action-ID`, tooltips under its attribute `.tip`.

use super::keys::Keys;
use super::words::say;
use crate::editor::{Action, Again, Editor, History, How, Mode, Replay, Select, Settings, Shape, Shelf, Tool, Touch};
use crate::imaging::{Rect, Tool as PlainTool};
use crate::recipe::Factor;
use eframe::egui::{Context, Key, Modifiers};

/// Where an action stands in the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Menu {
    File,
    Edit,
    Picture,
    Selection,
    View,
}

pub const MENUS: [Menu; 5] = [Menu::File, Menu::Edit, Menu::Picture, Menu::Selection, Menu::View];

impl Menu {
    pub fn name(self) -> String {
        say(match self {
            Self::File => "menu-file",
            Self::Edit => "menu-edit",
            Self::Picture => "menu-picture",
            Self::Selection => "menu-selection",
            Self::View => "menu-view",
        })
    }
}

/// When the keys of an action count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Also while somebody types.
    Always,
    /// Not while somebody types.
    Canvas,
    /// While there are variations to choose from, and nobody types.
    Candidates,
    /// While a plain tool is tried, and nobody types.
    Trial,
    /// While the contact sheet of a recipe is open, and nothing else.
    Sheet,
    /// Read by somebody else: the prompt's field, or whoever has the clipboard.
    Elsewhere,
}

impl When {
    /// Whether two actions may be asked for at the same time.
    pub fn meets(self, other: Self) -> bool {
        use When::{Always, Candidates, Canvas, Elsewhere, Sheet, Trial};
        matches!(
            (self, other),
            (Always, _)
                | (_, Always)
                | (Canvas | Candidates, Canvas | Candidates)
                | (Canvas | Trial, Canvas | Trial)
                | (Sheet, Sheet)
                | (Elsewhere, Elsewhere)
        )
    }
}

/// What is asked of the window itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Prompt,
    Palette,
    Panels,
    FullScreen,
    Settings,
    Keys,
    Messages,
    Quit,
}

/// What an action comes to.
#[derive(Clone, Copy)]
pub enum Deed {
    /// `None`: not now.
    Asks(fn(&Editor) -> Option<Action>),
    /// Begins with the key and ends with it.
    Holds(fn(bool) -> Action),
    Wishes(Wish),
}

/// A row of the table.
pub struct Entry {
    /// In settings and in the catalogue; never changes.
    pub id: &'static str,
    pub menu: Menu,
    pub when: When,
    pub keys: &'static [Keys],
    pub deed: Deed,
}

/// How much larger one press makes the brush, and how much harder.
const SIZE_STEP: f32 = 1.2;
const HARDNESS_STEP: f32 = 0.1;
const ZOOM_STEP: f64 = 1.25;

const SHIFT_COMMAND: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);

const fn plain(key: Key) -> Keys {
    Keys::new(Modifiers::NONE, key)
}

const fn with_command(key: Key) -> Keys {
    Keys::new(Modifiers::COMMAND, key)
}

const fn with_both(key: Key) -> Keys {
    Keys::new(SHIFT_COMMAND, key)
}

const fn row(id: &'static str, menu: Menu, when: When, keys: &'static [Keys], deed: Deed) -> Entry {
    Entry { id, menu, when, keys, deed }
}

fn has_picture(e: &Editor) -> bool {
    e.document.current().is_some()
}

fn with_picture(e: &Editor, action: Action) -> Option<Action> {
    has_picture(e).then_some(action)
}

fn selection(e: &Editor, what: Select) -> Option<Action> {
    (e.selected().is_some() && !e.selection.is_busy).then_some(Action::Select(what))
}

fn tool(e: &Editor, tool: Tool) -> Option<Action> {
    with_picture(e, Action::Select(Select::Tool(tool)))
}

fn zoomed(e: &Editor, by: f64) -> Option<Action> {
    with_picture(e, Action::Zoom(by, e.view.viewport().map(|v| v / 2.0)))
}

fn compared(e: &Editor, how: How) -> Option<Action> {
    e.compare.is_some().then_some(Action::Compare(how))
}

fn made_again(e: &Editor, again: Again) -> Option<Action> {
    (e.document.current()?.recipe().is_some() && e.run.is_none()).then_some(Action::Again(again))
}

fn candidate(e: &Editor, by: isize) -> Option<Action> {
    (!e.candidates().is_empty()).then_some(Action::Candidate(by))
}

/// For a plain tool that is tried.
fn tried(e: &Editor, what: Touch) -> Option<Action> {
    e.trial.is_some_and(|t| !t.is_busy).then_some(Action::Touch(what))
}

/// A plain tool at once.
fn touched(e: &Editor, tool: PlainTool) -> Option<Action> {
    e.trial.is_none_or(|t| !t.is_busy).then(|| with_picture(e, Action::Touch(Touch::Now(tool))))?
}

/// The frame of a crop, around everything.
fn framed(e: &Editor) -> Option<Action> {
    let [width, height] = e.document.current()?.picture.size();
    let is_free = e.run_on_canvas().is_none() && e.trial.is_none_or(|t| !t.is_busy);
    is_free.then_some(Action::Touch(Touch::Crop(Rect { left: 0, top: 0, width, height })))
}

fn upscaled(e: &Editor, by: Factor) -> Option<Action> {
    e.may_upscale(by).is_ok().then_some(Action::Upscale(by))
}

/// On the contact sheet, where there is a photo.
fn on_sheet(e: &Editor, what: Replay) -> Option<Action> {
    (e.replaying.open && !e.replaying.photos.is_empty()).then_some(Action::Replay(what))
}

/// On the contact sheet, where a result is looked at.
fn decided(e: &Editor, yes: bool) -> Option<Action> {
    e.replaying.photos.get(e.replaying.at)?.sample()?;
    on_sheet(e, Replay::Accept(yes))
}

/// What Escape ends: the innermost first.
fn stop(e: &Editor) -> Option<Action> {
    if e.selection.is_drawing() {
        Some(Action::Select(Select::Abort))
    } else if e.ask.is_some() {
        Some(Action::CancelAnswer)
    } else {
        e.run.is_some().then_some(Action::Cancel).or_else(|| tried(e, Touch::Reset))
    }
}

/// The table, in the menu's order.
pub const ACTIONS: &[Entry] = &[
    row("open", Menu::File, When::Always, &[with_command(Key::O)], Deed::Asks(|_| Some(Action::Open))),
    row(
        "save-project",
        Menu::File,
        When::Always,
        &[with_command(Key::S), with_both(Key::S)],
        Deed::Asks(|e| with_picture(e, Action::SaveProject)),
    ),
    row("export", Menu::File, When::Always, &[with_both(Key::E)], Deed::Asks(|e| with_picture(e, Action::Export))),
    row("save-recipe", Menu::File, When::Always, &[], Deed::Asks(|e| e.has_own_recipe().then_some(Action::Replay(Replay::SaveRecipe)))),
    row("replay", Menu::File, When::Always, &[with_both(Key::R)], Deed::Asks(|_| Some(Action::Replay(Replay::Open)))),
    row("models", Menu::File, When::Always, &[with_both(Key::M)], Deed::Asks(|_| Some(Action::Shelf(Shelf::Open)))),
    row("settings", Menu::File, When::Always, &[with_command(Key::Comma)], Deed::Wishes(Wish::Settings)),
    row("quit", Menu::File, When::Always, &[with_command(Key::Q)], Deed::Wishes(Wish::Quit)),
    row("run", Menu::Edit, When::Always, &[with_command(Key::Enter)], Deed::Asks(|e| e.ready().is_ok().then_some(Action::Run))),
    row("stop", Menu::Edit, When::Always, &[plain(Key::Escape)], Deed::Asks(stop)),
    row("prompt", Menu::Edit, When::Canvas, &[plain(Key::Slash)], Deed::Wishes(Wish::Prompt)),
    row("older-prompt", Menu::Edit, When::Elsewhere, &[plain(Key::ArrowUp)], Deed::Asks(|_| Some(Action::RecallOlder))),
    row("newer-prompt", Menu::Edit, When::Elsewhere, &[plain(Key::ArrowDown)], Deed::Asks(|_| Some(Action::RecallNewer))),
    row("edit-mode", Menu::Edit, When::Always, &[], Deed::Asks(|e| with_picture(e, Action::SetMode(Mode::Edit)))),
    row("new-mode", Menu::Edit, When::Always, &[with_command(Key::N)], Deed::Asks(|_| Some(Action::SetMode(Mode::Generate)))),
    row(
        "undo",
        Menu::Edit,
        When::Canvas,
        &[with_command(Key::Z)],
        Deed::Asks(|e| (e.can_take_back() || e.document.can_undo()).then_some(Action::Undo)),
    ),
    row(
        "redo",
        Menu::Edit,
        When::Canvas,
        &[with_both(Key::Z), with_command(Key::Y)],
        Deed::Asks(|e| (e.can_do_again() || e.document.can_redo()).then_some(Action::Redo)),
    ),
    row("copy", Menu::Edit, When::Canvas, &[with_command(Key::C)], Deed::Asks(|e| with_picture(e, Action::Copy))),
    row("paste", Menu::Edit, When::Elsewhere, &[with_command(Key::V)], Deed::Asks(|_| Some(Action::Paste))),
    row("new-composition", Menu::Picture, When::Always, &[], Deed::Asks(|e| made_again(e, Again::Composition))),
    row("new-finish", Menu::Picture, When::Always, &[], Deed::Asks(|e| made_again(e, Again::Finish))),
    row(
        "branch",
        Menu::Picture,
        When::Always,
        &[with_command(Key::J)],
        Deed::Asks(|e| e.scrubbed.is_some().then_some(Action::Again(Again::FromStep))),
    ),
    row("crop", Menu::Picture, When::Canvas, &[plain(Key::C)], Deed::Asks(framed)),
    row("apply", Menu::Picture, When::Trial, &[plain(Key::Enter)], Deed::Asks(|e| tried(e, Touch::Apply))),
    row("turn-left", Menu::Picture, When::Canvas, &[with_command(Key::L)], Deed::Asks(|e| touched(e, PlainTool::Turn { quarters: 3 }))),
    row("turn-right", Menu::Picture, When::Canvas, &[with_command(Key::R)], Deed::Asks(|e| touched(e, PlainTool::Turn { quarters: 1 }))),
    row("mirror", Menu::Picture, When::Always, &[], Deed::Asks(|e| touched(e, PlainTool::Mirror))),
    row("flip", Menu::Picture, When::Always, &[], Deed::Asks(|e| touched(e, PlainTool::Flip))),
    row("upscale-2", Menu::Picture, When::Always, &[], Deed::Asks(|e| upscaled(e, Factor::Two))),
    row("upscale-4", Menu::Picture, When::Always, &[], Deed::Asks(|e| upscaled(e, Factor::Four))),
    row("take-recipe", Menu::Picture, When::Always, &[], Deed::Asks(|e| e.document.current()?.recipe().map(|_| Action::TakeRecipe))),
    row("previous-candidate", Menu::Picture, When::Candidates, &[plain(Key::ArrowLeft)], Deed::Asks(|e| candidate(e, -1))),
    row("next-candidate", Menu::Picture, When::Candidates, &[plain(Key::ArrowRight)], Deed::Asks(|e| candidate(e, 1))),
    row(
        "accept",
        Menu::Picture,
        When::Candidates,
        &[plain(Key::Enter)],
        Deed::Asks(|e| (!e.candidates().is_empty()).then_some(Action::Accept)),
    ),
    row(
        "star",
        Menu::Picture,
        When::Canvas,
        &[plain(Key::S)],
        Deed::Asks(|e| e.document.current().map(|r| Action::History(History::Star(r.id, !r.starred)))),
    ),
    row(
        "rename",
        Menu::Picture,
        When::Canvas,
        &[plain(Key::F2)],
        Deed::Asks(|e| e.document.current().map(|r| Action::History(History::BeginRename(r.id)))),
    ),
    row(
        "prune",
        Menu::Picture,
        When::Canvas,
        &[plain(Key::Delete)],
        Deed::Asks(|e| e.document.current().map(|r| Action::History(History::AskPrune(r.id)))),
    ),
    row("accept-photo", Menu::Picture, When::Sheet, &[plain(Key::A)], Deed::Asks(|e| decided(e, true))),
    row("reject-photo", Menu::Picture, When::Sheet, &[plain(Key::X)], Deed::Asks(|e| decided(e, false))),
    row("previous-photo", Menu::Picture, When::Sheet, &[plain(Key::ArrowLeft)], Deed::Asks(|e| on_sheet(e, Replay::Step(-1)))),
    row("next-photo", Menu::Picture, When::Sheet, &[plain(Key::ArrowRight)], Deed::Asks(|e| on_sheet(e, Replay::Step(1)))),
    row("hand", Menu::Selection, When::Canvas, &[plain(Key::H)], Deed::Asks(|e| tool(e, Tool::Hand))),
    row("brush", Menu::Selection, When::Canvas, &[plain(Key::B)], Deed::Asks(|e| tool(e, Tool::Brush))),
    row("eraser", Menu::Selection, When::Canvas, &[plain(Key::E)], Deed::Asks(|e| tool(e, Tool::Eraser))),
    row("rectangle", Menu::Selection, When::Canvas, &[plain(Key::M)], Deed::Asks(|e| tool(e, Tool::Rectangle))),
    row("lasso", Menu::Selection, When::Canvas, &[plain(Key::L)], Deed::Asks(|e| tool(e, Tool::Lasso))),
    row("swap", Menu::Selection, When::Canvas, &[plain(Key::X)], Deed::Asks(|e| with_picture(e, Action::Select(Select::Swap)))),
    row(
        "smaller",
        Menu::Selection,
        When::Canvas,
        &[plain(Key::OpenBracket)],
        Deed::Asks(|e| with_picture(e, Action::Select(Select::SizeBy(1.0 / SIZE_STEP)))),
    ),
    row(
        "larger",
        Menu::Selection,
        When::Canvas,
        &[plain(Key::CloseBracket)],
        Deed::Asks(|e| with_picture(e, Action::Select(Select::SizeBy(SIZE_STEP)))),
    ),
    // With Shift these keys are braces on many layouts.
    row(
        "softer",
        Menu::Selection,
        When::Canvas,
        &[Keys::new(Modifiers::SHIFT, Key::OpenBracket), Keys::new(Modifiers::SHIFT, Key::OpenCurlyBracket)],
        Deed::Asks(|e| with_picture(e, Action::Select(Select::HardnessBy(-HARDNESS_STEP)))),
    ),
    row(
        "harder",
        Menu::Selection,
        When::Canvas,
        &[Keys::new(Modifiers::SHIFT, Key::CloseBracket), Keys::new(Modifiers::SHIFT, Key::CloseCurlyBracket)],
        Deed::Asks(|e| with_picture(e, Action::Select(Select::HardnessBy(HARDNESS_STEP)))),
    ),
    row("all", Menu::Selection, When::Canvas, &[with_command(Key::A)], Deed::Asks(|e| with_picture(e, Action::Select(Select::All)))),
    row("nothing", Menu::Selection, When::Canvas, &[with_command(Key::D)], Deed::Asks(|e| selection(e, Select::Nothing))),
    row(
        "invert",
        Menu::Selection,
        When::Canvas,
        &[with_both(Key::I)],
        Deed::Asks(|e| (has_picture(e) && !e.selection.is_busy).then_some(Action::Select(Select::Shape(Shape::Invert)))),
    ),
    row("grow", Menu::Selection, When::Always, &[], Deed::Asks(|e| selection(e, Select::Shape(Shape::Grow(e.selection.amount))))),
    row("shrink", Menu::Selection, When::Always, &[], Deed::Asks(|e| selection(e, Select::Shape(Shape::Shrink(e.selection.amount))))),
    row("soften", Menu::Selection, When::Always, &[], Deed::Asks(|e| selection(e, Select::Shape(Shape::Soften(e.selection.amount))))),
    row(
        "select-change",
        Menu::Selection,
        When::Always,
        &[],
        Deed::Asks(|e| e.document.current()?.local.as_ref().map(|_| Action::Select(Select::FromEdit))),
    ),
    row("import-selection", Menu::Selection, When::Always, &[], Deed::Asks(|e| with_picture(e, Action::Select(Select::Import)))),
    row("export-selection", Menu::Selection, When::Always, &[], Deed::Asks(|e| selection(e, Select::Export))),
    row("fit", Menu::View, When::Always, &[with_command(Key::Num0)], Deed::Asks(|e| with_picture(e, Action::Fit))),
    row("actual-size", Menu::View, When::Always, &[with_command(Key::Num1)], Deed::Asks(|e| with_picture(e, Action::ActualSize))),
    row("zoom-in", Menu::View, When::Always, &[with_command(Key::Plus), with_command(Key::Equals)], Deed::Asks(|e| zoomed(e, ZOOM_STEP))),
    row("zoom-out", Menu::View, When::Always, &[with_command(Key::Minus)], Deed::Asks(|e| zoomed(e, 1.0 / ZOOM_STEP))),
    row(
        "compare",
        Menu::View,
        When::Canvas,
        &[plain(Key::V)],
        Deed::Asks(|e| (e.compare.is_some() || e.document.can_undo()).then_some(Action::ToggleCompare)),
    ),
    row("split", Menu::View, When::Always, &[], Deed::Asks(|e| compared(e, How::Split))),
    row("flicker", Menu::View, When::Always, &[], Deed::Asks(|e| compared(e, How::Flicker))),
    row("heat-map", Menu::View, When::Always, &[], Deed::Asks(|e| compared(e, How::HeatMap))),
    row("before", Menu::View, When::Canvas, &[plain(Key::Backslash)], Deed::Holds(Action::ShowBefore)),
    row("panels", Menu::View, When::Canvas, &[plain(Key::F9)], Deed::Wishes(Wish::Panels)),
    row("full-screen", Menu::View, When::Always, &[plain(Key::F11)], Deed::Wishes(Wish::FullScreen)),
    row("palette", Menu::View, When::Always, &[with_command(Key::K)], Deed::Wishes(Wish::Palette)),
    row("messages", Menu::View, When::Always, &[], Deed::Wishes(Wish::Messages)),
    row("keys", Menu::View, When::Always, &[plain(Key::F1)], Deed::Wishes(Wish::Keys)),
];

/// The row of an action.
pub fn entry(id: &str) -> Option<&'static Entry> {
    ACTIONS.iter().find(|e| e.id == id)
}

impl Entry {
    pub fn label(&self) -> String {
        say(&format!("action-{}", self.id))
    }

    pub fn tip(&self) -> String {
        say(&format!("action-{}.tip", self.id))
    }

    /// Whether it can be done now.
    pub fn is_possible(&self, editor: &Editor) -> bool {
        match self.deed {
            Deed::Asks(make) => make(editor).is_some(),
            Deed::Holds(_) => false,
            Deed::Wishes(_) => true,
        }
    }

    /// Its keys: a person's own, or those of the table.
    pub fn keys_in(&self, settings: &Settings) -> Vec<Keys> {
        match settings.keys.get(self.id) {
            Some(own) => own.iter().filter_map(|text| Keys::parse(text)).collect(),
            None => self.keys.to_vec(),
        }
    }

    /// Its first keys as this system writes them; empty where it has none.
    pub fn keys_words(&self, ctx: &Context, settings: &Settings) -> String {
        self.keys_in(settings).first().map(|keys| keys.words(ctx)).unwrap_or_default()
    }
}

/// A tooltip with the keys behind it.
pub fn tip(ctx: &Context, editor: &Editor, id: &str) -> String {
    let Some(entry) = entry(id) else { return String::new() };
    let keys = entry.keys_words(ctx, &editor.settings);
    if keys.is_empty() { entry.tip() } else { format!("{} ({keys})", entry.tip()) }
}

/// Does it, where that is possible now.
pub fn do_it(entry: &Entry, editor: &Editor, actions: &mut Vec<Action>, wishes: &mut Vec<Wish>) {
    match entry.deed {
        Deed::Asks(make) => actions.extend(make(editor)),
        Deed::Wishes(wish) => wishes.push(wish),
        Deed::Holds(_) => {}
    }
}
