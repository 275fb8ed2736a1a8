//! Projects on disk: what goes in comes out, and nothing that was reported as kept is lost, whatever happens.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod disk;
mod formats;
mod hostile;
mod kill;
mod round_trip;
#[cfg(unix)]
mod small_disk;

use pentimento::document::{Document, LocalEdit, Origin, Placing, RevisionId, Steps};
use pentimento::imaging::{Blend, ContextBox, Mask, Picture, Pixels};
use pentimento::project::{Error, Project, State};
use pentimento::recipe::{ModelId, Recipe};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// More memory than any test needs.
const PLENTY: u64 = 1 << 30;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        self.0 >> 33
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
}

/// A picture that does not compress.
fn noise(width: u32, height: u32, deep: bool, seed: u64) -> Picture {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let count = 4 * width as usize * height as usize;
    let pixels = if deep {
        Pixels::Rgba16((0..count).map(|_| dice.roll() as u16).collect())
    } else {
        Pixels::Rgba8((0..count).map(|_| dice.roll() as u8).collect())
    };
    Picture::new(width, height, pixels).unwrap()
}

fn made(prompt: &str) -> Origin {
    Origin::Made { recipe: Box::new(Recipe::new(ModelId::Nano, prompt)), tokens: Arc::from([7, u32::MAX]), seconds: 2.5 }
}

fn steps(seed: u64) -> Steps {
    let mut dice = Dice(seed);
    Steps::new(2, 3, 3, (0..4).map(|_| (0..18).map(|_| dice.roll() as f32 / 1e9).collect()).collect()).unwrap()
}

/// A document of four revisions, as a file.
fn small(path: &Path) -> (Project, Document) {
    let mut document = Document::default();
    let root = document.record_at(None, Origin::Opened { name: "ä.png".into() }, noise(40, 30, true, 1), 1_700_000_000, None, None);
    document.go(root);
    let night = document.record_at(Some(root), made("make it night"), noise(40, 30, false, 2), 1_700_000_001, Some(steps(2)), None);
    document.go(night);
    document.record_at(Some(root), made("make it day"), noise(9, 9, false, 3), 1_700_000_002, Some(steps(3)), None);
    document.record_at(None, Origin::Pasted, noise(9, 9, false, 3), 1_700_000_003, None, None);
    document.rename(night, "Night");
    document.star(night, true);
    let thumbnails = BTreeMap::from([(RevisionId(1), noise(4, 3, false, 9))]);
    let state = State { prompt: "make it…".into(), ..State::default() };
    (Project::create(path, &document, &thumbnails, &state).unwrap(), document)
}

/// A selection that does not compress.
fn mask([width, height]: [u32; 2], seed: u64) -> Mask {
    let mut dice = Dice(seed);
    let mut mask = Mask::new(width, height).unwrap();
    mask.write(mask.whole(), &(0..width * height).map(|_| dice.roll() as u8).collect::<Vec<u8>>()).unwrap();
    mask
}

/// [`small`] with an edit of a part of its first picture for each way of placing: revisions 4, 5 and 6.
fn edited(path: &Path) -> (Project, Document) {
    let (mut project, mut document) = small(path);
    let seen = ContextBox { left: -4, top: 5, width: 32, height: 32 };
    let selection = Placing::Selection { mask: mask([40, 30], 7), blend: Blend { feather: 3, matching: 0.25 } };
    for (n, placing) in [(1, Placing::Whole), (2, selection), (3, Placing::Change { reach: 0.75 })] {
        let reconstruction = (n == 3).then(|| noise(16, 16, false, 30 + n));
        let local = LocalEdit { seen, result: noise(16, 16, n == 1, 20 + n), reconstruction, placing };
        let picture = noise(40, 30, true, 10 + n);
        let id = document.record_at(Some(RevisionId(0)), made("paint"), picture, 1, None, Some(Arc::new(local)));
        project.record(document.revision(id).unwrap(), None).unwrap();
    }
    (project, document)
}

/// One sentence, as a person reads it.
#[track_caller]
fn assert_sentence(error: &Error) {
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.ends_with('.') && text.len() < 400 && text.contains(' '), "{text}");
}
