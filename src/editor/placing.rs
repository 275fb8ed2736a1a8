//! Where an edit takes place: the part of the picture that the model sees, and what of its result is taken over, also
//! afterwards.

use super::keeping::Arrival;
use super::pixels::STILL_READ;
use super::{Editor, Mode, NoticeKind};
use crate::document::{LocalEdit, Placing, RevisionId, USUAL_REACH};
use crate::imaging::{Blend, ContextBox};
use crate::jobs::{Adjusted, Command, Place};
use std::sync::Arc;

/// What the next edit takes over of the model's picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Preserve {
    /// Without a selection: only what the model has changed.
    pub keeps_rest: bool,
    /// How small a change still counts, 0 to 1.
    pub reach: f32,
    /// Pixels beyond the selection; `None`: as suits the picture.
    pub feather: Option<u32>,
    /// How far colours are matched to the surroundings, 0 to 1.
    pub matching: f32,
}

impl Default for Preserve {
    fn default() -> Self {
        Self { keeps_rest: true, reach: USUAL_REACH, feather: None, matching: Blend::default().matching }
    }
}

/// A hand on the box that the model sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Context {
    /// By pixels of the picture.
    Move(f64, f64),
    /// To a width, about its middle.
    Width(f64),
    /// Back to where it goes by itself.
    Auto,
}

/// Another way of taking over the result that is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Adjust {
    /// Only what the model has changed.
    Change,
    /// Under the selection.
    Selection,
    /// All of it.
    Whole,
    Reach(f32),
    Feather(u32),
    Matching(f32),
    /// Keep it so, as a revision beside the one that it was.
    Keep,
    /// As it was.
    Reset,
}

/// A result that is being put into its picture in another way.
#[derive(Debug)]
pub struct Adjustment {
    pub of: RevisionId,
    /// What is wanted.
    pub edit: LocalEdit,
    /// The newest that is there, perhaps not yet what is wanted.
    pub shown: Option<Box<Adjusted>>,
}

impl Adjustment {
    /// Whether what is shown is what is wanted.
    pub fn is_ready(&self) -> bool {
        self.shown.as_ref().is_some_and(|s| s.edit.placing == self.edit.placing)
    }
}

/// The widest feather, in pixels.
pub const MOST_FEATHER: u32 = 256;

impl Editor {
    /// What the next edit shows the model of the picture on the canvas; `None` where the next run makes a new one.
    pub fn context_box(&self) -> Option<ContextBox> {
        let picture = &self.document.current().filter(|_| self.mode() == Mode::Edit)?.picture;
        let size = picture.size();
        let side = self.model_size()?;
        let by_itself = || ContextBox::around(size, self.selected_bounds(), [side.width, side.height]);
        Some(self.context.filter(|(of, _)| *of == size).map_or_else(by_itself, |(_, seen)| seen))
    }

    /// Whether a hand has moved it.
    pub fn context_is_moved(&self) -> bool {
        self.context.is_some_and(|(of, _)| of == self.view.image())
    }

    pub(super) fn move_context(&mut self, how: Context) {
        let (Some(seen), Some(side)) = (self.context_box(), self.model_size()) else { return };
        let size = self.view.image();
        self.context = match how {
            Context::Auto => None,
            Context::Move(dx, dy) if dx.is_finite() && dy.is_finite() => {
                // What is less than a pixel is kept for the next time.
                let whole = [self.context_rest[0] + dx, self.context_rest[1] + dy];
                self.context_rest = whole.map(|v| v - v.round());
                Some((size, seen.moved(whole[0].round() as i64, whole[1].round() as i64, size)))
            }
            Context::Width(width) if width.is_finite() => {
                Some((size, seen.resized(width.round().clamp(1.0, 1e6) as u32, size, [side.width, side.height])))
            }
            Context::Move(..) | Context::Width(_) => return,
        };
    }

    /// A feather that suits the picture on the canvas.
    pub fn usual_feather(&self) -> u32 {
        let longest = self.view.image().into_iter().max().unwrap_or(1);
        self.draft.preserve.feather.unwrap_or((longest / 256).clamp(2, 64))
    }

    /// Where the next edit takes place.
    pub(super) fn place(&self) -> Option<Place> {
        let preserve = &self.draft.preserve;
        let placing = match self.selected() {
            Some(mask) => Placing::Selection { mask: mask.clone(), blend: self.blend() },
            None if preserve.keeps_rest => Placing::Change { reach: preserve.reach },
            None => Placing::Whole,
        };
        Some(Place { seen: self.context_box()?, placing })
    }

    fn blend(&self) -> Blend {
        Blend { feather: self.usual_feather(), matching: self.draft.preserve.matching }
    }

    /// How the edit on the canvas is taken over, or is to be.
    pub fn local(&self) -> Option<&LocalEdit> {
        let current = self.document.current()?;
        match &self.adjustment {
            Some(adjustment) if adjustment.of == current.id => Some(&adjustment.edit),
            _ => current.local.as_deref(),
        }
    }

    pub(super) fn adjust(&mut self, how: Adjust, commands: &mut Vec<Command>) {
        let Some(current) = self.document.current() else { return };
        let (of, Some(mut edit), Some(source)) =
            (current.id, self.local().cloned(), current.parent.and_then(|p| self.document.revision(p)))
        else {
            return;
        };
        let Some(source) = source.picture.here().cloned() else { return self.say(NoticeKind::Failed, STILL_READ) };
        let own = match current.local.as_deref().map(|l| &l.placing) {
            Some(Placing::Selection { mask, .. }) => Some(mask.clone()),
            _ => None,
        };
        match (how, &mut edit.placing) {
            (Adjust::Keep, _) => return self.keep_adjustment(commands),
            (Adjust::Reset, _) => {
                self.adjustment = None;
                return;
            }
            (Adjust::Change, placing) => *placing = Placing::Change { reach: self.draft.preserve.reach },
            (Adjust::Whole, placing) => *placing = Placing::Whole,
            (Adjust::Selection, placing) => match own.or_else(|| self.selected().cloned()) {
                Some(mask) => *placing = Placing::Selection { mask, blend: self.blend() },
                None => return,
            },
            (Adjust::Reach(to), Placing::Change { reach }) if to.is_finite() => {
                *reach = to.clamp(0.0, 1.0);
                self.draft.preserve.reach = *reach;
            }
            (Adjust::Feather(to), Placing::Selection { blend, .. }) => {
                blend.feather = to.min(MOST_FEATHER);
                self.draft.preserve.feather = Some(blend.feather);
            }
            (Adjust::Matching(to), Placing::Selection { blend, .. }) if to.is_finite() => {
                blend.matching = to.clamp(0.0, 1.0);
                self.draft.preserve.matching = blend.matching;
            }
            _ => return,
        }
        let shown = self.adjustment.take().filter(|a| a.of == of).and_then(|a| a.shown);
        commands.push(Command::Adjust { of, source, edit: Box::new(edit.clone()) });
        self.adjustment = Some(Adjustment { of, edit, shown });
    }

    /// Records what is shown beside the revision that it was made from.
    fn keep_adjustment(&mut self, commands: &mut Vec<Command>) {
        let Some(Adjustment { of, edit, shown: Some(shown) }) = self.adjustment.take_if(|a| a.is_ready()) else { return };
        let Some(revision) = self.document.revision(of) else { return };
        let Adjusted { picture, pyramid, thumbnail, at, .. } = *shown;
        let (parent, origin, steps) = (revision.parent, revision.origin.clone(), revision.steps.clone());
        let local = Some(Arc::new(edit));
        let id = self.record(Arrival { parent, origin, picture, steps, local, at, pyramid, thumbnail }, commands);
        self.document.go(id);
    }
}
