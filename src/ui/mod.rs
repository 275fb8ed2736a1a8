//! The window's surface: reads the editor, says what the person did.
//!
//! Architecture Invariant: no decision is made here and nothing is computed that takes time.

mod canvas;
mod icons;
mod inspector;
mod notices;
mod processor;
mod prompt;
mod shortcuts;
pub mod theme;
mod times;
mod top;

pub use times::{Moment, Times};

use crate::document::RevisionId;
use crate::editor::{Action, Editor, Thumbnail};
use eframe::egui::{
    self, Align2, CentralPanel, Color32, ColorImage, Context, Frame, Margin, Panel, Stroke, StrokeKind, TextureHandle, TextureId,
    TextureOptions, Ui, Vec2, vec2,
};
use std::collections::HashMap;

/// What the surface keeps between frames.
#[derive(Default)]
pub struct Surface {
    canvas: canvas::Canvas,
    thumbnails: Thumbnails,
    notices: notices::Notices,
}

impl Surface {
    /// Draws everything; returns what the person did.
    pub fn show(&mut self, ui: &mut Ui, editor: &Editor) -> Vec<Action> {
        let ctx = ui.ctx().clone();
        let typing = ctx.text_edit_focused();
        let mut actions = shortcuts::read(&ctx, editor, typing);
        if shortcuts::wants_prompt(&ctx, typing) {
            ctx.memory_mut(|m| m.request_focus(prompt::id()));
        }
        let colours = theme::colours(ui.style());
        let panel = |margin: Margin| Frame::new().fill(colours.panel).inner_margin(margin);
        Panel::top("top").exact_size(theme::TOP_HEIGHT).frame(panel(Margin::symmetric(theme::PAD, 0))).show(ui, |ui| {
            top::show(ui, editor, &mut actions);
        });
        Panel::bottom("status").exact_size(theme::STATUS_HEIGHT).frame(panel(Margin::symmetric(theme::PAD, 0))).show(ui, |ui| {
            status(ui, editor);
        });
        Panel::right("inspector").exact_size(theme::INSPECTOR_WIDTH).frame(panel(Margin::same(theme::PAD))).show(ui, |ui| {
            inspector::show(ui, editor, &mut self.thumbnails, &mut actions);
        });
        Panel::bottom("prompt panel").frame(panel(Margin::symmetric(theme::PAD, 6))).show(ui, |ui| {
            prompt::show(ui, editor, &mut actions);
        });
        let canvas =
            CentralPanel::default().frame(Frame::new().fill(colours.canvas)).show(ui, |ui| self.canvas.show(ui, editor, &mut actions));
        let rect = canvas.inner.rect;
        self.notices.show(ui, rect, editor, &mut actions);
        if let Some(ask) = &editor.ask {
            notices::ask(ui, ask, &mut actions);
        }
        drop_files(ui, rect, &mut actions);
        self.thumbnails.forget(editor);
        if editor.run.is_some() {
            ctx.request_repaint(); // progress moves at the display's rate
        }
        // A run is the last thing of a frame: words that were typed in the same frame are part of its prompt.
        actions.sort_by_key(|action| *action == Action::Run);
        actions
    }
}

/// Size, what is made where, and what the program is about to do.
fn status(ui: &mut Ui, editor: &Editor) {
    let colours = theme::colours(ui.style());
    ui.horizontal_centered(|ui| {
        let say = |ui: &mut Ui, words: String| ui.label(egui::RichText::new(words).small().color(colours.weak));
        if let Some(shown) = editor.shown() {
            say(ui, format!("{} × {} px, {} bit", shown.picture.width(), shown.picture.height(), shown.picture.bits()));
        }
        if let Some(device) = &editor.device {
            say(ui, format!("Runs on {device}"));
        }
        if editor.is_opening() {
            say(ui, "Opening…".to_owned());
        }
        if let Some(slow) = &editor.slow_screen {
            say(ui, slow.clone());
        }
    });
}

/// Files that are held over the window, and those that are dropped.
fn drop_files(ui: &Ui, canvas: egui::Rect, actions: &mut Vec<Action>) {
    let (hovers, dropped) = ui.input(|i| {
        let paths: Vec<_> = i.raw.dropped_files.iter().map(|f| f.path().to_owned()).filter(|p| !p.as_os_str().is_empty()).collect();
        (!i.raw.hovered_files.is_empty(), paths)
    });
    if hovers {
        let colours = theme::colours(ui.style());
        let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop")));
        painter.rect_filled(canvas, 0.0, colours.canvas.gamma_multiply(0.85));
        painter.rect_stroke(canvas.shrink(12.0), 12.0, Stroke::new(2.0, colours.accent), StrokeKind::Inside);
        painter.text(canvas.center(), Align2::CENTER_CENTER, "Drop to open", theme::strong_font(theme::TITLE), colours.text);
    }
    if !dropped.is_empty() {
        actions.push(Action::OpenFiles(dropped));
    }
}

/// A colour from three bytes.
fn colour_of([r, g, b]: [u8; 3]) -> Color32 {
    theme::opaque(r, g, b)
}

/// Small copies on the graphics card.
#[derive(Default)]
pub struct Thumbnails(HashMap<RevisionId, TextureHandle>);

impl Thumbnails {
    fn texture(&mut self, ctx: &Context, id: RevisionId, thumbnail: &Thumbnail) -> (TextureId, Vec2) {
        let size = [thumbnail.width as usize, thumbnail.height as usize];
        let texture = self.0.entry(id).or_insert_with(|| {
            let image = ColorImage::from_rgba_unmultiplied(size, &thumbnail.rgba);
            ctx.load_texture(format!("thumbnail {}", id.0), image, TextureOptions::LINEAR)
        });
        (texture.id(), vec2(size[0] as f32, size[1] as f32))
    }

    /// Lets go of those whose revision is gone.
    fn forget(&mut self, editor: &Editor) {
        self.0.retain(|id, _| editor.screens.contains_key(id));
    }
}
