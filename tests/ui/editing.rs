//! Selecting, comparing and keeping order, by pointer and keys.

use super::*;
use eframe::egui::{Event as Input, PointerButton, Pos2, pos2};
use pentimento::document::{LocalEdit, Placing};
use pentimento::editor::{History, How, Select, Tool};
use pentimento::imaging::{ContextBox, Difference};
use pentimento::jobs::Made;

/// What a model might make of “add a hat”: a striped cone with a ball on it, smooth at its edges.
fn with_hat(picture: &Picture) -> Picture {
    const APEX: [f32; 2] = [320.0, 96.0];
    const BASE: [f32; 2] = [78.0, 200.0]; // half of its width, and how high it is
    let colour = |x: f32, y: f32| -> Option<[f32; 3]> {
        let (dx, dy) = (x - APEX[0], y - APEX[1]);
        if dx.hypot(dy) < 24.0 {
            return Some([244.0, 122.0, 128.0]);
        }
        let round = 14.0 * (1.0 - (dx / BASE[0]).powi(2)).max(0.0).sqrt();
        let is_inside = dy > 0.0 && dy < BASE[1] - 14.0 + round && dx.abs() < BASE[0] * dy / (BASE[1] - 14.0);
        let light = 1.0 - 0.28 * (dx / BASE[0] + 0.25).abs();
        let stripe = if (dy + 0.4 * dx).rem_euclid(52.0) < 26.0 { [98.0, 74.0, 176.0] } else { [247.0, 206.0, 92.0] };
        is_inside.then(|| stripe.map(|c: f32| c * light))
    };
    let (mut rgb, width) = (picture.to_rgb8(), picture.width() as usize);
    for (i, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        for channel in 0..3 {
            let before = f32::from(pixel[channel]);
            let parts = (0..9).map(|k| colour(x + (k % 3) as f32 / 3.0, y + (k / 3) as f32 / 3.0).map_or(before, |c| c[channel]));
            pixel[channel] = (parts.sum::<f32>() / 9.0) as u8;
        }
    }
    Picture::from_rgb8(picture.width(), picture.height(), &rgb).unwrap()
}

/// The window with a picture and an edit of it.
pub(super) fn edited() -> Window {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    window.editor.update(Message::Action(Action::SetPrompt("add a hat".to_owned())));
    let commands = window.editor.update(Message::Action(Action::Run));
    let job = commands.into_iter().find_map(|c| if let Command::Submit(job) = c { Some(job) } else { None }).unwrap();
    let picture = with_hat(&welcome());
    let small = Picture::from_rgb8(1, 1, &[0; 3]).unwrap();
    let seen = ContextBox { left: 0, top: 0, width: 640, height: 640 };
    let placing = Placing::Change { reach: 0.5 };
    let local = Some(Arc::new(LocalEdit { seen, result: small.clone(), reconstruction: Some(small), placing }));
    let made = Made { picture: picture.clone(), recipe: job.recipe.clone(), tokens: vec![1], path: vec![], reconstruction: None };
    let thumbnail = Thumbnail { width: picture.width(), height: picture.height(), rgba: picture.to_rgba8() };
    let pyramid = Arc::new(Pyramid::new(&picture));
    window.hear(Event::Made { id: job.id, made: Box::new(made), local, pyramid, thumbnail, at: 8 });
    let ending = pentimento::jobs::Ending::Done { seconds: vec![], device: "CPU".to_owned() };
    window.hear(Event::Finished { id: job.id, ending });
    let of = window.editor.document.current().unwrap().id;
    window.hear(Event::Compared { of, found: Difference { pixels: 24_000, outside: 24_000, largest: 9000 } });
    window.editor.draft.seed = 42;
    window
}

/// A drag of the pointer over the window, one frame for each place.
pub(super) fn drag(h: &mut Harness<'_, Window>, points: &[Pos2], modifiers: Modifiers) {
    let button = |pos, pressed| Input::PointerButton { pos, button: PointerButton::Primary, pressed, modifiers };
    h.event(Input::PointerMoved(points[0]));
    h.run_steps(1);
    h.event(button(points[0], true));
    h.run_steps(1);
    for point in points {
        h.event(Input::PointerMoved(*point));
        h.run_steps(1);
    }
    h.event(button(points[points.len() - 1], false));
    h.run_steps(2);
}

const LEFT: Pos2 = pos2(380.0, 330.0);
const RIGHT: Pos2 = pos2(560.0, 420.0);

#[test]
fn a_selection_is_drawn_by_keys_and_pointer() {
    let mut window = Window::new();
    window.opens("welcome.png", welcome());
    let mut h = harness(window, Theme::Dark);
    let count = |h: &Harness<'_, Window>| h.state().editor.selected().map_or(0, pentimento::imaging::Mask::count);
    h.key_press(Key::M);
    h.run_steps(2);
    drag(&mut h, &[LEFT, RIGHT], Modifiers::NONE);
    let rectangle = count(&h);
    assert!(rectangle > 10_000, "{rectangle}");
    h.key_press(Key::B);
    h.run_steps(2);
    drag(&mut h, &[RIGHT, RIGHT + egui::vec2(60.0, 60.0), RIGHT + egui::vec2(90.0, 10.0)], Modifiers::NONE);
    assert!(count(&h) > rectangle);
    h.key_press(Key::X);
    h.run_steps(2);
    assert_eq!(h.state().editor.selection.tool, Tool::Eraser);
    h.key_press_modifiers(Modifiers::COMMAND, Key::Z);
    h.run_steps(2);
    assert_eq!(count(&h), rectangle);
    // With the space bar any tool moves the picture.
    let before = h.state().editor.view.origin();
    h.key_down(Key::Space);
    drag(&mut h, &[LEFT, LEFT + egui::vec2(0.0, 30.0), LEFT + egui::vec2(0.0, 60.0)], Modifiers::NONE);
    h.key_up(Key::Space);
    assert!(h.state().editor.view.origin() != before && count(&h) == rectangle);
    let size = h.state().editor.brush_diameter();
    h.key_press(Key::CloseBracket);
    h.run_steps(2);
    assert!(h.state().editor.brush_diameter() > size);
    h.get_by_label("None").click();
    h.run_steps(2);
    assert_eq!(count(&h), 0);
    h.key_press_modifiers(Modifiers::COMMAND, Key::A);
    h.run_steps(2);
    assert_eq!(count(&h), 640 * 640);
}

#[test]
fn the_box_that_the_model_sees_is_moved_and_resized_by_hand() {
    let mut window = Window::new();
    window.opens("wide.png", Picture::from_rgb8(900, 600, &vec![120; 900 * 600 * 3]).unwrap());
    window.editor.update(Message::Action(Action::Select(Select::Tool(Tool::Rectangle))));
    let mut h = harness(window, Theme::Dark);
    drag(&mut h, &[LEFT, RIGHT], Modifiers::NONE);
    h.run_steps(2);
    let first = h.state().editor.context_box().unwrap();
    let label = h.get_by_label("The model sees this").rect().center();
    drag(&mut h, &[label, label + egui::vec2(20.0, -30.0), label + egui::vec2(40.0, -60.0)], Modifiers::NONE);
    let moved = h.state().editor.context_box().unwrap();
    assert!(moved.left > first.left && moved.top < first.top && moved.width == first.width, "{first:?} {moved:?}");
    let corner = h.get_by_label("Size of what the model sees").rect().center();
    drag(&mut h, &[corner, corner - egui::vec2(20.0, 20.0), corner - egui::vec2(30.0, 30.0)], Modifiers::NONE);
    assert!(h.state().editor.context_box().unwrap().width < moved.width);
}

#[test]
fn an_edit_is_adjusted_proven_and_compared() {
    let mut h = harness(edited(), Theme::Dark);
    h.get_by_label_contains("24,000 px changed (5.9 %)");
    h.get_by_label("Everything").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::Adjust { edit, .. } if edit.placing == Placing::Whole)));
    h.get_by_label("Reset").click();
    h.run_steps(2);
    assert!(h.state().editor.adjustment.is_none());
    h.get_by_label("Use as selection").click();
    h.run_steps(2);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::FindChange { .. })));
    h.key_press(Key::V);
    h.run_steps(2);
    h.get_by_label("Heat map").click();
    h.run_steps(2);
    assert_eq!(h.state().editor.compare.unwrap().how, How::HeatMap);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::HeatMap { .. })));
    h.get_by_label("Close the comparison").click();
    h.run_steps(2);
    assert!(h.state().editor.compare.is_none());
}

#[test]
fn the_history_is_searched_named_starred_and_pruned() {
    let mut h = harness(edited(), Theme::Dark);
    h.get_by_role_and_label(Role::TextInput, "Search the history").focus();
    h.run_steps(2);
    h.get_by_role_and_label(Role::TextInput, "Search the history").type_text("hat");
    h.run_steps(3);
    assert!(h.query_by_label("Revision 1: welcome.png").is_none());
    h.get_by_label("Revision 2: add a hat");
    h.state_mut().editor.update(Message::Action(Action::History(History::Search(String::new()))));
    h.run_steps(2);
    h.get_by_label("Revision 1: welcome.png").click();
    h.run_steps(2);
    h.state_mut().editor.update(Message::Action(Action::History(History::BeginRename(RevisionId(1)))));
    h.run_steps(2);
    let field = h.get_by_role_and_label(Role::TextInput, "Name of the picture");
    field.type_text(" of felt");
    h.run_steps(2);
    h.key_press(Key::Enter);
    h.run_steps(3);
    assert_eq!(h.state().editor.document.revision(RevisionId(1)).unwrap().title(), "add a hat of felt");
    h.state_mut().editor.update(Message::Action(Action::History(History::AskPrune(RevisionId(1)))));
    h.run_steps(3);
    h.get_by_label("Delete this picture for good?");
    h.get_by_label("Delete").click();
    h.run_steps(3);
    assert!(h.state().commands.iter().any(|c| matches!(c, Command::Prune(gone) if gone[..] == [RevisionId(1)])));
    assert!(h.state().editor.document.revision(RevisionId(1)).is_none());
}
