//! The bar of tools beside the canvas, and what floats over the canvas for the tool in hand or a comparison.

use super::actions::{Entry, entry, tip};
use super::icons::{Icon, icon_button, tool_button};
use super::theme;
use super::words::{say, tell, tip_of};
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
    for (way, id) in [(How::Split, "split"), (How::Flicker, "flicker"), (How::HeatMap, "heat-map")] {
        let Some(entry) = entry(id) else { continue };
        if ui.add(Button::selectable(how == Some(way), entry.label())).on_hover_text(tip(ui.ctx(), editor, id)).clicked() {
            actions.push(Action::Compare(way));
        }
    }
    if icon_button(ui, Icon::Close, &say("compare-close"), &say("action-compare.end"), true).clicked() {
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
        if named(ui, slider, "brush-size", &keys_of(ui, editor, ["smaller", "larger"])) {
            actions.push(Action::Select(Select::Size(size)));
        }
        let mut hardness = selection.hardness * 100.0;
        let slider = Slider::new(&mut hardness, 0.0..=100.0).suffix(" %").max_decimals(0);
        if named(ui, slider, "brush-hardness", &keys_of(ui, editor, ["softer", "harder"])) {
            actions.push(Action::Select(Select::Hardness(hardness / 100.0)));
        }
        ui.separator();
    }
    let has = editor.selected().is_some() && !selection.is_busy;
    for (enabled, words, id, what) in [
        (true, "select-all", "all", Select::All),
        (has, "select-nothing", "nothing", Select::Nothing),
        (true, "select-invert", "invert", Select::Shape(Shape::Invert)),
    ] {
        if ui.add_enabled(enabled, Button::new(say(words))).on_hover_text(tip(ui.ctx(), editor, id)).clicked() {
            actions.push(Action::Select(what));
        }
    }
    ui.menu_button(say("select-edge"), |ui| {
        let mut amount = selection.amount;
        let field = ui.add(DragValue::new(&mut amount).range(1..=500).prefix(format!("{} ", say("select-by"))).suffix(" px"));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("select-amount")));
        if field.changed() {
            actions.push(Action::Select(Select::Amount(amount)));
        }
        for (words, id, by) in [
            ("select-grow", "grow", Shape::Grow(amount)),
            ("select-shrink", "shrink", Shape::Shrink(amount)),
            ("select-soften", "soften", Shape::Soften(amount)),
        ] {
            if ui.add_enabled(has, Button::new(say(words))).on_hover_text(tip(ui.ctx(), editor, id)).clicked() {
                actions.push(Action::Select(Select::Shape(by)));
            }
        }
    });
    ui.menu_button(say("select-file"), |ui| {
        for (enabled, words, id, what) in
            [(true, "select-import", "import-selection", Select::Import), (has, "select-save", "export-selection", Select::Export)]
        {
            if ui.add_enabled(enabled, Button::new(say(words))).on_hover_text(tip(ui.ctx(), editor, id)).clicked() {
                actions.push(Action::Select(what));
                ui.close();
            }
        }
    });
}

/// A slider with its name before it; true if it moved.
fn named(ui: &mut Ui, slider: Slider<'_>, key: &str, keys: &str) -> bool {
    let label = ui.label(egui::RichText::new(say(key)).small());
    ui.add(slider).labelled_by(label.id).on_hover_text(format!("{} {keys}", tip_of(key)).trim_end()).changed()
}

/// The keys of two actions that go opposite ways, in brackets; nothing where one has none.
fn keys_of(ui: &Ui, editor: &Editor, ids: [&str; 2]) -> String {
    let keys = ids.map(|id| entry(id).map(|e| e.keys_words(ui.ctx(), &editor.settings)).unwrap_or_default());
    if keys.iter().any(String::is_empty) {
        return String::new();
    }
    let [less, more] = keys;
    tell!("two-keys", less = less, more = more)
}
