//! What scripts rely on.

use super::{cases, model, program, run, stderr};
use pentimento::imaging;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

#[test]
fn generate_writes_a_picture_and_the_same_recipe_the_same_one() {
    let home = tempfile::tempdir().unwrap();
    for name in ["a.png", "b.png"] {
        let done = run(home.path(), &["generate", "--prompt", "a fox in the snow", "--seed", "5", "--steps", "4", "--out", name]);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    }
    let picture = imaging::open(&home.path().join("a.png")).unwrap();
    assert_eq!((picture.width(), picture.height()), (256, 256));
    assert_eq!(picture, imaging::open(&home.path().join("b.png")).unwrap());
    let other = run(home.path(), &["generate", "--prompt", "a fox in the snow", "--seed", "6", "--steps", "4", "--out", "c.png"]);
    assert!(other.status.success());
    assert_ne!(picture, imaging::open(&home.path().join("c.png")).unwrap());
}

#[test]
fn json_lines_tell_progress_and_result() {
    let home = tempfile::tempdir().unwrap();
    let picture = cases().join("odd.png");
    let done = run(
        home.path(),
        &[
            "edit",
            picture.to_str().unwrap(),
            "--prompt",
            "make it darker",
            "--steps",
            "3",
            "--variations",
            "2",
            "--image-tokens-only",
            "--ignore-eos",
            "--out",
            "x.webp",
            "--json",
        ],
    );
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let lines: Vec<Value> = done.stdout.lines().map(|l| serde_json::from_str(&l.unwrap()).unwrap()).collect();
    let steps = |stage: &str| lines.iter().filter(|l| l["event"] == "progress" && l["stage"] == stage).count();
    assert!(steps("vision") >= 2 && steps("blueprint") >= 64 && steps("denoise") >= 6 && steps("decode") >= 2);
    let result = lines.last().unwrap();
    assert_eq!(result["event"], "result");
    let pictures = result["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 2);
    for (i, picture) in pictures.iter().enumerate() {
        assert_eq!(picture["file"], format!("x-{}.webp", i + 1));
        assert_eq!(picture["recipe"]["seed"], i);
        assert_eq!(picture["tokens"].as_array().unwrap().len(), 64);
        imaging::open(&home.path().join(picture["file"].as_str().unwrap())).unwrap();
    }
    assert!(result["peak_bytes"].as_u64().unwrap() > 10_000_000);
}

#[test]
fn a_variation_is_the_picture_of_its_own_seed() {
    let home = tempfile::tempdir().unwrap();
    let common = ["generate", "--prompt", "a red car on the grass", "--steps", "3"];
    assert!(run(home.path(), &[&common[..], &["--seed", "7", "--variations", "3", "--out", "v.png"]].concat()).status.success());
    assert!(run(home.path(), &[&common[..], &["--seed", "9", "--out", "alone.png"]].concat()).status.success());
    let open = |name: &str| imaging::open(&home.path().join(name)).unwrap();
    assert_eq!(open("v-3.png"), open("alone.png"));
}

#[test]
fn tokens_and_noise_of_a_dump_are_replayed() {
    let home = tempfile::tempdir().unwrap();
    let first = ["generate", "--prompt", "a castle at night", "--steps", "3", "--seed", "11", "--dump", "d.safetensors", "--out", "a.png"];
    assert!(run(home.path(), &first).status.success());
    let again = run(
        home.path(),
        &[
            "generate",
            "--prompt",
            "a castle at night",
            "--steps",
            "3",
            "--seed",
            "99",
            "--tokens",
            "d.safetensors",
            "--noise",
            "d.safetensors",
            "--out",
            "b.png",
            "--json",
        ],
    );
    assert!(again.status.success(), "{}", stderr(&again));
    let open = |name: &str| imaging::open(&home.path().join(name)).unwrap();
    assert_eq!(open("a.png"), open("b.png"));
    // The same tokens as a list.
    let result: Value = serde_json::from_slice(again.stdout.split(|b| *b == b'\n').rev().nth(1).unwrap()).unwrap();
    std::fs::write(home.path().join("t.json"), result["pictures"][0]["tokens"].to_string()).unwrap();
    let list =
        ["generate", "--prompt", "a castle at night", "--steps", "3", "--tokens", "t.json", "--noise", "d.safetensors", "--out", "c.png"];
    assert!(run(home.path(), &list).status.success());
    assert_eq!(open("a.png"), open("c.png"));
}

#[test]
fn exit_codes_are_0_1_2_and_130() {
    let home = tempfile::tempdir().unwrap();
    let code = |arguments: &[&str]| run(home.path(), arguments).status.code();
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["inspect", "nano"]), Some(0));
    assert_eq!(code(&["generate", "--prompt", "x", "--model", "/nowhere"]), Some(1));
    assert_eq!(code(&["generate"]), Some(2));
    assert_eq!(code(&["generate", "--prompt", "x", "--steps", "many"]), Some(2));
    assert_eq!(code(&["generate", "--prompt", "x", "--width", "128"]), Some(2));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_keeps_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let arguments = ["generate", "--prompt", "a house in winter", "--steps", "1000", "--out", "h.png", "--json"];
    let mut child = program(home.path()).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut painting = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line: Value = serde_json::from_str(&line.unwrap()).unwrap();
        painting += usize::from(line["stage"] == "denoise");
        if painting == 5 {
            let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(sent.success());
        }
        if line["event"] == "cancelled" {
            assert_eq!(line["kept"], serde_json::json!(["h.partial.png"]));
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(painting < 900, "{painting} steps were made after Ctrl-C");
    let partial = imaging::open(&home.path().join("h.partial.png")).unwrap();
    assert_eq!((partial.width(), partial.height()), (256, 256));
    assert!(!home.path().join("h.png").exists());
}

#[test]
fn inspect_tells_parts_and_abilities() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both", |_| {});
    let done = run(home.path(), &["inspect", folder.to_str().unwrap(), "--json"]);
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&document["can_generate"], &document["can_edit"], &document["side"]), (&true.into(), &true.into(), &48.into()));
    assert_eq!(document["parts"].as_array().unwrap().len(), 7);
    assert!(document["memory"]["stage_by_stage_16_bit"].as_u64() < document["memory"]["all_f32"].as_u64());

    // Without the vision tower it still draws, and says why it does not edit.
    let folder = model(home.path(), "tiny-both", |weights| weights.retain(|name, _| !name.starts_with("model.vision_tower.")));
    let done = run(home.path(), &["inspect", folder.to_str().unwrap()]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && text.contains("TA-Tok) is missing"), "{text}{}", stderr(&done));
    let drawn = run(home.path(), &["generate", "--prompt", "x", "--model", folder.to_str().unwrap(), "--steps", "1"]);
    assert!(drawn.status.success(), "{}", stderr(&drawn));
}

#[test]
fn an_edit_changes_what_it_is_to_change_and_has_the_size_of_its_source() {
    let home = tempfile::tempdir().unwrap();
    let source = imaging::open(&cases().join("odd.png")).unwrap();
    let size = [source.width(), source.height()];
    let mut mask = imaging::Mask::new(size[0], size[1]).unwrap();
    mask.rectangle(imaging::Rect { left: 20, top: 30, width: size[0] / 3, height: size[1] / 3 }, imaging::Mode::Add);
    imaging::save(&mask.to_picture().unwrap(), &home.path().join("mask.png"), imaging::Format::Png).unwrap();
    let nothing = imaging::Mask::new(size[0], size[1]).unwrap().to_picture().unwrap();
    imaging::save(&nothing, &home.path().join("nothing.png"), imaging::Format::Png).unwrap();
    let picture = cases().join("odd.png");
    let edit = |more: &[&str]| {
        let common = ["edit", picture.to_str().unwrap(), "--prompt", "make it darker", "--steps", "2", "--out", "x.png"];
        run(home.path(), &[&common[..], more].concat())
    };
    let made = |more: &[&str]| {
        let done = edit(more);
        assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
        imaging::open(&home.path().join("x.png")).unwrap()
    };
    let masked = made(&["--mask", "mask.png", "--feather", "5"]);
    let found = imaging::compare(&source, &masked, Some(&mask.grown(5))).unwrap();
    assert!(found.pixels > 500 && found.outside == 0, "{found:?}");
    for more in [&[][..], &["--reach", "0.9"], &["--whole"]] {
        let picture = made(more);
        assert_eq!([picture.width(), picture.height()], size, "{more:?}");
    }
    assert_eq!(made(&["--raw"]).width(), 256);
    for (more, why) in [
        (&["--mask", "nothing.png"][..], "selects nothing"),
        (&["--mask", "x.png"], "the mask has 256 x 256 pixels"),
        (&["--reach", "2"], "not between 0 and 1"),
    ] {
        let done = edit(more);
        assert!(done.status.code() == Some(1) && stderr(&done).contains(why), "{}", stderr(&done));
    }
    assert_eq!(edit(&["--mask", "mask.png", "--raw"]).status.code(), Some(2));
}
