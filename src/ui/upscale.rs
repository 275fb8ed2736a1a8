//! Making the picture on the canvas larger.

use super::icons::{Icon, icon_button};
use super::{prompt, theme};
use crate::editor::{Action, Editor, Upscale};
use crate::recipe::Factor;
use eframe::egui::{self, Button, ProgressBar, RichText, Role, Ui, WidgetInfo};

/// Draws the section, where there is a picture; true if it did.
pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) -> bool {
    if editor.document.current().is_none() {
        return false;
    }
    if let Some(upscale) = editor.shown_upscale() {
        progress(ui, upscale, actions);
        return true;
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for by in Factor::ALL {
            let may = editor.may_upscale(by);
            let tip = format!("Makes the picture {} times as wide and high, by a network for drawings and illustrations", by.number());
            let response = ui.add_enabled(may.is_ok(), Button::new(format!("Upscale {}x", by.number())));
            let response = response.on_hover_text(tip).on_disabled_hover_text(may.err().unwrap_or_default());
            if response.clicked() {
                actions.push(Action::Upscale(by));
            }
        }
    });
    true
}

/// How far it is, how long it will take, and a way to stop it.
fn progress(ui: &mut Ui, upscale: &Upscale, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    ui.horizontal(|ui| {
        ui.label(RichText::new(words(upscale)).color(colours.text));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let tip = "Stop; the picture stays as large as it is";
            if icon_button(ui, Icon::Close, "Stop upscaling", tip, !upscale.stopping).clicked() {
                actions.push(Action::CancelUpscale(upscale.id));
            }
        });
    });
    let bar = ProgressBar::new(upscale.progress.map_or(0.0, |p| p.share())).desired_height(4.0).fill(colours.accent);
    ui.add(bar).widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, "Progress of upscaling"));
}

/// For example: Upscaling 4x · 40 % · about 12 s left.
fn words(upscale: &Upscale) -> String {
    let what = format!("{} {}x", if upscale.stopping { "Stopping" } else { "Upscaling" }, upscale.how.by.number());
    let Some(progress) = upscale.progress else { return format!("{what} · waiting") };
    let left = progress.seconds_left().map(prompt::time_words).map_or(String::new(), |left| format!(" · {left}"));
    format!("{what} · {:.0} %{left}", progress.share() * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::RevisionId;
    use crate::editor::{JobId, UpscaleProgress};
    use crate::recipe::Upscaling;

    #[test]
    fn progress_is_told_in_a_line() {
        let how = Upscaling::new(Factor::Four);
        let mut upscale = Upscale { id: JobId(1), of: RevisionId(0), how, progress: None, stopping: false };
        assert_eq!(words(&upscale), "Upscaling 4x · waiting");
        upscale.progress = Some(UpscaleProgress { done: 40, total: 100, seconds: 8.0 });
        assert_eq!(words(&upscale), "Upscaling 4x · 40 % · about 12 s left");
    }
}
