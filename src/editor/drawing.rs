//! What a hand draws on the selection. The window only gathers where the pointer was; a lane draws, one part after the other.
//!
//! What a person does behind a stroke that is not whole yet waits for it, so that nothing sees half of it.

use super::selection::{Combine, Tool};
use super::{Action, Editor, Message, Select};
use crate::imaging::{Brush, Mask, Mode as Pen, Rect};
use crate::jobs::{Command, Draw, Event, Form, WholeDrawing};

/// What is being drawn.
#[derive(Debug)]
pub(super) enum Drawing {
    Stroke(Stroke),
    Rectangle { from: [f64; 2], to: [f64; 2], how: Combine },
    Lasso { points: Vec<[f32; 2]>, how: Combine },
}

/// A drawing of which parts are on the lane.
#[derive(Debug)]
pub(super) struct Stroke {
    number: u64,
    /// The selection before it, and around all of that.
    before: Mask,
    bounds: Option<Rect>,
    pen: Pen,
    /// Where the pointer came by since the last part; its first place is where that part ended.
    way: Vec<[f32; 2]>,
    /// Whether a part is on the lane.
    is_asked: bool,
    /// The hand is off.
    is_ended: bool,
    /// Whether its last part is on the lane.
    is_last_asked: bool,
}

impl Stroke {
    /// Whether the hand is off it, and only the lane is behind.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }
}

impl Editor {
    /// The action, unless it has to wait for a stroke before it.
    pub(super) fn behind_stroke(&mut self, message: Message, commands: &mut Vec<Command>) -> Option<Message> {
        let Some(Drawing::Stroke(stroke)) = &self.selection.drawing else { return Some(message) };
        let goes_along = match &message {
            Message::Event(event) => !matches!(
                event,
                // All that comes onto the canvas or changes the selection.
                Event::Opened { .. }
                    | Event::Project(_)
                    | Event::Made { .. }
                    | Event::Finished { .. }
                    | Event::Adjusted { .. }
                    | Event::ChangeFound { .. }
                    | Event::MaskShaped { .. }
                    | Event::MaskOpened(_)
                    | Event::ReplayOpened { .. }
            ),
            Message::Action(action) => match action {
                Action::Viewport(_) | Action::Zoom(..) | Action::Pan(_) | Action::Fit | Action::ActualSize => true,
                Action::SetPrompt(_) | Action::SetAnswer(_) | Action::ShowBefore(_) | Action::DismissNotice(_) => true,
                Action::Select(Select::Size(_) | Select::SizeBy(_) | Select::Hardness(_) | Select::HardnessBy(_)) => true,
                Action::Select(Select::Drag(_) | Select::Release | Select::Abort) => !stroke.is_ended,
                _ => false,
            },
        };
        if goes_along {
            return Some(message);
        }
        self.end_stroke(commands);
        self.later.push(message);
        None
    }

    pub(super) fn press(&mut self, at: [f64; 2], how: Combine, commands: &mut Vec<Command>) {
        let Some(mask) = self.current_mask().filter(|_| !self.selection.is_busy && self.run_on_canvas().is_none()) else { return };
        let point = at.map(|v| v as f32);
        self.selection.fit(&mask);
        self.selection.drawing = match self.selection.tool {
            Tool::Hand => return,
            Tool::Brush | Tool::Eraser => {
                let erases = (self.selection.tool == Tool::Eraser) != (how == Combine::TakeAway);
                Some(Drawing::Stroke(self.stroke(&mask, if erases { Pen::Erase } else { Pen::Add }, point)))
            }
            Tool::Rectangle => Some(Drawing::Rectangle { from: at, to: at, how }),
            Tool::Lasso => Some(Drawing::Lasso { points: vec![point], how }),
        };
        self.selection.show(mask);
        self.drag(&[at], commands);
    }

    fn stroke(&mut self, before: &Mask, pen: Pen, at: [f32; 2]) -> Stroke {
        self.strokes += 1;
        let (before, bounds) = (before.clone(), self.selection.bounds());
        Stroke { number: self.strokes, before, bounds, pen, way: vec![at], is_asked: false, is_ended: false, is_last_asked: false }
    }

    /// The pointer is somewhere else: where it came by since the last frame, and where it is.
    pub(super) fn drag(&mut self, places: &[[f64; 2]], commands: &mut Vec<Command>) {
        let diameter = self.brush_diameter();
        let points = places.iter().map(|at| at.map(|v| v as f32));
        match &mut self.selection.drawing {
            Some(Drawing::Stroke(stroke)) if !stroke.is_ended => {
                for (i, point) in points.enumerate() {
                    // A mouse may tell of a thousand places a second, which a wide brush does not show.
                    let from = stroke.way[stroke.way.len() - 1];
                    if i + 1 == places.len() || (point[0] - from[0]).hypot(point[1] - from[1]) >= diameter / 16.0 {
                        stroke.way.push(point);
                    }
                }
                self.ask_for_stroke(commands);
            }
            Some(Drawing::Rectangle { to, .. }) => *to = places.last().copied().unwrap_or(*to),
            Some(Drawing::Lasso { points: outline, .. }) => {
                points.for_each(|point| {
                    if outline.last() != Some(&point) {
                        outline.push(point);
                    }
                });
            }
            _ => {}
        }
    }

    /// Sends what the lane has not drawn yet, where it has nothing of this stroke any more.
    fn ask_for_stroke(&mut self, commands: &mut Vec<Command>) {
        let brush = Brush { diameter: self.brush_diameter(), hardness: self.selection.hardness, mode: Pen::Add };
        let Some(mask) = self.selection.mask().cloned() else { return };
        let Some(Drawing::Stroke(stroke)) = &mut self.selection.drawing else { return };
        if stroke.is_asked || (stroke.way.len() < 2 && !stroke.is_ended) {
            return;
        }
        let way = std::mem::take(&mut stroke.way);
        stroke.way.extend(way.last());
        (stroke.is_asked, stroke.is_last_asked) = (true, stroke.is_ended);
        let before = stroke.is_ended.then(|| stroke.before.clone());
        let form = Form::Stroke { way, brush: Brush { mode: stroke.pen, ..brush } };
        commands.push(Command::Draw(Box::new(Draw { number: stroke.number, mask, form, before })));
    }

    pub(super) fn end_stroke(&mut self, commands: &mut Vec<Command>) {
        if let Some(Drawing::Stroke(stroke)) = &mut self.selection.drawing {
            stroke.is_ended = true;
            self.ask_for_stroke(commands);
        }
    }

    pub(super) fn release(&mut self, commands: &mut Vec<Command>) {
        let pen = |how| if how == Combine::TakeAway { Pen::Erase } else { Pen::Add };
        let Some(mask) = self.selection.mask().cloned() else { return };
        let (form, mode) = match self.selection.drawing.take() {
            Some(Drawing::Rectangle { from, to, how }) => {
                // A click alone selects nothing.
                let is_click = from.iter().zip(to).all(|(a, b)| (a - b).abs() < 1.0);
                let rect = if is_click { Rect::default() } else { rect_between(from, to, mask.size()) };
                (Form::Rectangle { rect, mode: pen(how), clears: how == Combine::Replace }, pen(how))
            }
            Some(Drawing::Lasso { points, how }) => (Form::Lasso { points, mode: pen(how), clears: how == Combine::Replace }, pen(how)),
            drawing => {
                self.selection.drawing = drawing;
                return self.end_stroke(commands);
            }
        };
        let stroke = self.stroke(&mask, mode, [0.0; 2]);
        let draw = Draw { number: stroke.number, before: Some(mask.clone()), mask, form };
        self.selection.drawing = Some(Drawing::Stroke(Stroke { is_asked: true, is_ended: true, is_last_asked: true, ..stroke }));
        commands.push(Command::Draw(Box::new(draw)));
    }

    /// What is being drawn is not wanted.
    pub(super) fn abort_drawing(&mut self) {
        if let Some(Drawing::Stroke(stroke)) = self.selection.drawing.take() {
            self.selection.put(stroke.before, stroke.bounds);
        }
    }

    /// The lane has drawn a part.
    pub(super) fn drawn(&mut self, number: u64, mask: Mask, dirty: Rect, whole: Option<WholeDrawing>, commands: &mut Vec<Command>) {
        let Some(Drawing::Stroke(stroke)) = &mut self.selection.drawing else { return };
        if stroke.number != number {
            return;
        }
        stroke.is_asked = false;
        let Some(whole) = whole.filter(|_| stroke.is_last_asked) else {
            // Around what was added; exact again when the stroke ends.
            let grown = (stroke.pen == Pen::Add && !dirty.is_empty()).then_some(dirty);
            let bounds = grown.map(|dirty| self.selection.bounds().unwrap_or_default().union(dirty));
            self.selection.put(mask, bounds.or(self.selection.bounds()));
            return self.ask_for_stroke(commands);
        };
        self.selection.drawing = None;
        self.selection.put(mask, whole.bounds);
        if let Some(back) = whole.back {
            self.selection.remember_mask(back);
        }
        commands.push(Command::SaveState(self.state()));
        for message in std::mem::take(&mut self.later) {
            self.take_in(message, commands);
        }
    }
}

/// The pixels that a rectangle drawn from one point to another touches.
fn rect_between(from: [f64; 2], to: [f64; 2], size: [u32; 2]) -> Rect {
    let low = |i: usize| from[i].min(to[i]).floor().clamp(0.0, f64::from(size[i])) as u32;
    let high = |i: usize| from[i].max(to[i]).ceil().clamp(0.0, f64::from(size[i])) as u32;
    Rect::between(low(0), low(1), high(0), high(1))
}
