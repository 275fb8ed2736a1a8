//! Recipes on photos, by messages.

use super::*;
use pentimento::document::{Begins, Chain, Link};
use pentimento::editor::{Closing, Leave, MOST_PHOTOS, PhotoState, Replay};
use pentimento::imaging::Tool;
use pentimento::jobs::{Doing, Repeated, ReplayJob, ReplayProgress, Way};
use pentimento::recipe::Recipe;

fn chain() -> Chain {
    Chain::new(Begins::Picture, vec![Link::Tool(Tool::Mirror)])
}

fn paths(count: usize) -> Vec<PathBuf> {
    (0..count).map(|i| PathBuf::from(format!("/photos/{i}.jpg"))).collect()
}

/// A page with a recipe and photos.
fn page(count: usize) -> Editor {
    let mut e = editor();
    act(&mut e, Action::Replay(Replay::Open));
    event(&mut e, Event::RecipeRead { name: "mirror.json".into(), result: Ok(Box::new(chain())) });
    event(&mut e, Event::PhotosFound(paths(count)));
    e
}

fn begun(commands: Vec<Command>) -> ReplayJob {
    let mut jobs = commands.into_iter().filter_map(|c| if let Command::Replay(job) = c { Some(*job) } else { None });
    let job = jobs.next().expect("a photo is begun");
    assert!(jobs.next().is_none(), "one photo at a time");
    job
}

fn repeated(id: JobId, bytes: u64) -> Repeated {
    let thumbnail = Thumbnail { width: 1, height: 1, rgba: [0; 4].into() };
    Repeated { folder: PathBuf::from(format!("/room/{}", id.0)), bytes, size: [30, 20], thumbnail, seconds: 10.0 }
}

fn done_with(e: &mut Editor, id: JobId, bytes: u64) -> Vec<Command> {
    event(e, Event::Replayed { id, result: Ok(Some(Box::new(repeated(id, bytes)))) })
}

#[test]
fn photos_are_done_one_by_one_and_other_work_goes_between() {
    let mut e = page(3);
    // The same photo once more is no other photo.
    event(&mut e, Event::PhotosFound(paths(3)));
    assert_eq!(e.replaying.photos.len(), 3);
    let first = begun(act(&mut e, Action::Replay(Replay::Begin)));
    assert_eq!((first.photo.as_deref(), &*first.chain), (Some(std::path::Path::new("/photos/0.jpg")), &chain()));
    assert!(act(&mut e, Action::Replay(Replay::Begin)).is_empty(), "it runs already");
    // The recipe stays as long as something was made by it.
    event(&mut e, Event::RecipeRead { name: "other.json".into(), result: Ok(Box::new(chain())) });
    assert_eq!(e.replaying.recipe.as_ref().unwrap().0, "mirror.json");

    let progress = ReplayProgress { edit: 0, edits: 1, doing: Doing::Keeping, seconds: 4.0 };
    event(&mut e, Event::Replaying { id: first.id, progress });
    assert_eq!((e.replaying.work.as_ref().unwrap().progress, e.replaying.seconds_left()), (Some(progress), None));
    act(&mut e, Action::Replay(Replay::Close));
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    act(&mut e, Action::Replay(Replay::Open));
    let second = begun(done_with(&mut e, first.id, 5));
    event(&mut e, Event::Replaying { id: second.id, progress });
    assert_eq!(e.replaying.seconds_left(), Some(10.0 + 6.0));
    // One that is broken costs only itself.
    let third = begun(event(&mut e, Event::Replayed { id: second.id, result: Err("it is damaged".into()) }));
    assert!(matches!(&e.replaying.photos[1].state, PhotoState::Failed(why) if why == "it is damaged."));
    assert!(e.notices.is_empty());
    act(&mut e, Action::Replay(Replay::Close));
    assert!(done_with(&mut e, third.id, 5).is_empty());
    assert!(e.notices.last().unwrap().text.contains("on all photos"), "who is elsewhere is told");
    assert_eq!((e.replaying.ended(), e.replaying.goes_on), (3, false));
}

#[test]
fn it_stops_and_goes_on_with_the_photo_that_was_begun() {
    let mut e = page(2);
    let first = begun(act(&mut e, Action::Replay(Replay::Begin)));
    let stopped = act(&mut e, Action::Replay(Replay::Stop));
    assert!(matches!(stopped[..], [Command::Cancel(id)] if id == first.id));
    assert!(act(&mut e, Action::Replay(Replay::Stop)).is_empty(), "once is enough");
    assert!(event(&mut e, Event::Replayed { id: first.id, result: Ok(None) }).is_empty());
    assert!(matches!(e.replaying.photos[0].state, PhotoState::Waits));
    let again = begun(act(&mut e, Action::Replay(Replay::Begin)));
    assert_eq!((again.photo, again.id == first.id), (first.photo, false));
    // What is thrown away while it is made is removed when it comes.
    let commands = act(&mut e, Action::Replay(Replay::Discard));
    assert!(matches!(commands[..], [Command::Cancel(_)]));
    let late = done_with(&mut e, again.id, 5);
    assert!(matches!(&late[..], [Command::DropReplayed(gone)] if gone[0] == repeated(again.id, 5).folder), "{late:?}");
    assert!(e.replaying.may_begin() && e.replaying.may_choose());
}

#[test]
fn results_are_looked_through_and_what_is_accepted_is_saved_once() {
    let mut e = page(4);
    let mut job = begun(act(&mut e, Action::Replay(Replay::Begin)));
    let mut ids = vec![job.id];
    for _ in 0..3 {
        job = begun(done_with(&mut e, job.id, 5));
        ids.push(job.id);
    }
    done_with(&mut e, job.id, 5);
    act(&mut e, Action::Replay(Replay::Accept(true)));
    act(&mut e, Action::Replay(Replay::Accept(false)));
    assert_eq!(e.replaying.at, 2, "on to the next one");
    act(&mut e, Action::Replay(Replay::Step(-1)));
    act(&mut e, Action::Replay(Replay::Step(9)));
    assert_eq!(e.replaying.at, 3);
    act(&mut e, Action::Replay(Replay::AcceptAll));
    assert_eq!((e.replaying.to_save(), e.replaying.undecided()), (3, 0));
    assert!(matches!(act(&mut e, Action::Replay(Replay::Save))[..], [Command::AskResults]));
    let wishes = event(&mut e, Event::ChosenResults(Some("/out".into())));
    let saved: Vec<JobId> = wishes.iter().filter_map(|c| if let Command::SaveReplayed(wish) = c { Some(wish.id) } else { None }).collect();
    assert_eq!(saved, [ids[0], ids[2], ids[3]]);
    assert!(event(&mut e, Event::ChosenResults(Some("/out".into()))).is_empty(), "they are on their way");
    for id in [ids[0], ids[2]] {
        event(&mut e, Event::ReplaySaved { id, result: Ok(PathBuf::from("/out/a.jpg")) });
    }
    event(&mut e, Event::ReplaySaved { id: ids[3], result: Err("the disk is full".into()) });
    assert!(e.notices.last().unwrap().text.contains("not saved: the disk is full"));
    assert_eq!(e.replaying.to_save(), 1, "it can be tried again");
    // What is saved is not rejected any more.
    act(&mut e, Action::Replay(Replay::Look(0)));
    act(&mut e, Action::Replay(Replay::Accept(false)));
    assert_eq!(e.replaying.photos[0].sample().unwrap().accepted, Some(true));

    // One goes into the history with all that is on its way.
    let keep = act(&mut e, Action::Replay(Replay::Keep));
    assert!(matches!(&keep[..], [Command::OpenReplayed { id, .. }] if *id == ids[0]));
    let mut document = pentimento::document::Document::default();
    let photo = document.record(None, Origin::Opened { name: "0.jpg".into() }, picture(30, 20, 1));
    document.record(Some(photo), Origin::Changed { tool: Tool::Mirror }, picture(30, 20, 2));
    let screens = vec![screen(&picture(30, 20, 1)), screen(&picture(30, 20, 2))];
    let commands = e.update(Message::Event(Event::ReplayOpened { id: ids[0], result: Ok(Box::new(Way { document, screens })) }));
    assert_eq!(commands.iter().filter(|c| matches!(c, Command::Record { .. })).count(), 2);
    assert!(!e.replaying.open);
    let current = current(&e);
    assert_eq!(e.document.chain(current).unwrap(), chain());
}

#[test]
fn results_do_not_go_with_the_window_unasked() {
    let close = |e: &mut Editor| {
        act(e, Action::Leave(Leave::Close));
        e.closing
    };
    assert_eq!(close(&mut page(3)), Closing::Goes, "nothing is lost");
    let mut e = page(3);
    let first = begun(act(&mut e, Action::Replay(Replay::Begin)));
    let second = begun(done_with(&mut e, first.id, 5));
    let third = begun(done_with(&mut e, second.id, 5));
    event(&mut e, Event::Replayed { id: third.id, result: Err("it is damaged".into()) });
    act(&mut e, Action::Replay(Replay::Close));
    assert_eq!((close(&mut e), e.replaying.unsaved()), (Closing::Asks, 2), "nobody has looked at them");
    act(&mut e, Action::Leave(Leave::Look));
    assert_eq!((e.closing, e.replaying.open), (Closing::Stays, true));
    // Of one that is accepted and one that is rejected the first is missed, until it is saved.
    act(&mut e, Action::Replay(Replay::Accept(true)));
    act(&mut e, Action::Replay(Replay::Accept(false)));
    assert_eq!((close(&mut e), e.replaying.unsaved()), (Closing::Asks, 1));
    act(&mut e, Action::Leave(Leave::Stay));
    assert_eq!(e.closing, Closing::Stays);
    event(&mut e, Event::ChosenResults(Some("/out".into())));
    assert_eq!(close(&mut e), Closing::Asks, "it is not there yet");
    event(&mut e, Event::ReplaySaved { id: first.id, result: Ok("/out/0.jpg".into()) });
    assert_eq!(e.closing, Closing::Goes);

    let mut e = page(1);
    let job = begun(act(&mut e, Action::Replay(Replay::Begin)));
    done_with(&mut e, job.id, 5);
    assert_eq!(close(&mut e), Closing::Asks);
    act(&mut e, Action::Leave(Leave::Anyway));
    assert_eq!(e.closing, Closing::Goes);
}

#[test]
fn what_waits_on_the_disk_is_bounded() {
    let mut e = page(6);
    let first = begun(act(&mut e, Action::Replay(Replay::Begin)));
    let second = begun(done_with(&mut e, first.id, 9 << 30));
    assert!(done_with(&mut e, second.id, 9 << 30).is_empty(), "nothing is begun");
    assert!(e.replaying.is_full && e.notices.last().unwrap().text.contains("saved or rejected"));
    // Accepting makes no room, rejecting does, and so does saving.
    assert!(act(&mut e, Action::Replay(Replay::Accept(true))).is_empty());
    let commands = act(&mut e, Action::Replay(Replay::Accept(false)));
    assert!(matches!(&commands[0], Command::DropReplayed(gone) if gone[..] == [repeated(second.id, 0).folder]), "{commands:?}");
    let third = begun(commands);
    assert!(!e.replaying.photos[1].sample().unwrap().is_here);
    assert!(done_with(&mut e, third.id, 9 << 30).is_empty());
    event(&mut e, Event::ChosenResults(Some("/out".into())));
    let commands = event(&mut e, Event::ReplaySaved { id: first.id, result: Ok("/out/0.jpg".into()) });
    assert!(matches!(&commands[0], Command::DropReplayed(gone) if gone.len() == 1));
    begun(commands);

    let mut e = page(MOST_PHOTOS + 5);
    assert_eq!((e.replaying.photos.len(), e.replaying.left_out), (MOST_PHOTOS, 5));
    act(&mut e, Action::Replay(Replay::Clear));
    assert_eq!((e.replaying.photos.len(), e.replaying.left_out), (0, 0));
}

#[test]
fn the_way_to_a_picture_is_saved_and_taken() {
    let mut e = editor();
    act(&mut e, Action::Replay(Replay::SaveRecipe));
    assert!(e.notices.last().unwrap().text.contains("no edit to save"));
    event(&mut e, opened("cat.png", picture(30, 20, 5)));
    assert!(e.own_recipe().is_none() && !e.has_own_recipe(), "it is as it was opened");
    act(&mut e, Action::SetPrompt("make it night".to_owned()));
    let night = job(act(&mut e, Action::Run));
    event(&mut e, made(&night, 0));
    event(&mut e, done(night.id));
    assert!(e.own_recipe().is_some() && e.has_own_recipe());
    let asked = act(&mut e, Action::Replay(Replay::SaveRecipe));
    assert!(matches!(&asked[..], [Command::AskSaveRecipe { name }] if name == "make-it-night.json"), "{asked:?}");
    let saved = event(&mut e, Event::ChosenSaveRecipe(Some("/out/night".into())));
    let [Command::SaveRecipe { path, chain }] = &saved[..] else { panic!("{saved:?}") };
    assert_eq!((path.to_str(), chain.edits.len()), (Some("/out/night.json"), 1));
    // The page begins with it.
    act(&mut e, Action::Replay(Replay::Open));
    assert_eq!(e.replaying.recipe.as_ref().map(|(name, own)| (name.as_str(), **own == **chain)), Some(("make it night", true)));
    assert!(e.replaying.other_models(&ModelId::Nano).is_empty());
    let big = ModelId::Folder("/models/big".into());
    assert_eq!(e.replaying.other_models(&big), ["nano"]);

    // Photos and recipes are dropped on the page, and not opened.
    let dropped = act(&mut e, Action::OpenFiles(vec!["/a.jpg".into(), "/r.json".into(), "/folder".into()]));
    assert!(matches!(&dropped[..], [Command::ReadRecipe(_), Command::FindPhotos(photos)] if photos.len() == 2), "{dropped:?}");
    event(&mut e, Event::RecipeRead { name: "r.json".into(), result: Err("this is not a recipe: x".into()) });
    assert_eq!(e.replaying.trouble.as_deref(), Some("r.json cannot be used: this is not a recipe: x."));
    // A recipe from words makes one picture, without a photo.
    let words = Chain::new(Begins::Words, vec![Link::Model { recipe: Box::new(Recipe::new(big, "a fox")), place: None }]);
    event(&mut e, Event::RecipeRead { name: "w.json".into(), result: Ok(Box::new(words)) });
    assert_eq!((e.replaying.photos.len(), e.replaying.trouble.clone()), (1, None));
    act(&mut e, Action::Replay(Replay::OwnModel(true)));
    let one = begun(act(&mut e, Action::Replay(Replay::Begin)));
    assert_eq!((one.photo, one.model), (None, Some(ModelId::Nano)));
}
