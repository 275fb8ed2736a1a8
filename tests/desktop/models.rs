//! The page of models, used by keys and pointer against a server on loopback: get a model with its licences, pause, be killed
//! in the middle, go on after the restart, check, use, make smaller, use that, and remove both.
//!
//! `PENTIMENTO_TOUR=folder cargo test --test desktop models` keeps a picture of each stop.

use crate::controls::{self, Button, buttons, press_at};
use crate::program::Program;
use crate::scene::{MODEL, NAME, SIDE, TOKEN, real_model};
use crate::screen::{Screen, WIDTH};
use crate::server::Server;
use crate::tour::{rest, shot, stop};
use pentimento::document::{Origin, RevisionId};
use pentimento::project::Project;
use pentimento::recipe::ModelId;
use pentimento::ui::theme;
use serde_json::json;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The page's part of the screen, a little less than all of it.
const PAGE: [Range<usize>; 2] = [312..968, 60..690];

struct Scene {
    screen: Screen,
    home: tempfile::TempDir,
    server: Server,
}

impl Scene {
    fn start(&self) -> Program {
        let mut command = self.screen.command(env!("CARGO_BIN_EXE_pentimento"));
        for name in ["HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN_PATH"] {
            command.env_remove(name);
        }
        for name in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        command.env("PENTIMENTO_HOME", self.home.path()).env("HF_ENDPOINT", &self.server.endpoint).env("HF_TOKEN", TOKEN);
        let program = Program::spawn(&mut command);
        self.screen.until_title(60, |t| t.ends_with("Pentimento") && t.len() > "Pentimento".len());
        self.screen.focus();
        rest(&self.screen);
        program
    }

    /// Opens the page by the button beside the model's name.
    #[track_caller]
    fn open(&self) {
        let column = [WIDTH as usize - theme::INSPECTOR_WIDTH as usize..WIDTH as usize, theme::TOP_HEIGHT as usize..110];
        let found = buttons(&self.screen, column);
        let button = *found.first().expect("a button for the page");
        // The page's own button to close it stands at the top.
        self.press(button, "the page does not open", || buttons(&self.screen, PAGE).first().is_some_and(|b| b.x > 880.0 && b.y < 170.0));
        rest(&self.screen);
    }

    /// Presses a button until something comes of it.
    #[track_caller]
    fn press(&self, button: Button, what: &str, there: impl Fn() -> bool) {
        press_at(&self.screen, (button.x, button.y), what, there);
    }

    /// The buttons of a page that is all there.
    fn buttons(&self) -> Vec<Button> {
        rest(&self.screen);
        buttons(&self.screen, PAGE)
    }

    fn leads_on(&self) -> bool {
        buttons(&self.screen, PAGE).iter().any(|b| b.is_accent)
    }

    /// Waits for buttons.
    #[track_caller]
    fn until(&self, what: &str, there: impl Fn(&[Button]) -> bool) -> Vec<Button> {
        let start = Instant::now();
        loop {
            let all = buttons(&self.screen, PAGE);
            if there(&all) {
                return all;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "{what}: {all:?}; {}", self.screen.keep());
            sleep(Duration::from_millis(100));
        }
    }

    /// The button that leads on, once there is one.
    #[track_caller]
    fn accent(&self, what: &str) -> Button {
        self.until(what, |all| all.iter().any(|b| b.is_accent));
        rest(&self.screen);
        let all = self.until(what, |all| all.iter().any(|b| b.is_accent));
        *all.iter().find(|b| b.is_accent).unwrap()
    }

    /// The buttons of the row that begins with the `n`th from the top, without the title's.
    #[track_caller]
    fn row(&self, n: usize) -> Vec<Button> {
        let all = buttons(&self.screen, PAGE);
        let mut rows: Vec<Vec<Button>> = Vec::new();
        for button in all.into_iter().skip(1) {
            match rows.last_mut() {
                Some(row) if (row[0].y - button.y).abs() < 8.0 => row.push(button),
                _ => rows.push(vec![button]),
            }
        }
        assert!(rows.len() > n, "there are only {} rows; {}", rows.len(), self.screen.keep());
        rows.swap_remove(n)
    }

    fn models(&self) -> PathBuf {
        self.home.path().join("models")
    }

    fn settings(&self) -> serde_json::Value {
        let text = std::fs::read(self.home.path().join("config/settings.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

#[track_caller]
fn wait(scene: &Scene, what: &str, there: impl Fn() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < Duration::from_secs(90), "{what}; {}", scene.screen.keep());
        sleep(Duration::from_millis(50));
    }
}

/// Makes a picture with the model in use; what the project says about it is looked at in the end.
#[track_caller]
fn generate(scene: &Scene, program: &mut Program, prompt: &str) {
    let kept = program.kept().len();
    rest(&scene.screen);
    controls::run(&scene.screen, prompt, 1);
    program.until_kept(120, kept + 1);
    scene.screen.until_title(30, |t| t.starts_with(prompt));
    rest(&scene.screen);
    scene.screen.key("Escape"); // out of the prompt
    rest(&scene.screen);
}

fn modified(folder: &Path) -> Vec<(PathBuf, std::time::SystemTime, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let facts = |path: PathBuf| path.metadata().map(|m| (path.clone(), m.modified().unwrap(), m.len())).unwrap();
    let mut all: Vec<_> = entries.map(facts).collect();
    all.sort();
    all
}

#[test]
fn models() {
    let _one = crate::ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let scene = Scene { screen: Screen::start(), home: tempfile::tempdir().unwrap(), server: Server::start() };
    let (screen, server) = (&scene.screen, &scene.server);
    let (model, mut side) = real_model();
    side = side.with("LICENSE.txt", "NVIDIA's own terms, for this test.\n\nBe kind to pictures. ".repeat(30));
    side.card = json!({"license": "other", "license_name": "nvidia-open"});
    let bytes: usize = model.files.iter().chain(&side.files).map(|(_, content, _)| content.len()).sum();
    server.has(MODEL, model);
    server.has(SIDE, side);

    // Nothing is asked before a click; then size and licences are read.
    let mut program = scene.start();
    scene.open();
    stop(screen, "m1-page");
    assert_eq!(server.asked().len(), 0, "somebody was asked before a click");
    scene.press(scene.row(1)[0], "nobody asks the repository", || server.asked().len() > 2);
    // Two buttons, of which the one that fetches waits for the licences.
    scene.until("no offer", |all| all.len() == 1 && all[0].y > 560.0);
    stop(screen, "m2-offer");
    let back = scene.buttons()[0];
    press_at(screen, (330.0, back.y - 37.0), "the licences cannot be accepted", || scene.leads_on());
    stop(screen, "m3-accepted");
    server.set_speed(1_500_000);
    let fetch = scene.accent("the licences are not accepted");
    scene.press(fetch, "nothing is fetched", || server.sent() > 100_000);

    // Paused, gone on with, and killed in the middle.
    wait(&scene, "it does not go on", || server.sent() > 2_000_000);
    scene.until("there is no way to pause", |all| all.len() > 3);
    shot(screen, "m4-fetching");
    scene.press(scene.row(0)[0], "it does not pause", || scene.leads_on());
    stop(screen, "m5-paused");
    let sent = server.sent();
    sleep(Duration::from_secs(1));
    assert_eq!(server.sent(), sent, "it goes on although it is paused");
    scene.press(scene.accent("what is paused is not offered"), "it does not go on", || server.sent() > sent);
    wait(&scene, "it does not go on", || server.sent() > sent + 2_000_000);
    program.kill();
    assert!(scene.models().join(format!("{NAME}.unfinished.json")).exists() && !scene.models().join(NAME).exists());

    // After the restart nothing begins by itself; gone on with, it is whole, and little was sent twice.
    let mut program = scene.start();
    scene.open();
    let go_on = scene.accent("what was begun is not offered");
    stop(screen, "m6-restart");
    let (asked, before) = (server.asked().len(), server.sent());
    sleep(Duration::from_secs(1));
    assert_eq!(server.asked().len(), asked, "it began by itself");
    server.set_speed(0);
    let folder = scene.models().join(NAME);
    scene.press(go_on, "it does not arrive", || folder.join("model.safetensors").exists());
    program.until_said(60, "is here. Choose it", 1);
    let sent = (server.sent() - before) as usize;
    assert!(sent < bytes - 3_000_000, "{sent} of {bytes} bytes were sent after the kill");

    // Checked: a green sentence.
    scene.accent("it cannot be used");
    let row = scene.row(0);
    assert_eq!(row.len(), 4, "use, make smaller, check, remove: {row:?}");
    // Letters are thin, and hardly a pixel of them has their full colour.
    let is_green = |[r, g, b]: &[u8; 3]| *g > r.saturating_add(30) && *g > b.saturating_add(15);
    let green = || screen.shot().part(312, 130, 656, 560).as_chunks::<3>().0.iter().filter(|p| is_green(p)).count();
    scene.press(row[2], "it is not found whole", || green() > 50);
    stop(screen, "m7-checked");

    // Used.
    let uses = |folder: &Path| scene.settings()["model"]["folder"] == json!(folder);
    scene.press(scene.row(0)[0], "it is not used", || uses(&folder));
    stop(screen, "m8-used");
    controls::choose_new_picture(screen);
    generate(&scene, &mut program, "a red car on the beach");
    stop(screen, "m9-made");

    // Made smaller: the original is only read.
    scene.open();
    let before = modified(&folder);
    let row = scene.row(1); // the first is that of the model inside the program now
    assert_eq!(row.len(), 3, "make smaller, check, remove: {row:?}");
    scene.press(row[0], "nobody says how small it can be", || scene.leads_on());
    stop(screen, "m10-smaller");
    let small = scene.models().join(format!("{NAME}-8bit"));
    let make = scene.accent("it cannot be made");
    scene.press(make, "it is not made", || small.join("pentimento.json").exists());
    program.until_said(60, "8 bit is ready", 1);
    assert_eq!(modified(&folder), before, "the original was touched");
    let using = scene.accent("the result is not offered");
    stop(screen, "m11-made-smaller");
    scene.press(using, "it is not used", || uses(&small));
    generate(&scene, &mut program, "a castle at night");

    // Both are removed, the files in the cache too, and the model inside the program is used again.
    let asks = || buttons(screen, PAGE).len() == 2;
    scene.open();
    scene.press(scene.row(1)[3], "nobody asks first", asks);
    stop(screen, "m12-remove");
    scene.press(scene.buttons()[1], "it is not removed", || !folder.exists());
    program.until_said(60, "is removed", 1);
    assert!(small.exists());
    let cache = scene.home.path().join("huggingface/hub");
    assert!(!cache.join("models--BLIP3o--BLIP3o-NEXT-SFT-3B").exists(), "its files are still in the cache");
    rest(screen);
    scene.press(scene.row(1)[0], "nobody asks first", asks);
    stop(screen, "m13-remove-made");
    scene.press(scene.buttons()[1], "it is not removed", || !small.exists());
    program.until_said(60, "is removed", 2);
    wait(&scene, "nano is not used again", || scene.settings()["model"] == json!("nano"));
    stop(screen, "m14-gone");
    screen.key("Escape");
    rest(screen);
    assert!(program.quit(screen).0.success());

    // What was made remembers by which model.
    let project = Project::open(&scene.home.path().join("projects/current.pentimento")).unwrap();
    let document = project.document(1 << 32).unwrap();
    let made_by = |id: u32| match &document.revision(RevisionId(id)).unwrap().origin {
        Origin::Made { recipe, .. } => recipe.model.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((made_by(1), made_by(2)), (ModelId::Folder(folder), ModelId::Folder(small)));
}
