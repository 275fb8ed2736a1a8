//! How the edit on the canvas is taken over: changed afterwards, without the model.

use super::theme;
use super::words::{say, tip_of};
use crate::document::Placing;
use crate::editor::{Action, Adjust, Editor, MOST_FEATHER, Select};
use eframe::egui::{self, Button, RichText, Slider, Ui, vec2};

/// Draws the section, where the picture on the canvas is an edit; true if it did.
pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) -> bool {
    let Some(local) = editor.local().filter(|_| editor.run_on_canvas().is_none()) else { return false };
    let colours = theme::colours(ui.style());
    ui.label(RichText::new(say("edit-title")).font(theme::strong_font(theme::BODY)));
    let has_own = matches!(editor.document.current().and_then(|r| r.local.as_deref()).map(|l| &l.placing), Some(Placing::Selection { .. }));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let now = &local.placing;
        let ways = [
            (local.reconstruction.is_some(), matches!(now, Placing::Change { .. }), "edit-changes", Adjust::Change),
            (has_own || editor.selected().is_some(), matches!(now, Placing::Selection { .. }), "edit-selection", Adjust::Selection),
            (true, matches!(now, Placing::Whole), "edit-everything", Adjust::Whole),
        ];
        for (enabled, here, key, adjust) in ways {
            let button = Button::selectable(here, say(key));
            if ui.add_enabled(enabled, button).on_hover_text(tip_of(key)).clicked() && !here {
                actions.push(Action::Adjust(adjust));
            }
        }
    });
    egui::Grid::new("this edit").num_columns(2).spacing(vec2(theme::GAP, 4.0)).min_col_width(72.0).show(ui, |ui| match &local.placing {
        Placing::Change { reach } => {
            let mut reach = reach * 100.0;
            if row(ui, "edit-reach", Slider::new(&mut reach, 0.0..=100.0).suffix(" %")) {
                actions.push(Action::Adjust(Adjust::Reach(reach / 100.0)));
            }
        }
        Placing::Selection { blend, .. } => {
            let mut feather = blend.feather;
            if row(ui, "edit-feather", Slider::new(&mut feather, 0..=MOST_FEATHER).suffix(" px")) {
                actions.push(Action::Adjust(Adjust::Feather(feather)));
            }
            let mut matching = blend.matching * 100.0;
            let slider = Slider::new(&mut matching, 0.0..=100.0).suffix(" %");
            if row(ui, "edit-colours", slider) {
                actions.push(Action::Adjust(Adjust::Matching(matching / 100.0)));
            }
        }
        Placing::Whole => {}
    });
    ui.horizontal_wrapped(|ui| match &editor.adjustment {
        Some(adjustment) => {
            let keep = Button::new(RichText::new(say("edit-keep")).color(colours.on_accent)).fill(colours.accent);
            let ready = adjustment.is_ready();
            if ui.add_enabled(ready, keep).on_hover_text(say("edit-keep.tip")).clicked() {
                actions.push(Action::Adjust(Adjust::Keep));
            }
            if ui.button(say("adjust-reset")).on_hover_text(say("adjust-reset.tip")).clicked() {
                actions.push(Action::Adjust(Adjust::Reset));
            }
            if !ready && editor.settings.reduced_motion {
                ui.label("…");
            } else if !ready {
                ui.spinner();
            }
        }
        None => {
            let shows = editor.selection.shows_change;
            if ui.add(Button::selectable(shows, say("edit-show"))).on_hover_text(say("edit-show.tip")).clicked() {
                actions.push(Action::Select(Select::ShowChange(!shows)));
            }
            if ui.button(say("edit-select")).on_hover_text(say("edit-select.tip")).clicked() {
                actions.push(Action::Select(Select::FromEdit));
            }
        }
    });
    true
}

/// A labelled slider; true if it moved.
fn row(ui: &mut Ui, key: &str, slider: Slider<'_>) -> bool {
    let tip = tip_of(key);
    let label = ui.label(say(key)).on_hover_text(&tip);
    let moved = ui.add(slider.max_decimals(0)).labelled_by(label.id).on_hover_text(tip).changed();
    ui.end_row();
    moved
}
