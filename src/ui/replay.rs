//! The page on which a recipe is done on many photos: what and on which, how far it is, and a contact sheet to choose from.

use super::words::{say, tell};
use super::{names, prompt, theme};
use crate::editor::{Action, Doing, Editor, JobId, Leave, MOST_PHOTOS, Photo, PhotoState, Replay, ReplayPage, ReplayProgress, Sample};
use eframe::egui::{
    self, Align, Align2, Button, Color32, ColorImage, Context, Frame, Id, Image, Label, Layout, Modal, ProgressBar, Rect, RichText, Role,
    ScrollArea, Sense, Stroke, StrokeKind, TextureHandle, TextureOptions, Ui, WidgetInfo, pos2, vec2,
};
use std::collections::HashMap;

/// Of the page and of a photo on the sheet, in points.
const WIDTH: f32 = 860.0;
const CELL: egui::Vec2 = vec2(136.0, 152.0);
const GAP: f32 = 8.0;
/// Of the lines below a photo.
const LINES: f32 = 36.0;
/// The rest of the page besides the sheet, and the least height of that.
const AROUND: f32 = 340.0;
const LEAST_SHEET: f32 = 160.0;
/// Lines of a sentence in a photo's place.
const MOST_ROWS: usize = 6;
/// Edits that are named.
const MOST_NAMES: usize = 6;

/// What the page keeps between frames: small copies on the graphics card, and the photo that was scrolled to.
#[derive(Default)]
pub struct Sheet {
    textures: HashMap<JobId, TextureHandle>,
    seen: usize,
}

impl Sheet {
    pub fn show(&mut self, ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
        let page = &editor.replaying;
        self.textures.retain(|id, _| page.photos.iter().filter_map(Photo::sample).any(|s| s.id == *id));
        if !page.open {
            return;
        }
        let mut acts = Vec::new();
        let frame = Frame::popup(ui.style()).inner_margin(theme::PAD);
        let room = ui.ctx().content_rect().size();
        let shown = Modal::new(Id::unique("replay")).frame(frame).show(ui.ctx(), |ui| {
            ui.set_width(WIDTH.min(room.x - 60.0));
            ui.label(RichText::new(say("replay")).heading());
            ui.add_space(4.0);
            recipe(ui, editor, &mut acts);
            photos(ui, page, &mut acts);
            progress(ui, page, &mut acts);
            ui.add_space(4.0);
            if !page.photos.is_empty() {
                self.sheet(ui, page, (room.y - AROUND).max(LEAST_SHEET), &mut acts);
                ui.add_space(4.0);
                looked_at(ui, page, &mut acts);
            }
            ui.separator();
            bottom(ui, page, &mut acts);
        });
        if shown.should_close() {
            acts.push(Replay::Close);
        }
        actions.extend(acts.into_iter().map(Action::Replay));
    }

    fn sheet(&mut self, ui: &mut Ui, page: &ReplayPage, height: f32, acts: &mut Vec<Replay>) {
        let across = (((ui.available_width() + GAP) / (CELL.x + GAP)) as usize).max(1);
        let rows = page.photos.len().div_ceil(across);
        let mut area = ScrollArea::vertical().max_height(height).auto_shrink([false, true]);
        // What the keys have come to is scrolled to, once.
        if self.seen != page.at {
            self.seen = page.at;
            let top = (page.at / across) as f32 * (CELL.y + GAP);
            area = area.vertical_scroll_offset((top - (height - CELL.y) / 2.0).max(0.0));
        }
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(GAP, GAP);
            area.show_rows(ui, CELL.y, rows, |ui, range| {
                for row in range {
                    ui.horizontal(|ui| {
                        for at in (row * across..(row + 1) * across).take_while(|at| *at < page.photos.len()) {
                            self.cell(ui, page, at, acts);
                        }
                    });
                }
            });
        });
    }

    fn cell(&mut self, ui: &mut Ui, page: &ReplayPage, at: usize, acts: &mut Vec<Replay>) {
        let colours = theme::colours(ui.style());
        let (photo, here) = (&page.photos[at], page.at == at);
        let (name, state) = (photo.name().unwrap_or_else(|| say("replay-from-words")), state_words(photo));
        let (rect, response) = ui.allocate_exact_size(CELL, Sense::click());
        response.widget_info(|| WidgetInfo::selected(Role::Button, true, here, format!("{name}: {state}")));
        let hovers = response.hovered() || response.has_focus();
        let fill = if here || hovers { colours.raised } else { colours.field };
        let mark = mark_of(photo, colours);
        let painter = ui.painter();
        painter.rect_filled(rect, f32::from(theme::ROUND), fill);
        if here || response.has_focus() {
            painter.rect_stroke(rect, f32::from(theme::ROUND), Stroke::new(1.5, colours.accent), StrokeKind::Inside);
        }
        let place = Rect::from_min_max(rect.min + vec2(6.0, 6.0), pos2(rect.right() - 6.0, rect.bottom() - LINES));
        if let Some(sample) = photo.sample() {
            let (texture, size) = self.texture(ui.ctx(), sample);
            let scale = (place.width() / size.x).min(place.height() / size.y).min(1.0);
            let tint = if sample.accepted == Some(false) { theme::PALE } else { theme::AS_IT_IS };
            Image::new((texture, size)).tint(tint).corner_radius(3.0).paint_at(ui, Rect::from_center_size(place.center(), size * scale));
        } else if matches!(photo.state, PhotoState::Runs(_)) {
            let share = page.work.as_ref().and_then(|w| w.progress.as_ref()).map_or(0.0, share);
            let line = Rect::from_min_size(pos2(place.left(), place.center().y - 2.0), vec2(place.width() * share, 4.0));
            ui.painter().rect_filled(line, 2.0, colours.accent);
        } else if let PhotoState::Failed(why) = &photo.state {
            let mut job = egui::text::LayoutJob::simple(why.clone(), font(), colours.weak, place.width());
            job.wrap.max_rows = MOST_ROWS;
            let galley = ui.painter().layout_job(job);
            let corner = Align2::CENTER_CENTER.anchor_size(place.center(), galley.size()).min;
            ui.painter().galley(corner, galley, colours.weak);
        }
        for (text, below, colour) in [(&name, LINES - 10.0, colours.text), (&state, 12.0, mark)] {
            let at = pos2(rect.center().x, rect.bottom() - below);
            let mut job = egui::text::LayoutJob::simple_singleline(text.clone(), font(), colour);
            job.wrap = egui::text::TextWrapping::truncate_at_width(rect.width() - 12.0);
            let galley = ui.painter().layout_job(job);
            let corner = Align2::CENTER_CENTER.anchor_size(at, galley.size()).min;
            ui.painter().galley(corner, galley, colour);
        }
        let response = if let PhotoState::Failed(why) = &photo.state { response.on_hover_text(why) } else { response.on_hover_text(name) };
        if response.clicked() {
            acts.push(Replay::Look(at));
        }
    }

    fn texture(&mut self, ctx: &Context, sample: &Sample) -> (egui::TextureId, egui::Vec2) {
        let small = &sample.made.thumbnail;
        let size = [small.width as usize, small.height as usize];
        let texture = self.textures.entry(sample.id).or_insert_with(|| {
            let image = ColorImage::from_rgba_unmultiplied(size, &small.rgba);
            ctx.load_texture(format!("result {}", sample.id.0), image, TextureOptions::LINEAR)
        });
        (texture.id(), vec2(size[0] as f32, size[1] as f32))
    }
}

fn font() -> egui::FontId {
    egui::FontId::proportional(theme::SMALL)
}

/// What is done.
fn recipe(ui: &mut Ui, editor: &Editor, acts: &mut Vec<Replay>) {
    let (page, colours) = (&editor.replaying, theme::colours(ui.style()));
    let may = page.may_choose();
    row(ui, "replay-recipe", |ui| {
        if ui.add_enabled(may && editor.has_own_recipe(), button("replay-own")).on_hover_text(say("replay-own.tip")).clicked() {
            acts.push(Replay::FromPicture);
        }
        if ui.add_enabled(may, button("replay-choose")).on_hover_text(say("replay-choose.tip")).clicked() {
            acts.push(Replay::ChooseRecipe);
        }
        let words = match &page.recipe {
            Some((name, chain)) => {
                let mut names: Vec<String> = chain.edits.iter().take(MOST_NAMES).map(names::edit).collect();
                if chain.edits.len() > MOST_NAMES {
                    names.push("…".to_owned());
                }
                let names = names.join(" · ");
                if name.is_empty() { names } else { format!("{name}: {names}") }
            }
            None => say("replay-no-recipe"),
        };
        ui.add(Label::new(words.as_str()).truncate()).on_hover_text(words);
    });
    if let Some(trouble) = &page.trouble {
        ui.colored_label(colours.danger, trouble);
    }
    if !may && page.work.is_none() {
        ui.label(RichText::new(say("replay-locked")).small().color(colours.weak));
    }
    let others = page.other_models(&editor.model.id);
    if !others.is_empty() {
        let mut on = page.uses_own_model;
        let words = tell!("replay-own-model", model = editor.model.id.name(), other = others.join(", "));
        let check = egui::Checkbox::new(&mut on, words);
        if ui.add_enabled(may, check).changed() {
            acts.push(Replay::OwnModel(on));
        }
    }
}

/// On what.
fn photos(ui: &mut Ui, page: &ReplayPage, acts: &mut Vec<Replay>) {
    row(ui, "replay-photos", |ui| {
        if ui.add(button("replay-add")).on_hover_text(say("replay-add.tip")).clicked() {
            acts.push(Replay::ChoosePhotos);
        }
        let waits = page.photos.iter().any(|p| p.path.is_some() && !matches!(p.state, PhotoState::Runs(_) | PhotoState::Done(_)));
        if ui.add_enabled(waits, button("replay-clear")).on_hover_text(say("replay-clear.tip")).clicked() {
            acts.push(Replay::Clear);
        }
        let count = page.photos.iter().filter(|p| p.path.is_some()).count();
        let is_words = count == 0 && !page.photos.is_empty();
        ui.label(if is_words { say("replay-words") } else { tell!("replay-count", count = count) });
        if page.left_out > 0 {
            let words = tell!("replay-left-out", count = page.left_out, most = MOST_PHOTOS);
            ui.label(RichText::new(words).color(theme::colours(ui.style()).danger));
        }
    });
}

fn row(ui: &mut Ui, name: &str, add: impl FnOnce(&mut Ui)) {
    ui.horizontal(|ui| {
        ui.allocate_ui_with_layout(vec2(72.0, theme::BUTTON_HEIGHT), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(72.0);
            ui.label(RichText::new(say(name)).font(theme::strong_font(theme::BODY)));
        });
        add(ui);
    });
}

fn button(key: &str) -> Button<'static> {
    Button::new(say(key))
}

/// How far it is, and a way to begin and to stop.
fn progress(ui: &mut Ui, page: &ReplayPage, acts: &mut Vec<Replay>) {
    let colours = theme::colours(ui.style());
    ui.horizontal(|ui| {
        let begun = page.ended() > 0;
        if page.work.is_some() || page.goes_on {
            let stopping = page.work.as_ref().is_some_and(|w| w.stopping);
            if ui.add_enabled(!stopping, button("replay-stop")).on_hover_text(say("replay-stop.tip")).clicked() {
                acts.push(Replay::Stop);
            }
        } else {
            let words = RichText::new(say(if begun { "replay-go-on" } else { "replay-begin" })).color(colours.on_accent);
            let begin = Button::new(words).fill(colours.accent);
            if ui.add_enabled(page.may_begin(), begin).on_hover_text(say("replay-begin.tip")).clicked() {
                acts.push(Replay::Begin);
            }
        }
        if page.photos.is_empty() || !(begun || page.work.is_some()) {
            return;
        }
        let of = page.photos.len() as f32;
        let part = page.work.as_ref().and_then(|w| w.progress.as_ref()).map_or(0.0, share);
        let words = progress_words(page);
        let bar = ProgressBar::new((page.ended() as f32 + part) / of).fill(colours.accent.gamma_multiply(0.6));
        let response = ui.add(bar.text(RichText::new(&words).small().color(colours.text)));
        let name = tell!("replay-bar", words = words);
        response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, &name));
    });
}

/// For example: Photo 3 of 12 · edit 1 of 2 · Painting 5/20 · about 2 min left.
fn progress_words(page: &ReplayPage) -> String {
    let of = page.photos.len();
    let Some(work) = &page.work else {
        return if page.is_full { say("replay-full") } else { tell!("replay-ended", done = page.ended(), of = of) };
    };
    if work.stopping {
        return say("replay-stopping");
    }
    let nth = (page.ended() + 1).min(of);
    let mut words = vec![tell!("replay-progress", nth = nth, of = of)];
    if let Some(progress) = &work.progress {
        if progress.edits > 1 {
            words.push(tell!("replay-edit", nth = progress.edit + 1, of = progress.edits));
        }
        words.push(match progress.doing {
            Doing::Opening => say("replay-opening"),
            Doing::Tool(tool) => say(names::changed(&tool)),
            Doing::Model(p) => format!("{} {}/{}", say(names::stage(p.stage)), p.done, p.total),
            Doing::Upscaling(p) => tell!("replay-upscaling", percent = (f64::from(p.share()) * 100.0).round()),
            Doing::Keeping => say("replay-keeping"),
        });
    }
    words.extend(page.seconds_left().map(prompt::time_words));
    words.join(" · ")
}

/// The share of a photo's edits that is done, 0 to 1.
fn share(progress: &ReplayProgress) -> f32 {
    let part = match progress.doing {
        Doing::Model(p) => p.done as f32 / p.total.max(1) as f32,
        Doing::Upscaling(p) => p.share(),
        Doing::Keeping => 1.0,
        Doing::Opening | Doing::Tool(_) => 0.0,
    };
    ((progress.edit as f32 + part) / progress.edits.max(1) as f32).clamp(0.0, 1.0)
}

fn state_words(photo: &Photo) -> String {
    say(match &photo.state {
        PhotoState::Waits => "replay-waits",
        PhotoState::Runs(_) => "replay-runs",
        PhotoState::Failed(_) => "replay-failed",
        PhotoState::Done(sample) => match (&sample.saved, sample.accepted) {
            (Some(_), _) => "replay-saved",
            (None, Some(true)) => "replay-accepted",
            (None, Some(false)) => "replay-rejected",
            (None, None) => "replay-done",
        },
    })
}

fn mark_of(photo: &Photo, colours: &theme::Colours) -> Color32 {
    match &photo.state {
        PhotoState::Failed(_) => colours.danger,
        PhotoState::Runs(_) => colours.accent,
        PhotoState::Done(sample) if sample.saved.is_some() || sample.accepted == Some(true) => colours.good,
        _ => colours.weak,
    }
}

/// The photo that is looked at, and what can be done with it.
fn looked_at(ui: &mut Ui, page: &ReplayPage, acts: &mut Vec<Replay>) {
    let Some(photo) = page.photos.get(page.at) else { return };
    let colours = theme::colours(ui.style());
    ui.horizontal(|ui| {
        let sample = photo.sample();
        let open = sample.is_some_and(|s| s.saved.is_none() && s.is_here && !s.is_saving);
        for (key, yes, letter) in [("replay-accept", true, "A"), ("replay-reject", false, "X")] {
            let is_so = sample.is_some_and(|s| s.accepted == Some(yes));
            let words = Button::new(say(key)).selected(is_so).right_text(RichText::new(letter).small().color(colours.weak));
            let response = ui.add_enabled(open, words);
            response.widget_info(|| WidgetInfo::selected(Role::Button, open, is_so, say(key)));
            if response.clicked() {
                acts.push(Replay::Accept(yes));
            }
        }
        if ui.add_enabled(sample.is_some_and(|s| s.is_here), button("replay-keep")).on_hover_text(say("replay-keep.tip")).clicked() {
            acts.push(Replay::Keep);
        }
        let name = photo.name().unwrap_or_else(|| say("replay-from-words"));
        match &photo.state {
            PhotoState::Failed(why) => {
                ui.add(Label::new(RichText::new(format!("{name}: {why}")).color(colours.danger)).wrap());
            }
            PhotoState::Done(sample) => {
                let [width, height] = sample.made.size;
                let saved = sample.saved.as_ref().map_or_else(String::new, |path| format!(" · {}", path.display()));
                ui.add(Label::new(RichText::new(format!("{name} · {width} × {height} px{saved}")).color(colours.weak)).truncate());
            }
            _ => {
                ui.label(RichText::new(name).color(colours.weak));
            }
        }
    });
}

fn bottom(ui: &mut Ui, page: &ReplayPage, acts: &mut Vec<Replay>) {
    let colours = theme::colours(ui.style());
    ui.horizontal(|ui| {
        let has_results = page.photos.iter().any(|p| matches!(p.state, PhotoState::Done(_) | PhotoState::Failed(_)));
        if ui.add_enabled(has_results, button("replay-discard")).on_hover_text(say("replay-discard.tip")).clicked() {
            acts.push(Replay::Discard);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let count = page.to_save();
            let words = tell!("replay-save", count = count);
            let save = Button::new(RichText::new(words).color(colours.on_accent)).fill(colours.accent);
            if ui.add_enabled(count > 0, save).on_hover_text(say("replay-save.tip")).clicked() {
                acts.push(Replay::Save);
            }
            if ui.add_enabled(page.undecided() > 0, button("replay-accept-all")).on_hover_text(say("replay-accept-all.tip")).clicked() {
                acts.push(Replay::AcceptAll);
            }
            if ui.add(button("replay-close")).on_hover_text(say("replay-close.tip")).clicked() {
                acts.push(Replay::Close);
            }
        });
    });
}

/// In the line at the bottom of the window: a way back to what goes on.
pub fn status(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let page = &editor.replaying;
    let has_results = page.photos.iter().any(|p| p.sample().is_some_and(|s| s.saved.is_none() && s.is_here));
    if page.open || !(page.work.is_some() || page.goes_on || has_results) {
        return;
    }
    let colours = theme::colours(ui.style());
    let key = if page.work.is_some() { "replay-status" } else { "replay-ended" };
    let words = tell!(key, done = page.ended(), of = page.photos.len());
    let label = Label::new(RichText::new(&words).small().color(colours.accent)).sense(Sense::click());
    let response = ui.add(label).on_hover_cursor(egui::CursorIcon::PointingHand);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, &words));
    if response.on_hover_text(say("action-replay.tip")).clicked() {
        actions.push(Action::Replay(Replay::Open));
    }
}

/// Asks before results go with the window.
pub fn ask_close(ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let shown = Modal::new(Id::unique("leave")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
        let colours = theme::colours(ui.style());
        ui.set_width(420.0);
        ui.label(RichText::new(tell!("leave-title", count = editor.replaying.unsaved())).heading());
        ui.label(RichText::new(say("leave-why")).small().color(colours.weak));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.add(Button::new(RichText::new(say("leave-anyway")).color(colours.danger))).clicked() {
                actions.push(Action::Leave(Leave::Anyway));
            }
            if ui.button(say("leave-look")).on_hover_text(say("leave-look.tip")).clicked() {
                actions.push(Action::Leave(Leave::Look));
            }
            let stay = ui.button(say("leave-stay"));
            if stay.clicked() {
                actions.push(Action::Leave(Leave::Stay));
            }
            if ui.memory(|m| m.focused().is_none()) {
                stay.request_focus();
            }
        });
    });
    if shown.should_close() {
        actions.push(Action::Leave(Leave::Stay));
    }
}
