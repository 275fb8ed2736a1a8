//! Plain tools: tried on the picture, applied, and the frame of a crop by the pointer.

use crate::{Window, harness, welcome};
use eframe::egui::accesskit::Role;
use eframe::egui::{self, Theme};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable as _;
use pentimento::document::Revision;
use pentimento::editor::{Action, Export, Kind, Message, Touch};
use pentimento::imaging::{Picture, Pyramid, Ratio, Tone, Tool};
use pentimento::jobs::{Changed, Command, Event, Thumbnail};
use std::sync::Arc;

fn photo() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.draft.seed = 42;
    window
}

fn act(window: &mut Window, action: Action) {
    let commands = window.editor.update(Message::Action(action));
    window.commands.extend(commands);
}

/// A picture whose light is tried.
pub fn toned() -> Window {
    let mut window = photo();
    let tone = Tone { exposure: 0.6, temperature: 0.8, saturation: 0.3, ..Tone::default() };
    act(&mut window, Action::Touch(Touch::Try(Tool::Tone(tone))));
    window
}

/// A picture with the frame of a crop.
pub fn cropped() -> Window {
    let mut window = photo();
    act(&mut window, Action::Touch(Touch::Ratio(Ratio::Of(3, 2))));
    window
}

/// The page of exporting.
pub fn exported() -> Window {
    let mut window = photo();
    act(&mut window, Action::Export);
    act(&mut window, Action::ExportPage(Export::Kind(Kind::Jpeg)));
    let ticket = window.commands.iter().rev().find_map(|c| if let Command::MeasureExport(m) = c { Some(m.ticket) } else { None });
    window.hear(Event::ExportMeasured { ticket: ticket.unwrap(), bytes: Ok(83_000) });
    window
}

/// Turns the column to plain tools, and keeps what is tried.
pub fn open_tools(h: &mut Harness<'_, Window>) {
    let trial = h.state().editor.trial;
    h.get_by_label("Adjust").click();
    h.run_steps(4);
    h.state_mut().editor.trial = trial;
    h.run_steps(4);
}

fn last_change(window: &Window) -> Option<Tool> {
    window.commands.iter().rev().find_map(|c| if let Command::Change { tool, .. } = c { Some(*tool) } else { None })
}

/// What the lane would answer.
fn answer(window: &mut Window) {
    let (of, source, tool) = window
        .commands
        .iter()
        .rev()
        .find_map(|c| if let Command::Change { of, source, tool } = c { Some((*of, source.clone(), *tool)) } else { None })
        .unwrap();
    let picture: Picture = tool.apply(&source).unwrap();
    let thumbnail = Thumbnail { width: 1, height: 1, rgba: [0; 4].into() };
    let pyramid = Arc::new(Pyramid::new(&picture));
    window.hear(Event::Changed { of, tool, result: Ok(Box::new(Changed { picture, pyramid, thumbnail, at: 1 })) });
}

#[test]
fn a_picture_is_turned_toned_and_cropped() {
    let mut window = Window::new();
    window.opens("photo.png", Picture::from_rgb8(400, 200, &vec![90; 3 * 400 * 200]).unwrap());
    let mut h = harness(window, Theme::Dark);
    open_tools(&mut h);
    h.get_by_label("Turn right").click();
    h.run_steps(2);
    assert_eq!(last_change(h.state()), Some(Tool::Turn { quarters: 1 }));
    answer(h.state_mut());
    h.run_steps(2);
    let size = |w: &Window| w.editor.document.current().unwrap().picture.size();
    assert_eq!((size(h.state()), h.state().editor.document.current().unwrap().title()), ([200, 400], "Turn right"));

    // A slider is only a trial; so is its way back to rest.
    let exposure = h.get_by_role_and_label(Role::Slider, "Exposure");
    exposure.focus();
    h.run_steps(2);
    h.key_press(egui::Key::ArrowRight);
    h.run_steps(2);
    let tried = h.state().editor.trial.expect("nothing is tried");
    assert!(matches!(tried.tool, Tool::Tone(Tone { exposure, .. }) if exposure > 0.0), "{tried:?}");
    assert_eq!(last_change(h.state()), Some(Tool::Turn { quarters: 1 }), "nothing is applied yet");
    h.get_by_label("Apply").click();
    h.run_steps(2);
    assert!(h.state().editor.trial.unwrap().is_busy && last_change(h.state()) == Some(tried.tool));
    answer(h.state_mut());
    h.run_steps(2);
    assert!(h.state().editor.trial.is_none() && h.state().editor.document.revisions().len() == 3);

    // The frame of a crop keeps its shape, and follows the pointer.
    h.get_by_label("Frame").click();
    h.run_steps(2);
    let commands = h.state_mut().editor.update(Message::Action(Action::Touch(Touch::Ratio(Ratio::Of(1, 1)))));
    assert!(!commands.iter().any(|c| matches!(c, Command::Change { .. })));
    h.run_steps(2);
    let before = h.state().editor.kept_part().unwrap();
    assert_eq!((before.width, before.height), (200, 200));
    let handle = h.get_by_label("Bottom right of the crop").rect().center();
    h.drag_at(handle);
    h.run_steps(1);
    h.hover_at(handle - egui::vec2(40.0, 40.0));
    h.run_steps(2);
    h.drop_at(handle - egui::vec2(40.0, 40.0));
    h.run_steps(2);
    let part = h.state().editor.kept_part().unwrap();
    assert!(part.width < before.width && part.width == part.height, "{part:?}");
    h.get_by_label("Apply").click();
    h.run_steps(2);
    answer(h.state_mut());
    h.run_steps(2);
    assert_eq!(size(h.state()), [part.width, part.height]);
    let names: Vec<&str> = h.state().editor.document.revisions().iter().map(Revision::title).collect();
    assert_eq!(names, ["photo.png", "Turn right", "Light and colour", "Crop"]);
}

#[test]
fn keys_frame_keep_and_leave_a_crop() {
    let mut window = Window::new();
    window.opens("photo.png", Picture::from_rgb8(400, 200, &vec![90; 3 * 400 * 200]).unwrap());
    let mut h = harness(window, Theme::Dark);
    // Not while somebody types.
    h.get_by_role_and_label(Role::MultilineTextInput, "Prompt").focus();
    h.run_steps(2);
    h.key_press(egui::Key::C);
    h.run_steps(2);
    assert!(h.state().editor.trial.is_none(), "a letter is a letter in a text field");
    h.key_press(egui::Key::Escape);
    h.run_steps(2);

    h.key_press(egui::Key::C);
    h.run_steps(2);
    let whole = h.state().editor.kept_part().expect("C frames the picture");
    assert_eq!((whole.width, whole.height), (400, 200));
    h.key_press(egui::Key::Escape);
    h.run_steps(2);
    assert!(h.state().editor.trial.is_none(), "Escape leaves it as it was");
    h.key_press(egui::Key::Enter);
    h.run_steps(2);
    assert_eq!(last_change(h.state()), None, "without a frame Enter keeps nothing");

    h.key_press(egui::Key::C);
    h.run_steps(2);
    let handle = h.get_by_label("Left of the crop").rect().center();
    h.drag_at(handle);
    h.run_steps(1);
    h.hover_at(handle + egui::vec2(60.0, 0.0));
    h.run_steps(2);
    h.drop_at(handle + egui::vec2(60.0, 0.0));
    h.run_steps(2);
    let part = h.state().editor.kept_part().unwrap();
    assert!(part.left > 0 && part.right() == 400 && part.height == 200, "{part:?}");
    h.key_press(egui::Key::Enter);
    h.run_steps(2);
    assert!(matches!(last_change(h.state()), Some(Tool::Crop { .. })) && h.state().editor.trial.unwrap().is_busy);
    // While it is made, neither key does anything to it.
    h.key_press(egui::Key::Escape);
    h.key_press(egui::Key::Enter);
    h.run_steps(2);
    assert_eq!(h.state().commands.iter().filter(|c| matches!(c, Command::Change { .. })).count(), 1);
    answer(h.state_mut());
    h.run_steps(2);
    assert_eq!(h.state().editor.document.current().unwrap().picture.size(), [part.width, 200]);
    assert!(h.state().editor.trial.is_none());
}
