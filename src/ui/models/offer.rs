//! An offer of the net: size, licences and where it goes, before a byte is fetched.

use super::{HEIGHT, accent, bad, purpose, section, size, title, weak};
use crate::editor::{ModelsPage, Offer, Shelf, Source};
use crate::ui::theme;
use crate::ui::words::{say, tell};
use eframe::egui::{self, Align, Frame, Layout, RichText, ScrollArea, Ui};

/// What a person reads before anything is fetched.
pub fn show(ui: &mut Ui, page: &ModelsPage, offer: &Offer, acts: &mut Vec<Shelf>) {
    title(ui, &offer.plan.title);
    if let (Some(words), Source::Listed(id)) = (offer.purpose, &offer.plan.source) {
        weak(ui, purpose(id, words));
    }
    let to_fetch = offer.bytes.saturating_sub(offer.bytes_here);
    ui.label(if offer.bytes_here > 0 {
        tell!("offer-size-here", size = size(offer.bytes), here = size(offer.bytes_here))
    } else {
        tell!("offer-size", size = size(offer.bytes))
    });
    let folder = offer.folder.display().to_string();
    match offer.free_bytes {
        Some(free) if free < to_fetch => {
            bad(ui, tell!("offer-no-room", free = size(free), needed = size(to_fetch)));
        }
        Some(free) => {
            weak(ui, tell!("offer-folder-free", free = size(free), folder = folder));
        }
        None => {
            weak(ui, tell!("offer-folder", folder = folder));
        }
    }
    let height = (HEIGHT - 120.0).min(ui.ctx().content_rect().height() - 300.0);
    ScrollArea::vertical().max_height(height).min_scrolled_height(height).auto_shrink([false, true]).show(ui, |ui| {
        for repository in &offer.plan.repositories {
            section(ui, &repository.repo);
            let why = repository.why.as_ref().map_or_else(String::new, |why| format!(" · {why}"));
            let short: String = repository.commit.chars().take(8).collect();
            let line = tell!("offer-repository", size = size(repository.bytes()), files = repository.files.len(), commit = short);
            weak(ui, format!("{line}{why}"));
            let stated = repository.licence.title();
            let key = if repository.licence.accepted { "offer-licence-known" } else { "offer-licence" };
            ui.label(tell!(key, licence = stated));
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
        let words = tell!("offer-accept", count = offer.to_accept().count());
        if ui.checkbox(&mut accepted, words).changed() {
            acts.push(Shelf::Accept(accepted));
        }
    }
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        let words = if to_fetch == 0 { say("offer-set-up") } else { tell!("offer-get", size = size(to_fetch)) };
        if ui.add_enabled(page.can_get(), accent(ui, &words)).clicked() {
            acts.push(Shelf::Get);
        }
        if ui.button(say("back")).clicked() {
            acts.push(Shelf::Back);
        }
        if page.get.is_some() {
            weak(ui, say("offer-waits"));
        }
    });
}
