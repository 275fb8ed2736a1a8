//! The column beside the canvas: the model, the settings of the next run, and the history.

use super::history::Tree;
use super::icons::{Icon, icon_button};
use super::{Thumbnails, adjust, edit, models, theme, upscale};
use crate::about;
use crate::editor::{Action, Again, Editor, MOST_STEPS, MOST_VARIATIONS, Mode, Shelf, Touch};
use crate::recipe::{ModelId, Quality};
use eframe::egui::{self, Button, DragValue, Id, RichText, Role, Slider, Ui, WidgetInfo, vec2};

pub fn show(ui: &mut Ui, editor: &Editor, tree: &mut Tree, thumbnails: &mut Thumbnails, actions: &mut Vec<Action>) {
    ui.set_max_width(ui.available_width()); // long words wrap, and never widen the column
    model(ui, editor, actions);
    rule(ui);
    if tabs(ui, editor, actions) {
        adjust::show(ui, editor, actions);
        rule(ui);
    } else {
        settings(ui, editor, actions);
        rule(ui);
        if edit::show(ui, editor, actions) {
            rule(ui);
        }
    }
    tree.show(ui, editor, thumbnails, actions);
}

/// Whether what is below is for plain tools, and not for the next run: there is room for one of both.
fn tabs(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) -> bool {
    if editor.document.current().is_none() || editor.run_on_canvas().is_some() {
        heading(ui, "Settings");
        return false;
    }
    let id = Id::unique("column shows plain tools");
    let mut adjusts = editor.trial.is_some() || ui.memory(|m| m.data.get_temp(id).unwrap_or(false));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (to, words, tip) in
            [(false, "Settings", "Of the model's next run"), (true, "Adjust", "Crop, turn, light and colour, without a model")]
        {
            if ui.add(Button::selectable(adjusts == to, words)).on_hover_text(tip).clicked() && adjusts != to {
                adjusts = to;
                actions.push(Action::Touch(Touch::Reset));
            }
        }
    });
    ui.memory_mut(|m| m.data.insert_temp(id, adjusts));
    adjusts
}

fn rule(ui: &mut Ui) {
    ui.add_space(2.0);
    ui.separator();
}

fn heading(ui: &mut Ui, words: &str) {
    ui.label(RichText::new(words).font(theme::strong_font(theme::BODY)));
}

fn model(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    ui.horizontal(|ui| {
        heading(ui, "Model");
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button("Models…").on_hover_text("Which models are here, and which can be downloaded").clicked() {
                actions.push(Action::Shelf(Shelf::Open));
            }
            let name = match &editor.model.id {
                ModelId::Nano => "nano, built in".to_owned(),
                ModelId::Folder(folder) => editor.shelf.folder_title(folder),
            };
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(egui::Label::new(RichText::new(name).color(colours.text)).truncate());
            });
        });
    });
    if let Some(get) = &editor.shelf.get {
        let line = format!("{}: {}", get.title, models::get_words(get));
        ui.add(egui::Label::new(RichText::new(line).small().color(colours.weak)).truncate());
    }
    if let Some(conversion) = &editor.shelf.conversion {
        let line = format!("{}: {}", conversion.title, models::conversion_words(conversion));
        ui.add(egui::Label::new(RichText::new(line).small().color(colours.weak)).truncate());
    }
    match &editor.model.facts {
        None => {
            ui.label(RichText::new("Being looked at…").small().color(colours.weak));
        }
        Some(Err(why)) => {
            ui.label(RichText::new(format!("Cannot be used: {why}")).small().color(colours.danger));
        }
        Some(Ok(facts)) => {
            let able = match (&facts.can_generate, &facts.can_edit) {
                (Ok(()), Ok(())) => "makes and edits pictures",
                (Ok(()), Err(_)) => "makes pictures",
                (Err(_), Ok(())) => "edits pictures",
                (Err(_), Err(_)) => "can do nothing",
            };
            let line = format!("{} px · {} · {able}", facts.side, count_words(facts.values));
            let nano = editor.model.id == ModelId::Nano;
            let words = if nano { about::NANO_SHORT } else { &line };
            let label = ui.label(RichText::new(words).small().color(colours.weak));
            label.on_hover_text(if nano { format!("{line}. {}", about::NANO) } else { line });
        }
    }
}

fn count_words(values: u64) -> String {
    match values {
        v if v >= 1_000_000_000 => format!("{:.1} billion values", v as f64 / 1e9),
        v => format!("{:.1} million values", v as f64 / 1e6),
    }
}

fn settings(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let draft = &editor.draft;
    egui::Grid::new("settings").num_columns(2).spacing(vec2(theme::GAP, 4.0)).min_col_width(72.0).show(ui, |ui| {
        let tip = "Steps of the painting. More take longer and look cleaner.";
        let label = ui.label("Steps").on_hover_text(tip);
        let mut steps = draft.steps;
        if ui.add(Slider::new(&mut steps, 1..=MOST_STEPS)).labelled_by(label.id).on_hover_text(tip).changed() {
            actions.push(Action::SetSteps(steps));
        }
        ui.end_row();

        let tip = "How closely the words are followed. 1 leaves the model free; too much looks harsh.";
        let label = ui.label("Guidance").on_hover_text(tip);
        let mut guidance = draft.guidance;
        if ui.add(Slider::new(&mut guidance, 1.0..=10.0).max_decimals(1)).labelled_by(label.id).on_hover_text(tip).changed() {
            actions.push(Action::SetGuidance(guidance));
        }
        ui.end_row();

        ui.label("Variations").on_hover_text("Pictures to make at once, each with a seed of its own.");
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for n in 1..=MOST_VARIATIONS {
                let button = Button::selectable(draft.variations == n, n.to_string()).min_size(vec2(30.0, 0.0));
                let response = ui.add(button).on_hover_text("Pictures to make at once");
                response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, draft.variations == n, format!("Variations: {n}")));
                if response.clicked() {
                    actions.push(Action::SetVariations(n));
                }
            }
        });
        ui.end_row();

        let tip = "The same seed gives the same picture again.";
        let label = ui.label("Seed").on_hover_text(tip);
        ui.horizontal(|ui| {
            let mut seed = draft.seed;
            let field = ui.add_sized(vec2(104.0, 28.0), DragValue::new(&mut seed)).labelled_by(label.id).on_hover_text(tip);
            if field.changed() {
                actions.push(Action::SetSeed(seed));
            }
            if icon_button(ui, Icon::Dice, "Roll the seed", "Another seed", true).clicked() {
                actions.push(Action::RollSeed);
            }
            let (icon, name) =
                if draft.seed_locked { (Icon::Locked, "Seed stays") } else { (Icon::Unlocked, "Seed changes with every run") };
            if icon_button(ui, icon, name, &format!("{name}. Click to change that."), true).clicked() {
                actions.push(Action::LockSeed(!draft.seed_locked));
            }
        });
        ui.end_row();

        ui.label("Quality").on_hover_text("How much of the work is done. What is spared stands in the recipe.");
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let now = Quality::of(draft.shortcuts);
            for quality in Quality::ALL {
                let tip = match quality {
                    Quality::Draft => "A seventh of the steps, of a higher order: quick looks at compositions.",
                    Quality::Balanced => {
                        "A quarter of the steps, of a higher order and the last of them without guidance: close to the best."
                    }
                    Quality::Best => "All steps, as the makers of the model run it.",
                };
                let response = ui.add(Button::selectable(now == Some(quality), quality.name())).on_hover_text(tip);
                let name = format!("Quality: {}", quality.name());
                response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, now == Some(quality), name.clone()));
                if response.clicked() {
                    actions.push(Action::SetQuality(quality));
                }
            }
        });
        ui.end_row();

        upscale::row(ui, editor, actions);
        ui.end_row();

        if editor.mode() == Mode::Edit {
            let selected = editor.selected().is_some();
            let tip = if selected {
                "Only what lies under the selection is changed; every other pixel stays as it is, to the last bit."
            } else {
                "Only what the model has changed is taken over; every other pixel stays as it is, to the last bit."
            };
            ui.label("Keep the rest").on_hover_text(tip);
            let mut keeps = draft.preserve.keeps_rest || selected;
            let words = if selected { "outside the selection" } else { "where nothing changes" };
            if ui.add_enabled(!selected, egui::Checkbox::new(&mut keeps, words)).on_hover_text(tip).changed() {
                actions.push(Action::KeepRest(keeps));
            }
            ui.end_row();
        }
    });
    if let Some(recipe) = editor.document.current().and_then(|r| r.recipe()) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let composition = ui.button("New composition").on_hover_text("Write another blueprint and keep the noise of the painting");
            if composition.clicked() {
                actions.push(Action::Again(Again::Composition));
            }
            let finish =
                ui.button("New finish").on_hover_text("Keep the blueprint and paint it with other noise: quicker, nothing is written");
            if finish.clicked() {
                actions.push(Action::Again(Again::Finish));
            }
            let mut line = format!("seed {}, {} steps, guidance {}", recipe.seed, recipe.steps, recipe.guidance);
            if !recipe.shortcuts.are_none() {
                line += &format!(", {}", Quality::of(recipe.shortcuts).map_or("shortcuts of its own", Quality::name).to_lowercase());
            }
            if icon_button(ui, Icon::Recipe, "Take its recipe", &format!("Take this picture's prompt and settings: {line}"), true).clicked()
            {
                actions.push(Action::TakeRecipe);
            }
        });
    }
}
