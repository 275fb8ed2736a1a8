//! The window's surface: reads the editor, says what the person did.
//!
//! Architecture Invariant: no decision is made here and nothing is computed that takes time.

mod actions;
mod adjust;
mod canvas;
mod context;
mod crop;
mod edit;
mod examples;
mod export;
mod history;
mod icons;
mod inspector;
mod keys;
mod menu;
mod models;
mod names;
mod notices;
mod palette;
mod preferences;
mod processor;
mod prompt;
mod replay;
pub mod theme;
mod times;
mod tools;
mod top;
mod upscale;
mod words;

pub use actions::{ACTIONS, Deed, Entry, MENUS, Menu, When};
pub use names::window as title;
pub use times::{Moment, Times};
pub use words::LANGUAGES;

use crate::document::RevisionId;
use crate::editor::{Action, Closing, Editor, Proof, Run, Shelf, Thumbnail, sentence};
use actions::Wish;
use eframe::egui::{
    self, Align2, CentralPanel, Color32, ColorImage, Context, Frame, Margin, Panel, Stroke, StrokeKind, TextureHandle, TextureId,
    TextureOptions, Ui, Vec2, vec2,
};
use preferences::{Page, Preferences};
use std::collections::HashMap;
use std::time::Duration;
use words::{figure, say, tell};

/// Between frames that nobody's hand asks for, where the CPU draws them too.
pub const SLOW_FRAME: Duration = Duration::from_millis(120);

/// What the surface keeps between frames.
#[derive(Default)]
pub struct Surface {
    canvas: canvas::Canvas,
    thumbnails: Thumbnails,
    gallery: examples::Gallery,
    notices: notices::Notices,
    tree: history::Tree,
    palette: Option<palette::Palette>,
    preferences: Option<Preferences>,
    sheet: replay::Sheet,
    /// Only the picture and the prompt are shown.
    hides_panels: bool,
    /// When it was last asked how the next run would use memory.
    looked_ahead: f64,
}

/// Seconds after which what was free may no longer be.
const FRESH: f64 = 10.0;

impl Surface {
    /// Draws everything; returns what the person did.
    pub fn show(&mut self, ui: &mut Ui, editor: &Editor) -> Vec<Action> {
        let ctx = ui.ctx().clone();
        let typing = ctx.text_edit_focused();
        // What lies over everything has the keys.
        let is_covered = self.palette.is_some() || self.preferences.is_some() || editor.exporting.open;
        let is_covered = is_covered || editor.closing == Closing::Asks || (editor.replaying.open && editor.ask.is_some());
        let (mut actions, mut wishes) = if is_covered { Default::default() } else { keys::read(&ctx, editor, typing) };
        let colours = theme::colours(ui.style());
        let panel = |margin: Margin| Frame::new().fill(colours.panel).inner_margin(margin);
        Panel::top("top").exact_size(theme::TOP_HEIGHT).frame(panel(Margin::symmetric(theme::PAD, 0))).show(ui, |ui| {
            top::show(ui, editor, &mut actions, &mut wishes);
        });
        Panel::bottom("status").exact_size(theme::STATUS_HEIGHT).frame(panel(Margin::symmetric(theme::PAD, 0))).show(ui, |ui| {
            status(ui, editor, &mut actions);
        });
        if !self.hides_panels {
            Panel::right("inspector").exact_size(theme::INSPECTOR_WIDTH).frame(panel(Margin::same(theme::PAD))).show(ui, |ui| {
                inspector::show(ui, editor, &mut self.tree, &mut self.thumbnails, &mut actions);
            });
            Panel::left("tools").exact_size(theme::TOOLS_WIDTH).frame(panel(Margin::symmetric(7, 8))).show(ui, |ui| {
                tools::bar(ui, editor, &mut actions);
            });
        }
        Panel::bottom("prompt panel").frame(panel(Margin::symmetric(theme::PAD, 6))).show(ui, |ui| {
            prompt::show(ui, editor, &mut actions);
        });
        self.gallery.show(ui, editor, &mut actions);
        let canvas =
            CentralPanel::default().frame(Frame::new().fill(colours.canvas)).show(ui, |ui| self.canvas.show(ui, editor, &mut actions));
        let rect = canvas.inner.rect;
        tools::floating(ui, rect, editor, &mut actions);
        self.notices.show(ui, rect, editor, &mut actions);
        if let Some(gone) = &editor.history.pruning {
            history::ask_prune(ui, editor, gone, &mut self.thumbnails, &mut actions);
        }
        models::show(ui, editor, &mut actions);
        export::show(ui, editor, &mut actions);
        self.sheet.show(ui, editor, &mut actions);
        if let Some(ask) = &editor.ask {
            notices::ask(ui, ask, &mut actions);
        }
        if self.palette.as_mut().is_some_and(|palette| !palette.show(ui, editor, &mut actions, &mut wishes)) {
            self.palette = None;
        }
        if self.preferences.as_mut().is_some_and(|preferences| !preferences.show(ui, editor, &mut actions)) {
            self.preferences = None;
        }
        // Over everything else.
        if editor.closing == Closing::Asks {
            replay::ask_close(ui, editor, &mut actions);
        }
        for wish in wishes {
            self.fulfil(wish, &ctx);
        }
        drop_files(ui, rect, &mut actions);
        self.thumbnails.forget(editor);
        if editor.run.is_some() {
            // Progress moves at the display's rate. Drawn by the CPU it would take the model's time.
            ctx.request_repaint_after(if editor.slow_screen { SLOW_FRAME } else { Duration::ZERO });
        }
        // Only while somebody is there: a window at rest does nothing.
        let (now, moves) = ctx.input(|i| (i.time, !i.events.is_empty()));
        if moves && editor.run.is_none() && now - self.looked_ahead > FRESH {
            self.looked_ahead = now;
            actions.push(Action::LookAhead);
        }
        // A run is the last thing of a frame: words that were typed in the same frame are part of its prompt.
        actions.sort_by_key(|action| *action == Action::Run);
        actions
    }
}

impl Surface {
    /// What is asked of the window itself.
    fn fulfil(&mut self, wish: Wish, ctx: &Context) {
        match wish {
            Wish::Prompt => ctx.memory_mut(|m| m.request_focus(prompt::id())),
            Wish::Palette => self.palette = Some(palette::Palette::default()),
            Wish::Panels => self.hides_panels = !self.hides_panels,
            Wish::FullScreen => {
                let now = ctx.input(|i| i.viewport().fullscreen.unwrap_or(false));
                ctx.send_viewport_cmd(egui::ViewportCommand::Fullscreen(!now));
            }
            Wish::Settings => self.preferences = Some(Preferences::new(Page::General)),
            Wish::Keys => self.preferences = Some(Preferences::new(Page::Keys)),
            Wish::Messages => self.preferences = Some(Preferences::new(Page::Messages)),
            Wish::Quit => ctx.send_viewport_cmd(egui::ViewportCommand::Close),
        }
        ctx.request_repaint();
    }
}

/// Size, what is made where, and what the program is about to do.
fn status(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = 2.0 * theme::GAP;
        let small = |ui: &mut Ui, words: String| ui.label(egui::RichText::new(words).small().color(colours.weak));
        if let Some(shown) = editor.shown() {
            let (width, height) = (shown.picture.width(), shown.picture.height());
            small(ui, tell!("status-size", width = width, height = height, bits = shown.picture.bits()));
        }
        if let Some(bounds) = editor.selected_bounds() {
            small(ui, tell!("status-selection", width = bounds.width, height = bounds.height));
        }
        if let Some(proof) = editor.proof() {
            let response = ui.label(egui::RichText::new(proof_words(proof)).small().color(colours.good));
            response.on_hover_text(say("proof-tip"));
        }
        memory(ui, editor, actions);
        if editor.is_opening() {
            small(ui, say("status-opening"));
        }
        replay::status(ui, editor, actions);
        if editor.slow_screen {
            small(ui, say("status-slow-screen"));
        }
    });
}

/// Where the job runs and how it uses memory; with none, how the next one would. A click leads to the page of models.
fn memory(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    let (words, tip, colour) = match (&editor.run, editor.outlook()) {
        // Memory was short, and that stays to be read.
        (Some(Run { plan: Some((plan, true)), .. }), _) => (plan.clone(), plan.clone(), colours.accent),
        (Some(Run { plan: Some((plan, false)), .. }), _) => {
            let device = editor.outlook().and_then(Result::ok).map(|f| f.device.clone()).or_else(|| editor.device.clone());
            (device.map_or_else(|| plan.clone(), |device| tell!("status-runs-on", device = device)), plan.clone(), colours.weak)
        }
        (_, Some(Ok(forecast))) => (tell!("status-will-run-on", how = forecast.words()), forecast.plan.words.clone(), colours.weak),
        (_, Some(Err(why))) => (sentence(why), sentence(why), colours.danger),
        (_, None) => match &editor.device {
            Some(device) => (tell!("status-runs-on", device = device.as_str()), editor.plan.clone().unwrap_or_default(), colours.weak),
            None => return,
        },
    };
    let label = egui::Label::new(egui::RichText::new(&words).small().color(colour)).sense(egui::Sense::click()).truncate();
    let response = ui.add(label).on_hover_cursor(egui::CursorIcon::PointingHand);
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &words));
    if response.on_hover_text(tell!("status-memory", how = tip.trim_end_matches('.'))).clicked() {
        actions.push(Action::Shelf(Shelf::Open));
    }
}

/// What was counted, as a sentence.
fn proof_words(Proof { found, all, has_selection }: Proof) -> String {
    let share = |n: u64| {
        let percent = n as f64 / all as f64 * 100.0;
        if n == 0 || percent >= 0.1 { figure(format!("{percent:.1} %")) } else { tell!("share-under", share = figure("0.1".to_owned())) }
    };
    if has_selection {
        tell!("proof-outside", count = thousands(found.outside))
    } else if found.pixels == 0 {
        say("proof-none")
    } else if found.pixels == all {
        say("proof-all")
    } else {
        tell!("proof-some", count = thousands(found.pixels), share = share(found.pixels))
    }
}

/// 1234567 as 1,234,567.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap_or_default()).collect();
    groups.join(&say("thousands-sign"))
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
        painter.text(canvas.center(), Align2::CENTER_CENTER, say("drop-now"), theme::strong_font(theme::TITLE), colours.text);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::Difference;

    #[test]
    fn proofs_are_sentences() {
        let words = |pixels, outside, has_selection| {
            proof_words(Proof { found: Difference { pixels, outside, largest: 9 }, all: 2_000_000, has_selection })
        };
        assert_eq!(words(5000, 0, true), "0 px changed outside the selection");
        assert_eq!(words(0, 0, false), "No pixel differs from before");
        assert_eq!(words(2_000_000, 9, false), "Every pixel has changed");
        assert_eq!(words(1_234_567, 0, false), "1,234,567 px changed (61.7 %), all others are equal to the last bit");
        assert_eq!(words(7, 7, false), "7 px changed (under 0.1 %), all others are equal to the last bit");
    }
}
