//! The windows of settings, of keys, and of messages that have passed by.

use super::actions::{ACTIONS, MENUS};
use super::keys::{self, Keys};
use super::theme;
use super::words::{LANGUAGES, say, tell};
use crate::editor::{Action, Editor, Language, MOST_STEPS, NoticeKind, SCALES, Setting, Shelf, ThemeChoice};
use eframe::egui::{self, Button, ComboBox, DragValue, Grid, Id, Key, Modal, RichText, ScrollArea, TextEdit, Ui, vec2};
use std::path::PathBuf;

/// Which window is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Page {
    #[default]
    General,
    Keys,
    Messages,
}

/// The open window, and the action that waits for new keys.
#[derive(Default)]
pub struct Preferences {
    pub page: Page,
    waiting: Option<&'static str>,
    /// What was wrong with the keys that were pressed last.
    refused: Option<String>,
    /// The folder that is being typed.
    folder: Option<String>,
    done: bool,
}

impl Preferences {
    pub fn new(page: Page) -> Self {
        Self { page, ..Self::default() }
    }

    /// Draws it; false when it is to be gone.
    pub fn show(&mut self, ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) -> bool {
        self.take_keys(ui, editor, actions);
        let mut done = false;
        let modal = Modal::new(Id::unique("preferences")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
            ui.set_width(560.0);
            ui.horizontal(|ui| {
                for (page, name) in
                    [(Page::General, "settings-general"), (Page::Keys, "settings-keys"), (Page::Messages, "settings-messages")]
                {
                    if ui.add(Button::selectable(self.page == page, say(name))).clicked() {
                        (self.page, self.waiting, self.refused) = (page, None, None);
                    }
                }
                ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                    done = ui.button(say("close")).clicked();
                });
            });
            ui.separator();
            let height = 520.0_f32.min(ui.ctx().content_rect().height() - 140.0);
            ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(ui, |ui| {
                match self.page {
                    Page::General => {
                        general(ui, editor, actions);
                        self.defaults(ui, editor, actions);
                    }
                    Page::Keys => self.keys(ui, editor, actions),
                    Page::Messages => messages(ui, editor),
                }
            });
        });
        let closes = modal.should_close() && self.waiting.is_none();
        !(done || closes || self.done)
    }

    /// Takes what is pressed for the action that waits for keys.
    fn take_keys(&mut self, ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
        let Some(entry) = self.waiting.and_then(super::actions::entry) else { return };
        let Some(pressed) = keys::pressed(ui.ctx()) else { return };
        if pressed == Keys::new(egui::Modifiers::NONE, Key::Escape) {
            self.waiting = None;
        } else if pressed == Keys::new(egui::Modifiers::NONE, Key::Backspace) {
            actions.push(Action::Set(Setting::Keys(entry.id.to_owned(), Some(Vec::new()))));
            (self.waiting, self.refused) = (None, None);
        } else if pressed.is_single() && entry.when == super::actions::When::Always {
            self.refused = Some(tell!("keys-single", keys = pressed.words(ui.ctx())));
        } else if let Some(other) = keys::taken_by(pressed, entry, editor) {
            self.refused = Some(tell!("keys-taken", keys = pressed.words(ui.ctx()), action = other.label()));
        } else {
            actions.push(Action::Set(Setting::Keys(entry.id.to_owned(), Some(vec![pressed.written()]))));
            (self.waiting, self.refused) = (None, None);
        }
    }

    /// How things begin: steps, size, folders, and what computes.
    fn defaults(&mut self, ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
        let settings = &editor.settings;
        ui.add_space(theme::GAP);
        ui.label(RichText::new(say("defaults")).font(theme::strong_font(theme::BODY)));
        Grid::new("defaults").num_columns(2).min_col_width(170.0).spacing(vec2(16.0, 10.0)).show(ui, |ui| {
            let label = ui.label(say("settings-steps")).on_hover_text(say("settings-steps.tip"));
            ui.horizontal(|ui| {
                let mut usual = settings.steps.is_none();
                let steps = settings.steps.unwrap_or_else(|| editor.usual_steps());
                if ui.checkbox(&mut usual, tell!("defaults-steps", count = editor.usual_steps())).changed() {
                    actions.push(Action::Set(Setting::Steps((!usual).then_some(steps))));
                }
                let mut to = steps;
                let field = ui.add_enabled(!usual, DragValue::new(&mut to).range(1..=MOST_STEPS)).labelled_by(label.id);
                if field.changed() {
                    actions.push(Action::Set(Setting::Steps(Some(to))));
                }
            });
            ui.end_row();
            ui.label(say("defaults-size"));
            let mut larger = settings.upscale_results;
            if ui.checkbox(&mut larger, say("defaults-larger")).on_hover_text(say("upscale-results.tip")).changed() {
                actions.push(Action::UpscaleResults(larger));
            }
            ui.end_row();
            ui.label(say("defaults-folder")).on_hover_text(say("defaults-folder.tip"));
            let kept = settings.folder.as_deref().map_or_else(String::new, |folder| folder.display().to_string());
            let mut typed = self.folder.clone().unwrap_or_else(|| kept.clone());
            let field = TextEdit::singleline(&mut typed).id(Id::unique("folder")).hint_text(say("defaults-folder.hint"));
            let field = ui.add(field.desired_width(300.0).margin(6));
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("defaults-folder")));
            // Kept when the field is left: not every letter is a folder.
            if field.lost_focus() && typed != kept {
                actions.push(Action::Set(Setting::Folder(Some(typed.trim()).filter(|t| !t.is_empty()).map(PathBuf::from))));
            }
            self.folder = field.has_focus().then_some(typed);
            ui.end_row();
            ui.label(say("devices"));
            if ui.button(say("action-models")).on_hover_text(say("action-models.tip")).clicked() {
                actions.push(Action::Shelf(Shelf::Open));
                self.done = true;
            }
            ui.end_row();
        });
    }

    fn keys(&mut self, ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
        let colours = theme::colours(ui.style());
        ui.label(RichText::new(say("keys-how")).small().color(colours.weak));
        if let Some(why) = &self.refused {
            ui.label(RichText::new(why).color(colours.danger));
        }
        for menu in MENUS {
            ui.add_space(theme::GAP);
            ui.label(RichText::new(menu.name()).font(theme::strong_font(theme::BODY)));
            Grid::new(("keys", menu.name())).num_columns(3).min_col_width(170.0).spacing(vec2(12.0, 4.0)).show(ui, |ui| {
                for entry in ACTIONS.iter().filter(|e| e.menu == menu) {
                    ui.label(entry.label()).on_hover_text(entry.tip());
                    let waits = self.waiting == Some(entry.id);
                    let all: Vec<String> = entry.keys_in(&editor.settings).iter().map(|k| k.words(ui.ctx())).collect();
                    let words = if waits {
                        say("keys-press")
                    } else if all.is_empty() {
                        "–".to_owned()
                    } else {
                        all.join(", ")
                    };
                    let fixed = entry.when == super::actions::When::Elsewhere;
                    let button = ui.add_enabled(!fixed, Button::new(words).selected(waits).min_size(vec2(170.0, theme::BUTTON_HEIGHT)));
                    let name = tell!("keys-of", action = entry.label());
                    ui.ctx().accesskit_node_builder(button.id, |node| node.set_label(name.clone()));
                    if button.on_hover_text(name).clicked() {
                        (self.waiting, self.refused) = (Some(entry.id), None);
                    }
                    if editor.settings.keys.contains_key(entry.id) {
                        if ui.button(say("keys-reset")).clicked() {
                            actions.push(Action::Set(Setting::Keys(entry.id.to_owned(), None)));
                        }
                    } else {
                        ui.label("");
                    }
                    ui.end_row();
                }
            });
        }
    }
}

fn general(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let settings = &editor.settings;
    let mut set = |setting| actions.push(Action::Set(setting));
    Grid::new("settings").num_columns(2).min_col_width(170.0).spacing(vec2(16.0, 10.0)).show(ui, |ui| {
        ui.label(say("settings-theme"));
        ui.horizontal(|ui| {
            for (theme, name) in
                [(ThemeChoice::System, "theme-system"), (ThemeChoice::Dark, "theme-dark"), (ThemeChoice::Light, "theme-light")]
            {
                if ui.add(Button::selectable(settings.theme == theme, say(name))).clicked() {
                    set(Setting::Theme(theme));
                }
            }
        });
        ui.end_row();
        ui.label(say("settings-language"));
        let name = |language: Language| {
            let own = LANGUAGES.iter().find(|l| l.0 == language).map(|l| l.1.to_owned());
            own.unwrap_or_else(|| say("language-system"))
        };
        let shown = ComboBox::from_id_salt("language").selected_text(name(settings.language)).show_ui(ui, |ui| {
            for language in [Language::System].into_iter().chain(LANGUAGES.iter().map(|l| l.0)) {
                if ui.add(Button::selectable(settings.language == language, name(language))).clicked() {
                    set(Setting::Language(language));
                }
            }
        });
        ui.ctx().accesskit_node_builder(shown.response.id, |node| node.set_label(say("settings-language")));
        ui.end_row();
        ui.label(say("settings-scale"));
        // No slider: it would run away under the pointer as everything grows.
        let percent = |scale: u32| format!("{scale} %");
        let shown = ComboBox::from_id_salt("scale").selected_text(percent(settings.scale)).show_ui(ui, |ui| {
            for scale in SCALES {
                if ui.add(Button::selectable(settings.scale == scale, percent(scale))).clicked() {
                    set(Setting::Scale(scale));
                }
            }
        });
        ui.ctx().accesskit_node_builder(shown.response.id, |node| node.set_label(say("settings-scale")));
        ui.end_row();
        ui.label(say("settings-motion"));
        let mut still = settings.reduced_motion;
        if ui.checkbox(&mut still, say("settings-still")).changed() {
            set(Setting::ReducedMotion(still));
        }
        ui.end_row();
    });
}

/// Everything that was said since the start, the newest first.
fn messages(ui: &mut Ui, editor: &Editor) {
    let colours = theme::colours(ui.style());
    if editor.said.is_empty() {
        ui.label(RichText::new(say("messages-none")).color(colours.weak));
    }
    for notice in editor.said.iter().rev() {
        let failed = notice.kind == NoticeKind::Failed;
        ui.horizontal_top(|ui| {
            let words = RichText::new(&notice.text).color(if failed { colours.danger } else { colours.text });
            if failed && ui.button(say("copy-report")).on_hover_text(say("copy-report.tip")).clicked() {
                ui.ctx().copy_text(editor.report(notice));
            }
            ui.add(egui::Label::new(words).wrap());
        });
    }
}
