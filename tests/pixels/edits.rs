//! Placing a model's result: what is outside stays as it is to the last bit.

use crate::chance::Chance;
use crate::scenes::{self, Case};
use pentimento::imaging::{Blend, ContextBox, Mask, Picture, Pixels, back_to_full, blend, compare, crop_to_model, preserve};

fn size(picture: &Picture) -> [u32; 2] {
    [picture.width(), picture.height()]
}

/// Pixels that differ and that `may` does not allow to.
fn wrong(a: &Picture, b: &Picture, may: impl Fn(u32, u32) -> bool) -> usize {
    fn differing<T: PartialEq>(a: &[T], b: &[T]) -> Vec<usize> {
        a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0).enumerate().filter(|(_, (a, b))| a != b).map(|(i, _)| i).collect()
    }
    let differing = match (a.pixels(), b.pixels()) {
        (Pixels::Rgba8(a), Pixels::Rgba8(b)) => differing(a, b),
        (Pixels::Rgba16(a), Pixels::Rgba16(b)) => differing(a, b),
        _ => panic!("the depth has changed"),
    };
    differing.into_iter().filter(|i| !may(*i as u32 % a.width(), *i as u32 / a.width())).count()
}

#[test]
fn outside_the_selection_and_its_feather_every_sample_is_the_sources() {
    for seed in 0..2500 {
        let mut chance = Chance(seed);
        let (side, deep) = (chance.size(), chance.coin());
        let source = chance.picture(side, deep);
        let mask = chance.mask(side);
        let model = [chance.whole(1, 50) as u32, chance.whole(1, 50) as u32];
        let seen = chance.seen(side, &mask, model);
        let result = chance.picture(model, false);
        let how = Blend { feather: chance.whole(0, 12) as u32, matching: chance.unit() };
        let out = blend(&source, &result, seen, &mask, how).unwrap();
        assert_eq!((size(&out), out.bits()), (side, source.bits()));
        let (near, visible) = (mask.grown(how.feather), seen.visible(side));
        assert_eq!(wrong(&source, &out, |x, y| near.coverage(x, y) > 0 && visible.contains(x, y)), 0, "seed {seed}");
        assert_eq!(compare(&source, &out, Some(&near)).unwrap().outside, 0, "seed {seed}");
        // The source itself is as it was: copies share their pixels.
        assert_eq!(source, { Chance(seed) }.again(), "seed {seed}");
    }
}

impl Chance {
    /// The first picture of a seed.
    fn again(mut self) -> Picture {
        let (side, deep) = (self.size(), self.coin());
        self.picture(side, deep)
    }
}

#[test]
fn a_result_that_is_what_was_shown_gives_the_source_back() {
    for seed in 0..800 {
        let mut chance = Chance(seed);
        let (side, deep) = (chance.size(), chance.coin());
        let source = chance.picture(side, deep);
        let mask = chance.mask(side);
        let model = [chance.whole(1, 60) as u32; 2];
        let seen = chance.seen(side, &mask, model);
        let shown = crop_to_model(&source, seen, model).unwrap();
        assert_eq!(blend(&source, &shown, seen, &mask, Blend::default()).unwrap(), source, "seed {seed}");
        let reconstruction = chance.picture(model, false);
        let kept = preserve(&source, seen, &shown, &reconstruction, &reconstruction, chance.unit()).unwrap();
        assert_eq!((kept.picture, kept.change.count()), (source, 0), "seed {seed}");
    }
}

#[test]
fn a_box_of_the_models_size_is_copied_there_and_back_exactly() {
    for seed in 0..500 {
        let mut chance = Chance(seed);
        let side = chance.size();
        let rgb: Vec<u8> = (0..3 * side[0] * side[1]).map(|_| chance.bits() as u8).collect();
        let source = Picture::from_rgb8(side[0], side[1], &rgb).unwrap();
        let seen = chance.seen(side, &Mask::new(side[0], side[1]).unwrap(), [20, 20]);
        let shown = crop_to_model(&source, seen, [seen.width, seen.height]).unwrap();
        let (rect, back) = back_to_full(&shown, seen, side, 8).unwrap();
        for (i, pixel) in back.to_rgb8().as_chunks::<3>().0.iter().enumerate() {
            let (x, y) = (rect.left + i as u32 % rect.width, rect.top + i as u32 / rect.width);
            assert_eq!(pixel[..], rgb[3 * (y * side[0] + x) as usize..][..3], "seed {seed}");
        }
    }
}

#[test]
fn without_a_selection_what_the_change_mask_leaves_out_is_the_sources() {
    let mut changed = 0;
    for seed in 0..1500 {
        let mut chance = Chance(seed);
        let (side, deep) = (chance.size(), chance.coin());
        let source = chance.picture(side, deep);
        let model = [chance.whole(1, 64) as u32, chance.whole(1, 64) as u32];
        let seen = chance.seen(side, &Mask::new(side[0], side[1]).unwrap(), model);
        let shown = crop_to_model(&source, seen, model).unwrap();
        // Anything from noise to the same picture with a block painted over.
        let reconstruction = if chance.coin() { shown.clone() } else { chance.picture(model, false) };
        let result = if chance.coin() {
            chance.picture(model, false)
        } else {
            let mut rgb = reconstruction.to_rgb8();
            let block = chance.rect(model);
            let pixels = rgb.as_chunks_mut::<3>().0.iter_mut().enumerate();
            pixels.filter(|(i, _)| block.contains(*i as u32 % model[0], *i as u32 / model[0])).for_each(|(_, p)| *p = [250, 10, 90]);
            Picture::from_rgb8(model[0], model[1], &rgb).unwrap()
        };
        let kept = preserve(&source, seen, &shown, &reconstruction, &result, chance.unit()).unwrap();
        let visible = seen.visible(side);
        let may = |x, y| kept.change.coverage(x, y) > 0 && visible.contains(x, y);
        assert_eq!(wrong(&source, &kept.picture, may), 0, "seed {seed}");
        assert_eq!(compare(&source, &kept.picture, Some(&kept.change)).unwrap().outside, 0, "seed {seed}");
        changed += u32::from(kept.picture != source);
    }
    assert!(changed > 400, "only {changed} pictures were changed at all");
}

/// The table of the benchmark, on fewer pictures: nearly all of the untouched stays, nearly all of the change is kept.
#[test]
fn a_known_local_change_is_kept_and_the_rest_left() {
    for case in Case::ALL {
        let row = scenes::measure(case, 1, [768, 576], 256, 0.5);
        let text = row.to_json().to_string();
        assert!(row.untouched_equal > 0.97, "{text}");
        assert!(row.pasted_untouched_equal < 0.3, "{text}");
        if case.changes() {
            // A fine pattern is blurred by the autoencoder itself.
            let least = if case == Case::Patterned { 0.45 } else { 0.85 };
            assert!(row.change_kept > least && row.change_kept > row.pasted_change_kept - 0.02, "{text}");
        } else {
            assert_eq!(row.untouched_equal, 1.0, "{text}");
        }
    }
}

/// A box over all of a very long picture, and one beside a picture of a single pixel.
#[test]
fn extreme_shapes_are_edited_too() {
    for side in [[1, 20_000], [20_000, 1], [1, 1], [2, 3]] {
        let source = Chance(7).picture(side, true);
        let mut mask = Mask::new(side[0], side[1]).unwrap();
        mask.fill(255);
        for model in [[32, 32], [1, 1], [64, 32]] {
            let seen = ContextBox::around(side, None, model);
            assert_eq!(seen.visible(side), mask.whole());
            let result = Chance(8).picture(model, false);
            let shown = crop_to_model(&source, seen, model).unwrap();
            assert_ne!(blend(&source, &result, seen, &mask, Blend::default()).unwrap(), source);
            preserve(&source, seen, &shown, &shown, &result, 1.0).unwrap();
        }
    }
}
