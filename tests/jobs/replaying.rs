//! Recipes on photos: one at a time on the lane that runs models, with what is made waiting on the disk.

use super::*;
use pentimento::imaging::{self, Format, Pixels, Tags};
use pentimento::jobs::{Doing, EngineBackend, ReplayJob, ReplayProgress, SaveReplayed};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command as Process;

fn photo(folder: &Path, name: &str, width: u32, height: u32) -> PathBuf {
    let rgb: Vec<u8> = (0..width * height).flat_map(|i| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, 90]).collect();
    let path = folder.join(name);
    imaging::save(&Picture::from_rgb8(width, height, &rgb).unwrap(), &path, Format::of(&path, 95).unwrap()).unwrap();
    path
}

fn painted(prompt: &str, steps: usize) -> Link {
    Link::Model { recipe: Box::new(Recipe { steps, ..Recipe::new(ModelId::Nano, prompt) }), place: None }
}

fn replay(id: u64, room: &Path, photo: Option<&Path>, chain: &Chain) -> Command {
    Command::Replay(Box::new(ReplayJob {
        id: JobId(id),
        photo: photo.map(Path::to_owned),
        chain: Arc::new(chain.clone()),
        model: None,
        folders: Vec::new(),
        device: DeviceChoice::default(),
        room: Some(room.to_owned()),
    }))
}

fn is_replayed(event: &Event, id: u64) -> bool {
    matches!(event, Event::Replayed { id: i, .. } if *i == JobId(id))
}

/// How each photo ended: its folder or nothing, or why not.
fn answers(events: &[Event]) -> Vec<(u64, Result<Option<PathBuf>, String>)> {
    let of = |e: &Event| match e {
        Event::Replayed { id, result } => {
            Some((id.0, result.as_ref().map(|made| made.as_ref().map(|m| m.folder.clone())).map_err(Clone::clone)))
        }
        _ => None,
    };
    events.iter().filter_map(of).collect()
}

fn waiting(room: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(room).unwrap().map(|e| e.unwrap().path());
    let inside = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()));
    inside.filter(|path| path.is_dir()).collect()
}

/// The window and the command line do the same: results are equal to the last byte, and a broken photo costs only itself.
#[test]
fn results_are_those_of_the_command_line_and_go_into_the_history() {
    let (home, room) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = |arguments: &[&str]| {
        let mut command = Process::new(env!("CARGO_BIN_EXE_pentimento"));
        command.env("PENTIMENTO_HOME", home.path()).current_dir(home.path()).args(arguments).output().unwrap()
    };
    photo(home.path(), "first.png", 90, 60);
    let mut mask = imaging::Mask::new(90, 60).unwrap();
    mask.lasso(&[[10.0, 10.0], [60.0, 12.0], [30.0, 50.0]], imaging::Mode::Add);
    fs::write(home.path().join("mask.png"), mask.to_png().unwrap()).unwrap();
    let edit = ["edit", "first.png", "--mask", "mask.png", "--prompt", "make it night", "--steps", "2", "--out", "night.png"];
    assert!(program(&edit).status.success());
    assert!(program(&["adjust", "night.png", "--turn", "left", "--exposure", "0.4", "--out", "recipe.png"]).status.success());
    let names = ["wide.jpg", "broken.jpg", "deep.tif", "same.png"];
    photo(home.path(), "wide.jpg", 300, 100);
    fs::write(home.path().join("broken.jpg"), &fs::read(home.path().join("wide.jpg")).unwrap()[..300]).unwrap();
    let deep: Vec<u16> = (0..40 * 50 * 4).map(|i| if i % 4 == 3 { u16::MAX } else { (i * 31 % 65_536) as u16 }).collect();
    let deep = Picture::new(40, 50, Pixels::Rgba16(deep.into())).unwrap().with_tags(Tags::default());
    imaging::save(&deep, &home.path().join("deep.tif"), Format::Tiff).unwrap();
    photo(home.path(), "same.png", 90, 60);
    let output = program(&["replay", "recipe.png", "wide.jpg", "broken.jpg", "deep.tif", "same.png", "--out", "want"]);
    assert_eq!(output.status.code(), Some(1));

    let mut jobs = Jobs::start(Box::new(EngineBackend::without_cache()), Arc::new(|| {})).unwrap();
    jobs.send(Command::ReadRecipe(home.path().join("recipe.png")));
    let mut bench = Bench { jobs, forgot: Arc::default(), steps: Arc::default(), woken: Arc::default() };
    let read = bench.until(|e| matches!(e, Event::RecipeRead { .. }));
    let chain = read.into_iter().find_map(|e| if let Event::RecipeRead { result, .. } = e { Some(result.unwrap()) } else { None }).unwrap();
    assert_eq!(chain.edits.len(), 3);
    // Photos as a person drops them: files and a folder, of which only pictures are taken.
    let folder = home.path().join("folder");
    fs::create_dir(&folder).unwrap();
    names[2..].iter().for_each(|name| fs::rename(home.path().join(name), folder.join(name)).unwrap());
    fs::write(folder.join("notes.txt"), "x").unwrap();
    bench.jobs.send(Command::FindPhotos(vec![home.path().join("wide.jpg"), home.path().join("broken.jpg"), folder.clone()]));
    let found = bench.until(|e| matches!(e, Event::PhotosFound(_)));
    let photos = found.into_iter().find_map(|e| if let Event::PhotosFound(photos) = e { Some(photos) } else { None }).unwrap();
    let found: Vec<_> = photos.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(found, names);

    let mut all = Vec::new();
    for (id, photo) in (1..).zip(&photos) {
        bench.jobs.send(replay(id, room.path(), Some(photo), &chain));
        all.extend(bench.until(|e| is_replayed(e, id)));
    }
    let answers = answers(&all);
    let (ids, why): (Vec<u64>, Vec<_>) = answers.iter().map(|(id, result)| (*id, result.clone().err().unwrap_or_default())).unzip();
    assert_eq!((&ids[..], why[1].contains("ends before the picture")), (&[1, 2, 3, 4][..], true), "{why:?}");
    assert_eq!(waiting(room.path()).len(), 3, "of the broken one nothing stays");
    let doing: Vec<ReplayProgress> =
        all.iter().filter_map(|e| if let Event::Replaying { progress, .. } = e { Some(*progress) } else { None }).collect();
    assert!(doing.iter().any(|p| p.edit == 0 && p.edits == 3 && matches!(p.doing, Doing::Model(m) if m.total == 2)), "{doing:?}");

    // Saved twice: under its own name, and beside what is there.
    fs::create_dir(home.path().join("got")).unwrap();
    for _ in 0..2 {
        for ((id, photo), (_, result)) in (1..).zip(&photos).zip(&answers) {
            let Ok(Some(folder)) = result else { continue };
            let wish = SaveReplayed {
                id: JobId(id),
                folder: folder.clone(),
                photo: Some(photo.clone()),
                to: home.path().join("got"),
                quality: 92,
                switches: Switches::default(),
            };
            bench.jobs.send(Command::SaveReplayed(Box::new(wish)));
            let saved = bench.until(|e| matches!(e, Event::ReplaySaved { .. }));
            assert!(saved.iter().any(|e| matches!(e, Event::ReplaySaved { result: Ok(_), .. })), "{saved:?}");
        }
    }
    for name in ["wide.jpg", "deep.tif", "same.png"] {
        let (stem, ending) = name.split_once('.').unwrap();
        let want = fs::read(home.path().join("want").join(name)).unwrap();
        for got in [name.to_owned(), format!("{stem}-2.{ending}")] {
            assert!(fs::read(home.path().join("got").join(&got)).unwrap() == want, "{got} is not what the command line writes");
        }
    }

    // Into the history: the photo and each edit, by which the last one is explained again.
    let (_, Ok(Some(folder))) = &answers[3] else { panic!("{answers:?}") };
    bench.jobs.send(Command::OpenReplayed { id: JobId(4), folder: folder.clone() });
    let opened = bench.until(|e| matches!(e, Event::ReplayOpened { .. }));
    let way =
        opened.into_iter().find_map(|e| if let Event::ReplayOpened { result, .. } = e { Some(result.unwrap()) } else { None }).unwrap();
    let last = way.document.revisions().last().unwrap().id;
    assert_eq!((way.document.revisions().len(), way.screens.len()), (4, 4));
    assert_eq!(&way.document.chain(last).unwrap(), &*chain);
    let [made, ..] = &way.document.revisions()[1..] else { unreachable!() };
    assert!(made.local.is_some() && made.steps.as_ref().is_some_and(|s| s.values().len() == 2));

    bench.jobs.send(Command::DropReplayed(vec![folder.clone()]));
    bench.jobs.send(Command::FindPhotos(Vec::new()));
    bench.until(|e| matches!(e, Event::PhotosFound(_)));
    assert_eq!(waiting(room.path()).len(), 2);
    // With the window all of it is gone.
    drop(bench);
    let start = Instant::now();
    while fs::read_dir(room.path()).unwrap().count() > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "results stay on the disk");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_cancel_is_heard_within_a_step_and_a_panic_is_an_answer() {
    let room = tempfile::tempdir().unwrap();
    let mut bench = bench();
    let words = |prompt: &str, steps| Chain::new(Begins::Words, vec![painted(prompt, steps)]);
    bench.jobs.send(replay(1, room.path(), None, &words("ok", 100_000)));
    bench.jobs.send(replay(2, room.path(), None, &words("ok", 100_000)));
    bench.until(|e| matches!(e, Event::Replaying { progress, .. } if matches!(progress.doing, Doing::Model(p) if p.done > 1)));
    bench.jobs.send(Command::Cancel(JobId(2)));
    bench.jobs.send(Command::Cancel(JobId(1)));
    let all = bench.until(|e| is_replayed(e, 2));
    assert_eq!(answers(&all), [(1, Ok(None)), (2, Ok(None))]);
    let begun = bench.steps.load(Ordering::Relaxed);
    assert!(begun < 100_000 && !all.iter().any(|e| matches!(e, Event::Replaying { id: JobId(2), .. })), "{begun}");

    bench.jobs.send(replay(3, room.path(), None, &words("panic", 5)));
    bench.jobs.send(replay(4, room.path(), None, &words("fail", 5)));
    bench.jobs.send(replay(5, room.path(), None, &words("ok", 2)));
    let all = bench.until(|e| is_replayed(e, 5));
    let answers = answers(&all);
    assert!(matches!(&answers[0], (3, Err(why)) if why.contains("a wire is loose")), "{answers:?}");
    assert!(matches!(&answers[1], (4, Err(why)) if why.starts_with("out of paint; close")), "{answers:?}");
    assert!(matches!(&answers[2], (5, Ok(Some(folder))) if folder.is_dir()), "{answers:?}");
    assert_eq!((bench.forgot.load(Ordering::Relaxed), waiting(room.path()).len()), (1, 1));
}

#[test]
fn what_is_no_recipe_gets_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = bench();
    let mut ask = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        bench.jobs.send(Command::ReadRecipe(path));
        let told = bench.until(|e| matches!(e, Event::RecipeRead { .. }));
        told.into_iter().find_map(|e| if let Event::RecipeRead { result, .. } = e { Some(result) } else { None }).unwrap()
    };
    let many =
        format!(r#"{{"pentimento":1,"begins":"picture","edits":[{}]}}"#, vec![r#"{"edit":"tool","tool":"mirror"}"#; 100_000].join(","));
    let unknown = format!(r#"{{"pentimento":1,"begins":"picture","edits":[{{"edit":"{}"}}]}}"#, "x".repeat(1 << 20));
    for (name, bytes, words) in [
        ("long.json", [b"{".as_slice(), &vec![b' '; 65 << 20]].concat(), "longer than 64 MiB"),
        ("many.json", many.into_bytes(), "more than 1000 edits"),
        ("unknown.json", unknown.into_bytes(), "this is not a recipe"),
        ("deep.json", b"{\"pentimento\":".repeat(100_000), "this is not a recipe"),
        ("empty.json", Vec::new(), "holds no recipe"),
        ("text.json", b"hello".to_vec(), "holds no recipe"),
        ("newer.json", br#"{"pentimento":99}"#.to_vec(), "newer program"),
        ("bytes.json", b"{\xff\xfe\0".to_vec(), "this is not a recipe"),
    ] {
        let why = ask(name, &bytes).unwrap_err();
        assert!(why.contains(words) && why.len() < 600 && !why.contains('\n'), "{name}: {why}");
    }
    // One that was saved is read again.
    let chain = Chain::new(Begins::Picture, vec![Link::Tool(Tool::Mirror), painted("a fox", 3)]);
    bench.jobs.send(Command::SaveRecipe { path: folder.path().join("own.json"), chain: Box::new(chain.clone()) });
    bench.until(|e| matches!(e, Event::RecipeSaved { result: Ok(()), .. }));
    bench.jobs.send(Command::ReadRecipe(folder.path().join("own.json")));
    let told = bench.until(|e| matches!(e, Event::RecipeRead { .. }));
    assert!(told.iter().any(|e| matches!(e, Event::RecipeRead { name, result: Ok(read) } if name == "own.json" && **read == chain)));
}
