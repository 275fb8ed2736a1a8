//! Making the picture on the canvas larger: a row among the settings.

use super::icons::{Icon, icon_button};
use super::words::{say, tell};
use super::{prompt, theme};
use crate::editor::{Action, Editor, Upscale};
use crate::recipe::{Factor, ModelId};
use eframe::egui::{Button, ProgressBar, RichText, Role, Ui, WidgetInfo};

/// Room for the bar, beside which there is a button.
const BAR_WIDTH: f32 = 148.0;

/// Draws the two cells of the row.
pub fn row(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    if let Some(upscale) = editor.shown_upscale() {
        ui.label(tell!("upscale-by", by = upscale.how.by.number()));
        ui.horizontal(|ui| progress(ui, upscale, actions));
        return;
    }
    ui.label(say("upscale")).on_hover_text(say("upscale.tip"));
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for by in Factor::ALL {
            let (n, may) = (by.number(), editor.may_upscale(by));
            let response = ui.add_enabled(may.is_ok(), Button::new(tell!("upscale-short", by = n)));
            response.widget_info(|| WidgetInfo::labeled(Role::Button, may.is_ok(), tell!("upscale-by", by = n)));
            let tip = tell!("upscale-by.tip", by = n);
            let response = response.on_hover_text(tip).on_disabled_hover_text(may.err().unwrap_or_default());
            if response.clicked() {
                actions.push(Action::Upscale(by));
            }
        }
        if editor.model.id == ModelId::Nano {
            let mut on = editor.settings.upscale_results;
            let tip = say("upscale-results.tip");
            let response = ui.checkbox(&mut on, say("upscale-results")).on_hover_text(tip);
            response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, say("upscale-results.name")));
            if response.changed() {
                actions.push(Action::UpscaleResults(on));
            }
        }
    });
}

/// How far it is, how long it will take, and a way to stop it.
fn progress(ui: &mut Ui, upscale: &Upscale, actions: &mut Vec<Action>) {
    let colours = theme::colours(ui.style());
    let words = words(upscale);
    let bar =
        ProgressBar::new(upscale.progress.map_or(0.0, |p| p.share())).desired_width(BAR_WIDTH).fill(colours.accent.gamma_multiply(0.6));
    let response = ui.add(bar.text(RichText::new(&words).small().color(colours.text)));
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, tell!("upscale-progress", how = words.as_str())));
    if icon_button(ui, Icon::Close, &say("upscale-stop"), &say("upscale-stop.tip"), !upscale.stopping).clicked() {
        actions.push(Action::CancelUpscale(upscale.id));
    }
}

/// For example: 40 % · about 12 s left.
fn words(upscale: &Upscale) -> String {
    match upscale.progress {
        _ if upscale.stopping => say("run-stopping"),
        None => say("upscale-waiting"),
        Some(progress) => {
            let left = progress.seconds_left().map(prompt::time_words).map_or(String::new(), |left| format!(" · {left}"));
            format!("{:.0} %{left}", progress.share() * 100.0)
        }
    }
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
        assert_eq!(words(&upscale), "Waiting…");
        upscale.progress = Some(UpscaleProgress { done: 40, total: 100, seconds: 8.0 });
        assert_eq!(words(&upscale), "40 % · about 12 s left");
        upscale.stopping = true;
        assert_eq!(words(&upscale), "Stopping…");
    }
}
