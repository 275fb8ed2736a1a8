//! The page of models by messages: an offer is read and accepted, a download pauses, goes on and ends, a model is used and removed.

use super::plan::plan;
use super::{act, editor, event};
use pentimento::editor::{Action, Editor, Shelf};
use pentimento::hub::{Installed, Offer, Progress, Unfinished};
use pentimento::jobs::{Command, Event, GetEnding, Models};
use pentimento::recipe::ModelId;
use std::path::PathBuf;

fn offer(bytes: u64, free: u64, accepted: bool) -> Box<Offer> {
    Box::new(Offer {
        plan: plan(bytes, accepted),
        can_generate: Some(true),
        can_edit: Some(false),
        purpose: Some("pictures from words"),
        bytes,
        bytes_here: 0,
        free_bytes: Some(free),
        folder: PathBuf::from("/models/blip3o-next-sft-3b"),
        cache: PathBuf::from("/cache"),
    })
}

fn shelf(editor: &mut Editor, what: Shelf) -> Vec<Command> {
    act(editor, Action::Shelf(what))
}

fn looked_up(editor: &mut Editor, offer: Box<Offer>) {
    let source = offer.plan.source.clone();
    assert!(matches!(shelf(editor, Shelf::LookUp(source.clone()))[..], [Command::LookUpModel(_)]));
    event(editor, Event::ModelLookedUp { source, result: Ok(offer) });
}

#[test]
fn nothing_is_fetched_before_its_licence_is_accepted_and_there_is_room() {
    let mut e = editor();
    assert!(matches!(shelf(&mut e, Shelf::Open)[..], [Command::ListModels(_), Command::ListDevices]), "opening the page asks nobody");
    looked_up(&mut e, offer(8_000_000_000, 90_000_000_000, false));
    assert!(shelf(&mut e, Shelf::Get).is_empty(), "not accepted yet");
    shelf(&mut e, Shelf::Accept(true));
    let commands = shelf(&mut e, Shelf::Get);
    let [Command::GetModel { accepted, .. }] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(*accepted, ["ab".repeat(32)]);
    assert!(e.shelf.get.is_some() && e.shelf.offer.is_none());

    looked_up(&mut e, offer(1, 2, true));
    assert!(shelf(&mut e, Shelf::Get).is_empty(), "one at a time");
    event(&mut e, Event::GetEnded { name: plan(0, true).name, ending: GetEnding::Paused });
    assert_eq!(shelf(&mut e, Shelf::Get).len(), 1, "an accepted licence is not asked for again");
    event(&mut e, Event::GetEnded { name: plan(0, true).name, ending: GetEnding::Cancelled });
    looked_up(&mut e, offer(8_000, 7_000, true));
    assert!(shelf(&mut e, Shelf::Get).is_empty(), "no room");
    // The accepted box does not stay for the next offer, and a late answer does not come up.
    looked_up(&mut e, offer(1, 2, false));
    assert!(!e.shelf.accepted);
    shelf(&mut e, Shelf::Back);
    event(&mut e, Event::ModelLookedUp { source: plan(0, true).source, result: Ok(offer(1, 2, true)) });
    assert!(e.shelf.offer.is_none());
    shelf(&mut e, Shelf::SetRepository("no repository".to_owned()));
    assert!(shelf(&mut e, Shelf::LookUpRepository).is_empty() && e.shelf.trouble.is_some());
}

#[test]
fn a_download_pauses_goes_on_and_ends_and_the_model_is_used_and_removed() {
    let mut e = editor();
    let name = plan(0, true).name;
    shelf(&mut e, Shelf::Open);
    let unfinished = Unfinished { plan: plan(100, true), bytes: 100, bytes_here: 40 };
    event(&mut e, Event::Models(Ok(Models { unfinished: vec![unfinished], ..Models::default() })));
    assert!(matches!(&shelf(&mut e, Shelf::Resume(name.clone()))[..], [Command::ResumeGet(n)] if *n == name));
    assert!(shelf(&mut e, Shelf::Resume(name.clone())).is_empty(), "it runs already");
    let progress = Progress { bytes: 100, bytes_done: 60, files: 1, ..Progress::default() };
    event(&mut e, Event::GetProgress { name: name.clone(), progress: progress.clone() });
    assert_eq!(e.shelf.get.as_ref().unwrap().progress, Some(progress));
    assert!(matches!(shelf(&mut e, Shelf::Pause)[..], [Command::PauseGet]));
    assert!(shelf(&mut e, Shelf::Pause).is_empty(), "once is enough");
    event(&mut e, Event::GetEnded { name: name.clone(), ending: GetEnding::Paused });
    shelf(&mut e, Shelf::Resume(name.clone()));
    let folder = PathBuf::from("/models/blip3o-next-sft-3b");
    let installed = Installed { plan: plan(100, true), folder: folder.clone(), bytes: 100, missing: 0 };
    let ended = event(&mut e, Event::GetEnded { name: name.clone(), ending: GetEnding::Done(installed.clone()) });
    assert!(matches!(ended[..], [Command::ListModels(_)]) && e.shelf.get.is_none());
    event(&mut e, Event::Models(Ok(Models { installed: vec![installed], ..Models::default() })));
    assert!(e.shelf.is_begun(&name));

    assert!(matches!(&shelf(&mut e, Shelf::Verify(name.clone()))[..], [Command::VerifyModel(_)]));
    event(&mut e, Event::VerifyProgress { name: name.clone(), done: 50, bytes: 100 });
    assert_eq!(e.shelf.verifying[&name], (50, 100));
    event(&mut e, Event::ModelVerified { name: name.clone(), result: Ok(vec![]) });
    assert!(e.shelf.verifying.is_empty() && e.shelf.verified[&name] == Ok(vec![]));

    let used = shelf(&mut e, Shelf::Use(name.clone()));
    assert!(matches!(&used[..], [Command::LookAt(ModelId::Folder(f)), Command::SaveSettings(_)] if *f == folder), "{used:?}");
    shelf(&mut e, Shelf::AskRemove(name.clone()));
    shelf(&mut e, Shelf::KeepIt);
    assert!(shelf(&mut e, Shelf::Remove).is_empty());
    shelf(&mut e, Shelf::AskRemove(name.clone()));
    shelf(&mut e, Shelf::WithCache(false));
    let removed = shelf(&mut e, Shelf::Remove);
    assert!(matches!(removed.last(), Some(Command::RemoveModel { cached: false, .. })), "{removed:?}");
    assert_eq!(e.model.id, ModelId::Nano, "what is removed is not used any more");
    assert!(matches!(event(&mut e, Event::ModelRemoved { name, result: Ok(7) })[..], [Command::ListModels(_)]));
}
