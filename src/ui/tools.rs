//! The bar of tools beside the canvas, and what floats over the canvas for the tool in hand or a comparison.

use super::actions::{Entry, entry, tip};
use super::icons::{Icon, icon_button, tool_button};
use super::theme;
use crate::editor::{Action, Editor, How, Select, Shape, Tool};
use eframe::egui::{self, Area, Button, DragValue, Frame, Id, Order, Rect, Slider, Ui, vec2};

/// The tools from top to bottom: drawing, and the action that takes it.
const TOOLS: [(Tool, Icon, &str); 5] = [
    (Tool::Hand, Icon::Hand, "hand"),
    (Tool::Brush, Icon::Brush, "brush"),
    (Tool::Eraser, Icon::Eraser, "eraser"),
    (Tool::Rectangle, Icon::Rectangle, "rectangle"),
    (Tool::Lasso, Icon::Lasso, "lasso"),
];

/// The bar of tools.
pub fn bar(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.y = 4.0;
    let has = editor.document.current().is_some();
    for (tool, icon, id) in TOOLS {
        let (name, tip) = (entry(id).map(Entry::label).unwrap_or_default(), tip(ui.ctx(), editor, id));
        if tool_button(ui, icon, &name, &tip, has, editor.selection.tool == tool).clicked() {
            actions.push(Action::Select(Select::Tool(tool)));
        }
    }
}

/// What floats over the canvas.
pub fn floating(ui: &Ui, canvas: Rect, editor: &Editor, actions: &mut Vec<Action>) {
    if editor.document.current().is_none() || editor.run_on_canvas().is_some() {
        return;
    }
    let compares = editor.compare.is_some();
    if !compares && editor.selection.tool == Tool::Hand && editor.selected().is_none() {
        return;
    }
    let at = canvas.left_top() + vec2(12.0, 10.0);
    Area::new(Id::unique("tool options")).order(Order::Middle).fixed_pos(at).show(ui.ctx(), |ui| {
        let colours = theme::colours(ui.style());
        let frame = Frame::new().fill(colours.panel).stroke(egui::Stroke::new(1.0, colours.line)).corner_radius(8).inner_margin(6);
        frame.show(ui, |ui| {
            ui.set_max_width(canvas.width() - 40.0);
            ui.horizontal_wrapped(|ui| {
                ui.spacing_mut().item_spacing = vec2(6.0, 4.0);
                if compares { comparison(ui, editor, actions) } else { selection(ui, editor, actions) }
            });
        });
    });
}

fn comparison(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let how = editor.compare.map(|c| c.how);
    for (way, words, tip) in [
        (How::Split, "Split", "Both in one place, with a line to drag"),
        (How::Flicker, "Flicker", "One after the other: what moves has changed"),
        (How::HeatMap, "Heat map", "Where the two differ: black is the same to the last bit"),
    ] {
        if ui.add(Button::selectable(how == Some(way), words)).on_hover_text(tip).clicked() {
            actions.push(Action::Compare(way));
        }
    }
    if icon_button(ui, Icon::Close, "Close the comparison", "End the comparison (V)", true).clicked() {
        actions.push(Action::ToggleCompare);
    }
}

fn selection(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let selection = &editor.selection;
    if matches!(selection.tool, Tool::Brush | Tool::Eraser) {
        ui.spacing_mut().slider_width = 76.0;
        let mut size = editor.brush_diameter();
        let most = editor.view.image().into_iter().max().unwrap_or(1).max(64) as f32;
        let slider = Slider::new(&mut size, 1.0..=most).logarithmic(true).suffix(" px").max_decimals(0);
        if named(ui, slider, "Size", "Diameter of the brush, in pixels of the picture ([ and ])") {
            actions.push(Action::Select(Select::Size(size)));
        }
        let mut hardness = selection.hardness * 100.0;
        let slider = Slider::new(&mut hardness, 0.0..=100.0).suffix(" %").max_decimals(0);
        if named(ui, slider, "Hardness", "How hard the brush's edge is (Shift with [ and ])") {
            actions.push(Action::Select(Select::Hardness(hardness / 100.0)));
        }
        ui.separator();
    }
    let has = editor.selected().is_some() && !selection.is_busy;
    let mut button = |ui: &mut Ui, enabled: bool, words: &str, tip: &str, what: Select| {
        if ui.add_enabled(enabled, Button::new(words)).on_hover_text(tip).clicked() {
            actions.push(Action::Select(what));
        }
    };
    button(ui, true, "All", "Select everything (Ctrl+A)", Select::All);
    button(ui, has, "None", "Select nothing (Ctrl+D)", Select::Nothing);
    button(ui, true, "Invert", "Select the rest instead (Ctrl+Shift+I)", Select::Shape(Shape::Invert));
    ui.menu_button("Edge", |ui| {
        let mut amount = selection.amount;
        let field = ui.add(DragValue::new(&mut amount).range(1..=500).prefix("By ").suffix(" px"));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Pixels to grow, shrink or soften by"));
        if field.changed() {
            actions.push(Action::Select(Select::Amount(amount)));
        }
        for (words, tip, by) in [
            ("Grow", "Move the selection's edge outwards", Shape::Grow(amount)),
            ("Shrink", "Move the selection's edge inwards", Shape::Shrink(amount)),
            ("Soften", "Make the selection's edge soft", Shape::Soften(amount)),
        ] {
            if ui.add_enabled(has, Button::new(words)).on_hover_text(tip).clicked() {
                actions.push(Action::Select(Select::Shape(by)));
            }
        }
    });
    ui.menu_button("File", |ui| {
        for (enabled, words, tip, what) in [
            (true, "Import…", "Read the selection from a picture: white is selected", Select::Import),
            (has, "Save…", "Write the selection as a grey PNG", Select::Export),
        ] {
            if ui.add_enabled(enabled, Button::new(words)).on_hover_text(tip).clicked() {
                actions.push(Action::Select(what));
                ui.close();
            }
        }
    });
}

/// A slider with its name before it; true if it moved.
fn named(ui: &mut Ui, slider: Slider<'_>, name: &str, tip: &str) -> bool {
    let label = ui.label(egui::RichText::new(name).small());
    ui.add(slider).labelled_by(label.id).on_hover_text(tip).changed()
}
