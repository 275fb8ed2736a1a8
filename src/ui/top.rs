//! The bar above the canvas.

use super::icons::{Icon, icon_button, labelled_button};
use super::{shortcuts, theme};
use crate::editor::{Action, Editor, ThemeChoice};
use eframe::egui::{self, Align, Align2, FontId, Layout, RichText, Ui};

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    let keys = |shortcut| ui.ctx().format_shortcut(shortcut);
    let (open, export, undo, redo) = (keys(&shortcuts::OPEN), keys(&shortcuts::EXPORT), keys(&shortcuts::UNDO), keys(&shortcuts::REDO));
    let (fit, actual) = (keys(&shortcuts::FIT), keys(&shortcuts::ACTUAL_SIZE));
    let bar = ui.max_rect();
    ui.horizontal_centered(|ui| {
        ui.add_space(4.0);
        ui.label(RichText::new("Pentimento").font(theme::strong_font(theme::HEADING)).color(colours.text));
        ui.add_space(8.0);
        if labelled_button(ui, Icon::Open, "Open", &format!("Open a picture ({open})"), true).clicked() {
            actions.push(Action::Open);
        }
        let has = editor.document.current().is_some();
        if labelled_button(ui, Icon::Export, "Export", &format!("Write the picture into a file: PNG, JPEG, WebP, TIFF, OpenRaster ({export})"), has).clicked() {
            actions.push(Action::Export);
        }
        let keys = ui.ctx().format_shortcut(&shortcuts::SAVE);
        let tip = format!("Everything is kept by itself; this puts the project into a file of its own ({keys})");
        if labelled_button(ui, Icon::Recipe, "Save as", &tip, has).clicked() {
            actions.push(Action::SaveProject);
        }
        ui.add_space(4.0);
        let strokes = [editor.can_take_back(), editor.can_do_again()];
        let undo = format!("{} ({undo})", if strokes[0] { "Take the last stroke or setting back" } else { "Back to what this was made from" });
        let redo = format!("{} ({redo})", if strokes[1] { "The stroke or setting again" } else { "Forward to what was made from this" });
        if icon_button(ui, Icon::Undo, "Undo", &undo, editor.can_take_back() || editor.document.can_undo()).clicked() {
            actions.push(Action::Undo);
        }
        if icon_button(ui, Icon::Redo, "Redo", &redo, editor.can_do_again() || editor.document.can_redo())
            .clicked()
        {
            actions.push(Action::Redo);
        }
        let compared = editor.compare.is_some();
        let can = compared || editor.document.can_undo();
        let tip = "This picture beside the one it was made from (V). For another, click it in the history with Shift. Hold \\ to see what was before.";
        if icon_button(ui, Icon::Compare, if compared { "End the comparison" } else { "Compare" }, tip, can).clicked() {
            actions.push(Action::ToggleCompare);
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            ui.add_space(4.0);
            let (icon, name, next) = match editor.settings.theme {
                ThemeChoice::System => (Icon::Auto, "Colours: as the system has them", ThemeChoice::Dark),
                ThemeChoice::Dark => (Icon::Moon, "Colours: dark", ThemeChoice::Light),
                ThemeChoice::Light => (Icon::Sun, "Colours: light", ThemeChoice::System),
            };
            if icon_button(ui, icon, name, &format!("{name}. Click for the next."), true).clicked() {
                actions.push(Action::SetTheme(next));
            }
            ui.add_space(4.0);
            let middle = editor.view.viewport().map(|v| v / 2.0);
            if icon_button(ui, Icon::Fit, "Fit", &format!("The whole picture ({fit}); 100 % is {actual}"), has).clicked() {
                actions.push(Action::Fit);
            }
            if icon_button(ui, Icon::Plus, "Zoom in", "Zoom in (mouse wheel)", has).clicked() {
                actions.push(Action::Zoom(1.25, middle));
            }
            let percent = if has || editor.run.is_some() { zoom_words(editor.view.scale()) } else { String::new() };
            ui.add_sized([52.0, theme::BUTTON_HEIGHT], egui::Label::new(RichText::new(percent).color(colours.weak)));
            if icon_button(ui, Icon::Minus, "Zoom out", "Zoom out (mouse wheel)", has).clicked() {
                actions.push(Action::Zoom(0.8, middle));
            }
        });
    });
    if let Some(revision) = editor.document.current() {
        let title: String = revision.title().chars().take(60).collect();
        ui.painter().text(bar.center(), Align2::CENTER_CENTER, title, FontId::proportional(theme::BODY), colours.weak);
    }
}

fn zoom_words(scale: f64) -> String {
    let percent = scale * 100.0;
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}
