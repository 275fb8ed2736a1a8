//! The box that the model sees: drawn over the picture, moved and resized by hand.

use super::words::say;
use super::{canvas, theme};
use crate::editor::{Action, Context, Editor};
use eframe::egui::{self, CursorIcon, FontId, Id, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

/// Side of the handle in the corner, in points.
const HANDLE: f32 = 12.0;

/// Where the label and the corner were in the last frame: a stroke does not begin there.
pub fn handles(ui: &Ui) -> [Rect; 2] {
    ui.memory(|m| m.data.get_temp(Id::unique("context box handles"))).unwrap_or([Rect::NOTHING; 2])
}

/// Draws the box where it is not simply the whole picture; its label moves it, its corner resizes it.
pub fn show(ui: &Ui, rect: Rect, editor: &Editor, per_point: f64, actions: &mut Vec<Action>) {
    ui.memory_mut(|m| m.data.insert_temp(Id::unique("context box handles"), [Rect::NOTHING; 2]));
    let (Some(seen), Some(current)) = (editor.context_box(), editor.document.current()) else { return };
    let size = current.picture.size();
    if (seen.left, seen.top, seen.width, seen.height) == (0, 0, size[0], size[1]) && !editor.context_is_moved() {
        return;
    }
    let place = [seen.left as f64, seen.top as f64, f64::from(seen.width), f64::from(seen.height)];
    let on_canvas = canvas::on_screen(editor, rect, per_point, place);
    let painter = ui.painter().with_clip_rect(rect);
    let corners = [on_canvas.left_top(), on_canvas.right_top(), on_canvas.right_bottom(), on_canvas.left_bottom(), on_canvas.left_top()];
    painter.add(Shape::line(corners.to_vec(), Stroke::new(2.5, theme::UNDER_LINE)));
    painter.extend(Shape::dashed_line(&corners, Stroke::new(1.0, theme::OVER_LINE), 6.0, 5.0));
    let colours = theme::colours(ui.style());
    let per_image = per_point / editor.view.scale();

    // The label stays in sight, wherever the box is.
    let words = &say("context-box");
    let galley = painter.layout_no_wrap(words.to_owned(), FontId::proportional(theme::SMALL), colours.text);
    let room = galley.size() + vec2(16.0, 8.0);
    let corner = on_canvas.left_bottom() + vec2(0.0, 4.0);
    let low = rect.min + vec2(4.0, 4.0);
    let high = (rect.max - room - vec2(4.0, 4.0)).max(low);
    let label = Rect::from_min_size(corner.clamp(low, high), room);
    let moved = ui.interact(label, Id::unique("context box"), Sense::click_and_drag());
    moved.widget_info(|| WidgetInfo::labeled(Role::Button, true, words));
    painter.rect_filled(label, label.height() / 2.0, if moved.hovered() { colours.raised_hover } else { colours.panel });
    painter.galley(label.min + vec2(8.0, 4.0), galley, colours.text);
    if moved.dragged() {
        let by = moved.drag_delta();
        actions.push(Action::Context(Context::Move(f64::from(by.x) * per_image, f64::from(by.y) * per_image)));
    }
    if moved.double_clicked() {
        actions.push(Action::Context(Context::Auto));
    }
    if moved.hovered() {
        ui.ctx().set_cursor_icon(CursorIcon::Move);
    }
    moved.on_hover_text(say("context-box.tip"));

    let at = on_canvas.right_bottom().clamp(rect.min + vec2(HANDLE, HANDLE), rect.max - vec2(HANDLE, HANDLE));
    let handle = Rect::from_center_size(pos2(at.x, at.y), vec2(HANDLE, HANDLE));
    ui.memory_mut(|m| m.data.insert_temp(Id::unique("context box handles"), [label, handle.expand(4.0)]));
    let resized = ui.interact(handle.expand(4.0), Id::unique("context box corner"), Sense::drag());
    resized.widget_info(|| WidgetInfo::labeled(Role::Button, true, say("context-size")));
    painter.rect_filled(handle, 3.0, if resized.hovered() { colours.accent } else { colours.panel });
    painter.rect_stroke(handle, 3.0, Stroke::new(1.0, theme::OVER_LINE), egui::StrokeKind::Inside);
    if resized.hovered() || resized.dragged() {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeNwSe);
    }
    if let Some(pointer) = resized.interact_pointer_pos().filter(|_| resized.dragged()) {
        // The middle stays, so the pointer's distance from it is half of the new width.
        let half = f64::from((pointer.x - on_canvas.center().x).max(pointer.y - on_canvas.center().y));
        actions.push(Action::Context(Context::Width(2.0 * half * per_image)));
    }
}
