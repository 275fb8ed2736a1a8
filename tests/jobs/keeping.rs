//! What is made is kept on the disk, or a sentence says that it is not; and once there is room, all of it is.

use crate::{Bench, bench};
use pentimento::document::{Begins, Chain, Document, Origin, RevisionId};
use pentimento::export::Switches;
use pentimento::imaging::{Format, Picture};
use pentimento::jobs::{Command, Event, KeptState, Thumbnail};
use pentimento::project::Project;
use pentimento::recipe::{ModelId, Recipe};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

fn thumbnail() -> Thumbnail {
    Thumbnail { width: 1, height: 1, rgba: [7; 4].into() }
}

/// A picture of about 400 kB that does not compress.
fn noise(seed: u32) -> Picture {
    let value = |n: u32| (n.wrapping_add(seed.wrapping_mul(65_537)).wrapping_mul(2_654_435_761) >> 13) as u8;
    Picture::from_rgb8(400, 300, &(0..360_000).map(value).collect::<Vec<u8>>()).unwrap()
}

/// Makes a picture from another, and has it kept.
fn make(bench: &mut Bench, document: &mut Document, parent: Option<RevisionId>) -> RevisionId {
    let origin = Origin::Made { recipe: Box::new(Recipe::new(ModelId::Nano, "a fox")), tokens: Arc::from([7]), seconds: 1.0 };
    let picture = noise(document.next().0);
    let id = document.record(parent, origin, picture);
    let revision = Box::new(document.revision(id).unwrap().clone());
    bench.jobs.send(Command::Record { revision, thumbnail: thumbnail() });
    id
}

fn go(bench: &mut Bench, document: &mut Document, id: RevisionId) {
    document.go(id);
    bench.jobs.send(Command::SetCurrent { id, redo: document.last_child().get(&id).copied() });
}

fn prune(bench: &mut Bench, document: &mut Document, id: RevisionId) {
    bench.jobs.send(Command::Prune(document.prune(id).unwrap()));
}

/// What has been told until all that was asked for is done, besides which revisions are kept.
fn told(bench: &mut Bench) -> Vec<Event> {
    let mut events = all_told(bench);
    events.retain(|e| !matches!(e, Event::KeptRevision(_)));
    events
}

fn all_told(bench: &mut Bench) -> Vec<Event> {
    // The lane answers in order.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mark.png");
    let format = Format::of(&path, 90).unwrap();
    bench.jobs.send(Command::Export {
        picture: Picture::from_rgb8(1, 1, &[1, 2, 3]).unwrap(),
        path,
        format,
        chain: Box::new(Chain::new(Begins::Picture, vec![])),
        switches: Switches::default(),
    });
    let mut events = bench.until(|e| matches!(e, Event::Exported { .. }));
    assert!(matches!(events.pop(), Some(Event::Exported { result: Ok(()), .. })), "other work goes on");
    events
}

/// The sentences about what is not kept; nothing else may have been told.
#[track_caller]
fn complaints(events: &[Event]) -> Vec<&str> {
    let of = |e: &Event| if let Event::NotKept(_) = e { None } else { Some(format!("{e:?}")) };
    assert_eq!(events.iter().find_map(of), None);
    events.iter().filter_map(|e| if let Event::NotKept(why) = e { Some(why.as_str()) } else { None }).collect()
}

#[track_caller]
fn assert_sentence(text: &str, way_out: &str) {
    assert!(!text.contains('\n') && !text.ends_with('.') && text.contains("; ") && text.contains(way_out), "{text}");
}

#[track_caller]
fn assert_kept(mut bench: Bench, path: &Path, document: &Document) {
    bench.jobs.close(Duration::from_secs(20));
    let project = Project::open(path).unwrap();
    assert_eq!(&project.document(1 << 30).unwrap(), document);
    assert_eq!(project.thumbnails().unwrap().len(), document.revisions().len());
    project.check().unwrap();
}

/// Works where nothing can be written, and goes on once it can.
fn goes_on(path: &Path, allow: impl FnOnce()) {
    let (mut bench, mut document) = (bench(), Document::default());
    bench.jobs.send(Command::OpenProject(path.to_owned()));
    bench.jobs.send(Command::SaveState(KeptState { prompt: "nothing yet".into(), ..KeptState::default() }));
    assert!(complaints(&told(&mut bench)).is_empty(), "a prompt is no project");
    let root = make(&mut bench, &mut document, None);
    go(&mut bench, &mut document, root);
    let child = make(&mut bench, &mut document, Some(root));
    document.rename(child, "Fox");
    bench.jobs.send(Command::Rename { id: child, name: Some("Fox".into()) });
    for prompt in ["a", "make it snow"] {
        bench.jobs.send(Command::SaveState(KeptState { prompt: prompt.into(), ..KeptState::default() }));
    }
    let events = told(&mut bench);
    let all = complaints(&events);
    assert_eq!(all.len(), 6, "one for each change: {all:?}");
    all.iter().for_each(|why| assert_sentence(why, "save the project under another name"));
    allow();
    document.star(child, true);
    bench.jobs.send(Command::Star { id: child, starred: true });
    let events = all_told(&mut bench);
    let want = [Event::KeptRevision(root), Event::KeptRevision(child), Event::KeptAgain].map(|e| format!("{e:?}"));
    assert_eq!(events.iter().map(|e| format!("{e:?}")).collect::<Vec<_>>(), want);
    // What is kept can be read again.
    bench.jobs.send(Command::Fetch(child));
    let events = told(&mut bench);
    let picture = document.revision(child).unwrap().picture.here().unwrap();
    assert!(matches!(&events[..], [Event::Fetched { result: Ok(read), .. }] if read == picture), "{events:?}");
    let last = make(&mut bench, &mut document, Some(child));
    go(&mut bench, &mut document, last);
    assert!(told(&mut bench).is_empty(), "it is told once");
    assert_kept(bench, path, &document);
    assert_eq!(Project::open(path).unwrap().state().unwrap().prompt, "make it snow");
}

#[test]
fn below_a_file_nothing_is_kept_until_the_file_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    goes_on(&file.join("a.pentimento"), || fs::remove_file(&file).unwrap());
}

#[cfg(unix)]
#[test]
fn in_a_protected_folder_nothing_is_kept_until_it_is_allowed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let allow = |mode: u32| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    if fs::write(folder.path().join("x"), "x").is_ok() {
        eprintln!("not tested: nothing is write-protected for this user");
        return;
    }
    goes_on(&folder.path().join("a.pentimento"), || allow(0o755));
}

/// Makes pictures until one is not kept any more, and tells how many were.
#[cfg(unix)]
fn fill(bench: &mut Bench, document: &mut Document) -> u32 {
    let root = make(bench, document, None);
    go(bench, document, root);
    loop {
        let count = document.next().0;
        make(bench, document, Some(root));
        let events = told(bench);
        if let [why] = complaints(&events)[..] {
            assert_sentence(why, "make room");
            return count;
        }
        assert!(events.is_empty() && count < 100, "{events:?}");
    }
}

/// A disk of eight megabytes with a file that takes half of them.
#[cfg(unix)]
fn full(folder: &Path) -> Option<(crate::small_disk::Disk, std::path::PathBuf)> {
    let Some(disk) = crate::small_disk::Disk::new(&folder.join("disk"), "8m") else {
        eprintln!("not tested: no small disk to be had here");
        return None;
    };
    let ballast = disk.0.join("ballast");
    fs::write(&ballast, vec![1; 4_000_000]).unwrap();
    Some((disk, ballast))
}

#[cfg(unix)]
#[test]
fn what_a_full_disk_did_not_take_is_kept_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, ballast)) = full(folder.path()) else { return };
    let path = disk.0.join("a.pentimento");
    let (mut bench, mut document) = (bench(), Document::default());
    bench.jobs.send(Command::OpenProject(path.clone()));
    let kept = fill(&mut bench, &mut document);
    assert!(kept > 2, "{kept}");
    // Made from what is not on the disk, and looked at.
    let child = make(&mut bench, &mut document, Some(RevisionId(kept)));
    go(&mut bench, &mut document, child);
    let events = told(&mut bench);
    assert_eq!(complaints(&events).len(), 2);
    // Another project is not opened over it.
    let other = folder.path().join("other.pentimento");
    drop(
        Project::create(&other, &Document::default(), &std::collections::BTreeMap::new(), &pentimento::project::State::default()).unwrap(),
    );
    bench.jobs.send(Command::OpenProject(other));
    let events = told(&mut bench);
    let [why] = complaints(&events)[..] else { panic!("{events:?}") };
    assert_sentence(why, "then open the other one");
    fs::remove_file(ballast).unwrap();
    make(&mut bench, &mut document, Some(child));
    let events = told(&mut bench);
    assert!(matches!(events[..], [Event::KeptAgain]), "{events:?}");
    assert_kept(bench, &path, &document);
}

#[cfg(unix)]
#[test]
fn on_a_full_disk_pruning_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let Some((disk, _)) = full(folder.path()) else { return };
    let path = disk.0.join("a.pentimento");
    let (mut bench, mut document) = (bench(), Document::default());
    bench.jobs.send(Command::OpenProject(path.clone()));
    let failed = RevisionId(fill(&mut bench, &mut document));
    // What waits and is pruned is not missed, nor is what was said of it.
    let child = make(&mut bench, &mut document, Some(failed));
    go(&mut bench, &mut document, child);
    go(&mut bench, &mut document, failed);
    told(&mut bench);
    prune(&mut bench, &mut document, child);
    let events = told(&mut bench);
    assert_eq!(complaints(&events).len(), 1);
    prune(&mut bench, &mut document, RevisionId(1));
    prune(&mut bench, &mut document, RevisionId(2));
    let events = told(&mut bench);
    assert!(matches!(events.last(), Some(Event::KeptAgain)), "{events:?}");
    make(&mut bench, &mut document, Some(failed));
    assert!(told(&mut bench).is_empty());
    assert_kept(bench, &path, &document);
}

#[test]
fn a_project_saved_under_another_name_has_what_waited() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let (mut bench, mut document) = (bench(), Document::default());
    bench.jobs.send(Command::OpenProject(file.join("a.pentimento")));
    let root = make(&mut bench, &mut document, None);
    go(&mut bench, &mut document, root);
    assert_eq!(complaints(&told(&mut bench)).len(), 2);
    let save = |path: &Path, document: &Document| Command::SaveProject {
        path: path.to_owned(),
        document: Box::new(document.clone()),
        thumbnails: document.revisions().iter().map(|r| (r.id, thumbnail())).collect(),
        state: KeptState::default(),
    };
    // Neither there, nor over a file that is there.
    for (path, way_out) in [(file.join("b.pentimento"), "choose another folder"), (file.clone(), "choose another name")] {
        bench.jobs.send(save(&path, &document));
        let events = told(&mut bench);
        let [Event::ProjectSaved { result: Err(why), .. }] = &events[..] else { panic!("{events:?}") };
        assert_sentence(why, way_out);
    }
    assert_eq!(fs::read(&file).unwrap(), b"x");
    let path = folder.path().join("b.pentimento");
    bench.jobs.send(save(&path, &document));
    let events = told(&mut bench);
    assert!(matches!(&events[..], [Event::ProjectSaved { name, result: Ok(()) }] if name == "b"), "{events:?}");
    make(&mut bench, &mut document, Some(root));
    assert!(told(&mut bench).is_empty(), "nothing waits any more");
    // Over itself: all is there already, and stays.
    let before = fs::read(&path).unwrap();
    bench.jobs.send(save(&path, &document));
    let events = told(&mut bench);
    let [Event::ProjectSaved { result: Err(why), .. }] = &events[..] else { panic!("{events:?}") };
    assert_sentence(why, "all is kept already");
    assert_eq!(fs::read(&path).unwrap(), before);
    make(&mut bench, &mut document, Some(root));
    assert!(told(&mut bench).is_empty());
    assert_kept(bench, &path, &document);
}

#[test]
fn what_is_never_taken_does_not_hold_up_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pentimento");
    let (mut bench, mut document) = (bench(), Document::default());
    bench.jobs.send(Command::OpenProject(path.clone()));
    let root = make(&mut bench, &mut document, None);
    go(&mut bench, &mut document, root);
    bench.jobs.send(Command::Star { id: RevisionId(77), starred: true });
    let events = told(&mut bench);
    let [why] = complaints(&events)[..] else { panic!("{events:?}") };
    assert_sentence(why, "export");
    make(&mut bench, &mut document, Some(root));
    assert!(told(&mut bench).is_empty());
    assert_kept(bench, &path, &document);
}

#[test]
fn a_project_whose_pictures_are_on_the_disk_alone_is_saved_under_another_name() {
    let (mut bench, mut document) = (bench(), Document::default());
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|name| folder.path().join(format!("{name}.pentimento")));
    bench.jobs.send(Command::OpenProject(first.clone()));
    let root = make(&mut bench, &mut document, None);
    go(&mut bench, &mut document, root);
    let [gone, child] = [0; 2].map(|_| make(&mut bench, &mut document, Some(root)));
    told(&mut bench);
    bench.jobs.send(Command::OpenProject(first));
    let events = told(&mut bench);
    let [Event::Project(Ok(kept))] = &events[..] else { panic!("{events:?}") };
    let mut away = kept.document.clone();
    assert!(away.revisions().iter().all(|r| r.picture.here().is_none()) && away.revisions().len() == 3);
    make(&mut bench, &mut away, Some(child));
    told(&mut bench);
    let made = away.revisions().last().unwrap().clone();
    document.record_at(made.parent, made.origin, made.picture.here().unwrap().clone(), made.made_at, made.steps, made.local);
    for document in [&mut away, &mut document] {
        document.prune(gone).unwrap();
        document.rename(root, "Fox");
    }
    let thumbnails = away.revisions().iter().map(|r| (r.id, thumbnail())).collect();
    let save = Command::SaveProject { path: second.clone(), document: Box::new(away), thumbnails, state: KeptState::default() };
    bench.jobs.send(save);
    let events = told(&mut bench);
    assert!(matches!(&events[..], [Event::ProjectSaved { result: Ok(()), .. }]), "{events:?}");
    assert_kept(bench, &second, &document);
}
