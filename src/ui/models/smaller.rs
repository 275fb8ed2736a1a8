//! Models made smaller, and models that are a folder and no more.

use super::{accent, bad, card, duration, section, share, size, title, weak};
use crate::editor::{Choice, Conversion, Editor, FolderModel, Glance, Models, ModelsPage, Precision, Shelf, Smaller, sentence};
use crate::recipe::ModelId;
use crate::ui::theme;
use crate::ui::words::{say, tell};
use eframe::egui::{Align, Button, Id, Layout, ProgressBar, RadioButton, RichText, TextEdit, Ui};
use std::path::Path;

/// Offers to make the model in a folder smaller.
pub fn button(ui: &mut Ui, page: &ModelsPage, folder: &Path, is_whole: bool, acts: &mut Vec<Shelf>) {
    let can = is_whole && page.conversion.is_none();
    let tip = say("smaller-button.tip");
    if ui.add_enabled(can, Button::new(say("smaller-button"))).on_hover_text(tip).clicked() {
        acts.push(Shelf::Smaller(Smaller::Ask(folder.to_owned())));
    }
}

/// What is being made, and all folders.
pub fn here(ui: &mut Ui, editor: &Editor, models: &Models, acts: &mut Vec<Shelf>) {
    let page = &editor.shelf;
    if let Some(conversion) = &page.conversion {
        converting(ui, conversion, acts);
    }
    let rests = |model: &&FolderModel| page.conversion.as_ref().is_none_or(|c| c.request.out != model.folder);
    for model in models.folders.iter().filter(rests) {
        folder(ui, editor, model, acts);
    }
}

fn name(ui: &mut Ui, words: &str) {
    ui.label(RichText::new(words).font(theme::strong_font(theme::BODY)));
}

fn converting(ui: &mut Ui, conversion: &Conversion, acts: &mut Vec<Shelf>) {
    card(
        ui,
        |ui| {
            name(ui, &conversion.title);
            let done = conversion.progress.as_ref().map_or(0.0, |p| share(p.done, p.total));
            ui.add(ProgressBar::new(done).desired_height(8.0));
            weak(ui, conversion_words(conversion));
        },
        |ui| {
            let pause = Button::new(say("model-pause"));
            if ui.add_enabled(!conversion.stopping, pause).on_hover_text(say("model-pause.conversion")).clicked() {
                acts.push(Shelf::Smaller(Smaller::Pause));
            }
        },
    );
}

/// How far it is.
pub fn conversion_words(conversion: &Conversion) -> String {
    if conversion.stopping {
        return say("run-stopping");
    }
    let Some(p) = &conversion.progress else { return say("model-beginning") };
    let left = p.seconds_left().map_or_else(String::new, |s| format!(" · {}", tell!("time-left", time = duration(s))));
    tell!("smaller-line", part = sentence(p.component.name()), done = size(p.done), all = size(p.total), left = left)
}

fn folder(ui: &mut Ui, editor: &Editor, model: &FolderModel, acts: &mut Vec<Shelf>) {
    let (page, folder) = (&editor.shelf, &model.folder);
    card(
        ui,
        |ui| {
            name(ui, &page.folder_title(folder));
            let place = if page.is_ours(folder) { String::new() } else { format!(" · {}", folder.display()) };
            match &model.glance {
                Glance::Official { bytes } => {
                    weak(ui, format!("{}{place}", size(*bytes)));
                }
                Glance::Ready { bytes, bits } => {
                    let line = match bits {
                        Some(bits) => tell!("smaller-made-bits", size = size(*bytes), bits = *bits),
                        None => tell!("smaller-made", size = size(*bytes)),
                    };
                    weak(ui, format!("{line}{place}"));
                }
                Glance::Begun { done, total, .. } => {
                    ui.add(ProgressBar::new(share(*done, *total)).desired_height(8.0));
                    weak(ui, tell!("smaller-begun", done = size(*done), all = size(*total)));
                }
                Glance::Nothing(why) => {
                    bad(ui, format!("{}.", sentence(why)));
                }
            }
        },
        |ui| match &model.glance {
            Glance::Ready { .. } => {
                if ui.button(say("model-remove")).clicked() {
                    acts.push(Shelf::AskRemoveFolder(folder.clone()));
                }
                used_or_use(ui, editor, folder, acts);
            }
            Glance::Begun { request, .. } => {
                if ui.button(say("model-give-up")).on_hover_text(say("model-give-up.made")).clicked() {
                    acts.push(Shelf::AskRemoveFolder(folder.clone()));
                }
                let can = page.conversion.is_none() && request.is_some();
                if ui.add_enabled(can, accent(ui, &say("model-go-on"))).clicked() {
                    acts.push(Shelf::Smaller(Smaller::GoOn(folder.clone())));
                }
            }
            Glance::Official { .. } => {
                forget(ui, folder, acts);
                button(ui, page, folder, true, acts);
                used_or_use(ui, editor, folder, acts);
            }
            Glance::Nothing(_) => forget(ui, folder, acts),
        },
    );
}

fn forget(ui: &mut Ui, folder: &Path, acts: &mut Vec<Shelf>) {
    if ui.button(say("model-forget")).on_hover_text(say("model-forget.tip")).clicked() {
        acts.push(Shelf::Forget(folder.to_owned()));
    }
}

fn used_or_use(ui: &mut Ui, editor: &Editor, folder: &Path, acts: &mut Vec<Shelf>) {
    if editor.model.id == ModelId::Folder(folder.to_owned()) {
        weak(ui, say("model-in-use"));
    } else if ui.add(accent(ui, &say("model-use"))).clicked() {
        acts.push(Shelf::UseFolder(folder.to_owned()));
    }
}

/// What fewer bits cost, as it was measured (`pentimento compare-precision`).
fn quality(precision: Precision) -> &'static str {
    match precision {
        Precision::Bf16 => "precision-bf16",
        Precision::Q8 => "precision-q8",
        Precision::Q4 => "precision-q4",
    }
}

/// In how many bits, and where to.
pub fn choose(ui: &mut Ui, page: &ModelsPage, choice: &Choice, acts: &mut Vec<Shelf>) {
    title(ui, &tell!("smaller-title", title = choice.title.as_str()));
    weak(ui, say("smaller-why"));
    let estimate = match &choice.estimate {
        None => {
            weak(ui, say("smaller-measuring"));
            None
        }
        Some(Err(why)) => {
            bad(ui, tell!("smaller-impossible", why = why.as_str()));
            None
        }
        Some(Ok(estimate)) => {
            weak(ui, tell!("smaller-now", size = size(estimate.bytes)));
            Some(estimate)
        }
    };
    for precision in Precision::ALL {
        let bytes = estimate.and_then(|e| e.sizes.iter().find(|(p, ..)| *p == precision)).map(|(_, bytes, _)| size(*bytes));
        card(
            ui,
            |ui| {
                ui.spacing_mut().interact_size.y = 20.0;
                let words = RichText::new(tell!("bits", count = precision.bits())).font(theme::strong_font(theme::BODY));
                if ui.add(RadioButton::new(choice.precision == precision, words)).clicked() {
                    acts.push(Shelf::Smaller(Smaller::Choose(precision)));
                }
                weak(ui, say(quality(precision)));
            },
            |ui| {
                ui.label(bytes.unwrap_or_else(|| "…".to_owned()));
            },
        );
    }
    section(ui, &say("smaller-folder"));
    let mut out = choice.out.clone();
    let response = ui.add(TextEdit::singleline(&mut out).id(Id::unique("smaller")).desired_width(f32::INFINITY).margin(6));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(say("smaller-folder")));
    if out != choice.out {
        acts.push(Shelf::Smaller(Smaller::SetOut(out)));
    }
    match (choice.lacks(), estimate.and_then(|e| e.free)) {
        (Some(needed), Some(free)) => bad(ui, tell!("smaller-no-room", free = size(free), needed = size(needed))),
        (_, Some(free)) => {
            weak(ui, tell!("smaller-free", free = size(free)));
        }
        _ => {}
    }
    if let Some(trouble) = &choice.trouble {
        bad(ui, format!("{trouble}."));
    }
    ui.add_space(4.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let can = choice.can_start() && page.conversion.is_none();
        if ui.add_enabled(can, accent(ui, &say("smaller-start"))).clicked() {
            acts.push(Shelf::Smaller(Smaller::Start));
        }
        if ui.button(say("back")).clicked() {
            acts.push(Shelf::Back);
        }
    });
}
