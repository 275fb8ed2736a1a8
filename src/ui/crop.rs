//! The frame of a crop on the picture: moved at its middle, resized at its corners and sides.

use super::words::say;
use super::{canvas, theme};
use crate::editor::{Action, Editor, Touch};
use crate::imaging::{Rect as Part, Tool};
use eframe::egui::{CursorIcon, Id, Rect, Role, Sense, Stroke, StrokeKind, Ui, Vec2, WidgetInfo, pos2, vec2};

/// Side of a handle, in points.
const HANDLE: f32 = 14.0;
/// How far each handle moves left, top, right and bottom, with its name and the pointer over it.
const HANDLES: [([f32; 4], &str, CursorIcon); 9] = [
    ([1.0, 1.0, 1.0, 1.0], "crop-move", CursorIcon::Move),
    ([1.0, 1.0, 0.0, 0.0], "crop-top-left", CursorIcon::ResizeNwSe),
    ([0.0, 1.0, 1.0, 0.0], "crop-top-right", CursorIcon::ResizeNeSw),
    ([1.0, 0.0, 0.0, 1.0], "crop-bottom-left", CursorIcon::ResizeNeSw),
    ([0.0, 0.0, 1.0, 1.0], "crop-bottom-right", CursorIcon::ResizeNwSe),
    ([1.0, 0.0, 0.0, 0.0], "crop-left", CursorIcon::ResizeHorizontal),
    ([0.0, 1.0, 0.0, 0.0], "crop-top", CursorIcon::ResizeVertical),
    ([0.0, 0.0, 1.0, 0.0], "crop-right", CursorIcon::ResizeHorizontal),
    ([0.0, 0.0, 0.0, 1.0], "crop-bottom", CursorIcon::ResizeVertical),
];

/// Draws the frame, where a crop is tried; true if it did: then the canvas is not drawn on.
pub fn show(ui: &Ui, rect: Rect, editor: &Editor, per_point: f64, actions: &mut Vec<Action>) -> bool {
    let (Some(part), Some(Tool::Crop { of, .. })) = (editor.kept_part(), editor.trial.map(|t| t.tool)) else { return false };
    let place = |p: Part| canvas::on_screen(editor, rect, per_point, [p.left, p.top, p.width, p.height].map(f64::from));
    let (frame, whole) = (place(part), place(Part { left: 0, top: 0, width: of[0], height: of[1] }));
    let painter = ui.painter().with_clip_rect(rect);
    let dim = theme::UNDER_LINE.gamma_multiply(0.6);
    for shade in [
        Rect::from_min_max(whole.min, pos2(whole.right(), frame.top())),
        Rect::from_min_max(pos2(whole.left(), frame.bottom()), whole.max),
        Rect::from_min_max(pos2(whole.left(), frame.top()), frame.left_bottom()),
        Rect::from_min_max(frame.right_top(), pos2(whole.right(), frame.bottom())),
    ] {
        painter.rect_filled(shade, 0.0, dim);
    }
    for third in [1.0 / 3.0, 2.0 / 3.0] {
        let line = Stroke::new(1.0, theme::OVER_LINE.gamma_multiply(0.4));
        painter.vline(frame.left() + third * frame.width(), frame.y_range(), line);
        painter.hline(frame.x_range(), frame.top() + third * frame.height(), line);
    }
    painter.rect_stroke(frame, 0.0, Stroke::new(1.5, theme::OVER_LINE), StrokeKind::Outside);
    let per_image = per_point / editor.view.scale();
    for (moves, name, cursor) in HANDLES {
        let is_middle = moves == [1.0; 4];
        let at = frame.center() + vec2((moves[2] - moves[0]) * frame.width() / 2.0, (moves[3] - moves[1]) * frame.height() / 2.0);
        let hit = if is_middle { frame.shrink(HANDLE) } else { Rect::from_center_size(at, Vec2::splat(HANDLE + 8.0)) };
        let held = ui.interact(hit, Id::unique(("crop", name)), Sense::drag());
        held.widget_info(|| WidgetInfo::labeled(Role::Button, true, say(name)));
        if !is_middle {
            painter.rect_filled(Rect::from_center_size(at, Vec2::splat(HANDLE / 1.5)), 2.0, theme::OVER_LINE);
        }
        if held.hovered() || held.dragged() {
            ui.ctx().set_cursor_icon(cursor);
        }
        if held.drag_started() {
            ui.memory_mut(|m| m.data.insert_temp(held.id, part));
        }
        if held.dragged() {
            // From where it was when the drag began: what is less than a pixel is not lost.
            let from: Part = ui.memory(|m| m.data.get_temp(held.id)).unwrap_or(part);
            let by = held.total_drag_delta().unwrap_or_default();
            let by = [f64::from(by.x) * per_image, f64::from(by.y) * per_image];
            actions.push(Action::Touch(Touch::Crop(dragged(from, moves, by, of))));
        }
    }
    true
}

/// A part whose edges were dragged by pixels of the picture.
fn dragged(from: Part, moves: [f32; 4], [dx, dy]: [f64; 2], of: [u32; 2]) -> Part {
    let edge = |at: u32, by: f64, most: u32| (f64::from(at) + by).round().clamp(0.0, f64::from(most)) as u32;
    if moves == [1.0; 4] {
        let left = edge(from.left, dx, of[0] - from.width);
        let top = edge(from.top, dy, of[1] - from.height);
        return Part { left, top, ..from };
    }
    let along = |i: usize, by: f64| f64::from(moves[i]) * by;
    let left = edge(from.left, along(0, dx), from.right() - 1);
    let top = edge(from.top, along(1, dy), from.bottom() - 1);
    let right = edge(from.right(), along(2, dx), of[0]).max(left + 1);
    let bottom = edge(from.bottom(), along(3, dy), of[1]).max(top + 1);
    Part::between(left, top, right, bottom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_stay_in_the_picture_and_apart() {
        let from = Part { left: 10, top: 10, width: 30, height: 20 };
        let drag = |moves, by| dragged(from, moves, by, [100, 80]);
        assert_eq!(drag([1.0; 4], [-50.0, 500.0]), Part { left: 0, top: 60, ..from });
        assert_eq!(drag([1.0, 1.0, 0.0, 0.0], [500.0, -3.4]), Part { left: 39, top: 7, width: 1, height: 23 });
        assert_eq!(drag([0.0, 0.0, 1.0, 0.0], [-500.0, 9.0]), Part { width: 1, ..from });
        assert_eq!(drag([0.0, 0.0, 1.0, 1.0], [500.0, 500.0]), Part { width: 90, height: 70, ..from });
    }
}
