//! The menu behind the program's name: every action of the table.

use super::actions::{ACTIONS, MENUS, Menu, Wish, do_it};
use super::theme;
use super::words::say;
use crate::editor::{Action, Editor};
use crate::recipe::file_name;
use eframe::egui::{Button, RichText, Ui};

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>, wishes: &mut Vec<Wish>) {
    let colours = theme::colours(ui.style());
    let name = RichText::new("Pentimento").font(theme::strong_font(theme::HEADING)).color(colours.text);
    let menu = ui.menu_button(name, |ui| {
        for menu in MENUS {
            ui.menu_button(menu.name(), |ui| {
                ui.set_min_width(260.0);
                if menu == Menu::File && !editor.settings.recent.is_empty() {
                    recent(ui, editor, actions);
                }
                for entry in ACTIONS.iter().filter(|e| e.menu == menu) {
                    let keys = RichText::new(entry.keys_words(ui.ctx(), &editor.settings)).color(colours.weak);
                    let button = Button::new(entry.label()).right_text(keys);
                    // What a key has to be held for cannot be clicked; it is here to be found.
                    if ui.add_enabled(entry.is_possible(editor), button).on_hover_text(entry.tip()).clicked() {
                        do_it(entry, editor, actions, wishes);
                        ui.close();
                    }
                }
            });
        }
    });
    menu.response.on_hover_text(say("menu.tip"));
}

/// Files that were opened lately.
fn recent(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    ui.menu_button(say("menu-recent"), |ui| {
        for path in &editor.settings.recent {
            if ui.button(file_name(path)).on_hover_text(path.display().to_string()).clicked() {
                actions.push(Action::OpenFiles(vec![path.clone()]));
                ui.close();
            }
        }
    });
}
