//! The page on which a picture goes into a file: its kind, how long it would be, and what is said beside the pixels.

use super::words::{figure, say, tell, tip_of};
use super::{names, theme};
use crate::editor::{Action, Editor, Export, ExportSettings, Kind};
use eframe::egui::{Align, Button, Id, Key, Layout, Modal, RichText, Slider, Ui};

/// Of the page, in points.
const WIDTH: f32 = 540.0;

pub fn show(ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
    if !editor.exporting.open {
        return;
    }
    let colours = theme::colours(ui.style());
    let mut acts = Vec::new();
    let shown = Modal::new(Id::unique("export")).frame(theme::page(ui.style())).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH);
        ui.label(RichText::new(say("export-title")).heading());
        ui.add_space(4.0);
        let ExportSettings { kind, quality, switches } = editor.settings.export;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for choice in Kind::ALL {
                if ui.add(Button::selectable(kind == choice, say(names::kind(choice)))).on_hover_text(tip_of(names::kind(choice))).clicked()
                {
                    acts.push(Export::Kind(choice));
                }
            }
        });
        if kind.has_quality() {
            ui.horizontal(|ui| {
                let tip = &say("export-quality.tip");
                let label = ui.label(say("export-quality")).on_hover_text(tip);
                let mut to = quality;
                if ui.add(Slider::new(&mut to, 1..=100)).labelled_by(label.id).on_hover_text(tip).changed() {
                    acts.push(Export::Quality(to));
                }
            });
        }
        let length = match &editor.exporting.bytes {
            _ if kind == Kind::Layers => say("export-layers"),
            None => say("export-measuring"),
            Some(Ok(bytes)) => tell!("export-size", size = bytes_words(*bytes)),
            Some(Err(why)) => tell!("export-impossible", why = why.as_str()),
        };
        ui.label(RichText::new(length).small().color(colours.weak));
        ui.add_space(6.0);
        if kind != Kind::Layers {
            ui.label(RichText::new(say("export-beside")).font(theme::strong_font(theme::BODY)));
            let mut to = switches;
            for (on, key) in [(&mut to.mark, "export-mark"), (&mut to.recipe, "export-recipe"), (&mut to.camera, "export-camera")] {
                ui.checkbox(on, say(key)).on_hover_text(tip_of(key));
            }
            if to != switches {
                acts.push(Export::Switches(to));
            }
        }
        ui.add_space(6.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let save = Button::new(RichText::new(say("export-save")).color(colours.on_accent)).fill(colours.accent);
            if ui.add(save).on_hover_text(say("export-save.tip")).clicked() || ui.input(|i| i.key_pressed(Key::Enter)) {
                acts.push(Export::Save);
            }
            if ui.button(say("cancel")).clicked() {
                acts.push(Export::Close);
            }
        });
    });
    if shown.should_close() {
        acts.push(Export::Close);
    }
    actions.extend(acts.into_iter().map(Action::ExportPage));
}

fn bytes_words(bytes: u64) -> String {
    match bytes {
        0..=999_999 => figure(format!("{:.0} kB", (bytes as f64 / 1e3).max(1.0))),
        _ => figure(format!("{:.1} MB", bytes as f64 / 1e6)),
    }
}
