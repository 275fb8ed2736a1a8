//! The bar above the canvas.

use super::actions::{Wish, do_it, entry, tip};
use super::icons::{Icon, icon_button, labelled_button};
use super::words::say;
use super::{menu, names, theme};
use crate::editor::{Action, Editor, Setting, ThemeChoice};
use eframe::egui::text::{LayoutJob, TextWrapping};
use eframe::egui::{self, Align, FontId, Layout, RichText, Ui, pos2};

/// Room without which a title is only a few letters.
const LEAST_TITLE: f32 = 140.0;

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>, wishes: &mut Vec<Wish>) {
    let colours = theme::colours(ui.style());
    let bar = ui.max_rect();
    let (ctx, has) = (ui.ctx().clone(), editor.document.current().is_some());
    let tip = |id| tip(&ctx, editor, id);
    let mut room = bar.x_range();
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
        room.min = ui.cursor().left();
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
            room.max = ui.cursor().right();
        });
    });
    if let Some(revision) = editor.document.current() {
        // In the middle of the window, or as near to it as there is room; where there is little, not at all.
        if room.span() < LEAST_TITLE {
            return;
        }
        let title = names::title(revision).replace('\n', " ");
        let mut job = LayoutJob::simple_singleline(title, FontId::proportional(theme::BODY), colours.weak);
        job.wrap = TextWrapping::truncate_at_width((room.span() - 2.0 * theme::GAP).max(0.0));
        let galley = ui.painter().layout_job(job);
        let (least, most) = (room.min + theme::GAP, room.max - theme::GAP - galley.size().x);
        let left = (bar.center().x - galley.size().x / 2.0).min(most).max(least);
        ui.painter().galley(pos2(left, bar.center().y - galley.size().y / 2.0), galley, colours.weak);
    }
}

fn zoom_words(scale: f64) -> String {
    let percent = scale * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
