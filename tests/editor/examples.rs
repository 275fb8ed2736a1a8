//! The gallery of the first run, and what is suggested.

use super::{act, editor, event, job, opened, picture};
use pentimento::editor::{Action, EXAMPLES, Mode, WELCOME_NAME};
use pentimento::imaging;
use pentimento::jobs::Event;
use pentimento::pipeline::{DeviceChoice, Engine, Outcome, Request, Settings};
use pentimento::recipe::ModelId;
use std::path::Path;

/// With `UPDATE_EXAMPLES=1` the pictures are written anew, as they have to be where the embedded model is another.
#[test]
fn examples_are_what_the_model_makes_at_a_click() {
    let update = std::env::var_os("UPDATE_EXAMPLES").is_some();
    let mut engine = Engine::open(&ModelId::Nano, &Settings { device: DeviceChoice::Cpu, ..Settings::default() }).unwrap();
    for (at, example) in EXAMPLES.iter().enumerate() {
        let asked = job(act(&mut editor(), Action::RunExample(at)));
        assert_eq!((asked.recipe.prompt.as_str(), asked.recipe.seed), (example.prompt, example.seed));
        let request = Request::new(asked.recipe);
        let Outcome::Done { made, .. } = engine.run(&request, &mut ()).unwrap() else { panic!("nobody stopped it") };
        let (now, shown) = (&made[0].picture, imaging::decode(example.png).unwrap());
        if update {
            let name = example.prompt.split(' ').nth(1).unwrap();
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/examples/{name}.png"));
            imaging::save(now, &path, imaging::Format::Png).unwrap();
            continue;
        }
        // Sums end differently on other processors.
        let apart = now.to_rgb8().iter().zip(&*shown.to_rgb8()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(apart <= 3, "{}: {apart} levels apart", example.prompt);
    }
}

#[test]
fn the_gallery_and_the_suggestions_are_for_those_who_begin() {
    let mut e = editor();
    assert!(e.greets() && e.mode() == Mode::Generate);
    let prompts = e.suggestions();
    assert!(!prompts.is_empty());
    event(&mut e, opened(WELCOME_NAME, picture(64, 64, 90)));
    assert!(e.greets() && e.suggestions() != prompts && e.suggestions().iter().any(|p| p.contains("fox")));
    // What is typed is not to be interrupted; a click on a picture says what it is of, and keeps the seed free.
    act(&mut e, Action::SetPrompt("make".to_owned()));
    assert!(e.suggestions().is_empty());
    let asked = job(act(&mut e, Action::RunExample(1)));
    assert!(asked.reference.is_none() && asked.recipe.seed == EXAMPLES[1].seed && !e.draft.seed_locked && !e.greets());
    // A person's own picture has the canvas to itself, and nothing is said of its content.
    let mut e = editor();
    event(&mut e, opened("holiday.jpg", picture(64, 64, 90)));
    assert!(!e.greets() && e.suggestions().iter().all(|p| !p.contains("fox")));
    // Nobody knows what other models know.
    act(&mut e, Action::SetModel(ModelId::Folder("somewhere".into())));
    assert!(e.suggestions().is_empty());
    act(&mut e, Action::RunExample(99));
    event(&mut e, Event::Examples(Vec::new()));
}
