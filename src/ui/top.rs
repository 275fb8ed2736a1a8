//! The bar above the canvas.

use super::actions::{Wish, do_it, entry, tip};
use super::icons::{Icon, icon_button, labelled_button};
use super::words::say;
use super::{menu, theme};
use crate::editor::{Action, Editor, Setting, ThemeChoice};
use eframe::egui::{self, Align, Align2, FontId, Layout, RichText, Ui};

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>, wishes: &mut Vec<Wish>) {
    let colours = theme::colours(ui.style());
    let bar = ui.max_rect();
    let (ctx, has) = (ui.ctx().clone(), editor.document.current().is_some());
    let tip = |id| tip(&ctx, editor, id);
    ui.horizontal_centered(|ui| {
        menu::show(ui, editor, actions, wishes);
        ui.add_space(4.0);
        for (id, icon) in [("open", Icon::Open), ("export", Icon::Export), ("save-project", Icon::Recipe)] {
            let Some(entry) = entry(id) else { continue };
            if labelled_button(ui, icon, &say(&format!("action-{id}.short")), &tip(id), entry.is_possible(editor)).clicked() {
                do_it(entry, editor, actions, wishes);
            }
        }
        ui.add_space(4.0);
        let strokes = [editor.can_take_back(), editor.can_do_again()];
        for (id, icon, stroke) in [("undo", Icon::Undo, strokes[0]), ("redo", Icon::Redo, strokes[1]), ("compare", Icon::Compare, false)] {
            let Some(entry) = entry(id) else { continue };
            let words = if stroke { say(&format!("action-{id}.stroke")) } else { tip(id) };
            let name = if id == "compare" && editor.compare.is_some() { say("action-compare.end") } else { entry.label() };
            if icon_button(ui, icon, &name, &words, entry.is_possible(editor)).clicked() {
                do_it(entry, editor, actions, wishes);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(4.0);
            let (icon, name, next) = match editor.settings.theme {
                ThemeChoice::System => (Icon::Auto, "theme-is-system", ThemeChoice::Dark),
                ThemeChoice::Dark => (Icon::Moon, "theme-is-dark", ThemeChoice::Light),
                ThemeChoice::Light => (Icon::Sun, "theme-is-light", ThemeChoice::System),
            };
            let name = say(name);
            if icon_button(ui, icon, &name, &format!("{name}. {}", say("theme-next")), true).clicked() {
                actions.push(Action::Set(Setting::Theme(next)));
            }
            ui.add_space(4.0);
            let mut zoom = |ui: &mut Ui, icon, id| {
                if let Some(entry) = entry(id)
                    && icon_button(ui, icon, &entry.label(), &tip(id), has).clicked()
                {
                    do_it(entry, editor, actions, wishes);
                }
            };
            zoom(ui, Icon::Fit, "fit");
            zoom(ui, Icon::Plus, "zoom-in");
            let percent = if has || editor.run.is_some() { zoom_words(editor.view.scale()) } else { String::new() };
            ui.add_sized([52.0, theme::BUTTON_HEIGHT], egui::Label::new(RichText::new(percent).color(colours.weak)));
            zoom(ui, Icon::Minus, "zoom-out");
        });
    });
    if let Some(revision) = editor.document.current() {
        let title: String = revision.title().chars().take(60).collect();
        ui.painter().text(bar.center(), Align2::CENTER_CENTER, title, FontId::proportional(theme::BODY), colours.weak);
    }
}

fn zoom_words(scale: f64) -> String {
    let percent = scale * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
