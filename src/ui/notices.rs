//! Sentences that pass by, and the question for a path where the system has no dialogs.

use super::icons::{Icon, icon_button};
use super::theme;
use crate::editor::{Action, Ask, Editor, Notice, NoticeKind, Question};
use eframe::egui::{self, Align2, Area, Button, Frame, Id, Key, Modal, Order, Rect, RichText, TextEdit, Ui, vec2};
use std::collections::HashMap;

/// Seconds that good news are shown.
const SHOWN: f64 = 6.0;

/// When each notice came up.
#[derive(Default)]
pub struct Notices(HashMap<u64, f64>);

impl Notices {
    /// Draws the notices into the lower right corner of the canvas.
    pub fn show(&mut self, ui: &Ui, canvas: Rect, editor: &Editor, actions: &mut Vec<Action>) {
        let now = ui.input(|i| i.time);
        self.0.retain(|id, _| editor.notices.iter().any(|n| n.id == *id));
        if editor.notices.is_empty() {
            return;
        }
        let colours = theme::colours(ui.style());
        let corner = canvas.right_bottom() - vec2(16.0, 16.0);
        Area::new(Id::unique("notices")).order(Order::Foreground).fixed_pos(corner).pivot(Align2::RIGHT_BOTTOM).show(ui.ctx(), |ui| {
            ui.set_max_width(380.0);
            for notice in &editor.notices {
                let since = *self.0.entry(notice.id).or_insert_with(|| {
                    log(notice);
                    now
                });
                if notice.kind == NoticeKind::Done {
                    if now - since > SHOWN {
                        actions.push(Action::DismissNotice(notice.id));
                    }
                    ui.ctx().request_repaint_after_secs((SHOWN - (now - since)).max(0.05) as f32);
                }
                let (mark, width) = if notice.kind == NoticeKind::Failed { (colours.danger, 2.0) } else { (colours.line, 1.0) };
                Frame::popup(ui.style()).fill(colours.panel).stroke(egui::Stroke::new(width, mark)).inner_margin(theme::PAD).show(
                    ui,
                    |ui| {
                        ui.horizontal_top(|ui| {
                            let words = egui::Layout::top_down(egui::Align::LEFT);
                            ui.allocate_ui_with_layout(vec2(310.0, theme::BUTTON_HEIGHT), words, |ui| {
                                ui.set_width(310.0);
                                ui.add_space(6.0);
                                ui.add(egui::Label::new(&notice.text).wrap());
                            });
                            if icon_button(ui, Icon::Close, "Dismiss", "Dismiss", true).clicked() {
                                actions.push(Action::DismissNotice(notice.id));
                            }
                        });
                    },
                );
            }
        });
    }
}

/// A notice that is shown is in the log as well: it outlives the window.
fn log(notice: &Notice) {
    match notice.kind {
        NoticeKind::Done => tracing::info!("{}", notice.text),
        NoticeKind::Failed => tracing::warn!("{}", notice.text),
    }
}

/// Asks for a path.
pub fn ask(ui: &Ui, ask: &Ask, actions: &mut Vec<Action>) {
    let (title, hint, done) = match ask.question {
        Question::Open => ("Open a picture", "/home/me/photo.jpg", "Open"),
        Question::Save => ("Export the picture", "/home/me/picture.png", "Export"),
        Question::SaveProject => ("Save the project", "/home/me/holiday.pentimento", "Save"),
        Question::OpenMask => ("Open a selection", "/home/me/selection.png", "Open"),
        Question::SaveMask => ("Save the selection", "/home/me/selection.png", "Save"),
        Question::Recipe => ("Choose a recipe, or a picture that has one", "/home/me/evening.json", "Use"),
        Question::SaveRecipe => ("Save the recipe", "/home/me/evening.json", "Save"),
        Question::Photos => ("Choose a photo, or a folder of them", "/home/me/photos", "Add"),
        Question::Results => ("A folder for the results", "/home/me/results", "Save"),
        Question::ModelFolder => ("Choose a model's folder", "/home/me/models/BLIP3o-NEXT", "Use"),
    };
    let shown = Modal::new(Id::unique("ask")).show(ui.ctx(), |ui| {
        ui.set_width(460.0);
        ui.label(RichText::new(title).heading());
        let colours = theme::colours(ui.style());
        let why = match ask.question {
            Question::SaveProject => "One file with all pictures and how they were made. Type where it goes.",
            _ => "This system has no file dialog (a desktop portal or zenity), so type the path.",
        };
        ui.label(RichText::new(why).small().color(colours.weak));
        let mut answer = ask.answer.clone();
        let id = Id::unique("ask path");
        let field = ui.add(TextEdit::singleline(&mut answer).id(id).hint_text(hint).desired_width(f32::INFINITY).margin(8));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Path"));
        if answer != ask.answer {
            actions.push(Action::SetAnswer(answer));
        }
        if !field.has_focus() && !field.lost_focus() {
            field.request_focus();
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let accent = Button::new(RichText::new(done).color(colours.on_accent)).fill(colours.accent);
            if ui.add(accent).clicked() || entered {
                actions.push(Action::Answer);
            }
            if ui.button("Cancel").clicked() {
                actions.push(Action::CancelAnswer);
            }
        });
    });
    if shown.should_close() {
        actions.push(Action::CancelAnswer);
    }
}
