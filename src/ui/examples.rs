//! A gallery of what the embedded model draws, below the canvas of the first run, and what could be asked for next.

use super::icons::{Icon, icon_button};
use super::theme;
use super::words::{say, tell};
use crate::editor::{Action, EXAMPLES, Editor, Shelf};
use eframe::egui::{
    self, Button, Color32, ColorImage, Context, Frame, Margin, Panel, Rect, RichText, Role, Sense, Sides, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Of a picture and of the gallery, in points.
const SIDE: f32 = 80.0;
const HEIGHT: f32 = 136.0;
/// The fewest pictures that make a gallery, and the lowest canvas above it.
const LEAST: usize = 3;
const LEAST_CANVAS: f32 = 220.0;

/// The pictures on the graphics card, and whether somebody has had enough of them.
#[derive(Default)]
pub struct Gallery {
    textures: Vec<TextureHandle>,
    is_closed: bool,
}

impl Gallery {
    /// Draws the gallery below the canvas, where there is room for both.
    pub fn show(&mut self, ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
        let room = ui.available_size_before_wrap();
        let fit = ((room.x - 2.0 * f32::from(theme::PAD) + theme::GAP) / (SIDE + theme::GAP)) as usize;
        let count = editor.examples.len().min(EXAMPLES.len()).min(fit);
        if self.is_closed || count < LEAST || room.y < HEIGHT + LEAST_CANVAS || !editor.greets() {
            return;
        }
        self.load(ui.ctx(), editor);
        let frame = Frame::new().fill(theme::colours(ui.style()).panel).inner_margin(Margin::symmetric(theme::PAD, 8));
        Panel::bottom("examples").exact_size(HEIGHT).frame(frame).show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(theme::GAP, 6.0);
            let title = |ui: &mut Ui| ui.label(RichText::new(say("examples-title")).strong());
            Sides::new().shrink_left().truncate().show(ui, title, |ui| {
                self.is_closed = icon_button(ui, Icon::Close, &say("examples-close"), &say("examples-close"), true).clicked();
                if ui.link(RichText::new(say("examples-large")).small()).on_hover_text(say("examples-large.tip")).clicked() {
                    actions.push(Action::Shelf(Shelf::Open));
                }
            });
            ui.horizontal(|ui| {
                for (at, texture) in self.textures.iter().take(count).enumerate() {
                    if picture(ui, texture, EXAMPLES[at].prompt) {
                        actions.push(Action::RunExample(at));
                    }
                }
            });
        });
    }

    fn load(&mut self, ctx: &Context, editor: &Editor) {
        if self.textures.len() != editor.examples.len() {
            let load = |(at, small): (usize, &crate::editor::Thumbnail)| {
                let image = ColorImage::from_rgba_unmultiplied([small.width as usize, small.height as usize], &small.rgba);
                ctx.load_texture(format!("example {at}"), image, TextureOptions::LINEAR)
            };
            self.textures = editor.examples.iter().enumerate().map(load).collect();
        }
    }
}

/// One of them; whether it was clicked.
fn picture(ui: &mut Ui, texture: &TextureHandle, prompt: &str) -> bool {
    let (rect, response) = ui.allocate_exact_size(Vec2::splat(SIDE), Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, tell!("examples-one", prompt = prompt)));
    let round = f32::from(theme::ROUND);
    let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    egui::Image::new((texture.id(), rect.size())).uv(uv).corner_radius(round).paint_at(ui, rect);
    if response.hovered() || response.has_focus() {
        let colours = theme::colours(ui.style());
        ui.painter().rect_stroke(rect, round, Stroke::new(2.0, colours.accent), StrokeKind::Inside);
    }
    response.on_hover_text(prompt).clicked()
}

/// Words that the model knows, beside the modes, as far as there is room: the first ones are the surest.
pub fn suggestions(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.x = 4.0;
    for prompt in editor.suggestions() {
        let words = RichText::new(*prompt).small();
        let wide =
            ui.painter().layout_no_wrap((*prompt).to_owned(), egui::FontId::proportional(theme::SMALL), Color32::PLACEHOLDER).size().x;
        if wide + 24.0 > ui.available_width() {
            break;
        }
        if ui.add(Button::new(words)).on_hover_text(say("suggestion.tip")).clicked() {
            actions.push(Action::SetPrompt((*prompt).to_owned()));
            ui.memory_mut(|m| m.request_focus(super::prompt::id()));
        }
    }
}
