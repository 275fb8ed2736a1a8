//! The picture, and what a running job paints over it.

use super::icons::Icon;
use super::words::{say, tell};
use super::{context, crop, names, theme};
use crate::document::{Placing, Revision};
use crate::editor::{Action, Combine, Compare, Editor, How, Mode, PREVIEW_BLOCK, Preview, Run, Select, Stage, Tool};
use crate::imaging::{Pyramid, Tool as PlainTool};
use crate::render::{CanvasPaint, Over, PreviewImage, Selection, ToolImage, ToolSource, Tried};
use eframe::egui::{
    self, Align2, Color32, CursorIcon, Event, FontId, Key, MouseWheelUnit, PointerButton, Rect, Response, Role, Sense, Stroke, StrokeKind,
    Ui, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

/// What the canvas keeps between frames.
#[derive(Default)]
pub struct Canvas {
    /// The preview that was last made ready for the graphics card.
    preview: Option<(Arc<Preview>, Arc<PreviewImage>)>,
    /// The picture that tools were tried on last, by its number.
    tried: Option<(u64, Arc<ToolSource>)>,
}

/// Enlarged less than this a picture looks as its maker meant it; from here on its pixels are what is wanted.
const SOFT_BELOW: f64 = 7.0;
/// Seconds that each picture is seen while two flicker.
const FLICKER: f64 = 0.5;
/// How far one notch of a mouse wheel zooms.
const NOTCH: f64 = 1.2;

impl Canvas {
    /// Draws the canvas into all the room there is.
    pub fn show(&mut self, ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) -> Response {
        let (rect, response) = ui.allocate_exact_size(ui.available_size(), Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, describe(editor)));
        let per_point = f64::from(ui.ctx().pixels_per_point());
        let viewport = [rect.width(), rect.height()].map(|side| (f64::from(side) * per_point).max(1.0));
        if viewport != editor.view.viewport() {
            // A panel has come or gone: the picture is fitted into the room that is left in the next frame.
            ui.ctx().request_repaint();
        }
        actions.push(Action::Viewport(viewport));
        Self::navigate(ui, rect, editor, &response, per_point, actions);
        let colours = theme::colours(ui.style());
        ui.painter().rect_filled(rect, 0.0, colours.canvas);
        let run = editor.run_on_canvas();
        let base = match run {
            Some(run) if run.mode == Mode::Generate => None,
            _ => base(ui, editor),
        };
        if base.is_none() && run.is_none() && editor.document.current().is_none() {
            empty(ui, rect, editor, actions);
            return response;
        }
        self.picture(ui, rect, editor, run, base);
        let compared = editor.compared().filter(|_| run.is_none());
        if let (Some(other), Some(compare)) = (compared, editor.compare.filter(|c| c.how == How::Split)) {
            split(ui, rect, editor, other, compare, per_point);
        }
        if let Some(run) = run {
            let at = on_screen(editor, rect, per_point, editor.run_place(run));
            match run.preview {
                Some(_) => {}
                None => blueprint(ui, rect, at, run),
            }
            ui.painter().with_clip_rect(rect).rect_stroke(at, 0.0, Stroke::new(1.5, colours.accent), StrokeKind::Outside);
        }
        if run.is_none() && editor.compare.is_none() {
            if crop::show(ui, rect, editor, per_point, actions) {
                return response;
            }
            if !editor.selection.is_drawing() {
                context::show(ui, rect, editor, per_point, actions);
            }
            drawing(ui, rect, editor, &response, per_point);
        }
        if run.is_none() && editor.is_reading() {
            chip(ui, pos2(rect.left() + 12.0, rect.bottom() - 40.0), &say("canvas-reading"));
        }
        if editor.shows_before && editor.document.can_undo() {
            chip(ui, pos2(rect.left() + 12.0, rect.top() + 12.0), &say("canvas-before"));
        }
        response
    }

    fn picture(&mut self, ui: &Ui, rect: Rect, editor: &Editor, run: Option<&Run>, base: Option<Arc<Pyramid>>) {
        let colours = theme::colours(ui.style());
        let view = &editor.view;
        let [width, height] = view.image().map(f64::from);
        // Under a selection the painting is seen where it will be taken over.
        let through = match (run.and_then(|r| r.place.as_ref()).map(|p| &p.placing), editor.document.current()) {
            (Some(Placing::Selection { mask, .. }), Some(_)) => Some(mask.clone()),
            _ => None,
        };
        let over = match (run, &editor.scrubbed) {
            (Some(run), _) => run.preview.as_ref().map(|preview| (preview, editor.run_place(run))),
            (None, Some((_, preview))) => Some((preview, scrubbed_place(editor, [width, height]))),
            (None, None) => None,
        };
        let over = over.map(|(preview, place)| Over { preview: self.ready(preview), place, opacity: 1.0, through: through.clone() });
        // Nothing is under a picture to come but paper.
        let checker = if base.is_some() { colours.checker } else { [colours.paper.to_array(); 2] };
        let tool = if run.is_none() { self.tried(editor, base.as_ref()) } else { None };
        let paint = CanvasPaint {
            origin: view.origin(),
            scale: view.scale(),
            size: view.image(),
            base: base.filter(|_| tool.is_none()),
            tool,
            over,
            selection: if run.is_none() { selection(ui, editor) } else { None },
            soft: view.scale() < SOFT_BELOW,
            pixel_grid: true,
            checker,
        };
        ui.painter().add(paint.shape(rect));
    }

    /// A plain tool that is tried and can be seen: others show a frame, or nothing until they are applied.
    fn tried(&mut self, editor: &Editor, base: Option<&Arc<Pyramid>>) -> Option<Tried> {
        let looks_elsewhere = editor.compare.is_some() || editor.shows_before || editor.adjustment.is_some();
        let trial = editor.trial.filter(|_| !looks_elsewhere)?;
        if matches!(trial.tool, PlainTool::Crop { .. } | PlainTool::Resize { .. }) {
            return None;
        }
        let base = base?;
        if self.tried.as_ref().is_none_or(|(id, _)| *id != base.id()) {
            self.tried = Some((base.id(), Arc::new(ToolSource::of(base))));
        }
        let (_, source) = self.tried.as_ref()?;
        let [width, height] = base.size().map(f64::from);
        let [w, h] = trial.tool.size(base.size()).map(f64::from);
        let image = ToolImage { source: source.clone(), tool: trial.tool };
        Some(Tried { image, place: [(width - w) / 2.0, (height - h) / 2.0, w, h] })
    }

    /// A preview for the graphics card; made once.
    fn ready(&mut self, preview: &Arc<Preview>) -> Arc<PreviewImage> {
        if let Some((known, image)) = &self.preview
            && Arc::ptr_eq(known, preview)
        {
            return image.clone();
        }
        let latents = &preview.latents;
        let image = Arc::new(PreviewImage {
            channels: latents.channels,
            height: latents.height,
            width: latents.width,
            values: latents.values.as_slice().into(),
            weights: preview.map.weights.as_slice().into(),
            block: PREVIEW_BLOCK,
        });
        self.preview = Some((preview.clone(), image.clone()));
        image
    }

    fn navigate(ui: &Ui, rect: Rect, editor: &Editor, response: &Response, per_point: f64, actions: &mut Vec<Action>) {
        let screen = |at: egui::Pos2| [f64::from(at.x - rect.left()) * per_point, f64::from(at.y - rect.top()) * per_point];
        let split = editor.compare.filter(|c| c.how == How::Split).map(|c| {
            let [x, _] = editor.view.origin();
            let width = f64::from(editor.view.image()[0]) * editor.view.scale();
            (rect.left() + ((x + width * c.split) / per_point) as f32, x, width)
        });
        let pressed = ui.input(|i| i.pointer.press_origin());
        let hands = ui.input(|i| i.key_down(Key::Space))
            || editor.selection.tool == Tool::Hand
            || editor.compare.is_some()
            || editor.kept_part().is_some();
        if !hands || editor.selection.is_drawing() {
            select(ui, editor, response, &|at| editor.view.image_from_screen(screen(at)), actions);
        }
        let grabbed = split.filter(|(at, ..)| {
            pressed.is_some_and(|p| (p.x - at).abs() < 12.0) || ui.memory(|m| m.data.get_temp(grab_id()).unwrap_or(false))
        });
        let holds = grabbed.is_some() && response.dragged_by(PointerButton::Primary);
        ui.memory_mut(|m| m.data.insert_temp(grab_id(), holds));
        if let (true, Some((_, x, width)), Some(at)) = (holds, grabbed, response.interact_pointer_pos()) {
            actions.push(Action::Split((screen(at)[0] - x) / width));
            ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
        } else if (hands && response.dragged_by(PointerButton::Primary)) || response.dragged_by(PointerButton::Middle) {
            let by = response.drag_delta();
            if by != egui::Vec2::ZERO {
                actions.push(Action::Pan([f64::from(by.x) * per_point, f64::from(by.y) * per_point]));
            }
            ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        } else if response.hovered() {
            ui.ctx().set_cursor_icon(match editor.selection.tool {
                _ if ui.input(|i| i.key_down(Key::Space)) => CursorIcon::Grab,
                Tool::Hand => CursorIcon::Default,
                _ if hands => CursorIcon::Default,
                Tool::Brush | Tool::Eraser | Tool::Rectangle | Tool::Lasso => CursorIcon::Crosshair,
            });
        }
        if response.double_clicked() && hands {
            actions.push(Action::Fit);
        }
        let Some(at) = ui.input(|i| i.pointer.hover_pos()).filter(|_| response.contains_pointer()) else { return };
        let pinch = ui.input(|i| if i.modifiers.command { 1.0 } else { f64::from(i.zoom_delta()) });
        if (pinch - 1.0).abs() > 1e-4 {
            actions.push(Action::Zoom(pinch, screen(at)));
        }
        // A mouse wheel zooms; two fingers on a pad move, and zoom with the command key.
        let wheels: Vec<(MouseWheelUnit, egui::Vec2, bool)> = ui.input(|i| {
            let wheel = |e: &Event| match e {
                Event::MouseWheel { unit, delta, modifiers, .. } => Some((*unit, *delta, modifiers.command)),
                _ => None,
            };
            i.events.iter().filter_map(wheel).collect()
        });
        for (unit, delta, command) in wheels {
            match unit {
                MouseWheelUnit::Point if !command => {
                    actions.push(Action::Pan([f64::from(delta.x) * per_point, f64::from(delta.y) * per_point]));
                }
                MouseWheelUnit::Point => actions.push(Action::Zoom(NOTCH.powf(f64::from(delta.y) / 40.0), screen(at))),
                MouseWheelUnit::Line | MouseWheelUnit::Page => actions.push(Action::Zoom(NOTCH.powf(f64::from(delta.y)), screen(at))),
            }
        }
    }
}

/// The pointer as a pen. Every place that it was at since the last frame counts, so that quick strokes stay round.
fn select(ui: &Ui, editor: &Editor, response: &Response, image: &dyn Fn(egui::Pos2) -> [f64; 2], actions: &mut Vec<Action>) {
    let mut draws = editor.selection.is_drawing();
    let mut points = Vec::new();
    // What lies over the canvas has its own meaning, also where a whole stroke falls into one frame.
    let handles = context::handles(ui);
    let is_free = |pos: egui::Pos2| {
        let layer = ui.ctx().layer_id_at(pos).is_none_or(|layer| layer == ui.layer_id());
        layer && response.rect.contains(pos) && !handles.iter().any(|handle| handle.contains(pos))
    };
    let events = ui.input(|input| input.events.clone());
    for event in &events {
        match event {
            Event::PointerButton { pos, button: PointerButton::Primary, pressed: true, modifiers } if !draws && is_free(*pos) => {
                let how = match (modifiers.shift, modifiers.alt) {
                    (_, true) => Combine::TakeAway,
                    (true, _) => Combine::Add,
                    _ => Combine::Replace,
                };
                actions.push(Action::Select(Select::Press(image(*pos), how)));
                draws = true;
            }
            Event::PointerMoved(pos) if draws => points.push(image(*pos)),
            Event::PointerButton { pos, button: PointerButton::Primary, pressed: false, .. } if draws => {
                points.push(image(*pos));
                actions.push(Action::Select(Select::Drag(std::mem::take(&mut points))));
                actions.push(Action::Select(Select::Release));
                draws = false;
            }
            _ => {}
        }
    }
    if !points.is_empty() {
        actions.push(Action::Select(Select::Drag(points)));
    }
}

/// Where the painting of the edit on the canvas took place.
fn scrubbed_place(editor: &Editor, [width, height]: [f64; 2]) -> [f64; 4] {
    match editor.local().map(|l| l.seen) {
        Some(seen) => [seen.left as f64, seen.top as f64, f64::from(seen.width), f64::from(seen.height)],
        None => [0.0, 0.0, width, height],
    }
}

/// The selection over the picture, or what an edit has changed where that is to be seen.
fn selection(ui: &Ui, editor: &Editor) -> Option<Selection> {
    let colours = theme::colours(ui.style());
    if editor.compare.is_some() || editor.shows_before {
        return None;
    }
    if let Some(mask) = editor.shown_change() {
        return Some(Selection { mask: mask.clone(), colour: colours.changed, outline: false, invert: false, phase: 0.0 });
    }
    let mask = editor.selected()?.clone();
    // A result is looked at without a veil over it.
    let is_result = editor.document.current().is_some_and(|r| r.local.is_some()) && !editor.selection.is_drawing();
    let colour = if is_result { [0; 4] } else { colours.selected };
    Some(Selection { mask, colour, outline: !editor.selection.is_drawing(), invert: false, phase: 0.0 })
}

/// The picture under everything.
fn base(ui: &Ui, editor: &Editor) -> Option<Arc<Pyramid>> {
    let of = |r: &Revision| editor.screens.get(&r.id).and_then(|s| s.pyramid.clone());
    let shown = editor.shown()?;
    let is_current = editor.document.current().is_some_and(|c| c.id == shown.id);
    if let (true, Some(shown)) = (is_current, editor.adjustment.as_ref().and_then(|a| a.shown.as_ref())) {
        return Some(shown.pyramid.clone());
    }
    match editor.compare.map(|c| c.how).filter(|_| is_current) {
        Some(How::HeatMap) => editor.heat_map().cloned().or_else(|| of(shown)),
        Some(How::Flicker) => {
            let time = ui.input(|i| i.time);
            ui.ctx().request_repaint_after_secs((FLICKER - time % FLICKER).max(0.01) as f32);
            let other = editor.compared().filter(|_| (time / FLICKER) as i64 % 2 == 1).and_then(of);
            other.or_else(|| of(shown))
        }
        Some(How::Split) | None => of(shown),
    }
}

/// What is being drawn of a selection, and the brush under the pointer.
fn drawing(ui: &Ui, rect: Rect, editor: &Editor, response: &Response, per_point: f64) {
    let colours = theme::colours(ui.style());
    let painter = ui.painter().with_clip_rect(rect);
    let at = |x: f64, y: f64| on_screen(editor, rect, per_point, [x, y, 0.0, 0.0]).min;
    let lines = [Stroke::new(3.0, theme::UNDER_LINE), Stroke::new(1.0, colours.accent)];
    if let Some([from, to]) = editor.selection.rectangle() {
        let drawn = Rect::from_two_pos(at(from[0], from[1]), at(to[0], to[1]));
        for stroke in lines {
            painter.rect_stroke(drawn, 0.0, stroke, StrokeKind::Middle);
        }
    }
    let lasso: Vec<egui::Pos2> = editor.selection.lasso().iter().map(|[x, y]| at(f64::from(*x), f64::from(*y))).collect();
    if lasso.len() > 1 {
        for stroke in lines {
            painter.add(egui::Shape::line(lasso.clone(), stroke));
        }
    }
    let brush = matches!(editor.selection.tool, Tool::Brush | Tool::Eraser);
    if let Some(pointer) = response.hover_pos().filter(|_| brush && response.contains_pointer()) {
        let radius = (f64::from(editor.brush_diameter()) / 2.0 * editor.view.scale() / per_point) as f32;
        painter.circle_stroke(pointer, radius.max(1.5), Stroke::new(2.5, theme::UNDER_LINE));
        painter.circle_stroke(pointer, radius.max(1.5), Stroke::new(1.0, theme::OVER_LINE));
    }
}

/// A place in the picture as a place in the window.
pub(super) fn on_screen(editor: &Editor, rect: Rect, per_point: f64, [x, y, w, h]: [f64; 4]) -> Rect {
    let (origin, scale) = (editor.view.origin(), editor.view.scale());
    let point = |x: f64, y: f64| {
        pos2(rect.left() + ((origin[0] + x * scale) / per_point) as f32, rect.top() + ((origin[1] + y * scale) / per_point) as f32)
    };
    Rect::from_min_max(point(x, y), point(x + w, y + h))
}

/// The other picture on the left of the split, and the line between.
fn split(ui: &Ui, rect: Rect, editor: &Editor, other: &Revision, compare: Compare, per_point: f64) {
    let colours = theme::colours(ui.style());
    let [width, height] = editor.view.image().map(f64::from);
    let whole = on_screen(editor, rect, per_point, [0.0, 0.0, width, height]);
    let x = whole.left() + whole.width() * compare.split as f32;
    let left = Rect::from_min_max(whole.min, pos2(x, whole.bottom())).intersect(rect);
    let Some(base) = editor.screens.get(&other.id).and_then(|s| s.pyramid.clone()) else { return };
    let ([px, py, pw, _], scale, origin) = (editor.place_of(other), editor.view.scale(), editor.view.origin());
    let own = scale * pw / f64::from(other.picture.width());
    let paint = CanvasPaint {
        origin: [origin[0] + px * scale, origin[1] + py * scale],
        scale: own,
        size: base.size(),
        base: Some(base),
        tool: None,
        over: None,
        selection: None,
        soft: own < SOFT_BELOW,
        pixel_grid: false,
        checker: colours.checker,
    };
    let painter = ui.painter().with_clip_rect(left);
    painter.rect_filled(left, 0.0, colours.canvas);
    painter.add(paint.shape(rect));
    let painter = ui.painter().with_clip_rect(rect);
    painter.line_segment([pos2(x, whole.top()), pos2(x, whole.bottom())], Stroke::new(2.0, colours.accent));
    let knob = pos2(x, rect.center().y.clamp(whole.top(), whole.bottom()));
    painter.circle(knob, 12.0, colours.panel, Stroke::new(2.0, colours.accent));
    for (icon, by) in [(Icon::Previous, -5.0), (Icon::Next, 5.0)] {
        icon.paint(&painter, Rect::from_center_size(knob + vec2(by, 0.0), vec2(9.0, 9.0)), colours.text);
    }
    chip(ui, whole.left_bottom().max(rect.min).min(rect.max) + vec2(10.0, -34.0), &say("canvas-before"));
}

/// The tokens as they are written, each a cell in the colour of its meaning.
fn blueprint(ui: &Ui, clip: Rect, at: Rect, run: &Run) {
    let colours = theme::colours(ui.style());
    let painter = ui.painter().with_clip_rect(clip);
    let (tokens, total) = match &run.blueprint {
        Some(b) => (b.tokens.get(run.progress.map_or(0, |p| p.variation.0)).or(b.tokens.first()), b.total),
        None => (None, 0),
    };
    if run.mode == Mode::Edit {
        painter.rect_filled(at, 0.0, colours.canvas.gamma_multiply(0.55));
    }
    if total == 0 {
        return;
    }
    let side = (total as f64).sqrt().ceil() as usize;
    let cell = at.size() / side as f32;
    let gap = (cell.min_elem() * 0.08).clamp(0.3, 3.0);
    let round = (cell.min_elem() * 0.16).min(4.0);
    let written = tokens.map_or(&[][..], Vec::as_slice);
    for i in 0..total {
        let corner = at.min + vec2((i % side) as f32 * cell.x, (i / side) as f32 * cell.y);
        let place = Rect::from_min_size(corner, cell).shrink(gap);
        let colour = match written.get(i) {
            Some(Some(code)) => run.palette.as_ref().and_then(|p| p.0.get(*code as usize)).map_or(colours.weak, |c| super::colour_of(*c)),
            Some(None) => colours.weak,
            None if i == written.len() => colours.accent,
            None if run.mode == Mode::Edit => continue,
            None => colours.cell,
        };
        painter.rect_filled(place, round, colour);
    }
}

/// Remembers that the split is being dragged.
fn grab_id() -> egui::Id {
    egui::Id::unique("split is dragged")
}

pub(super) fn chip(ui: &Ui, at: egui::Pos2, words: &str) {
    let colours = theme::colours(ui.style());
    let galley = ui.painter().layout_no_wrap(words.to_owned(), FontId::proportional(theme::SMALL), colours.text);
    let rect = Rect::from_min_size(at, galley.size() + vec2(16.0, 8.0));
    ui.painter().rect_filled(rect, rect.height() / 2.0, colours.panel);
    ui.painter().galley(at + vec2(8.0, 4.0), galley, Color32::PLACEHOLDER);
}

fn empty(ui: &mut Ui, rect: Rect, editor: &Editor, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    let center = rect.center();
    if editor.is_opening() {
        ui.painter().text(center, Align2::CENTER_CENTER, say("status-opening"), FontId::proportional(theme::HEADING), colours.weak);
        return;
    }
    let title = say(if editor.can_drop { "empty-drop" } else { "empty-open" });
    ui.painter().text(center - vec2(0.0, 40.0), Align2::CENTER_CENTER, title, theme::strong_font(theme::TITLE), colours.text);
    let line = say("empty-or");
    ui.painter().text(center - vec2(0.0, 12.0), Align2::CENTER_CENTER, line, FontId::proportional(theme::BODY), colours.weak);
    let button = Rect::from_center_size(center + vec2(0.0, 26.0), vec2(140.0, theme::BUTTON_HEIGHT));
    if ui.put(button, egui::Button::new(say("empty-button"))).clicked() {
        actions.push(Action::Open);
    }
}

/// The canvas in words, for those who cannot see it.
fn describe(editor: &Editor) -> String {
    if let Some(run) = editor.run_on_canvas() {
        let what = match run.progress.map(|p| p.stage) {
            Some(Stage::Blueprint) => "canvas-blueprint",
            Some(Stage::Denoise | Stage::Decode) => "canvas-preview",
            _ => "canvas-to-come",
        };
        return tell!(what, prompt = run.prompt.as_str());
    }
    match editor.shown() {
        Some(r) => tell!("canvas-picture", title = names::title(r), width = r.picture.width(), height = r.picture.height()),
        None => say("canvas-empty"),
    }
}
