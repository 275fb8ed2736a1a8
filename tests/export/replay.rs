//! Recipes, done again.

use crate::{done, program};
use pentimento::document::{Begins, Chain, Document, Link, LocalEdit, Origin, Placing};
use pentimento::imaging::{self, Blend, ContextBox, Format, Mask, Picture, Tags};
use pentimento::pipeline::{Engine, Made, Observer, Outcome, Progress, Request, Settings, Stage};
use pentimento::recipe::{ModelId, Recipe, Stretch};
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A picture with a place for every colour.
fn photo(folder: &Path, name: &str, width: u32, height: u32, orientation: u8) {
    let rgb: Vec<u8> =
        (0..width * height).flat_map(|i| [(i % width * 255 / width) as u8, (i / width * 255 / height) as u8, (i % 97) as u8]).collect();
    let picture = Picture::from_rgb8(width, height, &rgb).unwrap();
    // An orientation in the manner of a camera, which our own writer would set to 1.
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut bytes =
        imaging::encode(&picture.with_tags(Tags { exif: Some(exif.into()), ..Tags::default() }), Format::of(Path::new(name), 95).unwrap())
            .unwrap();
    let tag = b"\x12\x01\x03\0\x01\0\0\0".as_slice();
    // In TIFF the last one counts: the first stands in a directory that is none any more.
    if let Some(at) = (0..bytes.len()).rfind(|at| bytes[*at..].starts_with(tag)) {
        bytes[at + 8] = orientation;
    }
    // PNG has a sum over each part.
    if let Some(at) = bytes.windows(4).position(|w| w == b"eXIf") {
        let length = u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap()) as usize;
        let mut sum = flate2::Crc::new();
        sum.update(&bytes[at..at + 4 + length]);
        bytes[at + 4 + length..at + 8 + length].copy_from_slice(&sum.sum().to_be_bytes());
    }
    fs::write(folder.join(name), bytes).unwrap();
}

#[test]
fn a_picture_is_made_again_to_the_last_byte() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str| fs::read(home.path().join(name)).unwrap();
    for name in ["fox.png", "fox.jpg", "fox.webp", "fox.tif"] {
        done(
            home.path(),
            &["generate", "--prompt", "a \"red\" fox & snow", "--steps", "3", "--seed", "5", "--guidance", "1.7", "--out", name],
        );
        done(home.path(), &["replay", name, "--out", "again"]);
        assert_eq!(file(&format!("again/{name}")), file(name), "{name}");
    }
    // A variation by its own seed.
    done(home.path(), &["generate", "--prompt", "a car", "--steps", "2", "--variations", "3", "--out", "car.png"]);
    done(home.path(), &["replay", "car-3.png", "--out", "again"]);
    assert_eq!(file("again/car-3.png"), file("car-3.png"));
    // And an edit, under a selection, of the same photo.
    photo(home.path(), "photo.png", 90, 60, 1);
    let mut mask = Mask::new(90, 60).unwrap();
    mask.lasso(&[[10.0, 10.0], [60.0, 12.0], [30.0, 50.0]], imaging::Mode::Add);
    fs::write(home.path().join("mask.png"), mask.to_png().unwrap()).unwrap();
    done(home.path(), &["edit", "photo.png", "--mask", "mask.png", "--prompt", "make it night", "--steps", "2", "--out", "night.png"]);
    done(home.path(), &["adjust", "night.png", "--straighten", "-3", "--exposure", "0.5", "--out", "both.png"]);
    done(home.path(), &["replay", "both.png", "photo.png", "--out", "again"]);
    assert_eq!(file("again/photo.png"), file("both.png"));
    assert!(
        imaging::compare(
            &imaging::open(&home.path().join("night.png")).unwrap(),
            &imaging::open(&home.path().join("photo.png")).unwrap(),
            None
        )
        .unwrap()
        .pixels
            > 300
    );
}

/// Has enough after so many steps.
struct Impatient(usize, bool);

impl Observer for Impatient {
    fn progress(&mut self, progress: &Progress) {
        // Asked behind each step, of which that many less one are told by then.
        self.1 = progress.stage == Stage::Denoise && progress.done + 1 >= self.0;
    }

    fn is_enough(&self) -> bool {
        self.1
    }
}

fn run(engine: &mut Engine, request: &Request, observer: &mut dyn Observer) -> Made {
    let Outcome::Done { made, .. } = engine.run(request, observer).unwrap() else { panic!("it was cancelled") };
    made.into_iter().next().unwrap()
}

#[test]
fn a_painting_from_a_step_and_one_that_was_ended_are_made_again_to_the_last_byte() {
    let home = tempfile::tempdir().unwrap();
    let mut engine = Engine::open(&ModelId::Nano, &Settings::default()).unwrap();
    let recipe = Recipe { steps: 6, seed: 11, ..Recipe::new(ModelId::Nano, "a fox") };
    let first = run(&mut engine, &Request::new(recipe), &mut ());
    // Another guidance from the third step on, and again from the fifth: as the window asks for it.
    let mut branch = first.clone();
    for (steps, guidance) in [(3, 6.0), (5, 1.0)] {
        let mut request = Request::new(branch.recipe.from_step(steps, guidance));
        (request.tokens, request.path) = (Some(branch.tokens.clone()), branch.path[..steps].to_vec());
        branch = run(&mut engine, &request, &mut ());
    }
    assert_eq!(branch.recipe.earlier, [Stretch { until: 3, guidance: 2.0 }, Stretch { until: 5, guidance: 6.0 }]);
    let ended =
        run(&mut engine, &Request::new(Recipe { steps: 6, seed: 11, ..Recipe::new(ModelId::Nano, "a fox") }), &mut Impatient(4, false));
    assert_eq!((ended.recipe.until, ended.path.len()), (Some(4), 4));
    assert!(first.picture != branch.picture && first.picture != ended.picture);
    for (name, made) in [("branch", &branch), ("ended", &ended)] {
        let link = Link::Model { recipe: Box::new(made.recipe.clone()), place: None };
        let text = Chain::new(Begins::Words, vec![link]).to_json();
        fs::write(home.path().join(format!("{name}.json")), text).unwrap();
        done(home.path(), &["replay", &format!("{name}.json"), "--out", "again", "--format", "png"]);
        assert!(imaging::open(&home.path().join(format!("again/{name}.png"))).unwrap().to_rgb8() == made.picture.to_rgb8(), "{name}");
    }
    // What no run can have done.
    let absurd = Chain::new(Begins::Words, vec![Link::Model { recipe: Box::new(Recipe { until: Some(9), ..ended.recipe }), place: None }]);
    fs::write(home.path().join("absurd.json"), absurd.to_json()).unwrap();
    let output = program(home.path(), &["replay", "absurd.json", "--out", "again"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be ended after 9"), "{output:?}");
}

#[test]
fn an_edit_that_was_taken_over_in_another_way_afterwards_is_made_again() {
    let home = tempfile::tempdir().unwrap();
    photo(home.path(), "photo.png", 200, 160, 1);
    let source = imaging::open(&home.path().join("photo.png")).unwrap();
    let mut mask = Mask::new(200, 160).unwrap();
    mask.lasso(&[[60.0, 40.0], [130.0, 50.0], [90.0, 120.0]], imaging::Mode::Add);
    let seen = ContextBox { left: 20, top: 0, width: 160, height: 160 };
    let placing = |feather| Placing::Selection { mask: mask.clone(), blend: Blend { feather, matching: 0.3 } };
    let mut engine = Engine::open(&ModelId::Nano, &Settings::default()).unwrap();
    let mut request = Request::new(Recipe { steps: 3, ..Recipe::new(ModelId::Nano, "make it night") });
    engine.edit_part(&mut request, &source, seen, placing(1).reach().as_ref(), false).unwrap();
    let made = run(&mut engine, &request, &mut ());

    let mut document = Document::default();
    let root = document.record(None, Origin::Pasted, source.clone());
    let mut record = |placing: Placing| {
        let local = LocalEdit { seen, result: made.picture.clone(), reconstruction: None, placing };
        let picture = local.placed(&source).unwrap().picture;
        let origin = Origin::Made { recipe: Box::new(made.recipe.clone()), tokens: made.tokens.clone().into(), seconds: 1.0 };
        document.record_at(Some(root), origin, picture, 0, None, Some(Arc::new(local)))
    };
    let ids = [record(placing(1)), record(placing(40)), record(Placing::Whole)];
    // The selection with its feather is all that the model is free in: by another one it would paint something else.
    for (id, name) in ids.into_iter().zip(["as-it-was", "feather", "whole"]) {
        let text = document.chain(id).unwrap().to_json();
        assert_eq!(text.contains("painted"), name != "as-it-was");
        fs::write(home.path().join(format!("{name}.json")), text).unwrap();
        done(home.path(), &["replay", &format!("{name}.json"), "photo.png", "--out", name]);
        let again = imaging::open(&home.path().join(name).join("photo.png")).unwrap();
        assert!(again.to_rgb8() == document.revision(id).unwrap().picture.here().unwrap().to_rgb8(), "{name}");
    }
}

#[test]
fn one_broken_photo_costs_only_itself() {
    let home = tempfile::tempdir().unwrap();
    photo(home.path(), "first.png", 80, 60, 1);
    done(home.path(), &["edit", "first.png", "--prompt", "make it snow", "--steps", "1", "--out", "edited.png"]);
    done(home.path(), &["adjust", "edited.png", "--turn", "left", "--saturation", "-1", "--out", "recipe.png"]);
    done(home.path(), &["export", "recipe.png", "--out", "recipe.json"]);
    let sizes = [(300, 200, 1), (200, 300, 6), (64, 64, 3), (500, 40, 8), (40, 500, 1), (31, 17, 2), (1, 1, 1), (128, 128, 5), (90, 61, 7)];
    let mut names: Vec<String> = (0..9).map(|i| format!("photo-{i}.{}", ["jpg", "png", "tif"][i % 3])).collect();
    for (name, (w, h, orientation)) in names.iter().zip(sizes) {
        photo(home.path(), name, w, h, orientation);
    }
    fs::write(home.path().join("broken.jpg"), &fs::read(home.path().join("photo-0.jpg")).unwrap()[..300]).unwrap();
    names.insert(4, "broken.jpg".to_owned());
    let mut arguments = vec!["replay", "recipe.json", "--out", "results", "--json"];
    arguments.extend(names.iter().map(String::as_str));
    let output = program(home.path(), &arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("broken.jpg cannot be opened") && !said.contains("panicked"), "{said}");
    let mut made: Vec<String> =
        fs::read_dir(home.path().join("results")).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    made.sort();
    let mut want: Vec<String> = names.iter().filter(|n| *n != "broken.jpg").cloned().chain(["contact-sheet.png".to_owned()]).collect();
    want.sort();
    assert_eq!(made, want);
    for (name, (w, h, orientation)) in names.iter().filter(|n| *n != "broken.jpg").zip(sizes) {
        let result = imaging::open(&home.path().join("results").join(name)).unwrap();
        // Turned by the camera's word, and once more by the recipe.
        let want = if orientation >= 5 { [w, h] } else { [h, w] };
        assert_eq!([result.width(), result.height()], want, "{name}");
        let rgb = result.to_rgb8();
        assert!(rgb.as_chunks::<3>().0.iter().all(|p| p.iter().max().unwrap() - p.iter().min().unwrap() <= 6), "{name} is grey");
    }
    let sheet = imaging::open(&home.path().join("results/contact-sheet.png")).unwrap();
    assert_eq!([sheet.width(), sheet.height()], [4 * 336 + 16, 3 * 336 + 16]);
}

#[test]
fn what_cannot_be_done_gets_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    photo(home.path(), "photo.png", 20, 20, 1);
    fs::write(home.path().join("newer.json"), r#"{"pentimento": 99, "begins": "picture", "edits": []}"#).unwrap();
    fs::write(home.path().join("deep.json"), "[".repeat(1 << 20)).unwrap();
    let big = r#"{"pentimento":1,"begins":"picture","edits":[{"edit":"tool","tool":"resize","width":60000,"height":60000,"of":[2,2]}]}"#;
    fs::write(home.path().join("big.json"), big).unwrap();
    let model = r#"{"pentimento":1,"begins":"picture","edits":[{"edit":"model","recipe":RECIPE}]}"#;
    let recipe = serde_json::to_string(&Recipe::new(ModelId::Folder("big-one".into()), "x")).unwrap();
    fs::write(home.path().join("model.json"), model.replace("RECIPE", &recipe)).unwrap();
    for (recipe, photos, words) in [
        ("photo.png", vec!["photo.png"], "holds no recipe"),
        ("newer.json", vec!["photo.png"], "newer program"),
        ("deep.json", vec!["photo.png"], "not a picture|holds no recipe|not a recipe"),
        ("big.json", vec!["photo.png"], "larger than a picture"),
        ("model.json", vec!["photo.png"], "big-one"),
        ("model.json", vec![], "name the photos"),
        ("nowhere.json", vec![], "cannot be read"),
    ] {
        let arguments: Vec<&str> = ["replay", recipe, "--out", "out"].into_iter().chain(photos).collect();
        let output = program(home.path(), &arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && words.split('|').any(|w| said.contains(w)), "{recipe}: {said}");
    }
}
