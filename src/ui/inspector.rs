//! The column beside the canvas: the model, the settings of the next run, and the history.

use super::history::Tree;
use super::icons::{Icon, icon_button};
use super::words::{figure, say, tell, tip_of};
use super::{Thumbnails, adjust, edit, models, names, theme, upscale};
use crate::editor::{Action, Again, Editor, MOST_STEPS, MOST_VARIATIONS, Mode, Shelf, Touch};
use crate::recipe::{ModelId, Quality};
use eframe::egui::{self, Button, DragValue, Id, RichText, Role, ScrollArea, Slider, Ui, WidgetInfo, vec2};

pub fn show(ui: &mut Ui, editor: &Editor, tree: &mut Tree, thumbnails: &mut Thumbnails, actions: &mut Vec<Action>) {
    // A window that is low scrolls the column; in a high one the history takes what is left.
    ScrollArea::vertical().id_salt("column").auto_shrink([false, false]).show(ui, |ui| {
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
    });
}

/// Whether what is below is for plain tools, and not for the next run: there is room for one of both.
fn tabs(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) -> bool {
    if editor.document.current().is_none() || editor.run_on_canvas().is_some() {
        heading(ui, &say("inspector-settings"));
        return false;
    }
    let id = Id::unique("column shows plain tools");
    let mut adjusts = editor.trial.is_some() || ui.memory(|m| m.data.get_temp(id).unwrap_or(false));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (to, key) in [(false, "inspector-settings"), (true, "inspector-adjust")] {
            if ui.add(Button::selectable(adjusts == to, say(key))).on_hover_text(tip_of(key)).clicked() && adjusts != to {
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
        heading(ui, &say("inspector-model"));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button(say("action-models")).on_hover_text(say("action-models.tip")).clicked() {
                actions.push(Action::Shelf(Shelf::Open));
            }
            let name = match &editor.model.id {
                ModelId::Nano => say("nano-name"),
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
            ui.label(RichText::new(say("model-looked-at")).small().color(colours.weak));
        }
        Some(Err(why)) => {
            ui.label(RichText::new(tell!("model-unusable", why = why.as_str())).small().color(colours.danger));
        }
        Some(Ok(facts)) => {
            let able = match (&facts.can_generate, &facts.can_edit) {
                (Ok(()), Ok(())) => "model-makes-and-edits",
                (Ok(()), Err(_)) => "model-makes",
                (Err(_), Ok(())) => "model-edits",
                (Err(_), Err(_)) => "model-nothing",
            };
            let line = tell!("model-line", side = facts.side, values = count_words(facts.values), able = say(able));
            let nano = editor.model.id == ModelId::Nano;
            let words = if nano { say("nano-short") } else { line.clone() };
            let label = ui.label(RichText::new(words).small().color(colours.weak));
            label.on_hover_text(if nano { tell!("nano-long", line = line) } else { line });
        }
    }
}

fn count_words(values: u64) -> String {
    match values {
        v if v >= 1_000_000_000 => tell!("values-billion", count = figure(format!("{:.1}", v as f64 / 1e9))),
        v => tell!("values-million", count = figure(format!("{:.1}", v as f64 / 1e6))),
    }
}

fn settings(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let draft = &editor.draft;
    egui::Grid::new("settings").num_columns(2).spacing(vec2(theme::GAP, 4.0)).min_col_width(72.0).show(ui, |ui| {
        let tip = &say("settings-steps.tip");
        let label = ui.label(say("settings-steps")).on_hover_text(tip);
        let mut steps = draft.steps;
        if ui.add(Slider::new(&mut steps, 1..=MOST_STEPS)).labelled_by(label.id).on_hover_text(tip).changed() {
            actions.push(Action::SetSteps(steps));
        }
        ui.end_row();

        let tip = &say("settings-guidance.tip");
        let label = ui.label(say("settings-guidance")).on_hover_text(tip);
        let mut guidance = draft.guidance;
        if ui.add(Slider::new(&mut guidance, 1.0..=10.0).max_decimals(1)).labelled_by(label.id).on_hover_text(tip).changed() {
            actions.push(Action::SetGuidance(guidance));
        }
        ui.end_row();

        ui.label(say("settings-variations")).on_hover_text(say("settings-variations.tip"));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for n in 1..=MOST_VARIATIONS {
                let button = Button::selectable(draft.variations == n, n.to_string()).min_size(vec2(30.0, 0.0));
                let response = ui.add(button).on_hover_text(say("settings-variations.tip"));
                response.widget_info(|| {
                    WidgetInfo::selected(Role::RadioButton, true, draft.variations == n, tell!("settings-variations-are", count = n))
                });
                if response.clicked() {
                    actions.push(Action::SetVariations(n));
                }
            }
        });
        ui.end_row();

        let tip = &say("settings-seed.tip");
        let label = ui.label(say("settings-seed")).on_hover_text(tip);
        ui.horizontal(|ui| {
            let mut seed = draft.seed;
            let field = ui.add_sized(vec2(104.0, 28.0), DragValue::new(&mut seed)).labelled_by(label.id).on_hover_text(tip);
            if field.changed() {
                actions.push(Action::SetSeed(seed));
            }
            if icon_button(ui, Icon::Dice, &say("seed-roll"), &say("seed-roll.tip"), true).clicked() {
                actions.push(Action::RollSeed);
            }
            let (icon, name) = if draft.seed_locked { (Icon::Locked, "seed-stays") } else { (Icon::Unlocked, "seed-changes") };
            if icon_button(ui, icon, &say(name), &tip_of(name), true).clicked() {
                actions.push(Action::LockSeed(!draft.seed_locked));
            }
        });
        ui.end_row();

        ui.label(say("settings-quality")).on_hover_text(say("settings-quality.tip"));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let now = Quality::of(draft.shortcuts);
            for quality in Quality::ALL {
                let key = names::quality(quality);
                let response = ui.add(Button::selectable(now == Some(quality), say(key))).on_hover_text(tip_of(key));
                let name = format!("{}: {}", say("settings-quality"), say(key));
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
            let tip = if selected { say("keep-rest-selection.tip") } else { say("keep-rest-changes.tip") };
            ui.label(say("keep-rest")).on_hover_text(&tip);
            let mut keeps = draft.preserve.keeps_rest || selected;
            let words = say(if selected { "keep-rest-selection" } else { "keep-rest-changes" });
            if ui.add_enabled(!selected, egui::Checkbox::new(&mut keeps, words)).on_hover_text(tip).changed() {
                actions.push(Action::KeepRest(keeps));
            }
            ui.end_row();
        }
    });
    if let Some(recipe) = editor.document.current().and_then(|r| r.recipe()) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            let composition = ui.button(say("action-new-composition")).on_hover_text(say("action-new-composition.tip"));
            if composition.clicked() {
                actions.push(Action::Again(Again::Composition));
            }
            let finish = ui.button(say("action-new-finish")).on_hover_text(say("action-new-finish.tip"));
            if finish.clicked() {
                actions.push(Action::Again(Again::Finish));
            }
            let guidance = figure(recipe.guidance.to_string());
            let line = tell!("recipe-line", seed = recipe.seed.to_string(), steps = recipe.steps, guidance = guidance);
            let line = match Quality::of(recipe.shortcuts) {
                Some(Quality::Best) => line,
                quality => format!("{line}, {}", say(quality.map_or("quality-own", names::quality))),
            };
            let tip = format!("{}: {line}", say("action-take-recipe.tip"));
            if icon_button(ui, Icon::Recipe, &say("action-take-recipe"), &tip, true).clicked() {
                actions.push(Action::TakeRecipe);
            }
        });
    }
}
