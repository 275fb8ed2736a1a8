//! Sentences that pass by, and the question for a path where the system has no dialogs.

use super::icons::{Icon, icon_button};
use super::theme;
use super::words::say;
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
                                let failed = notice.kind == NoticeKind::Failed;
                                if failed && ui.button(say("copy-report")).on_hover_text(say("copy-report.tip")).clicked() {
                                    ui.ctx().copy_text(editor.report(notice));
                                }
                            });
                            if icon_button(ui, Icon::Close, &say("dismiss"), &say("dismiss"), true).clicked() {
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
        Question::Open => ("ask-open", "ask-open.hint", "ask-open.done"),
        Question::Save => ("ask-export", "ask-export.hint", "ask-export.done"),
        Question::SaveProject => ("ask-project", "ask-project.hint", "ask-project.done"),
        Question::OpenMask => ("ask-open-selection", "ask-open-selection.hint", "ask-open-selection.done"),
        Question::SaveMask => ("ask-save-selection", "ask-save-selection.hint", "ask-save-selection.done"),
        Question::Recipe => ("ask-recipe", "ask-recipe.hint", "ask-recipe.done"),
        Question::SaveRecipe => ("ask-save-recipe", "ask-save-recipe.hint", "ask-save-recipe.done"),
        Question::Photos => ("ask-photos", "ask-photos.hint", "ask-photos.done"),
        Question::Results => ("ask-results", "ask-results.hint", "ask-results.done"),
        Question::ModelFolder => ("ask-folder", "ask-folder.hint", "ask-folder.done"),
    };
    let shown = Modal::new(Id::unique("ask")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
        ui.set_width(460.0);
        ui.label(RichText::new(say(title)).heading());
        let colours = theme::colours(ui.style());
        let why = match ask.question {
            Question::SaveProject => say("ask-project.why"),
            _ => say("ask-no-dialog"),
        };
        ui.label(RichText::new(why).small().color(colours.weak));
        let mut answer = ask.answer.clone();
        let id = Id::unique("ask path");
        let field = ui.add(TextEdit::singleline(&mut answer).id(id).hint_text(say(hint)).desired_width(f32::INFINITY).margin(8));
        ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(say("ask-path")));
        if answer != ask.answer {
            actions.push(Action::SetAnswer(answer));
        }
        if !field.has_focus() && !field.lost_focus() {
            field.request_focus();
        }
        let entered = field.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let accent = Button::new(RichText::new(say(done)).color(colours.on_accent)).fill(colours.accent);
            if ui.add(accent).clicked() || entered {
                actions.push(Action::Answer);
            }
            if ui.button(say("cancel")).clicked() {
                actions.push(Action::CancelAnswer);
            }
        });
    });
    if shown.should_close() {
        actions.push(Action::CancelAnswer);
    }
}
