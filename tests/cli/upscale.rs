//! `pentimento upscale`.

use super::{cases, run, sentence, stderr};
use pentimento::imaging::{self, Format, Picture, Pixels};
use serde_json::Value;

#[test]
fn a_picture_gets_larger_and_keeps_depth_and_transparency() {
    let home = tempfile::tempdir().unwrap();
    // Sixteen bits, a clear half and one that can be seen through.
    let pixel = |i: u32| [20_000 + 300 * (i % 24) as u16, 500 * (i / 24) as u16, 40_000, if i % 24 < 12 { 65_535 } else { 30_000 }];
    let small = Picture::new(24, 18, Pixels::Rgba16((0..24 * 18).flat_map(pixel).collect())).unwrap();
    imaging::save(&small, &home.path().join("a.png"), Format::Png).unwrap();
    let done = run(home.path(), &["upscale", "a.png", "--by", "4", "--out", "b.png"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    assert!(stderr(&done).contains("96 x 72 pixels"), "{}", stderr(&done));
    let large = imaging::open(&home.path().join("b.png")).unwrap();
    assert_eq!((large.width(), large.height(), large.bits()), (96, 72, 16));
    let Pixels::Rgba16(samples) = large.pixels() else { unreachable!() };
    let at = |x: usize, y: usize| samples.as_chunks::<4>().0[y * 96 + x];
    assert_eq!((at(4, 40)[3], at(90, 40)[3]), (65_535, 30_000));
    assert!(at(20, 40)[0].abs_diff(21_500) < 2000 && at(20, 40)[2].abs_diff(40_000) < 2000);
}

#[test]
fn progress_and_result_are_json_lines_and_two_is_two() {
    let home = tempfile::tempdir().unwrap();
    let picture = cases().join("odd.png");
    let small = imaging::open(&picture).unwrap();
    let done = run(home.path(), &["upscale", picture.to_str().unwrap(), "--by", "2", "--out", "b.webp", "--json"]);
    assert_eq!(done.status.code(), Some(0), "{}", stderr(&done));
    let lines: Vec<Value> = String::from_utf8(done.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let (last, progress) = lines.split_last().unwrap();
    assert_eq!((&last["event"], &last["upscaling"]["by"], &last["width"]), (&"upscaled".into(), &2.into(), &(2 * small.width()).into()));
    assert_eq!(progress.last().unwrap()["done"], progress.last().unwrap()["total"]);
    assert_eq!(imaging::open(&home.path().join("b.webp")).unwrap().height(), 2 * small.height());
}

#[test]
fn what_cannot_be_made_is_said_in_a_sentence() {
    let home = tempfile::tempdir().unwrap();
    imaging::save(&Picture::from_rgb8(17_000, 1, &vec![0; 51_000]).unwrap(), &home.path().join("long.png"), Format::Png).unwrap();
    let said = sentence(&run(home.path(), &["upscale", "long.png", "--by", "4", "--out", "b.png"]));
    assert!(said.contains("68000 x 4 pixels") && said.contains("choose 2x"), "{said}");
    assert!(sentence(&run(home.path(), &["upscale", "none.png", "--by", "2", "--out", "b.png"])).contains("none.png"));
    assert_eq!(run(home.path(), &["upscale", "long.png", "--by", "3", "--out", "b.png"]).status.code(), Some(2));
    assert!(!home.path().join("b.png").exists());
}
