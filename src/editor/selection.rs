//! The selection, its tools, and the short memory for taking strokes and sliders back.

use super::drawing::Drawing;
use super::{Draft, Editor, NoticeKind};
use crate::document::Placing;
use crate::imaging::{Mask, Patch, Rect};
use crate::jobs::{Command, Shape};
use std::path::PathBuf;
use std::sync::Arc;

/// What the pointer does on the canvas.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tool {
    /// Moves the picture.
    #[default]
    Hand,
    Brush,
    Eraser,
    Rectangle,
    Lasso,
}

/// What a new rectangle or lasso does to the selection that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Combine {
    #[default]
    Replace,
    Add,
    TakeAway,
}

/// What a person does with the selection.
#[derive(Clone, Debug, PartialEq)]
pub enum Select {
    Tool(Tool),
    /// Brush for eraser and back.
    Swap,
    /// Diameter of the brush, in pixels of the picture.
    Size(f32),
    SizeBy(f32),
    /// Share of the brush that covers wholly, 0 to 1.
    Hardness(f32),
    HardnessBy(f32),
    /// How many pixels growing, shrinking and softening take.
    Amount(u32),
    /// The pointer goes down, moves and goes up, at points of the picture.
    Press([f64; 2], Combine),
    Drag(Vec<[f64; 2]>),
    Release,
    /// What is being drawn is not wanted.
    Abort,
    All,
    Nothing,
    Shape(Shape),
    /// Ask for a file to read it from, or to write it to.
    Import,
    Export,
    /// Where the edit that is looked at has changed its source.
    FromEdit,
    /// Show that place over the picture.
    ShowChange(bool),
}

/// Something that can be taken back.
#[derive(Clone, Debug)]
enum Change {
    Mask(Patch),
    /// The settings before; a slider that goes on moving is one change.
    Settings(Slider, Box<Draft>),
}

/// Settings whose changes can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slider {
    Steps,
    Guidance,
    Seed,
    Variations,
    Preserve,
}

/// The selection and its tools.
#[derive(Debug)]
pub struct Selection {
    pub tool: Tool,
    /// Share of the brush that covers wholly.
    pub hardness: f32,
    /// Pixels that growing, shrinking and softening take.
    pub amount: u32,
    /// Whether the place that the edit has changed is shown.
    pub shows_change: bool,
    /// Whether a change of all of it is on its way.
    pub is_busy: bool,
    diameter: Option<f32>,
    mask: Option<Mask>,
    /// Around all that is selected; `None` where nothing is.
    bounds: Option<Rect>,
    pub(super) drawing: Option<Drawing>,
    undo: Vec<Change>,
    redo: Vec<Change>,
}

/// Memory that taking back may hold on to.
const UNDO_BYTES: usize = 256 << 20;
/// Brushes, in pixels of the picture.
const DIAMETER: (f32, f32) = (1.0, 5000.0);
/// A side of the picture over the first brush.
const FIRST_BRUSH: f32 = 16.0;

impl Default for Selection {
    fn default() -> Self {
        Self {
            tool: Tool::Hand,
            hardness: 0.8,
            amount: 8,
            shows_change: false,
            is_busy: false,
            diameter: None,
            mask: None,
            bounds: None,
            drawing: None,
            undo: Vec::new(),
            redo: Vec::new(),
        }
    }
}

impl Selection {
    /// All that there is, also where nothing of it is selected.
    pub fn mask(&self) -> Option<&Mask> {
        self.mask.as_ref()
    }

    /// The corners of a rectangle that is being drawn, in pixels of the picture.
    pub fn rectangle(&self) -> Option<[[f64; 2]; 2]> {
        match &self.drawing {
            Some(Drawing::Rectangle { from, to, .. }) => Some([*from, *to]),
            _ => None,
        }
    }

    /// The points of a lasso that is being drawn, in pixels of the picture.
    pub fn lasso(&self) -> &[[f32; 2]] {
        match &self.drawing {
            Some(Drawing::Lasso { points, .. }) => points,
            _ => &[],
        }
    }

    /// Whether the pointer is drawing.
    pub fn is_drawing(&self) -> bool {
        self.drawing.as_ref().is_some_and(|d| !matches!(d, Drawing::Stroke(stroke) if stroke.is_ended()))
    }

    /// Whether all that was drawn is there.
    pub fn is_whole(&self) -> bool {
        self.drawing.is_none()
    }

    /// Around all that is selected; `None` where nothing is.
    pub(super) fn bounds(&self) -> Option<Rect> {
        self.bounds
    }

    /// The mask that is to be drawn upon: strokes on one of another size cannot be taken back any more.
    pub(super) fn fit(&mut self, mask: &Mask) {
        if self.mask.as_ref().is_none_or(|m| m.size() != mask.size()) {
            self.undo.retain(|c| !matches!(c, Change::Mask(_)));
            self.redo.clear();
            self.bounds = None;
        }
    }

    pub(super) fn show(&mut self, mask: Mask) {
        self.mask = Some(mask);
    }

    /// A mask and what is known to be around all of it.
    pub(super) fn put(&mut self, mask: Mask, bounds: Option<Rect>) {
        (self.mask, self.bounds) = (Some(mask), bounds);
    }

    pub(super) fn remember_mask(&mut self, back: Patch) {
        self.remember(Change::Mask(back));
    }

    fn set(&mut self, mask: Mask) {
        self.bounds = mask.bounds();
        self.mask = Some(mask);
    }

    fn remember(&mut self, change: Change) {
        self.redo.clear();
        self.undo.push(change);
        let bytes = |c: &Change| if let Change::Mask(patch) = c { patch.size_bytes() } else { 0 };
        let mut all: usize = self.undo.iter().map(bytes).sum();
        while all > UNDO_BYTES && self.undo.len() > 1 {
            all -= bytes(&self.undo.remove(0));
        }
    }

    /// Puts another mask in the place of this one, so that it can be taken back.
    fn replace(&mut self, mask: Mask) {
        if let Some(old) = &self.mask
            && let Ok(patch) = mask.back_to(old)
            && !patch.is_empty()
        {
            self.remember(Change::Mask(patch));
        }
        self.set(mask);
    }
}

impl Editor {
    /// The selection of the picture on the canvas, where something is selected.
    pub fn selected(&self) -> Option<&Mask> {
        let picture = &self.document.current()?.picture;
        let mask = self.selection.mask.as_ref().filter(|m| m.size() == picture.size())?;
        self.selection.bounds.is_some().then_some(mask)
    }

    /// Around all that is selected on the canvas.
    pub fn selected_bounds(&self) -> Option<Rect> {
        self.selected().and(self.selection.bounds)
    }

    /// Diameter of the brush, in pixels of the picture.
    pub fn brush_diameter(&self) -> f32 {
        let longest = self.view.image().into_iter().max().unwrap_or(1) as f32;
        self.selection.diameter.unwrap_or_else(|| (longest / FIRST_BRUSH).max(4.0).round())
    }

    pub(super) fn select(&mut self, what: Select, commands: &mut Vec<Command>) {
        match what {
            Select::Tool(tool) => {
                self.select(Select::Abort, commands);
                self.selection.tool = tool;
            }
            Select::Swap => {
                self.selection.tool = if self.selection.tool == Tool::Brush { Tool::Eraser } else { Tool::Brush };
            }
            Select::Size(size) if size.is_finite() => self.selection.diameter = Some(size.clamp(DIAMETER.0, DIAMETER.1)),
            Select::SizeBy(factor) => {
                let (old, one) = (self.brush_diameter(), if factor > 1.0 { 1.0 } else { -1.0 });
                // A small brush changes by whole pixels.
                let new = if (old * factor - old).abs() < 1.0 { old + one } else { (old * factor).round() };
                self.select(Select::Size(new), commands);
            }
            Select::Hardness(hardness) if hardness.is_finite() => self.selection.hardness = hardness.clamp(0.0, 1.0),
            Select::HardnessBy(by) => self.select(Select::Hardness(self.selection.hardness + by), commands),
            Select::Size(_) | Select::Hardness(_) => {}
            Select::Amount(amount) => self.selection.amount = amount.clamp(1, 500),
            Select::Press(at, how) => self.press(at, how, commands),
            Select::Drag(places) => self.drag(&places, commands),
            Select::Release => self.release(commands),
            Select::Abort => self.abort_drawing(),
            Select::All => self.with_new_mask(commands, |mask| mask.fill(255)),
            Select::Nothing => {
                if self.selected().is_some() {
                    self.with_new_mask(commands, |_| {});
                }
            }
            Select::Shape(by) => {
                let mask = if by == Shape::Invert { self.current_mask() } else { self.selected().cloned() };
                if let Some(mask) = mask.filter(|_| !self.selection.is_busy) {
                    self.selection.is_busy = true;
                    commands.push(Command::ShapeMask { mask, by });
                }
            }
            Select::Import => {
                if self.document.current().is_some() {
                    commands.push(Command::AskOpenMask);
                }
            }
            Select::Export => match self.selected() {
                Some(_) => commands.push(Command::AskSaveMask),
                None => self.say(NoticeKind::Failed, "Nothing is selected yet: paint over a part of the picture first (B)."),
            },
            Select::FromEdit => self.selection_from_edit(commands),
            Select::ShowChange(on) => {
                self.selection.shows_change = on;
                self.find_change(commands);
            }
        }
    }

    /// The mask for the picture on the canvas; an empty one where there is none of its size.
    pub(super) fn current_mask(&self) -> Option<Mask> {
        let picture = &self.document.current()?.picture;
        let size = picture.size();
        self.selection.mask.clone().filter(|m| m.size() == size).or_else(|| Mask::new(size[0], size[1]).ok())
    }

    /// Begins with an empty mask for the picture on the canvas.
    fn with_new_mask(&mut self, commands: &mut Vec<Command>, change: impl FnOnce(&mut Mask)) {
        let Some(old) = self.current_mask() else { return };
        let Ok(mut mask) = Mask::new(old.width(), old.height()) else { return };
        change(&mut mask);
        self.take_mask(mask, commands);
    }

    /// Makes a mask the selection, if it fits the picture on the canvas.
    pub(super) fn take_mask(&mut self, mask: Mask, commands: &mut Vec<Command>) {
        let Some(old) = self.current_mask().filter(|old| old.size() == mask.size()) else { return };
        self.selection.mask = Some(old);
        self.selection.replace(mask);
        commands.push(Command::SaveState(self.state()));
    }

    fn selection_from_edit(&mut self, commands: &mut Vec<Command>) {
        let Some(current) = self.document.current() else { return };
        match (current.local.as_deref().map(|l| &l.placing), &self.change) {
            (Some(Placing::Selection { mask, .. }), _) => self.take_mask(mask.clone(), commands),
            (Some(_), Some((of, change))) if *of == current.id => self.take_mask(change.clone(), commands),
            (Some(_), _) => {
                self.wants_change_selected = true;
                self.find_change(commands);
            }
            (None, _) => {}
        }
    }

    /// Asks where the edit on the canvas has changed its source, if that is not known.
    pub(super) fn find_change(&mut self, commands: &mut Vec<Command>) {
        let wanted = self.selection.shows_change || self.wants_change_selected;
        let Some(current) = self.document.current().filter(|_| wanted) else { return };
        if self.change.as_ref().is_some_and(|(of, _)| *of == current.id) || self.change_asked == Some(current.id) {
            return;
        }
        let source = current.parent.and_then(|p| self.document.revision(p)).and_then(|r| r.picture.here().cloned());
        if let (Some(local), Some(source)) = (&current.local, source) {
            self.change_asked = Some(current.id);
            commands.push(Command::FindChange { of: current.id, source, local: Arc::clone(local) });
        }
    }

    /// The place that the edit on the canvas has changed, where it is shown.
    pub fn shown_change(&self) -> Option<&Mask> {
        let current = self.document.current().filter(|_| self.selection.shows_change)?;
        self.change.as_ref().filter(|(of, _)| *of == current.id).map(|(_, mask)| mask)
    }

    pub(super) fn import_mask(&mut self, path: PathBuf, commands: &mut Vec<Command>) {
        if let Some(picture) = self.document.current().map(|r| &r.picture) {
            commands.push(Command::OpenMask { path, size: picture.size() });
        }
    }

    pub(super) fn export_mask(&mut self, mut path: PathBuf, commands: &mut Vec<Command>) {
        path.set_extension("png");
        if let Some(mask) = self.selected() {
            commands.push(Command::SaveMask { mask: mask.clone(), path });
        }
    }

    /// Remembers the settings before a slider moves.
    pub(super) fn before(&mut self, slider: Slider) {
        if !matches!(self.selection.undo.last(), Some(Change::Settings(last, _)) if *last == slider) {
            let draft = Box::new(self.draft.clone());
            self.selection.remember(Change::Settings(slider, draft));
        }
    }

    /// Whether a stroke or a slider can be taken back.
    pub fn can_take_back(&self) -> bool {
        !self.selection.undo.is_empty()
    }

    /// Whether what was taken back can be done again.
    pub fn can_do_again(&self) -> bool {
        !self.selection.redo.is_empty()
    }

    /// Takes back the last stroke or slider; false where there is none.
    pub(super) fn take_back(&mut self, commands: &mut Vec<Command>) -> bool {
        let Some(change) = self.selection.undo.pop() else { return false };
        if let Some(again) = self.swap(change, commands) {
            self.selection.redo.push(again);
        }
        true
    }

    pub(super) fn do_again(&mut self, commands: &mut Vec<Command>) -> bool {
        let Some(change) = self.selection.redo.pop() else { return false };
        if let Some(back) = self.swap(change, commands) {
            self.selection.undo.push(back);
        }
        true
    }

    fn swap(&mut self, change: Change, commands: &mut Vec<Command>) -> Option<Change> {
        match change {
            Change::Mask(patch) => {
                let mut mask = self.selection.mask.take()?;
                let back = mask.apply(patch).ok();
                self.selection.set(mask);
                commands.push(Command::SaveState(self.state()));
                back.map(Change::Mask)
            }
            Change::Settings(slider, draft) => {
                let words = (self.draft.prompt.clone(), self.draft.mode);
                let old = Box::new(std::mem::replace(&mut self.draft, *draft));
                // Text fields have a memory of their own.
                (self.draft.prompt, self.draft.mode) = words;
                Some(Change::Settings(slider, old))
            }
        }
    }

    /// From here on, undo goes through the history again.
    pub(super) fn forget_strokes(&mut self) {
        self.selection.undo.clear();
        self.selection.redo.clear();
    }

    /// A selection from a project.
    pub(super) fn restore_mask(&mut self, mask: Option<Mask>) {
        self.selection = Selection { tool: self.selection.tool, hardness: self.selection.hardness, ..Selection::default() };
        if let Some(mask) = mask {
            self.selection.set(mask);
        }
    }
}
