//! The window's surface by its accessibility tree, and some snapshots of it on software Vulkan.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod editing;
mod models;
mod plain;
#[path = "../editor/plan.rs"]
mod plan;
mod upscale;

use eframe::egui::accesskit::{Action as AccessAction, Role};
use eframe::egui::{self, Key, Modifiers, Theme};
use eframe::egui_wgpu::{RenderState, RendererOptions};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use pentimento::document::RevisionId;
use pentimento::editor::{Action, Editor, Message, Settings};
use pentimento::imaging::{Picture, Pyramid};
use pentimento::jobs::{Blueprint, Command, Event, JobId, ModelFacts, Palette, Progress, Stage, Thumbnail};
use pentimento::recipe::ModelId;
use pentimento::render;
use pentimento::ui::{Surface, theme};
use std::sync::Arc;

struct Window {
    editor: Editor,
    surface: Surface,
    commands: Vec<Command>,
}

impl Window {
    fn new() -> Self {
        let (editor, commands) = Editor::new(Settings::default(), 3);
        let facts = ModelFacts {
            can_generate: Ok(()),
            can_edit: Ok(()),
            side: 128,
            multiple: 16,
            shift: 1.0,
            values: 9_500_000,
            bytes: 19_000_000,
        };
        let mut window = Self { editor, surface: Surface::default(), commands };
        window.hear(Event::Model { model: ModelId::Nano, facts: Ok(facts) });
        window
    }

    fn hear(&mut self, event: Event) {
        let commands = self.editor.update(Message::Event(event));
        self.commands.extend(commands);
    }

    fn opens(&mut self, name: &str, picture: Picture) {
        let thumbnail = Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() };
        let pyramid = Arc::new(Pyramid::new(&picture));
        self.hear(Event::Opened { name: name.to_owned(), at: 7, result: Ok((picture, pyramid, thumbnail)) });
    }

    fn show(&mut self, ui: &mut egui::Ui) {
        for action in self.surface.show(ui, &self.editor) {
            for command in self.editor.update(Message::Action(action)) {
                match command {
                    // As its lane would, one frame sooner.
                    Command::Draw(draw) => self.hear(draw.done()),
                    other => self.commands.push(other),
                }
            }
        }
    }
}

fn welcome() -> Picture {
    pentimento::imaging::decode(include_bytes!("../../assets/welcome.png")).unwrap()
}

/// A window that is asked and pressed, but not looked at.
fn harness(window: Window, theme: Theme) -> Harness<'static, Window> {
    built(window, theme, None)
}

/// A window that is looked at, on software Vulkan.
fn drawn(window: Window, theme: Theme) -> Harness<'static, Window> {
    built(window, theme, Some(create_render_state(default_wgpu_setup(), RendererOptions::PREDICTABLE)))
}

fn built(window: Window, theme: Theme, state: Option<RenderState>) -> Harness<'static, Window> {
    let mut ready = false;
    let mut builder = Harness::builder().with_size(egui::vec2(1180.0, 760.0)).with_theme(theme).with_max_steps(12);
    if let Some(state) = &state {
        builder = builder.renderer(WgpuTestRenderer::from_render_state(state.clone()));
    }
    let mut harness = builder.build_ui_state(
        move |ui, window: &mut Window| {
            if !ready {
                theme::install(ui.ctx());
                if let Some(state) = &state {
                    render::install(state, ui.ctx());
                }
                ready = true;
                ui.ctx().request_discard("fonts");
            }
            window.show(ui);
        },
        window,
    );
    harness.run_steps(4);
    harness
}

#[test]
fn a_person_types_and_runs_with_keys() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let mut h = harness(window, Theme::Dark);
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    h.run_steps(2);
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").type_text("make it night");
    h.run_steps(2);
    assert_eq!(h.state().editor.draft.prompt, "make it night");
    // Letters that are keys elsewhere, and the slash, are only letters in a text field.
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").type_text(" / \\");
    h.run_steps(2);
    assert!(!h.state().editor.shows_before && h.state().editor.draft.prompt.ends_with("/ \\"));
    h.key_press_modifiers(Modifiers::COMMAND, Key::Enter);
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::Submit(job) if job.reference.is_some())));
    assert_eq!(h.state().editor.draft.prompt, "make it night / \\", "the prompt stays, without a line break");
    h.get_by_label("Stop");
    h.key_press(Key::Escape);
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::Cancel(_))));
}

#[test]
fn what_is_typed_and_run_within_one_frame_is_run() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let mut h = harness(window, Theme::Dark);
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    h.run_steps(2);
    let (key, modifiers) = (Key::Enter, Modifiers::COMMAND);
    let pressed = |pressed| egui::Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
    h.input_mut().events.extend([egui::Event::Text("make it night".to_owned()), pressed(true), pressed(false)]);
    h.run_steps(2);
    let submitted = h.state().commands.iter().find_map(|c| if let Command::Submit(job) = c { Some(job) } else { None });
    assert_eq!(submitted.map(|job| job.recipe.prompt.as_str()), Some("make it night"));
}

#[test]
fn buttons_do_what_they_say() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.opens("second.png", Picture::from_rgb8(40, 20, &[200; 2400]).unwrap());
    let mut h = harness(window, Theme::Light);
    h.get_by_label("Revision 1: welcome.png").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.document.current().unwrap().id, RevisionId(0));
    h.get_by_label("New picture").click();
    h.run_steps(2);
    h.get_by_label("Generate");
    h.get_by_label("Variations: 3").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.draft.variations, 3);
    h.get_by_label("Export").click();
    h.run_steps(4);
    h.get_by_label("JPEG").click();
    h.get_by_label("The camera's data").click();
    h.run_steps(2);
    assert!(h.state().editor.exporting.bytes.is_none());
    let ticket =
        h.state().commands.iter().rev().find_map(|c| if let Command::MeasureExport(m) = c { Some(m.ticket) } else { None }).unwrap();
    h.state_mut().hear(Event::ExportMeasured { ticket, bytes: Ok(1_234_567) });
    h.run_steps(2);
    h.get_by_label_contains("1.2 MB");
    h.get_by_label("Save…").click();
    h.run_steps(2);
    h.get_by_label("Open").click();
    h.run_steps(2);
    let commands = &h.state().commands;
    assert!(commands.iter().any(|c| matches!(c, Command::AskSave { name } if name == "welcome.jpg")), "{commands:?}");
    assert!(commands.iter().any(|c| matches!(c, Command::AskOpen)));
    h.get_by_label("Generate").click(); // without words
    h.run_steps(3);
    h.get_by_label_contains("Type what you want first");
    h.get_by_label("Dismiss").click();
    h.run_steps(3);
    assert!(h.state().editor.notices.is_empty());
}

#[test]
fn a_system_without_dialogs_is_asked_for_in_the_window() {
    let mut window = Window::new();
    window.hear(Event::NoDialogs(Box::new(Command::AskOpen)));
    let mut h = harness(window, Theme::Dark);
    h.get_by_role_and_label(Role::TextInput, "Path").type_text("/tmp/a.png");
    h.run_steps(2);
    h.key_press(Key::Enter);
    h.run_steps(3);
    assert!(
        h.state().commands.iter().any(|c| matches!(c, Command::Open(path) if path.to_str() == Some("/tmp/a.png"))),
        "{:?}",
        h.state().commands
    );
    assert!(h.state().editor.ask.is_none());
}

#[test]
fn everything_that_can_be_pressed_has_a_name() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.update(Message::Action(Action::Run));
    let h = harness(window, Theme::Dark);
    let mut count = 0;
    let mut stack = vec![h.root().accesskit_node()];
    while let Some(node) = stack.pop() {
        let pressed = node.data().supports_action(AccessAction::Click) || matches!(node.role(), Role::TextInput | Role::MultilineTextInput);
        let hidden = matches!(node.role(), Role::Window | Role::GenericContainer | Role::ScrollView | Role::ScrollBar | Role::Unknown);
        if pressed && !hidden {
            count += 1;
            let name = node.label().or_else(|| node.value()).unwrap_or_default();
            assert!(!name.is_empty() || node.labelled_by().next().is_some(), "{:?} without a name", node.role());
        }
        stack.extend(node.children());
    }
    assert!(count >= 18, "only {count}");
}

/// A run that writes its blueprint.
fn writing(window: &mut Window) {
    window.editor.update(Message::Action(Action::SetPrompt("a fox in the snow".to_owned())));
    window.editor.update(Message::Action(Action::SetMode(pentimento::editor::Mode::Generate)));
    window.editor.update(Message::Action(Action::Run));
    let id = JobId(1);
    let palette = Palette((0..=255).map(|i| [i, 255 - i, (i / 2) + 60]).collect());
    window.hear(Event::Palette { id, palette: Arc::new(palette) });
    let tokens = (0..40).map(|i| Some(i * 6)).collect();
    window.hear(Event::Blueprint { id, blueprint: Blueprint { tokens: vec![tokens], total: 64 } });
    let progress = Progress { stage: Stage::Blueprint, done: 40, total: 64, seconds: 0.4, variation: (0, 1) };
    window.hear(Event::Progress { id, progress });
}

#[test]
fn it_looks_as_it_did() {
    // Another version of the software renderer may draw an edge a little otherwise.
    let mut results = SnapshotResults::new();
    let options = SnapshotOptions::new().output_path("tests/ui/snapshots").threshold(2.0).max_failed_pixels(400);
    for (theme, name) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut window = Window::new();
        window.opens("welcome.png", welcome());
        window.editor.draft.seed = 42;
        let mut h = drawn(window, theme);
        h.snapshot_options(format!("picture-{name}"), &options);
        writing(h.state_mut());
        h.state_mut().editor.draft.seed = 42;
        h.run_steps(3);
        h.snapshot_options(format!("blueprint-{name}"), &options);
        results.extend_harness(&mut h);
        // An edit with a selection, its branch in the history, and the two pictures compared.
        let mut h = drawn(editing::edited(), theme);
        h.key_press(Key::M);
        h.run_steps(2);
        editing::drag(&mut h, &[egui::pos2(420.0, 200.0), egui::pos2(600.0, 300.0)], Modifiers::NONE);
        h.run_steps(3);
        h.snapshot_options(format!("edit-{name}"), &options);
        h.key_press(Key::V);
        h.run_steps(3);
        h.snapshot_options(format!("compare-{name}"), &options);
        results.extend_harness(&mut h);
    }
    for (page, name) in [
        (models::list(), "models-dark"),
        (models::offer(), "offer-dark"),
        (models::smaller(), "folders-dark"),
        (models::choice(), "smaller-dark"),
    ] {
        let mut h = drawn(page, Theme::Dark);
        h.run_steps(3);
        h.snapshot_options(name, &options);
        results.extend_harness(&mut h);
    }
    for (theme, name) in [(Theme::Dark, "dark"), (Theme::Light, "light")] {
        let mut h = drawn(plain::toned(), theme);
        plain::open_tools(&mut h);
        h.snapshot_options(format!("adjust-{name}"), &options);
        results.extend_harness(&mut h);
        let mut h = drawn(plain::cropped(), theme);
        plain::open_tools(&mut h);
        h.snapshot_options(format!("crop-{name}"), &options);
        results.extend_harness(&mut h);
        let mut h = drawn(plain::exported(), theme);
        h.run_steps(4);
        h.snapshot_options(format!("export-{name}"), &options);
        results.extend_harness(&mut h);
    }
    let mut h = drawn(Window::new(), Theme::Dark);
    h.state_mut().editor.draft.seed = 42;
    h.run_steps(3);
    h.snapshot_options("empty-dark", &options);
    results.extend_harness(&mut h);
}
