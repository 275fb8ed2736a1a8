//! Selections.

use crate::chance::Chance;
use pentimento::imaging::{Mask, Patch, Rect, decode};

/// Calls `check` with a mask for each of many seeds, and says which one failed.
fn over(count: u64, check: impl Fn(&mut Chance, Mask)) {
    for seed in 0..count {
        let mut chance = Chance(seed);
        let size = chance.size();
        let mask = chance.mask(size);
        let told = Told(seed, size);
        check(&mut chance, mask);
        std::mem::forget(told);
    }
}

/// Says at a failure where it was.
struct Told(u64, [u32; 2]);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("seed {}, size {:?}", self.0, self.1);
    }
}

fn inside(inner: Option<Rect>, outer: Rect) -> bool {
    inner.is_none_or(|inner| inner.intersection(outer) == inner)
}

#[test]
fn twice_inverted_is_as_before_and_counts_add_up() {
    over(1500, |_, mask| {
        let mut other = mask.clone();
        other.invert();
        let all = mask.read(mask.whole());
        assert!(other.read(mask.whole()).iter().zip(&all).all(|(a, b)| *a == 255 - b));
        assert_eq!(mask.count(), all.iter().filter(|v| **v > 0).count() as u64);
        other.invert();
        assert_eq!(other, mask);
    });
}

#[test]
fn bounds_are_tight_and_reading_is_as_writing() {
    over(1500, |chance, mask| {
        let bounds = mask.bounds().unwrap_or_default();
        for (i, v) in mask.read(mask.whole()).iter().enumerate() {
            let (x, y) = (i as u32 % mask.width(), i as u32 / mask.width());
            assert_eq!(*v, mask.coverage(x, y));
            assert!(*v == 0 || bounds.contains(x, y));
        }
        let line = |rect: Rect| mask.read(rect).iter().any(|v| *v > 0);
        if !bounds.is_empty() {
            assert!(line(Rect { width: 1, ..bounds }) && line(Rect { left: bounds.right() - 1, width: 1, ..bounds }));
            assert!(line(Rect { height: 1, ..bounds }) && line(Rect { top: bounds.bottom() - 1, height: 1, ..bounds }));
        }
        let part = chance.rect(mask.size()).intersection(mask.whole());
        let bytes: Vec<u8> = (0..part.width * part.height).map(|_| chance.bits() as u8).collect();
        let mut other = mask.clone();
        other.write(part, &bytes).unwrap();
        assert_eq!(other.read(part), bytes);
        let outside =
            (0..mask.width() * mask.height()).map(|i| (i % mask.width(), i / mask.width())).filter(|(x, y)| !part.contains(*x, *y));
        assert!(outside.into_iter().all(|(x, y)| other.coverage(x, y) == mask.coverage(x, y)));
    });
}

#[test]
fn undo_restores_exactly_and_redo_too_whatever_was_drawn() {
    over(800, |chance, mut mask| {
        let mut states = vec![mask.clone()];
        let mut undo: Vec<Patch> = Vec::new();
        for _ in 0..chance.whole(1, 8) {
            let before = mask.clone();
            let mut dirty = Rect::default();
            for _ in 0..chance.whole(1, 4) {
                dirty = dirty.union(chance.draw(&mut mask));
            }
            for (i, (old, new)) in before.read(before.whole()).iter().zip(mask.read(mask.whole())).enumerate() {
                assert!(*old == new || dirty.contains(i as u32 % mask.width(), i as u32 / mask.width()));
            }
            undo.push(mask.back_to(&before).unwrap());
            states.push(mask.clone());
        }
        let mut redo = Vec::new();
        for want in states.iter().rev().skip(1) {
            redo.push(mask.apply(undo.pop().unwrap()).unwrap());
            assert_eq!(&mask, want);
        }
        for want in &states[1..] {
            mask.apply(redo.pop().unwrap()).unwrap();
            assert_eq!(&mask, want);
        }
    });
}

#[test]
fn growing_shrinking_and_feathering_stay_within_their_reach() {
    over(600, |chance, mask| {
        let by = chance.whole(0, 12) as u32;
        let (grown, shrunk, soft) = (mask.grown(by), mask.shrunk(by), mask.feathered(by));
        assert_eq!(grown.bounds(), mask.bounds().map(|b| b.grown(by, mask.size())));
        assert!(inside(soft.bounds(), mask.bounds().unwrap_or_default().grown(by, mask.size())));
        let all = |m: &Mask| m.read(m.whole());
        let (old, grown, shrunk) = (all(&mask), all(&grown), all(&shrunk));
        assert!(old.iter().zip(&grown).all(|(a, b)| a <= b) && old.iter().zip(&shrunk).all(|(a, b)| a >= b));
        // Opening never adds, closing never takes away.
        assert!(old.iter().zip(all(&mask.shrunk(by).grown(by))).all(|(a, b)| *a >= b));
        assert!(old.iter().zip(all(&mask.grown(by).shrunk(by))).all(|(a, b)| *a <= b));
    });
}

/// However the work is cut into tiles and blocks, each pixel is the same function of its surroundings.
#[test]
fn tiles_leave_no_seam() {
    for seed in 0..60 {
        let mut chance = Chance(seed);
        let mut plain = Mask::new(40, 40).unwrap();
        for _ in 0..3 {
            chance.draw(&mut plain);
        }
        let by = chance.whole(1, 9) as u32;
        let [left, top] = [0; 2].map(|_| chance.whole(220, 260) as u32);
        let mut moved = Mask::new(600, 600).unwrap();
        moved.write(Rect { left, top, width: 40, height: 40 }, &plain.read(plain.whole())).unwrap();
        let mut wide = Mask::new(100, 100).unwrap();
        wide.write(Rect { left: 30, top: 30, width: 40, height: 40 }, &plain.read(plain.whole())).unwrap();
        let window = Rect { left: left - 30, top: top - 30, width: 100, height: 100 };
        assert_eq!(moved.grown(by).read(window), wide.grown(by).read(wide.whole()), "{seed}");
        assert_eq!(moved.feathered(by).read(window), wide.feathered(by).read(wide.whole()), "{seed}");
    }
}

#[test]
fn a_file_gives_the_same_mask_back() {
    over(300, |_, mask| {
        assert_eq!(Mask::from_picture(&decode(&mask.to_png().unwrap()).unwrap()).unwrap(), mask);
        assert_eq!(Mask::from_picture(&mask.to_picture().unwrap()).unwrap(), mask);
    });
}

/// A stroke on a picture of 100 million pixels costs the tiles it touches, and so does its undo.
#[test]
fn a_stroke_on_a_huge_picture_costs_what_it_touches() {
    let mut mask = Mask::new(10_000, 10_000).unwrap();
    mask.fill(255);
    mask.invert();
    let before = mask.clone();
    let brush = pentimento::imaging::Brush { diameter: 40.0, hardness: 0.5, mode: pentimento::imaging::Mode::Add };
    mask.stroke([100.0, 100.0], [3000.0, 3000.0], brush);
    let patch = mask.back_to(&before).unwrap();
    assert!(patch.size_bytes() < 10_000, "{}", patch.size_bytes());
    let again = mask.clone();
    mask.stroke([5000.0, 5000.0], [5100.0, 5050.0], brush);
    assert!(mask.back_to(&again).unwrap().rect().width <= 512);
}
