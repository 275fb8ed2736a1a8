//! The main states of the window: each can be used by those who do not see it, and looks as it did.

use crate::{Window, drawn, editing, harness, models, plain, replay, welcome, writing};
use eframe::egui::accesskit::{Action as AccessAction, Role};
use eframe::egui::{self, Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use pentimento::document::RevisionId;
use pentimento::editor::{Action, EXAMPLES, History, Language, Message, Mode, Select, Tool};
use pentimento::imaging::{Picture, Pyramid, Tone, Tool as PlainTool};
use pentimento::jobs::{Command, Ending, Event, Job, Made, Stage, Thumbnail};
use pentimento::ui::theme;
use std::sync::Arc;

fn act(window: &mut Window, action: Action) -> Vec<Command> {
    window.editor.update(Message::Action(action))
}

/// What a model has made.
fn made(window: &mut Window, job: &Job, picture: Picture) {
    let thumbnail = Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() };
    let pyramid = Arc::new(Pyramid::new(&picture));
    let made = Made { picture, recipe: job.recipe.clone(), tokens: vec![1], path: vec![], reconstruction: None };
    window.hear(Event::Made { id: job.id, made: Box::new(made), local: None, pyramid, thumbnail, at: 8 });
}

fn run(window: &mut Window, mode: Mode, prompt: &str) -> Box<Job> {
    act(window, Action::SetMode(mode));
    act(window, Action::SetPrompt(prompt.to_owned()));
    let commands = act(window, Action::Run);
    commands.into_iter().find_map(|c| if let Command::Submit(job) = c { Some(job) } else { None }).unwrap()
}

fn ends(window: &mut Window, job: &Job) {
    window.hear(Event::Finished { id: job.id, ending: Ending::Done { seconds: vec![], device: "CPU".to_owned() } });
}

fn toned(temperature: f32, exposure: f32, saturation: f32) -> Picture {
    PlainTool::Tone(Tone { temperature, exposure, saturation, ..Tone::default() }).apply(&welcome()).unwrap()
}

/// Three results to choose from.
fn candidates() -> Window {
    let mut window = Window::new();
    act(&mut window, Action::SetVariations(3));
    let job = run(&mut window, Mode::Generate, "a fox on the grass");
    for (temperature, exposure) in [(0.0, 0.0), (0.9, -0.4), (-0.9, 0.2)] {
        made(&mut window, &job, toned(temperature, exposure, 0.1));
    }
    ends(&mut window, &job);
    act(&mut window, Action::Candidate(1));
    window.editor.draft.seed = 42;
    window
}

/// A tree with branches, names and a star.
fn history() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    for (of, prompt, tone) in [
        (0, "make it evening", (0.8, -0.5, 0.1)),
        (1, "more colour in the sky", (0.8, -0.4, 0.6)),
        (0, "make it a cold morning", (-0.9, 0.3, -0.2)),
        (3, "black and white", (0.0, 0.2, -1.0)),
        (0, "make it night", (-0.6, -1.6, -0.2)),
    ] {
        act(&mut window, Action::Go(RevisionId(of)));
        let job = run(&mut window, Mode::Edit, prompt);
        made(&mut window, &job, toned(tone.0, tone.1, tone.2));
        ends(&mut window, &job);
    }
    act(&mut window, Action::History(History::Star(RevisionId(2), true)));
    act(&mut window, Action::History(History::BeginRename(RevisionId(3))));
    act(&mut window, Action::History(History::SetName("The one for the wall".to_owned())));
    act(&mut window, Action::History(History::Rename));
    act(&mut window, Action::Go(RevisionId(2)));
    act(&mut window, Action::SetPrompt(String::new()));
    window.editor.draft.seed = 42;
    window
}

/// The first run.
fn greeted() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.hear(Event::Examples(examples()));
    window.editor.draft.seed = 42;
    window
}

fn examples() -> Vec<Thumbnail> {
    let small = |png| {
        let picture = pentimento::imaging::decode(png).unwrap();
        Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() }
    };
    EXAMPLES.iter().map(|example| small(example.png)).collect()
}

/// An edit, with the brush in the hand.
fn brushing() -> Window {
    let mut window = editing::edited();
    act(&mut window, Action::Select(Select::Tool(Tool::Brush)));
    act(&mut window, Action::Select(Select::All));
    window
}

fn asked() -> Window {
    let mut window = Window::new();
    writing(&mut window);
    window.editor.run.as_mut().unwrap().asked = true;
    window
}

fn pruning() -> Window {
    let mut window = history();
    act(&mut window, Action::History(History::AskPrune(RevisionId(0))));
    window
}

fn without_dialogs() -> Window {
    let mut window = Window::new();
    window.hear(Event::NoDialogs(Box::new(Command::AskOpen)));
    window
}

fn pressed(window: Window, modifiers: Modifiers, key: Key) -> Harness<'static, Window> {
    let mut h = harness(window, Theme::Dark);
    h.key_press_modifiers(modifiers, key);
    h.run_steps(4);
    h
}

fn clicked(window: Window, labels: &[&str]) -> Harness<'static, Window> {
    let mut h = harness(window, Theme::Dark);
    for label in labels {
        // Behind the words of a menu stand its keys.
        h.get_all_by_label_contains(label).last().unwrap().click();
        h.run_steps(4);
    }
    h
}

/// What can be pressed, moved or typed into, and has no name or no role.
fn nameless<State>(h: &Harness<'_, State>) -> (usize, Vec<String>) {
    let (mut count, mut wrong) = (0, Vec::new());
    let mut stack = vec![h.root().accesskit_node()];
    while let Some(node) = stack.pop() {
        let data = node.data();
        let acts = data.supports_action(AccessAction::Click) || data.supports_action(AccessAction::Focus);
        // What only holds other things, or is the ground behind a question.
        let holds = matches!(node.role(), Role::Window | Role::GenericContainer | Role::ScrollView | Role::ScrollBar);
        if acts && !holds {
            count += 1;
            let name = node.label().or_else(|| node.value()).unwrap_or_default();
            let by = node.labelled_by().find_map(|n| n.label().or_else(|| n.value())).unwrap_or_default();
            let place = node.raw_bounds();
            if name.trim().is_empty() && by.trim().is_empty() {
                wrong.push(format!("a {:?} at {place:?} without a name", node.role()));
            }
            if node.role() == Role::Unknown {
                wrong.push(format!("“{name}” at {place:?} without a role"));
            }
            // A key of the catalogue in place of its words.
            if name.contains('-') && name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '.') {
                wrong.push(format!("“{name}” is a key"));
            }
        }
        stack.extend(node.children());
    }
    (count, wrong)
}

#[test]
fn whatever_can_be_used_has_a_name_and_a_role_in_every_state() {
    let command = Modifiers::COMMAND;
    let welcomed = greeted();
    let mut running = Window::new();
    writing(&mut running);
    let mut failed = Window::new();
    act(&mut failed, Action::Run);
    let states = vec![
        ("first run", harness(welcomed, Theme::Dark), 30),
        ("nothing", harness(Window::new(), Theme::Dark), 25),
        ("running", harness(running, Theme::Dark), 20),
        ("asked", harness(asked(), Theme::Dark), 20),
        ("failed", harness(failed, Theme::Dark), 25),
        ("editing", harness(brushing(), Theme::Dark), 45),
        ("candidates", harness(candidates(), Theme::Dark), 35),
        ("compare", pressed(editing::edited(), Modifiers::NONE, Key::V), 40),
        ("history", harness(history(), Theme::Dark), 38),
        ("pruning", harness(pruning(), Theme::Dark), 2),
        ("export", harness(plain::exported(), Theme::Dark), 11),
        ("settings", pressed(Window::new(), command, Key::Comma), 12),
        ("keys", pressed(Window::new(), Modifiers::NONE, Key::F1), 70),
        ("messages", clicked(Window::new(), &["Pentimento", "View", "Messages…"]), 4),
        ("palette", pressed(Window::new(), command, Key::K), 70),
        ("menu", clicked(Window::new(), &["Pentimento", "File"]), 10),
        ("models", harness(models::list(), Theme::Dark), 15),
        ("offer", harness(models::offer(), Theme::Dark), 3),
        ("folders", harness(models::smaller(), Theme::Dark), 10),
        ("smaller", harness(models::choice(), Theme::Dark), 5),
        ("adjust", clicked(plain::toned(), &["Adjust"]), 35),
        ("crop", clicked(plain::cropped(), &["Adjust"]), 35),
        ("replay", harness(replay::sheet(), Theme::Dark), 15),
        ("leaving", harness(replay::leaving(), Theme::Dark), 3),
        ("path", harness(without_dialogs(), Theme::Dark), 3),
    ];
    let mut wrong = Vec::new();
    for (name, h, least) in states {
        let (count, here) = nameless(&h);
        wrong.extend(here.iter().map(|what| format!("{name}: {what}")));
        if count < least {
            wrong.push(format!("{name}: only {count} things to use, not {least}"));
        }
    }
    assert!(wrong.is_empty(), "\n  {}\n", wrong.join("\n  "));
}

#[test]
fn an_example_is_made_again_by_a_click_and_the_gallery_can_be_put_away() {
    let mut h = harness(greeted(), Theme::Dark);
    h.get_by_label("change the background to the beach").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.draft.prompt, "change the background to the beach");
    let above = h.get_by_label_contains("Make it again: a panda").rect().top();
    let bottom = |h: &Harness<'_, Window>| {
        let view = &h.state().editor.view;
        assert!(view.is_fit());
        f64::from(theme::TOP_HEIGHT) + view.origin()[1] + f64::from(view.image()[1]) * view.scale()
    };
    let fitted = bottom(&h);
    assert!(fitted < f64::from(above), "the gallery lies below the picture");
    h.get_by_label("Put the examples away").click();
    h.run_steps(3);
    assert!(h.query_by_label_contains("Make it again").is_none());
    assert!(bottom(&h) > fitted + 100.0, "the picture takes the room that is left");
    // Where there is little room, the picture has it.
    let (low, narrow) = (egui::vec2(1180.0, 480.0), egui::vec2(600.0, 760.0));
    for size in [low, narrow] {
        assert!(crate::built(greeted(), Theme::Dark, size, None).query_by_label_contains("Make it again").is_none(), "{size}");
    }
    let mut h = harness(greeted(), Theme::Dark);
    h.get_by_label("Make it again: a rocket at night").click();
    h.run_steps(3);
    let asked = h.state().commands.iter().find_map(|c| if let Command::Submit(job) = c { Some(job) } else { None });
    assert_eq!(asked.map(|job| (job.recipe.prompt.as_str(), job.recipe.seed)), Some(("a rocket at night", 2)));
}

#[test]
fn canary_of_names_and_roles() {
    let show = |ui: &mut egui::Ui| {
        let (rect, _) = ui.allocate_exact_size(egui::vec2(20.0, 20.0), egui::Sense::hover());
        ui.interact(rect, egui::Id::unique("nobody"), egui::Sense::click());
    };
    let (count, wrong) = nameless(&Harness::new_ui(show));
    assert!(
        count == 1 && wrong.iter().any(|w| w.contains("without a name")) && wrong.iter().any(|w| w.contains("without a role")),
        "{wrong:?}"
    );
}

#[test]
fn with_reduced_motion_nothing_moves_by_itself() {
    let mut pictures = Vec::new();
    for still in [false, true] {
        let mut window = Window::new();
        writing(&mut window);
        window.editor.run.as_mut().unwrap().progress.as_mut().unwrap().stage = Stage::Load;
        window.editor.run.as_mut().unwrap().progress.as_mut().unwrap().done = 0;
        window.editor.settings.reduced_motion = still;
        let mut h = drawn(window, Theme::Dark);
        let first = h.render().unwrap();
        h.run_steps(9);
        pictures.push(first == h.render().unwrap());
    }
    assert_eq!(pictures, [false, true], "a light runs along the bar unless motion is reduced");
}

const SHOWN: [(Theme, &str); 2] = [(Theme::Dark, "dark"), (Theme::Light, "light")];

/// Snapshots of other states are beside what they are about.
#[test]
fn main_states_look_as_they_did() {
    let mut results = SnapshotResults::new();
    let options = SnapshotOptions::new().output_path("tests/ui/snapshots").threshold(2.0).max_failed_pixels(400);
    let mut keep = |mut h: Harness<'static, Window>, name: String| {
        h.run_steps(3);
        h.snapshot_options(name, &options);
        results.extend_harness(&mut h);
    };
    for (theme, name) in SHOWN {
        keep(drawn(greeted(), theme), format!("first-{name}"));
        keep(drawn(candidates(), theme), format!("candidates-{name}"));
        keep(drawn(history(), theme), format!("history-{name}"));
        for (modifiers, key, page) in
            [(Modifiers::COMMAND, Key::Comma, "settings"), (Modifiers::NONE, Key::F1, "keys"), (Modifiers::COMMAND, Key::K, "palette")]
        {
            let mut h = drawn(history(), theme);
            h.key_press_modifiers(modifiers, key);
            h.run_steps(4);
            keep(h, format!("{page}-{name}"));
        }
        if theme == Theme::Light {
            let mut empty = Window::new();
            empty.editor.draft.seed = 42;
            empty.hear(Event::Examples(examples()));
            keep(drawn(empty, theme), format!("empty-{name}"));
            keep(drawn(models::list(), theme), format!("models-{name}"));
        }
    }
    let mut h = drawn(history(), Theme::Dark);
    for label in ["Pentimento", "View"] {
        h.get_by_label(label).click();
        h.run_steps(4);
    }
    keep(h, "menu-dark".to_owned());
    let mut german = brushing();
    german.editor.settings.language = Language::German;
    keep(drawn(german, Theme::Light), "german-light".to_owned());
}

#[test]
fn everything_is_in_its_place_at_the_smallest_and_the_largest_size() {
    let mut results = SnapshotResults::new();
    let options = SnapshotOptions::new().output_path("tests/ui/snapshots").threshold(2.0).max_failed_pixels(600);
    for scale in [80_u32, 200] {
        for (page, key) in [("edit", None), ("settings", Some(Key::Comma))] {
            let mut window = brushing();
            window.editor.settings.scale = scale;
            let mut h = crate::sized(window, Theme::Dark, egui::vec2(1640.0, 1120.0) * 100.0 / scale as f32);
            if let Some(key) = key {
                h.key_press_modifiers(Modifiers::COMMAND, key);
            }
            h.run_steps(4);
            // What can be used is in the window.
            let room = h.ctx.content_rect().expand(1.0);
            for label in ["Prompt", "Open", "Pentimento"] {
                let rect = h.get_by_label(label).rect();
                assert!(room.contains_rect(rect), "{label} at {rect:?} is not in {room:?} at {scale} %");
            }
            h.snapshot_options(format!("{page}-{scale}"), &options);
            results.extend_harness(&mut h);
        }
    }
}
