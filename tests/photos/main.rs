//! Photographs of all kinds, opened, edited by the embedded model and compared: what was not to change has not changed.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod fixtures;
mod session;

use fixtures::{Fixture, all};
use pentimento::editor::{Action, Combine, How, Select, Tool};
use pentimento::imaging::{Format, Picture, compare, encode, save};
use session::Session;
use std::path::Path;

/// What is said about an edit must be so: its pixels are looked at once more, here.
fn check_edit(session: &Session, source: &Picture) {
    let made = session.editor.document.current().unwrap();
    let made_picture = made.picture.here().unwrap();
    let sizes = [source, made_picture].map(|p| (p.width(), p.height(), p.bits()));
    assert_eq!(sizes[0], sizes[1], "the result has the source's size and depth");
    let local = made.local.as_ref().unwrap();
    let found = compare(source, made_picture, Some(&local.placed(source).unwrap().change)).unwrap();
    assert_eq!(found.outside, 0, "pixels outside of what was changed");
    let proof = session.editor.proof().unwrap();
    assert_eq!((proof.found.pixels, proof.found.largest), (found.pixels, found.largest));
    assert!(!proof.has_selection || proof.found.outside == 0);
}

fn open_edit_and_compare(session: &mut Session, path: &Path, fixture: &Fixture) {
    let id = session.open(path).unwrap_or_else(|why| panic!("{why}"));
    let source = session.editor.document.revision(id).unwrap().picture.here().unwrap().clone();
    fixture.check(&source);
    // Opened once more it is the same, and so it is after it was saved without loss.
    let copy = path.with_extension("copy.png");
    save(&source, &copy, Format::Png).unwrap();
    assert_eq!(pentimento::imaging::open(&copy).unwrap(), source);

    session.act(Action::Select(Select::Nothing));
    session.edit("make it night");
    check_edit(session, &source);
    session.act(Action::Compare(How::HeatMap));
    session.until("the heat map is painted", |e| e.heat_map().is_some());

    session.act(Action::Go(id));
    let (w, h) = (f64::from(source.width()), f64::from(source.height()));
    session.act(Action::Select(Select::Tool(Tool::Rectangle)));
    session.act(Action::Select(Select::Press([w * 0.1, h * 0.2], Combine::Replace)));
    session.act(Action::Select(Select::Drag(vec![[(w * 0.5).max(w * 0.1 + 1.0), (h * 0.6).max(h * 0.2 + 1.0)]])));
    session.act(Action::Select(Select::Release));
    session.until("it is drawn", |e| e.selection.is_whole());
    assert!(session.editor.selected().is_some());
    session.edit("add a red ball");
    assert!(session.editor.proof().unwrap().has_selection);
    check_edit(session, &source);
    session.act(Action::Compare(How::Split));
    assert_eq!(session.editor.compared().map(|r| r.id), Some(id));
}

#[test]
fn every_kind_of_picture_is_opened_edited_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new();
    for fixture in all() {
        println!("{}", fixture.name);
        let path = folder.path().join(fixture.name);
        std::fs::write(&path, &fixture.bytes).unwrap();
        open_edit_and_compare(&mut session, &path, &fixture);
    }
}

#[test]
fn a_hundred_megapixels_are_opened_edited_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let (w, h) = (12_500, 8000);
    // Smooth, so that writing and reading the file takes seconds.
    let rgb: Vec<u8> = (0..h * w).flat_map(|i| [(i % w / 49) as u8, (i / w / 32) as u8, 90]).collect();
    let picture = Picture::from_rgb8(w as u32, h as u32, &rgb).unwrap();
    drop(rgb);
    let path = folder.path().join("large.png");
    save(&picture, &path, Format::Png).unwrap();
    let mut session = Session::new();
    let id = session.open(&path).unwrap_or_else(|why| panic!("{why}"));
    assert!(session.editor.document.revision(id).unwrap().picture.here() == Some(&picture));
    session.act(Action::Select(Select::Tool(Tool::Brush)));
    session.act(Action::Select(Select::Press([3000.0, 3000.0], Combine::Replace)));
    session.act(Action::Select(Select::Drag((0..40).map(|i| [3000.0 + 40.0 * f64::from(i), 3500.0]).collect())));
    session.act(Action::Select(Select::Release));
    session.until("it is drawn", |e| e.selection.is_whole());
    session.edit("add a red ball");
    check_edit(&session, &picture);
    assert!(session.editor.proof().unwrap().found.pixels > 100_000);
}

#[test]
fn an_edit_that_changes_nothing_gives_the_same_pixels() {
    // The idle model: what its autoencoder makes of the picture is its result.
    let mut session = Session::new();
    let folder = tempfile::tempdir().unwrap();
    for fixture in all().into_iter().filter(|f| ["deep.tiff", "clear.png", "line.png", "display-p3.png"].contains(&f.name)) {
        let path = folder.path().join(fixture.name);
        std::fs::write(&path, &fixture.bytes).unwrap();
        let id = session.open(&path).unwrap();
        session.edit("make it night");
        let (source, local) = {
            let document = &session.editor.document;
            (document.revision(id).unwrap().picture.here().unwrap().clone(), document.current().unwrap().local.clone().unwrap())
        };
        let mut idle = (*local).clone();
        idle.result = idle.reconstruction.clone().unwrap();
        let placed = idle.placed(&source).unwrap();
        assert_eq!(encode(&placed.picture, Format::Png).unwrap(), encode(&source, Format::Png).unwrap(), "{}", fixture.name);
    }
}

#[test]
fn broken_and_boundless_files_get_a_sentence_and_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut session = Session::new();
    let kept = all().into_iter().find(|f| f.name == "plain.png").unwrap();
    let path = folder.path().join("kept.png");
    std::fs::write(&path, &kept.bytes).unwrap();
    let id = session.open(&path).unwrap();
    let mut refused = 0;
    let mut broken: Vec<(String, Vec<u8>)> = fixtures::bombs().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    for fixture in all().into_iter().filter(|f| f.bytes.len() > 200) {
        let short = fixture.bytes[..fixture.bytes.len() * 2 / 5].to_vec();
        broken.push((format!("short-{}", fixture.name), short));
    }
    for (name, bytes) in broken {
        let path = folder.path().join(&name);
        std::fs::write(&path, bytes).unwrap();
        match session.open(&path) {
            Err(why) => {
                assert!(why.starts_with(&format!("{name} cannot be opened: ")) && why.ends_with('.') && why.len() < 300, "{why}");
                refused += 1;
            }
            // Of some formats the first picture is whole in so few bytes.
            Ok(_) => println!("{name} was opened"),
        }
        session.act(Action::Go(id));
    }
    assert!(refused > 20, "{refused}");
    assert_eq!(session.current(), Some(id));
}
