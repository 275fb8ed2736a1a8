//! An offer of the net: size, licences and where it goes, before a byte is fetched.

use super::{HEIGHT, accent, bad, section, title, weak};
use crate::editor::{ModelsPage, Offer, Shelf, gigabytes, sentence};
use crate::ui::theme;
use eframe::egui::{self, Align, Frame, Layout, RichText, ScrollArea, Ui};

/// What a person reads before anything is fetched.
pub fn show(ui: &mut Ui, page: &ModelsPage, offer: &Offer, acts: &mut Vec<Shelf>) {
    title(ui, &offer.plan.title);
    if let Some(purpose) = offer.purpose {
        weak(ui, sentence(purpose));
    }
    let to_fetch = offer.bytes.saturating_sub(offer.bytes_here);
    let here = if offer.bytes_here > 0 { format!(", {} of them are here already", gigabytes(offer.bytes_here)) } else { String::new() };
    ui.label(format!("{} in all{here}.", gigabytes(offer.bytes)));
    match offer.free_bytes {
        Some(free) if free < to_fetch => {
            bad(ui, format!("The disk has {} free, and {} are needed. Make room first.", gigabytes(free), gigabytes(to_fetch)));
        }
        Some(free) => {
            weak(ui, format!("The disk has {} free. The folder will be {}.", gigabytes(free), offer.folder.display()));
        }
        None => {
            weak(ui, format!("The folder will be {}.", offer.folder.display()));
        }
    }
    let height = (HEIGHT - 120.0).min(ui.ctx().content_rect().height() - 300.0);
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for repository in &offer.plan.repositories {
            section(ui, &repository.repo);
            let why = repository.why.as_ref().map_or_else(String::new, |why| format!(" · {why}"));
            let short: String = repository.commit.chars().take(8).collect();
            let files = if repository.files.len() == 1 { "one file".to_owned() } else { format!("{} files", repository.files.len()) };
            weak(ui, format!("{} in {files} · commit {short}{why}", gigabytes(repository.bytes())));
            let stated = repository.licence.title();
            let known = if repository.licence.accepted { ", which you have accepted before" } else { "" };
            ui.label(format!("Licence, as the repository states it: {stated}{known}"));
            if let Some(link) = &repository.licence.link {
                weak(ui, link);
            }
            let colours = theme::colours(ui.style());
            Frame::new().fill(colours.field).corner_radius(theme::ROUND).inner_margin(8).show(ui, |ui| {
                ScrollArea::vertical().id_salt(&repository.repo).max_height(150.0).auto_shrink([false, true]).show(ui, |ui| {
                    ui.add(egui::Label::new(RichText::new(&repository.licence.text).small()).wrap().selectable(true));
                });
            });
        }
    });
    ui.add_space(4.0);
    if offer.to_accept().next().is_some() {
        let mut accepted = page.accepted;
        let words = if offer.to_accept().count() == 1 { "I accept this licence" } else { "I accept these licences" };
        if ui.checkbox(&mut accepted, words).changed() {
            acts.push(Shelf::Accept(accepted));
        }
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let words = if to_fetch == 0 { "Set it up".to_owned() } else { format!("Download {}", gigabytes(to_fetch)) };
        if ui.add_enabled(page.can_get(), accent(ui, &words)).clicked() {
            acts.push(Shelf::Get);
        }
        if ui.button("Back").clicked() {
            acts.push(Shelf::Back);
        }
        if page.get.is_some() {
            weak(ui, "Another download runs; this one can begin when it is done.");
        }
    });
}
