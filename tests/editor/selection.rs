//! Selections, the box that the model sees, and edits put in again in another way.

use super::*;
use pentimento::document::Placing;
use pentimento::editor::{Adjust, Combine, Context, Select, Shape, Tool};
use pentimento::imaging::{ContextBox, Mask};
use pentimento::jobs::Adjusted;

fn draw(e: &mut Editor, tool: Tool, points: &[[f64; 2]], how: Combine) -> Vec<Command> {
    act(e, Action::Select(Select::Tool(tool)));
    act(e, Action::Select(Select::Press(points[0], how)));
    act(e, Action::Select(Select::Drag(points[1..].to_vec())));
    let commands = e.update(Message::Action(Action::Select(Select::Release)));
    drawn(e, commands)
}

fn count(e: &Editor) -> u64 {
    e.selected().map_or(0, Mask::count)
}

#[test]
fn strokes_make_a_selection_and_are_taken_back_one_by_one() {
    let mut e = editor();
    assert!(act(&mut e, Action::Select(Select::All)).is_empty() && e.selected().is_none(), "there is no picture");
    event(&mut e, opened("a.png", picture(600, 400, 5)));
    event(&mut e, opened("b.png", picture(600, 400, 9)));
    act(&mut e, Action::Select(Select::Size(20.0)));
    let commands = draw(&mut e, Tool::Brush, &[[100.0, 100.0], [200.0, 100.0], [200.0, 150.0]], Combine::Replace);
    assert!(matches!(&commands[..], [Command::SaveState(state)] if state.mask.is_some()), "{commands:?}");
    let one = count(&e);
    assert!((2500..4500).contains(&one), "{one}");
    draw(&mut e, Tool::Brush, &[[400.0, 300.0]], Combine::Replace);
    let two = count(&e);
    assert!(two > one, "a brush adds");
    draw(&mut e, Tool::Eraser, &[[100.0, 100.0], [200.0, 100.0]], Combine::Replace);
    assert!(count(&e) < two);
    for (action, left) in [(Action::Undo, two), (Action::Undo, one), (Action::Redo, two), (Action::Undo, one), (Action::Undo, 0)] {
        act(&mut e, action);
        assert_eq!(count(&e), left);
    }
    // What is left to undo is the history.
    act(&mut e, Action::Redo);
    assert_eq!(count(&e), one);
    let b = current(&e);
    act(&mut e, Action::Go(RevisionId(0)));
    assert_eq!(count(&e), one, "pictures of one size share the selection");
    act(&mut e, Action::Go(b));
    act(&mut e, Action::Undo);
    assert_eq!((current(&e), count(&e)), (b, one), "strokes of before are no longer taken back");
}

#[test]
fn a_lane_that_is_behind_draws_the_same_and_what_comes_behind_a_stroke_waits_for_it() {
    let way: Vec<[f64; 2]> = (0..40).map(|i| [100.0 + 10.0 * f64::from(i), 200.0 + 60.0 * f64::from(i).sin()]).collect();
    let new = || {
        let mut e = editor();
        event(&mut e, opened("a.png", picture(600, 400, 5)));
        act(&mut e, Action::Select(Select::Tool(Tool::Brush)));
        act(&mut e, Action::Select(Select::Size(30.0)));
        e
    };
    let mut at_once = new();
    draw(&mut at_once, Tool::Brush, &way, Combine::Replace);
    // The lane answers now and then; the hand does not wait for it.
    let mut e = new();
    let (mut lane, mut asked) = (Vec::new(), 0);
    let mut send = |e: &mut Editor, action: Action, lane: &mut Vec<Box<pentimento::jobs::Draw>>| {
        for command in e.update(Message::Action(action)) {
            if let Command::Draw(draw) = command {
                asked += 1;
                lane.push(draw);
            }
        }
        assert!(lane.len() < 2, "one part at a time");
    };
    send(&mut e, Action::Select(Select::Press(way[0], Combine::Replace)), &mut lane);
    for (i, place) in way.iter().enumerate().skip(1) {
        send(&mut e, Action::Select(Select::Drag(vec![*place])), &mut lane);
        if i % 7 == 0 {
            let answer = e.update(Message::Event(lane.remove(0).done()));
            lane.extend(answer.into_iter().filter_map(|c| if let Command::Draw(draw) = c { Some(draw) } else { None }));
        }
    }
    send(&mut e, Action::Select(Select::Release), &mut lane);
    assert!(!e.selection.is_drawing() && count(&e) < count(&at_once), "the hand is off, the lane is behind");
    send(&mut e, Action::Undo, &mut lane);
    send(&mut e, Action::Redo, &mut lane);
    send(&mut e, Action::SetSteps(3), &mut lane);
    assert!(e.draft.steps != 3 && !e.can_take_back(), "they wait");
    let last = lane.remove(0);
    event(&mut e, last.clone().done());
    assert!(asked < 12, "{asked} parts of 40");
    assert_eq!(e.draft.steps, 3);
    assert!(same(&e, &at_once));
    assert_eq!(e.selected_bounds(), at_once.selected_bounds());
    // What a lane says of a stroke that is over changes nothing.
    act(&mut e, Action::Select(Select::Nothing));
    event(&mut e, last.done());
    assert!(e.selected().is_none());
    // A picture that is opened meanwhile comes behind the stroke too.
    let mut e = new();
    let commands = e.update(Message::Action(Action::Select(Select::Press([50.0, 50.0], Combine::Replace))));
    let before = current(&e);
    e.update(Message::Event(opened("b.png", picture(300, 200, 9))));
    assert_eq!(current(&e), before);
    drawn(&mut e, commands);
    assert_ne!(current(&e), before);
    act(&mut e, Action::Go(before));
    assert!(count(&e) > 500, "the stroke is kept");
}

/// Whether both have selected the same, to the last bit.
fn same(a: &Editor, b: &Editor) -> bool {
    let all = |e: &Editor| e.selection.mask().map(|m| m.read(m.whole()));
    all(a) == all(b)
}

#[test]
fn rectangles_and_lassos_replace_add_and_take_away() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(600, 400, 5)));
    draw(&mut e, Tool::Rectangle, &[[10.2, 20.7], [-5.0, 3.0], [110.5, 70.1]], Combine::Replace);
    assert_eq!(count(&e), 101 * 51);
    draw(&mut e, Tool::Rectangle, &[[300.0, 300.0], [310.0, 310.0]], Combine::Add);
    assert_eq!(count(&e), 101 * 51 + 100);
    draw(&mut e, Tool::Lasso, &[[0.0, 0.0], [200.0, 0.0], [200.0, 200.0], [0.0, 200.0]], Combine::TakeAway);
    assert_eq!((count(&e), e.selected_bounds().unwrap().left), (100, 300));
    draw(&mut e, Tool::Rectangle, &[[50.0, 50.0]], Combine::Replace);
    assert!(e.selected().is_none(), "a click selects nothing");
    // A drawing that is not wanted after all.
    act(&mut e, Action::Undo);
    act(&mut e, Action::Select(Select::Tool(Tool::Brush)));
    act(&mut e, Action::Select(Select::Press([5.0, 5.0], Combine::Replace)));
    assert!(e.selection.is_drawing() && count(&e) > 100);
    act(&mut e, Action::Select(Select::Abort));
    assert_eq!(count(&e), 100);
}

#[test]
fn all_of_a_selection_is_changed_on_a_lane() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(60, 40, 5)));
    act(&mut e, Action::Select(Select::All));
    assert_eq!(count(&e), 2400);
    let commands = act(&mut e, Action::Select(Select::Shape(Shape::Shrink(3))));
    let [Command::ShapeMask { mask, by: Shape::Shrink(3) }] = &commands[..] else { panic!("{commands:?}") };
    assert!(act(&mut e, Action::Select(Select::Shape(Shape::Grow(3)))).is_empty(), "one at a time");
    let mut shaped = mask.clone();
    shaped.invert();
    event(&mut e, Event::MaskShaped { mask: shaped });
    assert!(e.selected().is_none());
    act(&mut e, Action::Undo);
    assert_eq!(count(&e), 2400);
    // A mask of another size that comes late is not taken.
    event(&mut e, Event::MaskShaped { mask: Mask::new(3, 3).unwrap() });
    event(&mut e, Event::MaskOpened(Err("it is a poem".to_owned())));
    assert!(e.notices[0].text.contains("it is a poem") && count(&e) == 2400);
    assert!(matches!(act(&mut e, Action::Select(Select::Export))[..], [Command::AskSaveMask]));
    let commands = event(&mut e, Event::ChosenSaveMask(Some("/x/m".into())));
    assert!(matches!(&commands[..], [Command::SaveMask { path, .. }] if path.ends_with("m.png")));
    let commands = event(&mut e, Event::ChosenOpenMask(Some("/x/m.png".into())));
    assert!(matches!(&commands[..], [Command::OpenMask { size: [60, 40], .. }]));
}

#[test]
fn an_edit_takes_place_under_the_selection_or_where_the_model_changes_something() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(3000, 2000, 5)));
    act(&mut e, Action::SetPrompt("a hat".to_owned()));
    let first = job(act(&mut e, Action::Run));
    let place = first.place.clone().unwrap();
    assert_eq!(place.seen, ContextBox { left: 0, top: -500, width: 3000, height: 3000 });
    assert!(matches!(place.placing, Placing::Change { .. }));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    act(&mut e, Action::Undo);
    act(&mut e, Action::KeepRest(false));
    let whole = job(act(&mut e, Action::Run));
    assert_eq!(whole.place.unwrap().placing, Placing::Whole);
    act(&mut e, Action::Discard);
    event(&mut e, done(whole.id));
    draw(&mut e, Tool::Rectangle, &[[1000.0, 1000.0], [1100.0, 1080.0]], Combine::Replace);
    let seen = e.context_box().unwrap();
    assert_eq!((seen.width, seen.height), (150, 150), "the selection and its margin");
    act(&mut e, Action::Context(Context::Move(-20.4, 0.0)));
    act(&mut e, Action::Context(Context::Move(-20.4, 0.0)));
    let moved = e.context_box().unwrap();
    assert_eq!((moved.left, moved.top), (seen.left - 41, seen.top), "what is less than a pixel is not lost");
    act(&mut e, Action::Context(Context::Width(400.0)));
    let masked = job(act(&mut e, Action::Run));
    let place = masked.place.clone().unwrap();
    assert_eq!(place.seen.width, 400);
    assert!(matches!(&place.placing, Placing::Selection { mask, .. } if mask.count() == 8000));
    assert_eq!(e.run_place(e.run.as_ref().unwrap())[2], 400.0);
    event(&mut e, made(&masked, 0));
    event(&mut e, done(masked.id));
    assert_eq!(count(&e), 8000, "the selection stays after a run");
    act(&mut e, Action::Context(Context::Auto));
    act(&mut e, Action::Select(Select::Nothing));
    // All of it comes back with the recipe, and the same job is run.
    act(&mut e, Action::TakeRecipe);
    assert_eq!(job(act(&mut e, Action::Run)).place, masked.place);
}

#[test]
fn a_result_is_put_in_again_without_the_model_and_kept_beside_the_first() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(300, 200, 5)));
    act(&mut e, Action::SetPrompt("a hat".to_owned()));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    let of = current(&e);
    assert!(act(&mut e, Action::Adjust(Adjust::Feather(9))).is_empty(), "it has no selection");
    assert!(act(&mut e, Action::Adjust(Adjust::Selection)).is_empty(), "there is none either");
    let commands = act(&mut e, Action::Adjust(Adjust::Reach(0.9)));
    let [Command::Adjust { edit, source, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!((edit.placing.clone(), source.width()), (Placing::Change { reach: 0.9 }, 300));
    assert!(!e.adjustment.as_ref().unwrap().is_ready());
    let answer = |edit: &LocalEdit, level| {
        let picture = picture(300, 200, level);
        let (pyramid, thumbnail) = screen(&picture);
        Event::Adjusted { of, result: Ok(Box::new(Adjusted { edit: edit.clone(), picture, pyramid, thumbnail, at: 9 })) }
    };
    act(&mut e, Action::Adjust(Adjust::Reach(0.8)));
    event(&mut e, answer(edit, 77));
    act(&mut e, Action::Adjust(Adjust::Keep));
    assert_eq!(e.document.revisions().len(), 2, "that was not the newest wish");
    let newest = LocalEdit { placing: Placing::Change { reach: 0.8 }, ..*edit.clone() };
    event(&mut e, answer(&newest, 78));
    act(&mut e, Action::Adjust(Adjust::Keep));
    let kept = e.document.current().unwrap();
    assert_eq!((kept.parent, kept.picture.here().unwrap().to_rgb8()[0]), (Some(RevisionId(0)), 78));
    assert_eq!(kept.local.as_deref(), Some(&newest));
    assert!(e.adjustment.is_none());
    act(&mut e, Action::Adjust(Adjust::Whole));
    act(&mut e, Action::Undo);
    assert!(e.adjustment.is_none(), "it belonged to the picture that was looked at");
    event(&mut e, answer(&newest, 79));
    assert_eq!(e.document.revisions().len(), 3);
}

#[test]
fn what_an_edit_changed_can_be_shown_and_selected() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(300, 200, 5)));
    act(&mut e, Action::SetPrompt("a hat".to_owned()));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    let of = current(&e);
    let commands = act(&mut e, Action::Select(Select::FromEdit));
    assert!(matches!(&commands[..], [Command::FindChange { of: asked, .. }] if *asked == of), "{commands:?}");
    assert!(act(&mut e, Action::Select(Select::ShowChange(true))).is_empty(), "it is on its way");
    let mut change = Mask::new(300, 200).unwrap();
    change.fill(255);
    event(&mut e, Event::ChangeFound { of, change });
    assert!(e.shown_change().is_some() && count(&e) == 60_000);
}

#[test]
fn sliders_are_taken_back_too_and_texts_are_not() {
    let mut e = editor();
    let steps = e.draft.steps;
    act(&mut e, Action::SetPrompt("x".to_owned()));
    for n in [30, 31, 40] {
        act(&mut e, Action::SetSteps(n));
    }
    act(&mut e, Action::SetGuidance(7.0));
    act(&mut e, Action::SetPrompt("y".to_owned()));
    act(&mut e, Action::Undo);
    assert_eq!((e.draft.steps, e.draft.guidance != 7.0), (40, true));
    act(&mut e, Action::Undo);
    assert_eq!((e.draft.steps, e.draft.prompt.as_str()), (steps, "y"), "a slider that goes on moving is one change");
    act(&mut e, Action::Redo);
    assert_eq!(e.draft.steps, 40);
}
