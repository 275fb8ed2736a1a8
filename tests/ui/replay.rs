//! The page of recipes on photos.

use crate::{Window, harness, welcome};
use eframe::egui::accesskit::Role;
use eframe::egui::{Key, Modifiers, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use pentimento::document::{Begins, Chain, Link};
use pentimento::editor::{Action, Closing, Language, Leave, Message, PhotoState, Replay};
use pentimento::imaging::{Picture, Tool, fitted};
use pentimento::jobs::{Command, Doing, Event, JobId, Progress, Repeated, ReplayProgress, Stage, Thumbnail};
use pentimento::recipe::{ModelId, Recipe};
use std::path::PathBuf;

fn act(window: &mut Window, action: Action) {
    let commands = window.editor.update(Message::Action(action));
    window.commands.extend(commands);
}

fn chain() -> Chain {
    let recipe = Recipe::new(ModelId::Nano, "make it night");
    Chain::new(Begins::Picture, vec![Link::Model { recipe: Box::new(recipe), place: None }, Link::Tool(Tool::Turn { quarters: 3 })])
}

/// The photo that is on the lane.
fn running(window: &Window) -> JobId {
    window.editor.replaying.work.as_ref().expect("nothing is done").id
}

fn ends(window: &mut Window, tool: Tool) {
    let picture = tool.apply(&welcome()).unwrap();
    let small: Picture = fitted(&picture, [Thumbnail::SIDE; 2]).unwrap();
    let thumbnail = Thumbnail { width: small.width(), height: small.height(), rgba: small.to_rgba8() };
    let id = running(window);
    let size = [picture.width(), picture.height()];
    let made = Repeated { folder: PathBuf::from(format!("/room/{}", id.0)), bytes: 1000, size, thumbnail, seconds: 20.0 };
    window.hear(Event::Replayed { id, result: Ok(Some(Box::new(made))) });
}

/// A sheet with some photos done, one broken, one at work.
pub fn sheet() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.draft.seed = 42;
    act(&mut window, Action::Replay(Replay::Open));
    window.hear(Event::RecipeRead { name: "night.json".into(), result: Ok(Box::new(chain())) });
    window.hear(Event::PhotosFound((1..=14).map(|i| PathBuf::from(format!("/photos/DSC_{i:04}.jpg"))).collect()));
    act(&mut window, Action::Replay(Replay::Begin));
    for tool in [Tool::Turn { quarters: 3 }, Tool::Flip, Tool::Mirror] {
        ends(&mut window, tool);
    }
    let id = running(&window);
    window.hear(Event::Replayed { id, result: Err("the picture is damaged or incomplete: it ends before the picture does".into()) });
    let model = Progress { stage: Stage::Denoise, done: 12, total: 20, seconds: 3.0, variation: (0, 1) };
    let progress = ReplayProgress { edit: 0, edits: 2, doing: Doing::Model(model), seconds: 8.0 };
    let id = running(&window);
    window.hear(Event::Replaying { id, progress });
    window
}

#[test]
fn a_sheet_is_filled_looked_through_by_keys_and_saved() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let mut h = harness(window, Theme::Dark);
    h.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    h.run_steps(4);
    h.get_by_label("Replay a recipe on photos");
    assert!(!h.state().editor.replaying.may_begin());
    h.get_by_label("Choose…").click();
    h.get_by_label("Add photos…").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::AskRecipe)));
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::AskPhotos)));

    let mut german = sheet();
    german.editor.settings.language = Language::German;
    harness(german, Theme::Dark).get_by_label("night.json: make it night · Nach links gedreht");
    let mut h = harness(sheet(), Theme::Dark);
    h.get_by_label_contains("Photo 5 of 14 · edit 1 of 2 · Painting 12/20 · about 3 min left");
    h.get_by_role_and_label(Role::Button, "DSC_0004.jpg: failed").click();
    h.run_steps(2);
    h.get_by_label_contains("it ends before the picture does");
    h.get_by_role_and_label(Role::Button, "DSC_0001.jpg: to be looked at").click();
    h.run_steps(2);
    // Keys of the canvas do nothing here: B is a brush there, and Ctrl+Z would go back.
    let before = h.state().editor.selection.tool;
    h.key_press(Key::B);
    h.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    h.key_press(Key::A);
    h.run_steps(2);
    assert_eq!(h.state().editor.selection.tool, before);
    h.get_by_role_and_label(Role::Button, "DSC_0001.jpg: accepted");
    h.key_press(Key::X);
    h.run_steps(2);
    h.get_by_role_and_label(Role::Button, "DSC_0002.jpg: rejected");
    assert_eq!(h.state().editor.replaying.at, 2);
    h.key_press(Key::ArrowLeft);
    h.run_steps(2);
    h.get_by_role_and_label(Role::Button, "Accept").click();
    h.run_steps(2);
    h.get_by_role_and_label(Role::Button, "DSC_0002.jpg: accepted");
    h.get_by_label("Accept the rest").click();
    h.run_steps(2);
    h.get_by_label("Save 3 accepted…").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::AskResults)));
    // Where the system has no dialogs, the question has the keys.
    h.state_mut().hear(Event::NoDialogs(Box::new(Command::AskResults)));
    h.run_steps(2);
    h.get_by_role_and_label(Role::TextInput, "Path").type_text("/out/xa");
    h.run_steps(2);
    h.key_press(Key::Enter);
    h.run_steps(3);
    assert_eq!(h.state().commands.iter().filter(|c| matches!(c, Command::SaveReplayed(_))).count(), 3);
    assert!(h.state().editor.replaying.open);

    h.get_by_label("Open in history").click();
    h.get_by_label("Stop").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::OpenReplayed { .. })));
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::Cancel(_))));
    h.get_by_label_contains("Stopping");
    // Escape hides the page; the line at the bottom leads back.
    h.key_press(Key::Escape);
    h.run_steps(3);
    assert!(!h.state().editor.replaying.open);
    h.get_by_label("Replaying: 4 of 14").click();
    h.run_steps(3);
    assert!(h.state().editor.replaying.open);
    assert!(matches!(h.state().editor.replaying.photos[4].state, PhotoState::Runs(_)));
}

/// Asked on the way out.
pub fn leaving() -> Window {
    let mut window = sheet();
    act(&mut window, Action::Replay(Replay::Close));
    act(&mut window, Action::Leave(Leave::Close));
    window
}

#[test]
fn a_person_is_asked_before_results_go_with_the_window() {
    let mut h = harness(leaving(), Theme::Dark);
    h.get_by_label("3 results of the replay are not saved");
    // Keys of the canvas do nothing here.
    let before = h.state().editor.selection.tool;
    h.key_press(Key::B);
    h.key_press(Key::Enter);
    h.run_steps(3);
    assert_eq!(h.state().editor.closing, Closing::Stays, "the safe answer has the keys");
    assert_eq!(h.state().editor.selection.tool, before);
    for (answer, closing) in [("Show the results", Closing::Stays), ("Close anyway", Closing::Goes)] {
        let mut h = harness(leaving(), Theme::Dark);
        h.get_by_label(answer).click();
        h.run_steps(3);
        assert_eq!((h.state().editor.closing, h.state().editor.replaying.open), (closing, closing == Closing::Stays));
    }
    let mut h = harness(leaving(), Theme::Light);
    h.key_press(Key::Escape);
    h.run_steps(3);
    assert_eq!(h.state().editor.closing, Closing::Stays);
}

/// Goes from one to the next until something of that name has the keys.
fn tab_to(h: &mut Harness<'_, Window>, name: &str) {
    for _ in 0..40 {
        h.key_press(Key::Tab);
        h.run_steps(2);
        if h.query_all_by_label(name).any(|node| node.accesskit_node().is_focused()) {
            return;
        }
    }
    panic!("{name} cannot be reached by the keyboard");
}

#[test]
fn all_of_it_is_done_by_the_keyboard_alone() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.hear(Event::RecipeRead { name: "night.json".into(), result: Ok(Box::new(chain())) });
    let mut h = harness(window, Theme::Light);
    h.key_press_modifiers(Modifiers::COMMAND | Modifiers::SHIFT, Key::R);
    h.run_steps(4);
    tab_to(&mut h, "Add photos…");
    h.key_press(Key::Space);
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::AskPhotos)));
    h.state_mut().hear(Event::PhotosFound(vec!["/photos/a.jpg".into(), "/photos/b.jpg".into()]));
    h.run_steps(2);
    tab_to(&mut h, "Begin");
    h.key_press(Key::Space);
    h.run_steps(2);
    ends(h.state_mut(), Tool::Flip);
    ends(h.state_mut(), Tool::Mirror);
    h.run_steps(2);
    h.get_by_label_contains("Replay: 2 of 2 done");
    tab_to(&mut h, "b.jpg: to be looked at");
    h.key_press(Key::Space);
    h.run_steps(2);
    h.key_press(Key::A);
    h.run_steps(2);
    tab_to(&mut h, "Save one accepted…");
    h.key_press(Key::Enter);
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::AskResults)));
    tab_to(&mut h, "Discard results");
    h.key_press(Key::Space);
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::DropReplayed(gone) if gone.len() == 2)));
    assert!(h.state().editor.replaying.may_begin());
}
