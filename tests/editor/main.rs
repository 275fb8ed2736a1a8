//! The editor without a screen: messages in, state and commands out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod examples;
mod history;
mod models;
mod plan;
mod replay;
mod selection;
mod smaller;
mod upscale;

use pentimento::document::{LocalEdit, Origin, RevisionId};
use pentimento::editor::{Action, Again, Editor, Export, MOST_STEPS, Message, Mode, NoticeKind, Question, Setting, Settings};
use pentimento::imaging::{Picture, Pyramid};
use pentimento::jobs::{
    Command, Ending, Event, Job, JobId, Kept, Latents, Made, ModelFacts, Preview, PreviewMap, Progress, Stage, Thumbnail,
};
use pentimento::recipe::{ModelId, Quality};
use proptest::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;

fn facts() -> ModelFacts {
    ModelFacts { can_generate: Ok(()), can_edit: Ok(()), side: 128, multiple: 16, shift: 1.0, values: 9_500_000, bytes: 19_000_000 }
}

fn picture(w: u32, h: u32, level: u8) -> Picture {
    Picture::from_rgb8(w, h, &vec![level; 3 * w as usize * h as usize]).unwrap()
}

fn screen(picture: &Picture) -> (Arc<Pyramid>, Thumbnail) {
    (Arc::new(Pyramid::new(picture)), Thumbnail { width: 1, height: 1, rgba: [0; 4].into() })
}

fn opened(name: &str, picture: Picture) -> Event {
    let (pyramid, thumbnail) = screen(&picture);
    Event::Opened { name: name.to_owned(), at: 7, result: Ok((picture, pyramid, thumbnail)) }
}

fn made(job: &Job, nth: u64) -> Event {
    // An edit is as large as its source.
    let [w, h] = job.reference.as_ref().filter(|_| job.place.is_some()).map_or([128; 2], |r| [r.width(), r.height()]);
    let made = Made {
        picture: picture(w, h, nth as u8),
        recipe: job.recipe.variation(nth),
        tokens: vec![1, 2],
        path: vec![],
        reconstruction: None,
    };
    let (pyramid, thumbnail) = screen(&made.picture);
    let local = job.place.as_ref().map(|place| {
        let (result, reconstruction) = (made.picture.clone(), Some(made.picture.clone()));
        Arc::new(LocalEdit { seen: place.seen, result, reconstruction, placing: place.placing.clone() })
    });
    Event::Made { id: job.id, made: Box::new(made), local, pyramid, thumbnail, at: 8 }
}

fn done(id: JobId) -> Event {
    Event::Finished { id, ending: Ending::Done { seconds: vec![(Stage::Denoise, 2.0), (Stage::Decode, 0.5)], device: "CPU".to_owned() } }
}

/// An editor whose model is known.
fn editor() -> Editor {
    let (mut editor, commands) = Editor::new(Settings::default(), 7);
    assert!(matches!(commands[..], [Command::LookAt(ModelId::Nano)]));
    event(&mut editor, Event::Model { model: ModelId::Nano, facts: Ok(facts()) });
    editor
}

fn act(editor: &mut Editor, action: Action) -> Vec<Command> {
    let commands = editor.update(Message::Action(action));
    but_for_keeping(drawn(editor, commands))
}

fn event(editor: &mut Editor, event: Event) -> Vec<Command> {
    let commands = editor.update(Message::Event(event));
    but_for_keeping(drawn(editor, commands))
}

/// Draws what a lane would draw.
fn drawn(editor: &mut Editor, commands: Vec<Command>) -> Vec<Command> {
    let mut left = Vec::new();
    for command in commands {
        match command {
            Command::Draw(draw) => {
                let more = editor.update(Message::Event(draw.done()));
                left.extend(drawn(editor, more));
            }
            other => left.push(other),
        }
    }
    left
}

/// What is kept has a test of its own.
fn but_for_keeping(mut commands: Vec<Command>) -> Vec<Command> {
    commands.retain(|c| {
        !matches!(
            c,
            Command::Record { .. } | Command::SetCurrent { .. } | Command::SaveState(_) | Command::Compare { .. } | Command::Forecast(_)
        )
    });
    commands
}

/// The job among commands.
fn job(commands: Vec<Command>) -> Box<Job> {
    let mut jobs = commands.into_iter().filter_map(|c| if let Command::Submit(job) = c { Some(job) } else { None });
    let job = jobs.next().expect("a job");
    assert!(jobs.next().is_none());
    job
}

fn current(editor: &Editor) -> RevisionId {
    editor.document.current().unwrap().id
}

#[test]
fn an_edit_is_recorded_under_the_picture_it_started_from_and_comes_onto_the_canvas() {
    let mut e = editor();
    event(&mut e, opened("cat.png", picture(300, 200, 5)));
    let cat = current(&e);
    act(&mut e, Action::SetPrompt("  make it night ".to_owned()));
    let job = job(act(&mut e, Action::Run));
    assert_eq!((job.recipe.prompt.as_str(), job.reference.as_ref().unwrap().width()), ("make it night", 300));
    assert!(e.run_on_canvas().is_some());
    assert_eq!(e.run_place(e.run.as_ref().unwrap()), [0.0, -50.0, 300.0, 300.0], "the model sees all of it");
    event(&mut e, made(&job, 0));
    event(&mut e, done(job.id));
    let result = e.document.current().unwrap();
    assert_eq!((result.parent, result.title()), (Some(cat), "make it night"));
    assert!(matches!(&result.origin, Origin::Made { tokens, .. } if tokens[..] == [1, 2]));
    assert!(e.run.is_none() && e.draft.prompt == "  make it night ", "the prompt stays");
    act(&mut e, Action::Undo);
    assert_eq!(current(&e), cat);
}

#[test]
fn a_result_does_not_pull_away_someone_who_has_moved_on() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(10, 10, 1)));
    let a = current(&e);
    act(&mut e, Action::SetPrompt("x".to_owned()));
    let job = job(act(&mut e, Action::Run));
    event(&mut e, opened("b.png", picture(20, 20, 2)));
    let b = current(&e);
    assert!(e.run_on_canvas().is_none());
    event(&mut e, made(&job, 0));
    event(&mut e, done(job.id));
    assert_eq!(current(&e), b);
    assert_eq!(e.document.revisions().last().unwrap().parent, Some(a));
    assert!(e.notices.last().unwrap().text.contains("history"));
}

#[test]
fn without_a_picture_words_make_a_new_one() {
    let mut e = editor();
    assert_eq!(e.mode(), Mode::Generate);
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    act(&mut e, Action::SetVariations(3));
    let job = job(act(&mut e, Action::Run));
    assert!(job.reference.is_none() && job.variations == 3);
    assert_eq!(e.view.image(), [128, 128], "the canvas has the size to come");
    for n in 0..3 {
        event(&mut e, made(&job, n));
    }
    assert_eq!(current(&e), RevisionId(0), "the first is shown, the others wait in the history");
    assert!(e.document.revisions().iter().all(|r| r.parent.is_none()));
}

#[test]
fn a_run_that_cannot_be_says_why() {
    let mut e = editor();
    assert!(act(&mut e, Action::Run).is_empty());
    assert!(e.notices[0].text.starts_with("Type what you want"), "{:?}", e.notices);
    act(&mut e, Action::SetPrompt("x".to_owned()));
    let cannot = ModelFacts { can_generate: Err("it has no decoder".to_owned()), ..facts() };
    event(&mut e, Event::Model { model: ModelId::Nano, facts: Ok(cannot) });
    assert!(act(&mut e, Action::Run).is_empty());
    assert!(e.notices[1].text.contains("cannot make a picture from words: it has no decoder"), "{:?}", e.notices);
    act(&mut e, Action::SetModel(ModelId::Folder("/m".into())));
    assert!(act(&mut e, Action::Run).is_empty());
    event(&mut e, Event::Model { model: ModelId::Folder("/m".into()), facts: Err("config.json is missing".to_owned()) });
    assert_eq!(e.notices.last().unwrap().kind, NoticeKind::Failed);
    assert!(e.ready().unwrap_err().contains("config.json is missing"));
}

#[test]
fn jobs_wait_for_each_other_and_leave_the_queue_on_request() {
    let mut e = editor();
    let mut jobs = Vec::new();
    for prompt in ["one", "two", "three"] {
        act(&mut e, Action::SetPrompt(prompt.to_owned()));
        jobs.extend(act(&mut e, Action::Run));
    }
    assert_eq!(jobs.len(), 1, "one at a time");
    let two = e.waiting[0].job.id;
    act(&mut e, Action::Drop(two));
    let first = e.run.as_ref().unwrap().id;
    assert!(matches!(act(&mut e, Action::Cancel)[..], [Command::Cancel(id)] if id == first));
    assert!(act(&mut e, Action::Cancel).is_empty(), "once is enough");
    let three = job(event(&mut e, Event::Finished { id: first, ending: Ending::Cancelled }));
    assert_eq!(three.recipe.prompt, "three");
    let failed = Ending::Failed { why: "no memory".to_owned(), out_of_memory: true };
    event(&mut e, Event::Finished { id: three.id, ending: failed });
    assert!(e.run.is_none());
    assert!(e.notices.last().unwrap().text.contains("no memory. Close other programs"));
}

#[test]
fn news_of_a_job_that_is_gone_are_not_heard() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("x".to_owned()));
    let job = job(act(&mut e, Action::Run));
    let progress = |done| Progress { stage: Stage::Denoise, done, total: 20, seconds: 1.0, variation: (0, 1) };
    event(&mut e, Event::Progress { id: JobId(99), progress: progress(3) });
    assert!(e.run.as_ref().unwrap().progress.is_none());
    event(&mut e, Event::Progress { id: job.id, progress: progress(5) });
    assert!((e.run.as_ref().unwrap().share() - 0.25).abs() < 1e-6);
    event(&mut e, done(job.id));
    event(&mut e, Event::Progress { id: job.id, progress: progress(6) });
    event(&mut e, done(job.id));
    assert!(e.run.is_none());
}

#[test]
fn seeds_change_with_every_run_unless_they_are_locked() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("x".to_owned()));
    let before = e.draft.seed;
    let first = job(act(&mut e, Action::Run));
    assert_eq!(first.recipe.seed, before);
    assert_ne!(e.draft.seed, before);
    act(&mut e, Action::SetSeed(5));
    act(&mut e, Action::Run);
    assert_eq!((e.draft.seed, e.waiting[0].job.recipe.seed), (5, 5));
}

#[test]
fn export_asks_where_and_goes_by_the_ending() {
    let mut e = editor();
    event(&mut e, opened("My Cat.JPG", picture(8, 8, 1)));
    assert!(matches!(&act(&mut e, Action::Export)[..], [Command::MeasureExport(_)]));
    let commands = act(&mut e, Action::ExportPage(Export::Save));
    assert!(matches!(&commands[..], [Command::StopMeasuring, Command::AskSave { name }] if name == "my-cat.png"), "{commands:?}");
    let commands = event(&mut e, Event::ChosenSave(Some(PathBuf::from("/x/out.jpg"))));
    assert!(matches!(&commands[..], [Command::Export { format: pentimento::imaging::Format::Jpeg(_), .. }]), "{commands:?}");
    assert!(event(&mut e, Event::ChosenSave(Some(PathBuf::from("/x/out.xcf")))).is_empty());
    assert!(e.notices.last().unwrap().text.contains("xcf"));
    let commands = event(&mut e, Event::ChosenSave(Some(PathBuf::from("/x/out"))));
    assert!(matches!(&commands[..], [Command::Export { path, .. }] if path.ends_with("out.png")));
}

#[test]
fn where_the_system_has_no_dialogs_the_window_asks() {
    let mut e = editor();
    event(&mut e, Event::NoDialogs(Box::new(Command::AskOpen)));
    assert_eq!(e.ask.as_ref().unwrap().question, Question::Open);
    act(&mut e, Action::SetAnswer(" /p/q.png ".to_owned()));
    let commands = act(&mut e, Action::Answer);
    assert!(matches!(&commands[..], [Command::SaveSettings(_), Command::Open(path)] if path.to_str() == Some("/p/q.png")), "{commands:?}");
    assert_eq!(e.settings.recent, [PathBuf::from("/p/q.png")]);
    assert!(e.ask.is_none() && e.is_opening());
    event(&mut e, Event::Opened { name: "q.png".to_owned(), at: 7, result: Err("the file is empty".to_owned()) });
    assert!(!e.is_opening());
    assert!(e.notices.last().unwrap().text.contains("q.png cannot be opened: the file is empty."));
}

/// A result with a painting of so many steps, whose latents go down to 0 by one a step.
fn painted(job: &Job, steps: u8) -> Event {
    let latents = |v: u8| Latents { channels: 1, height: 1, width: 1, values: vec![f32::from(v)] };
    let Event::Made { id, mut made, local, pyramid, thumbnail, at } = made(job, 0) else { unreachable!() };
    made.path = (0..steps).rev().map(latents).collect();
    Event::Made { id, made, local, pyramid, thumbnail, at }
}

fn preview(id: JobId) -> Event {
    let latents = Latents { channels: 1, height: 1, width: 1, values: vec![0.0] };
    let map = PreviewMap { channels: 1, weights: vec![0.0; 2 * 3 * 16] };
    Event::Preview { id, preview: Arc::new(Preview { step: 1, steps: 8, latents, map: Arc::new(map) }) }
}

#[test]
fn a_quality_sets_steps_and_shortcuts_and_can_be_taken_back() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("blue".to_owned()));
    let best = (e.draft.steps, e.draft.shortcuts);
    assert!(best.1.are_none(), "nothing is spared unless it is asked for");
    for quality in [Quality::Draft, Quality::Balanced] {
        act(&mut e, Action::SetQuality(quality));
        let job = job(act(&mut e, Action::Run));
        assert_eq!((job.recipe.steps, job.recipe.shortcuts), (quality.steps(best.0), quality.shortcuts()));
        assert!(job.recipe.steps * 3 <= best.0, "{quality:?}");
        event(&mut e, done(job.id));
    }
    act(&mut e, Action::SetQuality(Quality::Best));
    assert_eq!((e.draft.steps, e.draft.shortcuts), best);
    act(&mut e, Action::Undo);
    assert_ne!((e.draft.steps, e.draft.shortcuts), best);
    // It stays where the steps of the best are other ones.
    act(&mut e, Action::Set(Setting::Steps(Some(40))));
    assert_eq!((e.draft.steps, e.draft.shortcuts), (Quality::Balanced.steps(40), Quality::Balanced.shortcuts()));
    act(&mut e, Action::SetModel(ModelId::Folder("somewhere".into())));
    act(&mut e, Action::Set(Setting::Steps(None)));
    assert_eq!(e.draft.steps, Quality::Balanced.steps(30));
    // A file of settings may say what it likes.
    let (e, _) = Editor::new(Settings { steps: Some(5000), ..Settings::default() }, 7);
    assert_eq!(e.draft.steps, MOST_STEPS);
}

#[test]
fn steps_can_be_looked_at_and_gone_on_from() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(10, 10, 1)));
    let root = current(&e);
    act(&mut e, Action::SetPrompt("blue".to_owned()));
    act(&mut e, Action::SetSteps(8));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, preview(first.id));
    event(&mut e, painted(&first, 8));
    event(&mut e, done(first.id));
    assert_eq!(e.steps_to_scrub(), 7);
    act(&mut e, Action::Scrub(Some(4)));
    // x goes from 4 to 3 while sigma goes from 4/8 to 3/8: all of it would be gone at sigma 0.
    let (step, shown) = e.scrubbed.clone().unwrap();
    assert_eq!((step, shown.latents.values[0]), (4, 0.0));
    act(&mut e, Action::SetGuidance(5.0));
    let branch = job(act(&mut e, Action::Again(Again::FromStep)));
    assert_eq!((branch.path.len(), branch.path[3].values[0], branch.recipe.guidance), (4, 4.0, 5.0));
    assert_eq!((0..6).map(|step| branch.recipe.guidance_at(step)).collect::<Vec<_>>(), [2.0, 2.0, 2.0, 2.0, 5.0, 5.0]);
    assert_eq!((branch.tokens.as_deref(), branch.recipe.seed), (Some(&[1, 2][..]), first.recipe.seed));
    event(&mut e, painted(&branch, 8));
    event(&mut e, done(branch.id));
    assert_eq!(e.document.current().unwrap().parent, Some(root), "beside the first, not under it");
    act(&mut e, Action::Scrub(Some(2)));
    act(&mut e, Action::Undo);
    assert!(e.scrubbed.is_none() && e.steps_to_scrub() == 0);
}

#[test]
fn any_two_pictures_are_compared_in_one_place() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(300, 200, 1)));
    let a = current(&e);
    act(&mut e, Action::ToggleCompare);
    assert!(e.compare.is_none(), "it was made from nothing");
    act(&mut e, Action::SetPrompt("x".to_owned()));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    act(&mut e, Action::ToggleCompare);
    act(&mut e, Action::Split(1.7));
    assert_eq!((e.compared().unwrap().id, e.compare.unwrap().split), (a, 1.0));
    assert_eq!(e.place_of(e.compared().unwrap()), [0.0, 0.0, 300.0, 200.0]);
    event(&mut e, opened("b.png", picture(20, 20, 2)));
    assert!(e.compare.is_none());
    act(&mut e, Action::CompareWith(a));
    // A square shows the middle of what is wider.
    assert_eq!(e.place_of(e.compared().unwrap()), [-5.0, 0.0, 30.0, 20.0]);
    act(&mut e, Action::ToggleCompare);
    act(&mut e, Action::CompareWith(a));
    assert_eq!(e.compared().unwrap().id, a);
    act(&mut e, Action::ToggleCompare);
    assert!(e.compare.is_none());
}

#[test]
fn all_that_is_made_is_kept_and_found_again() {
    let mut e = editor();
    let mut kept = Vec::new();
    let mut step = |e: &mut Editor, message: Message| {
        let commands = e.update(message);
        kept.extend(commands.iter().filter_map(|c| if let Command::Record { revision, .. } = c { Some(revision.clone()) } else { None }));
        commands
    };
    let commands = step(&mut e, Message::Event(opened("a.png", picture(30, 20, 1))));
    assert!(matches!(&commands[..], [Command::Record { .. }, Command::SetCurrent { id: RevisionId(0), redo: None }]), "{commands:?}");
    act(&mut e, Action::SetPrompt("blue".to_owned()));
    let commands = step(&mut e, Message::Action(Action::Run));
    assert!(commands.iter().any(|c| matches!(c, Command::SaveState(state) if state.prompt == "blue")));
    let first = job(commands);
    step(&mut e, Message::Event(painted(&first, 8)));
    step(&mut e, Message::Event(done(first.id)));
    let commands = step(&mut e, Message::Action(Action::Undo));
    assert!(matches!(&commands[..], [Command::SetCurrent { id: RevisionId(0), redo: Some(RevisionId(1)) }]), "{commands:?}");
    assert_eq!(kept.iter().map(|r| (r.made_at, r.steps.is_some())).collect::<Vec<_>>(), [(7, false), (8, true)]);

    // Another start: the project as it was.
    act(&mut e, Action::Zoom(3.0, [5.0, 5.0]));
    let thumbnails = e.screens.iter().map(|(id, s)| (*id, s.thumbnail.clone())).collect();
    let project = Kept { name: "current".to_owned(), looks_only: false, document: e.document.clone(), thumbnails, state: e.state() };
    let mut again = editor();
    let commands = again.update(Message::Event(Event::Project(Ok(Box::new(project.clone())))));
    assert!(commands.iter().any(|c| matches!(c, Command::Prepare { revision: RevisionId(0), .. })), "{commands:?}");
    assert_eq!((again.document.clone(), again.draft.prompt.as_str()), (e.document.clone(), "blue"));
    assert_eq!(again.view.scale(), e.view.scale());
    assert!(again.notices.is_empty());
    event(&mut again, Event::Project(Ok(Box::new(Kept { looks_only: true, ..project }))));
    assert!(again.notices[0].text.contains("not kept"));
    event(&mut again, Event::Project(Err("it is damaged".to_owned())));
    assert!(again.notices[1].text.contains("it is damaged") && again.document.revisions().len() == 2);
}

#[test]
fn two_dice() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    let finish = job(act(&mut e, Action::Again(Again::Finish)));
    assert_eq!((finish.tokens.as_deref(), finish.recipe.seed), (Some(&[1, 2][..]), first.recipe.seed));
    assert_ne!(finish.recipe.noise_seed(), first.recipe.noise_seed());
    event(&mut e, done(finish.id));
    let composition = job(act(&mut e, Action::Again(Again::Composition)));
    assert!(composition.tokens.is_none() && composition.recipe.seed != first.recipe.seed);
    assert_eq!(composition.recipe.noise_seed(), first.recipe.noise_seed());
}

#[test]
fn candidates_are_chosen_from_and_all_stay() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    act(&mut e, Action::SetVariations(3));
    let job = job(act(&mut e, Action::Run));
    for n in 0..3 {
        event(&mut e, made(&job, n));
    }
    event(&mut e, done(job.id));
    assert_eq!(e.candidates().len(), 3);
    act(&mut e, Action::Candidate(-1));
    assert_eq!(current(&e), RevisionId(2));
    act(&mut e, Action::Accept);
    assert!(e.candidates().is_empty() && e.document.revisions().len() == 3);
}

#[test]
fn escape_asks_before_a_painting_is_lost() {
    let mut e = editor();
    act(&mut e, Action::SetPrompt("a fox".to_owned()));
    let job = job(act(&mut e, Action::Run));
    event(&mut e, preview(job.id));
    assert!(act(&mut e, Action::Cancel).is_empty());
    assert!(e.run.as_ref().unwrap().asked);
    act(&mut e, Action::GoOn);
    assert!(act(&mut e, Action::Cancel).is_empty());
    assert!(matches!(act(&mut e, Action::StopAndKeep)[..], [Command::FinishEarly(id)] if id == job.id));
    event(&mut e, made(&job, 0));
    event(&mut e, done(job.id));
    assert_eq!(e.document.revisions().len(), 1);
}

#[test]
fn the_queue_can_be_put_in_another_order() {
    let mut e = editor();
    for prompt in ["one", "two", "three"] {
        act(&mut e, Action::SetPrompt(prompt.to_owned()));
        act(&mut e, Action::Run);
    }
    let three = e.waiting[1].job.id;
    act(&mut e, Action::Sooner(three));
    assert_eq!(e.waiting[0].job.recipe.prompt, "three");
}

#[test]
fn a_recipe_can_be_taken_again() {
    let mut e = editor();
    event(&mut e, opened("a.png", picture(10, 10, 1)));
    let root = current(&e);
    act(&mut e, Action::SetPrompt("make it blue".to_owned()));
    act(&mut e, Action::SetSteps(9));
    let first = job(act(&mut e, Action::Run));
    event(&mut e, made(&first, 0));
    event(&mut e, done(first.id));
    act(&mut e, Action::SetPrompt("other".to_owned()));
    act(&mut e, Action::SetSteps(50));
    act(&mut e, Action::TakeRecipe);
    assert_eq!((current(&e), e.draft.prompt.as_str(), e.draft.steps), (root, "make it blue", 9));
    let again = job(act(&mut e, Action::Run));
    assert_eq!(again.recipe, first.recipe);
    assert_eq!(again.reference, first.reference);
}

#[test]
fn earlier_prompts_come_back() {
    let mut e = editor();
    for prompt in ["one", "two", "three"] {
        act(&mut e, Action::SetPrompt(prompt.to_owned()));
        act(&mut e, Action::Run);
    }
    let mut recall = |action: Action| {
        act(&mut e, action);
        e.draft.prompt.clone()
    };
    assert_eq!(recall(Action::RecallOlder), "two");
    assert_eq!(recall(Action::RecallOlder), "one");
    assert_eq!(recall(Action::RecallOlder), "one");
    assert_eq!(recall(Action::RecallNewer), "two");
}

#[test]
fn pyramids_of_pictures_long_unseen_are_let_go_and_made_again() {
    let mut e = editor();
    let big = picture(8000, 4500, 1); // 36 million pixels
    for name in ["a.png", "b.png", "c.png"] {
        event(&mut e, opened(name, big.clone()));
    }
    assert!(e.screens[&RevisionId(0)].pyramid.is_none(), "two are kept besides the one that is shown");
    assert!(e.screens[&RevisionId(1)].pyramid.is_some());
    let commands = act(&mut e, Action::Go(RevisionId(0)));
    let [Command::Prepare { revision, picture }] = &commands[..] else { panic!("{commands:?}") };
    let pyramid = screen(picture).0;
    event(&mut e, Event::Prepared { revision: *revision, pyramid });
    assert!(e.screens[&RevisionId(0)].pyramid.is_some());
}

#[test]
fn pixels_of_pictures_long_unseen_are_let_go_once_they_are_kept_and_read_again() {
    let mut e = editor();
    let big = picture(8000, 4500, 1); // 36 million pixels
    for name in ["a.png", "b.png", "c.png"] {
        event(&mut e, opened(name, big.clone()));
    }
    let here = |e: &Editor, id: u32| e.document.revision(RevisionId(id)).unwrap().picture.here().is_some();
    assert!(here(&e, 0), "it is nowhere else yet");
    for id in 0..3 {
        event(&mut e, Event::KeptRevision(RevisionId(id)));
    }
    assert!(!here(&e, 0) && here(&e, 1) && here(&e, 2));
    let commands = act(&mut e, Action::Go(RevisionId(0)));
    assert!(matches!(commands[..], [Command::Fetch(RevisionId(0))]), "{commands:?}");
    assert!(e.is_reading() && act(&mut e, Action::Fit).is_empty(), "once is enough");
    act(&mut e, Action::SetPrompt("x".to_owned()));
    assert!(act(&mut e, Action::Run).is_empty() && e.notices[0].text.contains("still being read"));
    let commands = event(&mut e, Event::Fetched { id: RevisionId(0), result: Ok(big) });
    assert!(matches!(commands[..], [Command::Prepare { revision: RevisionId(0), .. }]), "{commands:?}");
    assert!(act(&mut e, Action::Run).iter().any(|c| matches!(c, Command::Submit(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn nothing_that_comes_in_any_order_breaks_the_editor(steps in prop::collection::vec((0u8..16, 0u64..6), 0..60)) {
        let mut e = editor();
        let mut submitted: Vec<Job> = Vec::new();
        let mut finished = std::collections::BTreeSet::new();
        for (what, n) in steps {
            let count = e.document.revisions().len();
            let message = match what {
                0 => Message::Action(Action::SetPrompt(format!("p{n}"))),
                1..=3 => Message::Action(Action::Run),
                4 => Message::Action(Action::Cancel),
                5 => Message::Action(Action::Undo),
                6 => Message::Action(Action::Redo),
                7 => Message::Action(Action::Go(RevisionId(n as u32))),
                8 => Message::Action(Action::Zoom(0.1 + n as f64, [n as f64 * 100.0, 7.0])),
                9 => Message::Event(opened("x.png", picture(1 + n as u32, 3, n as u8))),
                10 => Message::Action(Action::SetMode(if n % 2 == 0 { Mode::Edit } else { Mode::Generate })),
                11 => Message::Action(Action::ShowBefore(n % 2 == 0)),
                12 => Message::Action(Action::TakeRecipe),
                _ => match submitted.iter().find(|j| !finished.contains(&j.id)) {
                    Some(job) if what < 15 => Message::Event(made(job, n)),
                    Some(job) => { finished.insert(job.id); Message::Event(done(job.id)) }
                    None => Message::Event(done(JobId(1000 + n))),
                },
            };
            for command in e.update(message) {
                if let Command::Submit(job) = command {
                    prop_assert!(submitted.iter().all(|j| j.id != job.id && finished.contains(&j.id)), "one job at a time");
                    submitted.push(*job);
                }
            }
            prop_assert!(e.document.revisions().len() >= count);
            prop_assert!(e.document.revisions().iter().all(|r| e.screens.contains_key(&r.id)));
            prop_assert!(e.run.is_some() || e.waiting.is_empty(), "a queue without a run stands still");
            prop_assert!(e.view.scale().is_finite() && e.view.origin().iter().all(|v| v.is_finite()));
            prop_assert!(e.notices.len() <= 5);
        }
    }
}
