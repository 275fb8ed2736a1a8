//! The page of models: what is on this disk, what can be had, and what computes.

mod devices;
mod offer;
mod smaller;

pub use smaller::conversion_words;

use super::names::purpose;
use super::theme;
use super::words::{figure, say, tell};
use crate::editor::{
    Action, CATALOGUE, CatalogueEntry, Editor, Get, Installed, Models, ModelsPage, Removing, Shelf, Source, Unfinished, gigabytes,
};
use crate::recipe::ModelId;
use eframe::egui::{self, Align, Button, Frame, Id, Key, Layout, Modal, ProgressBar, RichText, Role, ScrollArea, TextEdit, Ui, WidgetInfo};

/// Of the page, in points.
const WIDTH: f32 = 640.0;
const HEIGHT: f32 = 520.0;

pub fn show(ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let page = &editor.shelf;
    if !page.open {
        return;
    }
    let mut acts = Vec::new();
    // Each page has a size of its own.
    let name = match (&page.removing, &page.offer, &page.choice) {
        (Some(_), ..) => "remove",
        (None, Some(_), _) => "offer-get",
        (None, None, Some(_)) => "smaller-button",
        (None, None, None) => "models",
    };
    let shown = Modal::new(Id::unique(name)).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH);
        match (&page.removing, &page.offer, &page.choice) {
            (Some(what), ..) => ask_remove(ui, page, what, &mut acts),
            (None, Some(offer), _) => offer::show(ui, page, offer, &mut acts),
            (None, None, Some(choice)) => smaller::choose(ui, page, choice, &mut acts),
            (None, None, None) => list(ui, editor, &mut acts, actions),
        }
    });
    if shown.should_close() {
        acts.push(if page.removing.is_some() {
            Shelf::KeepIt
        } else if page.offer.is_some() || page.choice.is_some() {
            Shelf::Back
        } else {
            Shelf::Close
        });
    }
    actions.extend(acts.into_iter().map(Action::Shelf));
}

fn title(ui: &mut Ui, words: &str) {
    ui.label(RichText::new(words).heading());
}

fn section(ui: &mut Ui, words: &str) {
    ui.add_space(6.0);
    ui.label(RichText::new(words).font(theme::strong_font(theme::BODY)));
}

fn weak(ui: &mut Ui, words: impl Into<String>) -> egui::Response {
    let colour = theme::colours(ui.style()).weak;
    ui.add(egui::Label::new(RichText::new(words).small().color(colour)).wrap())
}

fn bad(ui: &mut Ui, words: impl Into<String>) {
    let colour = theme::colours(ui.style()).danger;
    ui.add(egui::Label::new(RichText::new(words).small().color(colour)).wrap());
}

/// A card with words on the left and buttons on the right.
fn card(ui: &mut Ui, words: impl FnOnce(&mut Ui), buttons: impl FnOnce(&mut Ui)) {
    let colours = theme::colours(ui.style());
    Frame::new().fill(colours.field).corner_radius(theme::ROUND).inner_margin(theme::PAD).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.visuals_mut().extreme_bg_color = colours.raised; // what is left of a progress bar
        ui.with_layout(Layout::right_to_left(Align::Min), |ui| {
            buttons(ui);
            ui.with_layout(Layout::top_down(Align::LEFT), |ui| {
                ui.spacing_mut().item_spacing.y = 2.0;
                words(ui);
            });
        });
    });
}

fn accent(ui: &Ui, words: &str) -> Button<'static> {
    let colours = theme::colours(ui.style());
    Button::new(RichText::new(words).color(colours.on_accent)).fill(colours.accent)
}

fn list(ui: &mut Ui, editor: &Editor, acts: &mut Vec<Shelf>, actions: &mut Vec<Action>) {
    let page = &editor.shelf;
    ui.horizontal(|ui| {
        title(ui, &say("models"));
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if ui.button(say("close")).clicked() {
                acts.push(Shelf::Close);
            }
        });
    });
    let height = HEIGHT.min(ui.ctx().content_rect().height() - 160.0);
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(ui, |ui| {
        section(ui, &say("models-here"));
        nano(ui, editor, actions);
        match &page.models {
            None => {
                weak(ui, say("looking"));
            }
            Some(Err(why)) => bad(ui, tell!("models-unlisted", why = why.as_str())),
            Some(Ok(models)) => here(ui, editor, models, acts),
        }
        if ui.button(say("models-folder")).on_hover_text(say("models-folder.tip")).clicked() {
            acts.push(Shelf::Close);
            actions.push(Action::ChooseModel);
        }
        devices::show(ui, editor, actions);
        section(ui, &say("models-download"));
        weak(ui, say("models-download.why"));
        for entry in CATALOGUE.iter().filter(|entry| !page.is_begun(entry.id)) {
            offered(ui, page, entry, acts);
        }
        other(ui, page, acts);
        if let Some(trouble) = &page.trouble {
            bad(ui, trouble);
        }
        if let Some(Ok(models)) = &page.models {
            let (folder, cache) = (models.folder.display().to_string(), models.cache.display().to_string());
            weak(
                ui,
                match models.free_bytes {
                    Some(free) => tell!("models-places-free", folder = folder, cache = cache, free = size(free)),
                    None => tell!("models-places", folder = folder, cache = cache),
                },
            );
            if models.offline {
                weak(ui, say("models-offline"));
            }
        }
    });
}

fn nano(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let used = editor.model.id == ModelId::Nano;
    card(
        ui,
        |ui| {
            ui.label(RichText::new(say("nano")).font(theme::strong_font(theme::BODY)));
            weak(ui, say("nano-about"));
        },
        |ui| {
            if used {
                weak(ui, say("model-in-use"));
            } else if ui.button(say("model-use")).on_hover_text(say("nano-use")).clicked() {
                actions.push(Action::SetModel(ModelId::Nano));
            }
        },
    );
}

fn here(ui: &mut Ui, editor: &Editor, models: &Models, acts: &mut Vec<Shelf>) {
    let page = &editor.shelf;
    for model in &models.installed {
        installed(ui, editor, model, acts);
    }
    if let Some(get) = &page.get {
        fetching(ui, get, acts);
    }
    let waits = |u: &&Unfinished| page.get.as_ref().is_none_or(|get| get.name != u.plan.name);
    for model in models.unfinished.iter().filter(waits) {
        unfinished(ui, page, model, acts);
    }
    smaller::here(ui, editor, models, acts);
}

fn installed(ui: &mut Ui, editor: &Editor, model: &Installed, acts: &mut Vec<Shelf>) {
    let (page, name) = (&editor.shelf, &model.plan.name);
    let used = editor.model.id == ModelId::Folder(model.folder.clone());
    let mut repair = false;
    card(
        ui,
        |ui| {
            ui.label(RichText::new(&model.plan.title).font(theme::strong_font(theme::BODY)));
            let licences: Vec<String> = model.plan.repositories.iter().map(|r| r.licence.title()).collect();
            weak(ui, tell!("model-facts", size = size(model.bytes), licences = licences.join(", ")));
            if model.missing > 0 {
                bad(ui, tell!("model-missing", count = model.missing));
                repair = ui.button(say("model-repair")).on_hover_text(say("model-repair.missing")).clicked();
            }
            if let Some((done, all)) = page.verifying.get(name) {
                ui.add(ProgressBar::new(share(*done, *all)).desired_height(6.0));
                weak(ui, tell!("model-checking", done = size(*done), all = size(*all)));
            }
            match page.verified.get(name) {
                None => {}
                Some(Ok(files)) if files.is_empty() => {
                    ui.label(RichText::new(say("model-whole")).small().color(theme::colours(ui.style()).good));
                }
                Some(Ok(files)) => {
                    let names: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
                    bad(ui, tell!("model-damaged", names = names.join(", ")));
                    repair = ui.button(say("model-repair")).on_hover_text(say("model-repair.tip")).clicked();
                }
                Some(Err(why)) => bad(ui, tell!("model-unchecked", why = why.as_str())),
            }
        },
        |ui| {
            if page.is_going(name) {
                weak(ui, say("model-going"));
                return;
            }
            let busy = page.is_converting(&model.folder);
            if ui.add_enabled(!busy, Button::new(say("model-remove"))).clicked() {
                acts.push(Shelf::AskRemove(name.clone()));
            }
            let checks = page.verifying.contains_key(name);
            if ui.add_enabled(!checks, Button::new(say("model-check"))).on_hover_text(say("model-check.tip")).clicked() {
                acts.push(Shelf::Verify(name.clone()));
            }
            smaller::button(ui, page, &model.folder, model.missing == 0, acts);
            if used {
                weak(ui, say("model-in-use"));
            } else if ui.add(accent(ui, &say("model-use"))).clicked() {
                acts.push(Shelf::Use(name.clone()));
            }
        },
    );
    if repair {
        acts.push(Shelf::Repair(model.plan.source.clone()));
    }
}

fn fetching(ui: &mut Ui, get: &Get, acts: &mut Vec<Shelf>) {
    card(
        ui,
        |ui| {
            ui.label(RichText::new(&get.title).font(theme::strong_font(theme::BODY)));
            let done = get.progress.as_ref().map_or(0.0, |p| share(p.bytes_done, p.bytes));
            ui.add(ProgressBar::new(done).desired_height(8.0));
            weak(ui, get_words(get));
        },
        |ui| {
            if ui.add_enabled(!get.stopping, Button::new(say("model-give-up"))).on_hover_text(say("model-give-up.end")).clicked() {
                acts.push(Shelf::GiveUp(get.name.clone()));
            }
            if ui.add_enabled(!get.stopping, Button::new(say("model-pause"))).on_hover_text(say("model-pause.download")).clicked() {
                acts.push(Shelf::Pause);
            }
        },
    );
}

/// How far a download is.
pub fn get_words(get: &Get) -> String {
    if get.stopping {
        return say("run-stopping");
    }
    let Some(p) = &get.progress else { return say("model-beginning") };
    if let Some(why) = &p.waiting {
        return tell!("get-waits", done = size(p.bytes_done), all = size(p.bytes), why = why.as_str());
    }
    let left = p.seconds_left.map_or_else(String::new, |s| format!(" · {}", tell!("time-left", time = duration(s))));
    tell!(
        "get-line",
        done = size(p.bytes_done),
        all = size(p.bytes),
        speed = size(p.bytes_per_second as u64),
        left = left,
        file = (p.files_done + 1).min(p.files),
        files = p.files,
    )
}

fn unfinished(ui: &mut Ui, page: &ModelsPage, model: &Unfinished, acts: &mut Vec<Shelf>) {
    let name = &model.plan.name;
    card(
        ui,
        |ui| {
            ui.label(RichText::new(&model.plan.title).font(theme::strong_font(theme::BODY)));
            ui.add(ProgressBar::new(share(model.bytes_here, model.bytes)).desired_height(8.0));
            weak(ui, tell!("get-here", done = size(model.bytes_here), all = size(model.bytes)));
        },
        |ui| {
            if ui.button(say("model-give-up")).on_hover_text(say("model-give-up.tip")).clicked() {
                acts.push(Shelf::GiveUp(name.clone()));
            }
            if ui.add_enabled(page.get.is_none(), accent(ui, &say("model-go-on"))).clicked() {
                acts.push(Shelf::Resume(name.clone()));
            }
        },
    );
}

fn offered(ui: &mut Ui, page: &ModelsPage, entry: &CatalogueEntry, acts: &mut Vec<Shelf>) {
    let source = Source::Listed(entry.id.to_owned());
    card(
        ui,
        |ui| {
            ui.label(RichText::new(entry.title).font(theme::strong_font(theme::BODY)));
            weak(ui, purpose(entry.id, entry.purpose));
            weak(ui, entry.repo);
        },
        |ui| {
            let asks = page.looking_up.as_ref() == Some(&source);
            let button = Button::new(say(if asks { "get-asking" } else { "get" }));
            let response = ui.add_enabled(page.looking_up.is_none(), button).on_hover_text(say("get.tip"));
            let name = tell!("get-model", title = entry.title);
            response.widget_info(|| WidgetInfo::labeled(Role::Button, page.looking_up.is_none(), &name));
            if response.clicked() {
                acts.push(Shelf::LookUp(source));
            }
        },
    );
}

fn other(ui: &mut Ui, page: &ModelsPage, acts: &mut Vec<Shelf>) {
    ui.horizontal(|ui| {
        let mut text = page.repository.clone();
        let id = Id::unique("repository");
        let field = TextEdit::singleline(&mut text).id(id).hint_text(say("get-other.hint")).desired_width(360.0);
        let response = ui.add(field.margin(6));
        ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(say("get-other")));
        if text != page.repository {
            acts.push(Shelf::SetRepository(text));
        }
        let entered = response.lost_focus() && ui.input(|i| i.key_pressed(Key::Enter));
        let can = page.looking_up.is_none() && !page.repository.trim().is_empty();
        if ui.add_enabled(can, Button::new(say("get-look-up"))).clicked() || (entered && can) {
            acts.push(Shelf::LookUpRepository);
        }
    });
}

fn ask_remove(ui: &mut Ui, page: &ModelsPage, what: &Removing, acts: &mut Vec<Shelf>) {
    title(ui, &say("remove-title"));
    match what {
        Removing::Download { name, cached } => {
            weak(ui, tell!("remove-download", name = name.as_str()));
            let mut cached = *cached;
            let words = say("remove-cache");
            if ui.checkbox(&mut cached, words).changed() {
                acts.push(Shelf::WithCache(cached));
            }
        }
        Removing::Made(folder) => {
            weak(ui, tell!("remove-made", name = page.folder_title(folder)));
            weak(ui, folder.display().to_string());
        }
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let danger = theme::colours(ui.style()).danger;
        if ui.add(Button::new(RichText::new(say("remove")).color(danger))).clicked() {
            acts.push(Shelf::Remove);
        }
        if ui.button(say("keep")).clicked() {
            acts.push(Shelf::KeepIt);
        }
    });
}

/// A size for a person.
fn size(bytes: u64) -> String {
    figure(gigabytes(bytes))
}

fn share(done: u64, all: u64) -> f32 {
    if all == 0 { 0.0 } else { (done as f64 / all as f64) as f32 }
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 5400.0 => tell!("hours", count = figure(format!("{:.1}", s / 3600.0))),
        s if s >= 90.0 => tell!("minutes", count = format!("{:.0}", s / 60.0)),
        s => tell!("seconds", count = s.round().max(1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!([duration(7200.0), duration(125.0), duration(0.2)], ["2.0 hours", "2 minutes", "1 second"]);
    }
}
