//! Where a person says what they want, and sees how far it is.

use super::actions::{entry, tip};
use super::icons::{Icon, icon_button};
use super::words::{figure, say, tell};
use super::{examples, names, theme};
use crate::editor::{Action, Again, Editor, Mode, Run, Stage};
use eframe::egui::{
    self, Align2, FontId, Id, Key, Modifiers, ProgressBar, Rect, Response, RichText, Role, Sense, Stroke, StrokeKind, TextEdit, Ui,
    WidgetInfo, vec2,
};

/// The prompt's id, so that keys can bring the cursor there.
pub fn id() -> Id {
    Id::unique("prompt")
}

pub fn show(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let row = vec2(ui.available_width(), theme::ROW_HEIGHT);
    ui.allocate_ui(row, |ui| {
        ui.set_min_size(row);
        match &editor.run {
            Some(run) if run.asked => keep_or_discard(ui, actions),
            Some(run) => progress(ui, editor, run),
            None => modes(ui, editor, actions),
        }
    });
    for waiting in &editor.waiting {
        ui.horizontal(|ui| {
            let colours = theme::colours(ui.style());
            ui.label(RichText::new(say("queue-next")).small().color(colours.weak));
            ui.label(RichText::new(&waiting.job.recipe.prompt).small());
            if icon_button(ui, Icon::Sooner, &say("queue-sooner"), &say("queue-sooner.tip"), true).clicked() {
                actions.push(Action::Sooner(waiting.job.id));
            }
            if icon_button(ui, Icon::Close, &say("queue-remove"), &say("queue-remove"), true).clicked() {
                actions.push(Action::Drop(waiting.job.id));
            }
        });
    }
    ui.horizontal(|ui| {
        let width = ui.available_width() - theme::RUN_BUTTON.x - theme::GAP;
        text(ui, editor, width, actions);
        button(ui, editor, actions);
    });
    ui.add_space(2.0);
}

/// Edit what is there, or make something new.
fn modes(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        let has = editor.document.current().is_some();
        let mode = editor.mode();
        let edit = egui::Button::selectable(mode == Mode::Edit, say("action-edit-mode"));
        if ui.add_enabled(has, edit).on_hover_text(say("action-edit-mode.tip")).clicked() {
            actions.push(Action::SetMode(Mode::Edit));
        }
        let new = egui::Button::selectable(mode == Mode::Generate, say("action-new-mode"));
        if ui.add(new).on_hover_text(say("action-new-mode.tip")).clicked() {
            actions.push(Action::SetMode(Mode::Generate));
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if editor.steps_to_scrub() < 2 && editor.candidates().is_empty() {
                examples::suggestions(ui, editor, actions);
            } else if editor.candidates().is_empty() {
                steps(ui, editor, actions);
            } else {
                candidates(ui, editor, actions);
            }
        });
    });
}

/// Which of several results is the one.
fn candidates(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let (all, current) = (editor.candidates(), editor.document.current().map(|r| r.id));
    if ui.button(say("candidates-keep")).on_hover_text(tip(ui.ctx(), editor, "accept")).clicked() {
        actions.push(Action::Accept);
    }
    if icon_button(ui, Icon::Next, &say("action-next-candidate"), &tip(ui.ctx(), editor, "next-candidate"), true).clicked() {
        actions.push(Action::Candidate(1));
    }
    let at = all.iter().position(|c| Some(*c) == current).map_or_else(|| "–".to_owned(), |at| (at + 1).to_string());
    ui.label(tell!("candidates-at", at = at, count = all.len()));
    if icon_button(ui, Icon::Previous, &say("action-previous-candidate"), &tip(ui.ctx(), editor, "previous-candidate"), true).clicked() {
        actions.push(Action::Candidate(-1));
    }
}

/// The painting's steps, and going on from one of them.
fn steps(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let count = editor.steps_to_scrub();
    if count < 2 {
        return;
    }
    let at = editor.scrubbed.as_ref().map_or(count, |(step, _)| *step);
    let branch = egui::Button::new(say("steps-branch"));
    let tip = tip(ui.ctx(), editor, "branch");
    if ui.add_enabled(at < count, branch).on_hover_text(tip).clicked() {
        actions.push(Action::Again(Again::FromStep));
    }
    let mut step = at;
    let slider = egui::Slider::new(&mut step, 1..=count).show_value(false);
    let response = ui.add(slider).on_hover_text(say("steps-slider.tip"));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(say("steps-slider")));
    if response.changed() {
        actions.push(Action::Scrub((step < count).then_some(step)));
    }
    let colours = theme::colours(ui.style());
    ui.label(RichText::new(tell!("steps-at", at = at + 1, count = count + 1)).small().color(colours.weak));
}

/// Asked on the way out of a painting; it goes on meanwhile.
fn keep_or_discard(ui: &mut Ui, actions: &mut Vec<Action>) {
    ui.horizontal(|ui| {
        ui.label(say("stop-question"));
        if ui.button(say("stop-keep")).on_hover_text(say("stop-keep.tip")).clicked() {
            actions.push(Action::StopAndKeep);
        }
        if ui.button(say("stop-discard")).clicked() {
            actions.push(Action::Discard);
        }
        if ui.button(say("stop-go-on")).clicked() {
            actions.push(Action::GoOn);
        }
    });
}

fn text(ui: &mut Ui, editor: &Editor, width: f32, actions: &mut Vec<Action>) {
    let mut prompt = editor.draft.prompt.clone();
    let hint = match editor.mode() {
        Mode::Edit => "prompt-edit",
        Mode::Generate => "prompt-new",
    };
    let focused = ui.memory(|m| m.has_focus(id()));
    // Up and down recall earlier prompts where the text has one line.
    if focused && !prompt.contains('\n') {
        if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::ArrowUp)) {
            actions.push(Action::RecallOlder);
        }
        if ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::ArrowDown)) {
            actions.push(Action::RecallNewer);
        }
    }
    let field = TextEdit::multiline(&mut prompt)
        .id(id())
        .hint_text(say(hint))
        .desired_width(width)
        .desired_rows(2)
        .margin(egui::Margin::symmetric(10, 8))
        .char_limit(4000);
    let response = ui.add_sized(vec2(width, theme::RUN_BUTTON.y), field);
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label(say("prompt-name")));
    let colours = theme::colours(ui.style());
    let line = if response.has_focus() { colours.accent } else { colours.line };
    ui.painter().rect_stroke(response.rect, f32::from(theme::ROUND), Stroke::new(1.0, line), StrokeKind::Inside);
    if prompt != editor.draft.prompt {
        actions.push(Action::SetPrompt(prompt));
    }
}

/// The one big button: run, or stop what runs.
fn button(ui: &mut Ui, editor: &Editor, actions: &mut Vec<Action>) {
    let keys = entry("run").map(|e| e.keys_words(ui.ctx(), &editor.settings)).unwrap_or_default();
    if let Some(run) = &editor.run {
        let words = say(if run.stopping { "run-stopping" } else { "run-stop" });
        let keys = entry("stop").map(|e| e.keys_words(ui.ctx(), &editor.settings)).unwrap_or_default();
        if big(ui, &words, &keys, false, !run.stopping).on_hover_text(say("run-stop.tip")).clicked() {
            actions.push(Action::Cancel);
        }
        return;
    }
    let words = match editor.mode() {
        Mode::Edit => say("run-edit"),
        Mode::Generate => say("run-new"),
    };
    let ready = editor.ready();
    let response = big(ui, &words, &keys, true, ready.is_ok());
    let response = match &ready {
        Ok(_) => response.on_hover_text(format!("{words} ({keys})")),
        Err(why) => response.on_hover_text(why),
    };
    if response.clicked() {
        actions.push(Action::Run);
    }
}

fn big(ui: &mut Ui, words: &str, keys: &str, accent: bool, enabled: bool) -> Response {
    let colours = theme::colours(ui.style());
    let (rect, response) = ui.allocate_exact_size(theme::RUN_BUTTON, Sense::click());
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, words));
    let (fill, text) = match (accent, enabled) {
        (true, true) if response.hovered() => (colours.accent_hover, colours.on_accent),
        (true, true) => (colours.accent, colours.on_accent),
        (false, true) if response.hovered() => (colours.raised_hover, colours.text),
        (false, true) => (colours.raised, colours.text),
        (_, false) => (colours.raised, colours.weak),
    };
    ui.painter().rect_filled(rect, f32::from(theme::ROUND), fill);
    if response.has_focus() {
        ui.painter().rect_stroke(rect.expand(2.0), f32::from(theme::ROUND), Stroke::new(1.0, colours.accent), StrokeKind::Inside);
    }
    ui.painter().text(rect.center() - vec2(0.0, 8.0), Align2::CENTER_CENTER, words, theme::strong_font(theme::HEADING), text);
    let small = FontId::proportional(theme::SMALL);
    ui.painter().text(rect.center() + vec2(0.0, 11.0), Align2::CENTER_CENTER, keys, small, text);
    response
}

/// Stage, step, time left, and a bar.
fn progress(ui: &mut Ui, editor: &Editor, run: &Run) {
    let colours = theme::colours(ui.style());
    let words = progress_words(run, editor.seconds_left(), editor.device.as_deref());
    ui.spacing_mut().item_spacing.y = 6.0;
    ui.label(RichText::new(words).color(colours.text));
    let share = run.share();
    let bar = ProgressBar::new(share).desired_height(4.0).fill(colours.accent);
    let response = ui.add(bar);
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, say("progress")));
    // Where nothing can be counted yet, a light runs along the bar.
    if share == 0.0 && !editor.settings.reduced_motion {
        let t = (ui.input(|i| i.time) % 1.4) as f32 / 1.4;
        let width = response.rect.width() * 0.18;
        let left = response.rect.left() + (response.rect.width() - width) * t;
        let light = Rect::from_min_size(egui::pos2(left, response.rect.top()), vec2(width, response.rect.height()));
        ui.painter().rect_filled(light, 2.0, colours.accent.gamma_multiply(0.6));
    }
}

/// For example: Painting · step 7 of 20 · picture 1 of 2 · about 3 s left · CPU.
fn progress_words(run: &Run, left: Option<f64>, device: Option<&str>) -> String {
    let Some(p) = run.progress else { return say("progress-starting") };
    let mut words = vec![say(if run.stopping { "progress-stopping" } else { names::stage(p.stage) })];
    match p.stage {
        Stage::Denoise => words.push(tell!("progress-step", done = p.done, total = p.total)),
        Stage::Blueprint => words.push(tell!("progress-token", done = p.done, total = p.total)),
        Stage::Load | Stage::Vision | Stage::Decode => {}
    }
    if p.variation.1 > 1 {
        words.push(tell!("progress-picture", at = p.variation.0 + 1, count = p.variation.1));
    }
    if let Some(left) = left {
        words.push(time_words(left));
    }
    words.extend(device.map(str::to_owned));
    words.join(" · ")
}

pub(super) fn time_words(seconds: f64) -> String {
    match seconds {
        s if s < 1.0 => say("left-nothing"),
        s if s < 90.0 => tell!("left-seconds", count = format!("{s:.0}")),
        s if s < 5400.0 => tell!("left-minutes", count = format!("{:.0}", s / 60.0)),
        s => tell!("left-hours", count = figure(format!("{:.1}", s / 3600.0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        for (seconds, words) in [(0.4, "almost done"), (12.4, "about 12 s left"), (120.0, "about 2 min left"), (9000.0, "about 2.5 h left")]
        {
            assert_eq!(time_words(seconds), words);
        }
    }
}
