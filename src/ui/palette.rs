//! Everything by name: type a part of it, and press Enter.

use super::actions::{ACTIONS, Deed, Entry, Wish, do_it};
use super::theme;
use super::words::{say, tell};
use crate::editor::{Action, Editor};
use eframe::egui::{self, Button, Id, Key, Modal, Modifiers, RichText, ScrollArea, TextEdit, Ui, vec2};

/// The palette, while it is open.
#[derive(Default)]
pub struct Palette {
    typed: String,
    at: usize,
}

/// Whether all words of what is typed begin somewhere in a label, in any order.
fn fits(typed: &str, entry: &Entry) -> bool {
    let text = format!("{} {} {}", entry.label(), entry.menu.name(), entry.tip()).to_lowercase();
    typed.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

impl Palette {
    /// Draws it; false when it is to be gone.
    pub fn show(&mut self, ui: &Ui, editor: &Editor, actions: &mut Vec<Action>, wishes: &mut Vec<Wish>) -> bool {
        let mut chosen: Option<&Entry> = None;
        let found: Vec<&Entry> = ACTIONS.iter().filter(|e| !matches!(e.deed, Deed::Holds(_)) && fits(&self.typed, e)).collect();
        let (mut down, mut up, mut enter) = (false, false, false);
        ui.input_mut(|i| {
            down = i.consume_key(Modifiers::NONE, Key::ArrowDown);
            up = i.consume_key(Modifiers::NONE, Key::ArrowUp);
            enter = i.consume_key(Modifiers::NONE, Key::Enter);
        });
        self.at = (self.at + usize::from(down)).saturating_sub(usize::from(up)).min(found.len().saturating_sub(1));
        let modal = Modal::new(Id::unique("palette")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
            ui.set_width(520.0);
            let before = self.typed.clone();
            let id = Id::unique("palette words");
            let field = TextEdit::singleline(&mut self.typed).id(id).hint_text(say("palette-hint")).desired_width(f32::INFINITY).margin(10);
            let field = ui.add(field);
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("palette-name")));
            field.request_focus();
            if self.typed != before {
                self.at = 0;
            }
            ui.add_space(theme::GAP);
            let height = 360.0_f32.min(ui.ctx().content_rect().height() - 160.0);
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(ui, |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                for (i, entry) in found.iter().enumerate() {
                    let response = line(ui, editor, entry, i == self.at);
                    if i == self.at && (down || up) {
                        response.scroll_to_me(None);
                    }
                    if response.clicked() {
                        chosen = Some(entry);
                    }
                }
                if found.is_empty() {
                    let words = tell!("palette-nothing", words = self.typed.as_str());
                    ui.label(RichText::new(words).color(theme::colours(ui.style()).weak));
                }
            });
        });
        if enter {
            chosen = found.get(self.at).copied();
        }
        match chosen.filter(|e| e.is_possible(editor)) {
            Some(entry) => {
                do_it(entry, editor, actions, wishes);
                false
            }
            None => !modal.should_close(),
        }
    }
}

/// One action: name, where it stands in the menu, keys.
fn line(ui: &mut Ui, editor: &Editor, entry: &Entry, is_at: bool) -> egui::Response {
    let colours = theme::colours(ui.style());
    let possible = entry.is_possible(editor);
    let text = RichText::new(entry.label()).color(if possible { colours.text } else { colours.weak });
    let keys = entry.keys_words(ui.ctx(), &editor.settings);
    let menu = RichText::new(entry.menu.name()).small().color(colours.weak);
    let button = Button::new((text, menu))
        .right_text(RichText::new(keys).small().color(colours.weak))
        .selected(is_at)
        .frame(true)
        .fill(if is_at { colours.raised } else { egui::Color32::TRANSPARENT })
        .min_size(vec2(ui.available_width(), theme::BUTTON_HEIGHT));
    ui.add(button).on_hover_text(entry.tip())
}
