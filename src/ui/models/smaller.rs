//! Models made smaller, and models that are a folder and no more.

use super::{accent, bad, card, duration, section, share, title, weak};
use crate::editor::{Choice, Conversion, Editor, FolderModel, Glance, Models, ModelsPage, Precision, Shelf, Smaller, gigabytes, sentence};
use crate::recipe::ModelId;
use crate::ui::theme;
use eframe::egui::{Align, Button, Id, Layout, ProgressBar, RadioButton, RichText, TextEdit, Ui};
use std::path::Path;

/// Offers to make the model in a folder smaller.
pub fn button(ui: &mut Ui, page: &ModelsPage, folder: &Path, is_whole: bool, acts: &mut Vec<Shelf>) {
    let can = is_whole && page.conversion.is_none();
    let tip = "A copy in fewer bits, which needs less room and memory. The original stays.";
    if ui.add_enabled(can, Button::new("Make smaller…")).on_hover_text(tip).clicked() {
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
            let pause = Button::new("Pause");
            if ui.add_enabled(!conversion.stopping, pause).on_hover_text("Parts that are complete are kept").clicked() {
                acts.push(Shelf::Smaller(Smaller::Pause));
            }
        },
    );
}

/// How far it is.
pub fn conversion_words(conversion: &Conversion) -> String {
    if conversion.stopping {
        return "Stopping…".to_owned();
    }
    let Some(p) = &conversion.progress else { return "Beginning…".to_owned() };
    let left = p.seconds_left().map_or_else(String::new, |s| format!(" · {} left", duration(s)));
    format!("{} · {} of {}{left}", sentence(p.component.name()), gigabytes(p.done), gigabytes(p.total))
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
                    weak(ui, format!("{}{place}", gigabytes(*bytes)));
                }
                Glance::Ready { bytes, bits } => {
                    let bits = bits.map_or_else(String::new, |bits| format!(" in {bits} bit"));
                    weak(ui, format!("{}{bits}, made on this computer{place}", gigabytes(*bytes)));
                }
                Glance::Begun { done, total, .. } => {
                    ui.add(ProgressBar::new(share(*done, *total)).desired_height(8.0));
                    weak(ui, format!("Not finished: {} of {} are complete", gigabytes(*done), gigabytes(*total)));
                }
                Glance::Nothing(why) => {
                    bad(ui, format!("{}.", sentence(why)));
                }
            }
        },
        |ui| match &model.glance {
            Glance::Ready { .. } => {
                if ui.button("Remove…").clicked() {
                    acts.push(Shelf::AskRemoveFolder(folder.clone()));
                }
                used_or_use(ui, editor, folder, acts);
            }
            Glance::Begun { request, .. } => {
                if ui.button("Give up").on_hover_text("Remove what was made so far").clicked() {
                    acts.push(Shelf::AskRemoveFolder(folder.clone()));
                }
                let can = page.conversion.is_none() && request.is_some();
                if ui.add_enabled(can, accent(ui, "Go on")).clicked() {
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
    if ui.button("Forget").on_hover_text("Take it out of this list. The folder stays as it is.").clicked() {
        acts.push(Shelf::Forget(folder.to_owned()));
    }
}

fn used_or_use(ui: &mut Ui, editor: &Editor, folder: &Path, acts: &mut Vec<Shelf>) {
    if editor.model.id == ModelId::Folder(folder.to_owned()) {
        weak(ui, "In use");
    } else if ui.add(accent(ui, "Use")).clicked() {
        acts.push(Shelf::UseFolder(folder.to_owned()));
    }
}

/// What fewer bits cost, as it was measured (`pentimento compare-precision`).
fn quality(precision: Precision) -> &'static str {
    match precision {
        Precision::Bf16 => {
            "Equal to an original in 16 bit, to the last bit of the picture. Starts quicker, and leaves out what is never used."
        }
        Precision::Q8 => "Each layer stays within 2 % of the original, and pictures are hard to tell apart. The usual choice.",
        Precision::Q4 => "For little memory. Layers are off by up to 14 %: the same words and seed give another picture.",
    }
}

/// In how many bits, and where to.
pub fn choose(ui: &mut Ui, page: &ModelsPage, choice: &Choice, acts: &mut Vec<Shelf>) {
    title(ui, &format!("Make {} smaller", choice.title));
    weak(ui, "Makes a copy in fewer bits. The original is only read, and stays as it is. It takes some minutes, and can be paused.");
    let estimate = match &choice.estimate {
        None => {
            weak(ui, "Finding out how small it can be…");
            None
        }
        Some(Err(why)) => {
            bad(ui, format!("It cannot be made smaller: {why}."));
            None
        }
        Some(Ok(estimate)) => {
            weak(ui, format!("Its weights have {} now.", gigabytes(estimate.bytes)));
            Some(estimate)
        }
    };
    for precision in Precision::ALL {
        let size = estimate.and_then(|e| e.sizes.iter().find(|(p, ..)| *p == precision)).map(|(_, bytes, _)| gigabytes(*bytes));
        card(
            ui,
            |ui| {
                ui.spacing_mut().interact_size.y = 20.0;
                let words = RichText::new(format!("{} bit", precision.bits())).font(theme::strong_font(theme::BODY));
                if ui.add(RadioButton::new(choice.precision == precision, words)).clicked() {
                    acts.push(Shelf::Smaller(Smaller::Choose(precision)));
                }
                weak(ui, quality(precision));
            },
            |ui| {
                ui.label(size.unwrap_or_else(|| "…".to_owned()));
            },
        );
    }
    section(ui, "New folder");
    let mut out = choice.out.clone();
    let response = ui.add(TextEdit::singleline(&mut out).id(Id::unique("smaller")).desired_width(f32::INFINITY).margin(6));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("New folder"));
    if out != choice.out {
        acts.push(Shelf::Smaller(Smaller::SetOut(out)));
    }
    match (choice.lacks(), estimate.and_then(|e| e.free)) {
        (Some(needed), Some(free)) => bad(
            ui,
            format!(
                "This disk has {} free, and {} are needed. Make room, or type a folder on another disk.",
                gigabytes(free),
                gigabytes(needed)
            ),
        ),
        (_, Some(free)) => {
            weak(ui, format!("This disk has {} free.", gigabytes(free)));
        }
        _ => {}
    }
    if let Some(trouble) = &choice.trouble {
        bad(ui, format!("{trouble}."));
    }
    ui.add_space(4.0);
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let can = choice.can_start() && page.conversion.is_none();
        if ui.add_enabled(can, accent(ui, "Make the copy")).clicked() {
            acts.push(Shelf::Smaller(Smaller::Start));
        }
        if ui.button("Back").clicked() {
            acts.push(Shelf::Back);
        }
    });
}
