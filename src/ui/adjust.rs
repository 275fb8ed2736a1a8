//! Plain tools in the column beside the canvas: turn, crop, straighten, size, light and colour.

use super::actions::entry;
use super::theme;
use super::words::{say, tip_of};
use crate::editor::{Action, Editor, Touch};
use crate::imaging::{MOST_DEGREES, Ratio, Rect, Tone, Tool, fit};
use eframe::egui::{self, Button, ComboBox, DragValue, RichText, Slider, Ui, vec2};

/// Shapes that a crop may have: by their key in the catalogue, or as they are written everywhere.
const RATIOS: [(Ratio, &str); 8] = [
    (Ratio::Free, "ratio-free"),
    (Ratio::Own, "ratio-own"),
    (Ratio::Of(1, 1), "1 : 1"),
    (Ratio::Of(3, 2), "3 : 2"),
    (Ratio::Of(2, 3), "2 : 3"),
    (Ratio::Of(4, 3), "4 : 3"),
    (Ratio::Of(3, 4), "3 : 4"),
    (Ratio::Of(16, 9), "16 : 9"),
];

/// Draws the tools, and what becomes of a trial.
pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let Some(current) = editor.document.current() else { return };
    let size = current.picture.size();
    let busy = editor.trial.is_some_and(|t| t.is_busy);
    ui.add_enabled_ui(!busy, |ui| {
        let mut touches = Vec::new();
        turns(ui, &mut touches);
        shape(ui, editor, size, &mut touches);
        light(ui, editor, &mut touches);
        actions.extend(touches.into_iter().map(Action::Touch));
    });
    let colours = theme::colours(ui.style());
    let tried = editor.trial.is_some() && !busy;
    ui.horizontal(|ui| {
        let apply = Button::new(RichText::new(say("adjust-apply")).color(colours.on_accent)).fill(colours.accent);
        if ui.add_enabled(tried, apply).on_hover_text(say("adjust-apply.tip")).clicked() {
            actions.push(Action::Touch(Touch::Apply));
        }
        if ui.add_enabled(tried, Button::new(say("adjust-reset"))).on_hover_text(say("adjust-reset.tip")).clicked() {
            actions.push(Action::Touch(Touch::Reset));
        }
        let words = match editor.trial {
            Some(trial) if !busy => {
                let [w, h] = trial.tool.size(size);
                format!("{w} × {h} px")
            }
            Some(_) => say("adjust-busy"),
            None => String::new(),
        };
        ui.label(RichText::new(words).small().color(colours.weak));
    });
}

fn turns(ui: &mut Ui, touches: &mut Vec<Touch>) {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (id, tool) in [
            ("turn-left", Tool::Turn { quarters: 3 }),
            ("turn-right", Tool::Turn { quarters: 1 }),
            ("mirror", Tool::Mirror),
            ("flip", Tool::Flip),
        ] {
            let Some(entry) = entry(id) else { continue };
            if ui.button(entry.label()).on_hover_text(entry.tip()).clicked() {
                touches.push(Touch::Now(tool));
            }
        }
    });
}

fn shape(ui: &mut Ui, editor: &Editor, size: [u32; 2], touches: &mut Vec<Touch>) {
    let tried = editor.trial.map(|t| t.tool);
    egui::Grid::new("adjust shape").num_columns(2).spacing(vec2(theme::GAP, 4.0)).min_col_width(72.0).show(ui, |ui| {
        ui.label(say("adjust-crop")).on_hover_text(say("adjust-crop.tip"));
        ui.horizontal(|ui| {
            let cropping = matches!(tried, Some(Tool::Crop { .. }));
            if ui.add(Button::selectable(cropping, say("adjust-frame"))).on_hover_text(say("adjust-frame.tip")).clicked() {
                let whole = Rect { left: 0, top: 0, width: size[0], height: size[1] };
                touches.push(if cropping { Touch::Reset } else { Touch::Crop(whole) });
            }
            let name = RATIOS.iter().find(|(r, _)| *r == editor.ratio).map_or("ratio-free", |(_, name)| name);
            let chosen = ComboBox::from_id_salt("ratio").selected_text(ratio_words(name)).width(84.0).show_ui(ui, |ui| {
                for (ratio, name) in RATIOS {
                    if ui.selectable_label(ratio == editor.ratio, ratio_words(name)).clicked() {
                        touches.push(Touch::Ratio(ratio));
                    }
                }
            });
            ui.ctx().accesskit_node_builder(chosen.response.id, |node| node.set_label(say("adjust-ratio")));
        });
        ui.end_row();

        let mut degrees = if let Some(Tool::Straighten { degrees }) = tried { degrees } else { 0.0 };
        let slider = Slider::new(&mut degrees, -MOST_DEGREES..=MOST_DEGREES).suffix("°").max_decimals(1);
        if row(ui, "adjust-straighten", slider) {
            touches.push(if degrees == 0.0 { Touch::Reset } else { Touch::Try(Tool::Straighten { degrees }) });
        }
        ui.end_row();

        let mut width = if let Some(Tool::Resize { width, .. }) = tried { width } else { size[0] };
        let label = ui.label(say("adjust-width")).on_hover_text(say("adjust-width.tip"));
        let field = ui.add(DragValue::new(&mut width).range(1..=crate::imaging::MAX_SIDE).suffix(" px")).labelled_by(label.id);
        if field.changed() {
            touches.push(if width == size[0] { Touch::Reset } else { Touch::Try(resize(width, size)) });
        }
        ui.end_row();
    });
}

/// A shape for a person.
fn ratio_words(name: &str) -> String {
    if name.starts_with("ratio") { say(name) } else { name.to_owned() }
}

/// To a width; the shape stays.
fn resize(width: u32, of: [u32; 2]) -> Tool {
    let [_, height] = if width < of[0] {
        fit(of, [width, u32::MAX])
    } else {
        [width, ((f64::from(of[1]) * f64::from(width) / f64::from(of[0])).round() as u32).max(1)]
    };
    Tool::Resize { width, height, of }
}

fn light(ui: &mut Ui, editor: &Editor, touches: &mut Vec<Touch>) {
    let before = if let Some(Tool::Tone(tone)) = editor.trial.map(|t| t.tool) { tone } else { Tone::default() };
    let mut tone = before;
    egui::Grid::new("adjust light").num_columns(2).spacing(vec2(theme::GAP, 4.0)).min_col_width(72.0).show(ui, |ui| {
        let share = |value, most: f32| Slider::new(value, -most..=most).max_decimals(2);
        let rows: [(&str, Slider<'_>); 7] = [
            ("adjust-exposure", share(&mut tone.exposure, 5.0)),
            ("adjust-contrast", share(&mut tone.contrast, 1.0)),
            ("adjust-saturation", share(&mut tone.saturation, 1.0)),
            ("adjust-warmth", share(&mut tone.temperature, 1.0)),
            ("adjust-black", Slider::new(&mut tone.black, 0.0..=0.5).max_decimals(2)),
            ("adjust-white", Slider::new(&mut tone.white, 0.55..=1.0).max_decimals(2)),
            ("adjust-middle", Slider::new(&mut tone.gamma, 0.2..=5.0).logarithmic(true).max_decimals(2)),
        ];
        for (key, slider) in rows {
            row(ui, key, slider);
            ui.end_row();
        }
    });
    if tone != before {
        touches.push(if tone.is_neutral() { Touch::Reset } else { Touch::Try(Tool::Tone(tone)) });
    }
}

/// A slider with its name before it; true if it moved.
fn row(ui: &mut Ui, key: &str, slider: Slider<'_>) -> bool {
    let tip = tip_of(key);
    let label = ui.label(say(key)).on_hover_text(&tip);
    ui.add(slider).labelled_by(label.id).on_hover_text(tip).changed()
}
