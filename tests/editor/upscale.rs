//! Pictures made larger, by messages.

use super::*;
use pentimento::jobs::{Larger, UpscaleProgress};
use pentimento::recipe::{Factor, Upscaling};

/// What was asked to be made larger: its name, the picture, and by how much.
fn wished(commands: &[Command]) -> Vec<(JobId, Picture, Factor)> {
    let wish = |c: &Command| if let Command::Upscale { id, picture, how } = c { Some((*id, picture.clone(), how.by)) } else { None };
    commands.iter().filter_map(wish).collect()
}

fn larger(id: JobId, small: &Picture, by: u32) -> Event {
    let picture = picture(by * small.width(), by * small.height(), 200);
    let (pyramid, thumbnail) = screen(&picture);
    Event::Upscaled { id, result: Ok(Some(Box::new(Larger { picture, pyramid, thumbnail, at: 9, seconds: 1.5 }))) }
}

#[test]
fn a_larger_picture_is_a_revision_under_its_source_and_is_made_once() {
    let mut e = editor();
    act(&mut e, Action::Upscale(Factor::Two));
    assert!(e.notices[0].text.contains("no picture yet"));
    event(&mut e, opened("cat.png", picture(300, 200, 5)));
    let cat = current(&e);
    let wishes = wished(&act(&mut e, Action::Upscale(Factor::Two)));
    let [(id, small, Factor::Two)] = &wishes[..] else { panic!("{wishes:?}") };
    assert!(e.may_upscale(Factor::Four).unwrap_err().contains("already"));
    event(&mut e, Event::Upscaling { id: *id, progress: UpscaleProgress { done: 9, total: 18, seconds: 2.0 } });
    assert_eq!(e.shown_upscale().unwrap().progress.unwrap().seconds_left(), Some(2.0));
    // What it is made from cannot be taken away meanwhile.
    event(&mut e, opened("dog.png", picture(10, 10, 1)));
    act(&mut e, Action::History(pentimento::editor::History::AskPrune(cat)));
    assert!(e.history.pruning.is_none());
    act(&mut e, Action::Go(cat));
    let commands = e.update(Message::Event(larger(*id, small, 2)));
    assert!(commands.iter().any(|c| matches!(c, Command::Record { revision, .. } if revision.parent == Some(cat))), "it is kept");
    let made = e.document.current().unwrap();
    assert_eq!((made.parent, made.title(), made.picture.size()), (Some(cat), "Upscaled 2x", [600, 400]));
    assert_eq!(made.origin, Origin::Upscaled { upscaling: Upscaling::new(Factor::Two), seconds: 1.5 });
    assert!(e.upscales.is_empty() && e.view.image() == [600, 400]);
    // Once more is a step to where it is; the other factor is another picture.
    let made = made.id;
    act(&mut e, Action::Undo);
    assert!(act(&mut e, Action::Upscale(Factor::Two)).is_empty());
    assert_eq!(current(&e), made);
    act(&mut e, Action::Undo);
    assert_eq!(wished(&act(&mut e, Action::Upscale(Factor::Four))).len(), 1);
}

#[test]
fn it_is_stopped_fails_in_a_sentence_and_leaves_who_has_moved_on() {
    let mut e = editor();
    event(&mut e, opened("cat.png", picture(30, 20, 5)));
    let cat = current(&e);
    let ask = |e: &mut Editor| wished(&act(e, Action::Upscale(Factor::Four))).remove(0);
    let (id, ..) = ask(&mut e);
    let commands = act(&mut e, Action::CancelUpscale(id));
    assert!(matches!(commands[..], [Command::CancelUpscale(stopped)] if stopped == id));
    assert!(act(&mut e, Action::CancelUpscale(id)).is_empty(), "once is enough");
    event(&mut e, Event::Upscaled { id, result: Ok(None) });
    assert!(e.upscales.is_empty() && e.document.revisions().len() == 1 && e.notices.last().unwrap().text.starts_with("Stopped"));

    let (id, ..) = ask(&mut e);
    event(&mut e, Event::Upscaled { id, result: Err("out of paint".to_owned()) });
    let told = e.notices.last().unwrap();
    assert_eq!((told.kind, told.text.as_str()), (NoticeKind::Failed, "The picture was not made larger: out of paint."));

    let (id, small, _) = ask(&mut e);
    event(&mut e, opened("dog.png", picture(10, 10, 1)));
    let dog = current(&e);
    event(&mut e, larger(id, &small, 4));
    assert_eq!((current(&e), e.document.revisions().last().unwrap().parent), (dog, Some(cat)));
    assert!(e.notices.last().unwrap().text.contains("in the history"));
    // What nobody waits for, as after another project was opened, changes nothing.
    event(&mut e, larger(id, &small, 4));
    assert_eq!(e.document.revisions().len(), 3);
}

#[test]
fn there_is_a_largest_result() {
    let mut e = editor();
    event(&mut e, opened("long.png", picture(4000, 2000, 5)));
    assert!(e.may_upscale(Factor::Two).is_ok());
    assert!(e.may_upscale(Factor::Four).unwrap_err().contains("16000 × 8000"));
    assert!(act(&mut e, Action::Upscale(Factor::Four)).is_empty());
}

#[test]
fn results_of_the_small_model_are_made_larger_on_wish_and_stand_for_the_small_ones() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    act(&mut e, Action::SetVariations(2));
    let plain = job(act(&mut e, Action::Run));
    assert!(wished(&event(&mut e, made(&plain, 0))).is_empty(), "nobody has wished for it");
    event(&mut e, made(&plain, 1));
    event(&mut e, done(plain.id));

    let commands = act(&mut e, Action::UpscaleResults(true));
    assert!(matches!(&commands[..], [Command::SaveSettings(text)] if Settings::from_json(text).upscale_results));
    act(&mut e, Action::SetMode(Mode::Generate));
    let run = job(act(&mut e, Action::Run));
    let first = wished(&event(&mut e, made(&run, 0)));
    let small = current(&e);
    assert_eq!(first.len(), 1);
    // The first is larger before the second is made, the second after all is done.
    event(&mut e, larger(first[0].0, &first[0].1, 4));
    let large = current(&e);
    assert_eq!((e.document.current().unwrap().parent, e.document.current().unwrap().picture.size()), (Some(small), [512, 512]));
    let second = wished(&event(&mut e, made(&run, 1)));
    let notices = e.notices.len();
    event(&mut e, done(run.id));
    assert_eq!(e.notices.len(), notices, "the person has not moved on");
    assert_eq!((current(&e), e.candidates().len(), e.candidates()[0]), (large, 2, large));
    act(&mut e, Action::Candidate(1));
    event(&mut e, larger(second[0].0, &second[0].1, 4));
    assert_eq!(e.document.current().unwrap().title(), "Upscaled 4x");
    assert_eq!(e.candidates()[1], current(&e));
    // A large picture that is edited stays as it is.
    act(&mut e, Action::SetMode(Mode::Edit));
    event(&mut e, opened("photo.png", picture(2000, 1000, 9)));
    let edit = job(act(&mut e, Action::Run));
    assert!(wished(&event(&mut e, made(&edit, 0))).is_empty());
}
