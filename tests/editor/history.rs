//! Names, stars, pruning, comparing, and the proof.

use super::*;
use pentimento::editor::{History, How};
use pentimento::imaging::Difference;

/// A picture and an edit of it, of one size.
fn edited() -> (Editor, RevisionId, RevisionId) {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(128, 128, 5)));
    let a = current(&e);
    act(&mut e, Action::SetPrompt("a hat".to_owned()));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    let b = current(&e);
    (e, a, b)
}

#[test]
fn pictures_are_named_starred_and_found() {
    let (mut e, a, b) = edited();
    act(&mut e, Action::History(History::BeginRename(b)));
    assert_eq!(e.history.renaming, Some((b, "a hat".to_owned())));
    assert!(act(&mut e, Action::History(History::Rename)).is_empty(), "the same words are no name");
    act(&mut e, Action::History(History::BeginRename(b)));
    act(&mut e, Action::History(History::SetName(" Best one ".to_owned())));
    let commands = act(&mut e, Action::History(History::Rename));
    assert!(matches!(&commands[..], [Command::Rename { id, name: Some(name) }] if *id == b && name == "Best one"), "{commands:?}");
    let commands = act(&mut e, Action::History(History::Star(a, true)));
    assert!(matches!(&commands[..], [Command::Star { id, starred: true }] if *id == a));
    let found = |e: &Editor| e.found_revisions().map(|all| all.iter().map(|r| r.id).collect::<Vec<_>>());
    assert_eq!(found(&e), None, "the tree");
    act(&mut e, Action::History(History::Search("HAT best".to_owned())));
    assert_eq!(found(&e), Some(vec![b]));
    act(&mut e, Action::History(History::Search(String::new())));
    act(&mut e, Action::History(History::Starred(true)));
    assert_eq!(found(&e), Some(vec![a]));
}

#[test]
fn nothing_goes_without_being_asked_about() {
    let (mut e, a, b) = edited();
    act(&mut e, Action::History(History::AskPrune(b)));
    assert!(e.history.pruning.is_none() && e.notices.last().unwrap().text.contains("go to another one first"));
    act(&mut e, Action::Undo);
    act(&mut e, Action::History(History::AskPrune(b)));
    assert_eq!(e.history.pruning, Some(vec![b]));
    act(&mut e, Action::History(History::KeepAll));
    assert!(act(&mut e, Action::History(History::Prune)).is_empty() && e.document.revision(b).is_some());
    act(&mut e, Action::CompareWith(b));
    act(&mut e, Action::History(History::AskPrune(b)));
    let commands = act(&mut e, Action::History(History::Prune));
    assert!(matches!(&commands[..], [Command::Prune(gone)] if gone[..] == [b]), "{commands:?}");
    assert!(e.document.revision(b).is_none() && !e.screens.contains_key(&b) && e.compare.is_none());
    // What a run works with stays.
    event(&mut e, opened("b.png", picture(9, 9, 1)));
    let other = current(&e);
    act(&mut e, Action::Go(a));
    act(&mut e, Action::Run);
    act(&mut e, Action::Go(other));
    act(&mut e, Action::History(History::AskPrune(a)));
    assert!(e.history.pruning.is_none() && e.notices.last().unwrap().text.contains("A run works with this picture"));
}

#[test]
fn the_proof_comes_from_the_pixels_and_two_pictures_are_compared_in_three_ways() {
    let (mut e, a, b) = edited();
    let (mut again, ..) = edited();
    // It was asked for when the edit came onto the canvas.
    assert!(e.proof().is_none());
    act(&mut again, Action::Undo);
    assert!(again.update(Message::Action(Action::Redo)).iter().all(|c| !matches!(c, Command::Compare { .. })), "once is enough");
    event(&mut e, Event::Compared { of: b, found: Difference { pixels: 100, outside: 0, largest: 7 } });
    let proof = e.proof().unwrap();
    assert_eq!((proof.found.pixels, proof.all, proof.has_selection), (100, 16_384, false));
    act(&mut e, Action::Compare(How::Flicker));
    assert_eq!((e.compare.unwrap().with, e.compare.unwrap().how), (a, How::Flicker));
    let commands = act(&mut e, Action::Compare(How::HeatMap));
    assert!(matches!(&commands[..], [Command::HeatMap { of, with, .. }] if (*of, *with) == (b, a)), "{commands:?}");
    assert!(e.heat_map().is_none() && act(&mut e, Action::Fit).is_empty());
    event(&mut e, Event::HeatMapped { of: b, with: a, pyramid: screen(&picture(128, 128, 0)).0 });
    assert!(e.heat_map().is_some());
    event(&mut e, opened("small.png", picture(9, 9, 1)));
    act(&mut e, Action::CompareWith(a));
    assert!(act(&mut e, Action::Compare(How::HeatMap)).is_empty());
    assert!(e.notices.last().unwrap().text.contains("different sizes"));
}
