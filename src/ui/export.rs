//! The page on which a picture goes into a file: its kind, how long it would be, and what is said beside the pixels.

use super::theme;
use crate::editor::{Action, Editor, Export, ExportSettings, Kind};
use eframe::egui::{Align, Button, Frame, Id, Key, Layout, Modal, RichText, Slider, Ui};

/// Of the page, in points.
const WIDTH: f32 = 420.0;

pub fn show(ui: &Ui, editor: &Editor, actions: &mut Vec<Action>) {
    if !editor.exporting.open {
        return;
    }
    let colours = theme::colours(ui.style());
    let mut acts = Vec::new();
    let frame = Frame::popup(ui.style()).inner_margin(theme::PAD);
    let shown = Modal::new(Id::unique("export")).frame(frame).show(ui.ctx(), |ui| {
        ui.set_width(WIDTH);
        ui.label(RichText::new("Export the picture").heading());
        ui.add_space(4.0);
        let ExportSettings { kind, quality, switches } = editor.settings.export;
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for choice in Kind::ALL {
                if ui.add(Button::selectable(kind == choice, choice.name())).on_hover_text(tip(choice)).clicked() {
                    acts.push(Export::Kind(choice));
                }
            }
        });
        if kind.has_quality() {
            ui.horizontal(|ui| {
                let tip = "Less makes a smaller file and coarser detail";
                let label = ui.label("Quality").on_hover_text(tip);
                let mut to = quality;
                if ui.add(Slider::new(&mut to, 1..=100)).labelled_by(label.id).on_hover_text(tip).changed() {
                    acts.push(Export::Quality(to));
                }
            });
        }
        let length = match &editor.exporting.bytes {
            _ if kind == Kind::Layers => "Every picture on the way to this one is a layer.".to_owned(),
            None => "Finding out how large the file is…".to_owned(),
            Some(Ok(bytes)) => format!("The file will have {}.", bytes_words(*bytes)),
            Some(Err(why)) => format!("It cannot be written so: {why}."),
        };
        ui.label(RichText::new(length).small().color(colours.weak));
        ui.add_space(6.0);
        if kind != Kind::Layers {
            ui.label(RichText::new("Written beside the pixels").font(theme::strong_font(theme::BODY)));
            let mut to = switches;
            for (on, words, tip) in [
                (
                    &mut to.mark,
                    "That a model was at work",
                    "A mark of the IPTC that other programs and sites read. Nothing is written where no model was.",
                ),
                (&mut to.recipe, "How it was made", "Prompts, seeds and settings: dropped back here, the file sets them again"),
                (&mut to.camera, "The camera's data", "Time, place, lens: what the photograph says of itself"),
            ] {
                ui.checkbox(on, words).on_hover_text(tip);
            }
            if to != switches {
                acts.push(Export::Switches(to));
            }
        }
        ui.add_space(6.0);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let save = Button::new(RichText::new("Save…").color(colours.on_accent)).fill(colours.accent);
            if ui.add(save).on_hover_text("Choose where it goes (Enter)").clicked() || ui.input(|i| i.key_pressed(Key::Enter)) {
                acts.push(Export::Save);
            }
            if ui.button("Cancel").clicked() {
                acts.push(Export::Close);
            }
        });
    });
    if shown.should_close() {
        acts.push(Export::Close);
    }
    actions.extend(acts.into_iter().map(Action::ExportPage));
}

fn tip(kind: Kind) -> &'static str {
    match kind {
        Kind::Png => "Every pixel as it is, at 8 or 16 bits",
        Kind::Jpeg => "Small, for photographs; 8 bits, nothing transparent",
        Kind::WebP => "Every pixel as it is, at 8 bits; smaller than PNG",
        Kind::WebPLossy => "Smaller than JPEG; 8 bits",
        Kind::Tiff => "Every pixel as it is, at 8 or 16 bits, for print and other editors",
        Kind::Layers => "For GIMP, Krita and others: a layer for each picture on the way",
    }
}

fn bytes_words(bytes: u64) -> String {
    match bytes {
        0..=999_999 => format!("{:.0} kB", (bytes as f64 / 1e3).max(1.0)),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}
