//! A gallery of what the embedded model draws, over the canvas of the first run, and what could be asked for next.

use super::icons::{Icon, icon_button};
use super::theme;
use super::words::{say, tell};
use crate::editor::{Action, EXAMPLES, Editor, Shelf};
use eframe::egui::{
    self, Align, Area, Button, Color32, ColorImage, Context, Frame, Id, Layout, Order, Rect, RichText, Role, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, Vec2, WidgetInfo, pos2, vec2,
};

/// Of a picture, in points.
const SIDE: f32 = 80.0;

/// The pictures on the graphics card, and whether somebody has had enough of them.
#[derive(Default)]
pub struct Gallery {
    textures: Vec<TextureHandle>,
    is_closed: bool,
}

impl Gallery {
    pub fn show(&mut self, ui: &Ui, canvas: Rect, editor: &Editor, actions: &mut Vec<Action>) {
        let room = ((canvas.width() - 56.0 + theme::GAP) / (SIDE + theme::GAP)) as usize;
        let count = editor.examples.len().min(EXAMPLES.len()).min(room);
        if self.is_closed || count < 3 || canvas.height() < 3.0 * SIDE || !editor.greets() {
            return;
        }
        self.load(ui.ctx(), editor);
        let width = count as f32 * (SIDE + theme::GAP) - theme::GAP;
        let at = pos2(canvas.center().x - width / 2.0 - 12.0, canvas.bottom() - SIDE - 64.0);
        Area::new(Id::unique("examples")).order(Order::Middle).fixed_pos(at).show(ui.ctx(), |ui| {
            let colours = theme::colours(ui.style());
            let frame = Frame::new().fill(colours.panel).stroke(Stroke::new(1.0, colours.line)).corner_radius(8).inner_margin(11);
            frame.show(ui, |ui| {
                ui.set_width(width);
                ui.spacing_mut().item_spacing = vec2(theme::GAP, 4.0);
                ui.horizontal(|ui| {
                    ui.label(RichText::new(say("examples-title")).strong());
                    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                        self.is_closed = icon_button(ui, Icon::Close, &say("examples-close"), &say("examples-close"), true).clicked();
                        if ui.link(RichText::new(say("examples-large")).small()).on_hover_text(say("examples-large.tip")).clicked() {
                            actions.push(Action::Shelf(Shelf::Open));
                        }
                    });
                });
                ui.horizontal(|ui| {
                    for (at, texture) in self.textures.iter().take(count).enumerate() {
                        if picture(ui, texture, EXAMPLES[at].prompt) {
                            actions.push(Action::RunExample(at));
                        }
                    }
                });
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
