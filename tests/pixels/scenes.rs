//! Pictures with a known local change, and what an autoencoder and a model would make of them: for measuring how much of
//! the change is kept and how much of the rest is left alone.

use pentimento::imaging::{ContextBox, Picture, Pixels, back_to_full, crop_to_model, preserve, psnr};
use serde_json::{Value, json};

/// What is done to a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Recoloured,
    Added,
    Removed,
    /// Another pattern of the same mean.
    Patterned,
    /// A fifth of the side of the others.
    Small,
    /// Recoloured, and the model has moved the picture by a fraction of its pixels.
    Shifted,
    /// Nothing: the model's result is the scene once more, with noise of its own.
    Nothing,
}

impl Case {
    pub const ALL: [Self; 7] = [Self::Recoloured, Self::Added, Self::Removed, Self::Patterned, Self::Small, Self::Shifted, Self::Nothing];

    pub fn changes(self) -> bool {
        self != Self::Nothing
    }
}

/// What came of one case.
pub struct Row {
    pub case: Case,
    pub seed: u32,
    pub size: [u32; 2],
    pub model: u32,
    pub bits: u8,
    /// Share of the pixels that the change does not touch that are the source's to the last bit.
    pub untouched_equal: f64,
    /// 1 less the distance to the picture as it should be, by that of the source, over the pixels of the change.
    pub change_kept: f64,
    pub psnr_to_wanted: f64,
    /// The same of the model's output put in place as it is.
    pub pasted_untouched_equal: f64,
    pub pasted_change_kept: f64,
    pub pasted_psnr_to_wanted: f64,
    pub shift: [f32; 2],
}

impl Row {
    pub fn to_json(&self) -> Value {
        json!({
            "case": format!("{:?}", self.case).to_lowercase(), "seed": self.seed, "width": self.size[0], "height": self.size[1],
            "model": self.model, "bits": self.bits, "untouched_equal": self.untouched_equal, "change_kept": self.change_kept,
            "psnr_db": self.psnr_to_wanted, "pasted_untouched_equal": self.pasted_untouched_equal,
            "pasted_change_kept": self.pasted_change_kept, "pasted_psnr_db": self.pasted_psnr_to_wanted,
            "shift_x": self.shift[0], "shift_y": self.shift[1],
        })
    }
}

/// -1..1, the same for the same numbers.
fn noise(x: i64, y: i64, seed: u32) -> f32 {
    let mut z = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ (u64::from(seed) << 17);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z >> 40) as f32 / (1u64 << 23) as f32) - 1.0
}

/// Noise with a grain of `grain` pixels.
fn smooth_noise(x: f32, y: f32, grain: f32, seed: u32) -> f32 {
    let (x, y) = (x / grain, y / grain);
    let (ix, iy) = (x.floor(), y.floor());
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (fx, fy) = (ease(x - ix), ease(y - iy));
    let at = |dx: i64, dy: i64| noise(ix as i64 + dx, iy as i64 + dy, seed);
    (at(0, 0) * (1.0 - fx) + at(1, 0) * fx) * (1.0 - fy) + (at(0, 1) * (1.0 - fx) + at(1, 1) * fx) * fy
}

/// A landscape of gradients, grain at all scales and some discs; one more disc as `object` says.
fn scene(size: [u32; 2], seed: u32, object: impl Fn(f32, f32, [f32; 3]) -> Option<[f32; 3]>) -> Vec<[f32; 3]> {
    let [w, h] = size.map(|v| v as f32);
    let pixel = |i: u32| {
        let (x, y) = ((i % size[0]) as f32, (i / size[0]) as f32);
        let (u, v) = (x / w, y / h);
        let grain =
            0.06 * smooth_noise(x, y, 40.0, seed) + 0.05 * smooth_noise(x, y, 9.0, seed + 1) + 0.04 * smooth_noise(x, y, 2.0, seed + 2);
        let mut rgb = [0.35 + 0.2 * u + grain, 0.45 + 0.15 * v + grain, 0.55 - 0.2 * u * v + 0.8 * grain];
        for d in 0..6 {
            let at = |i: i64| noise(i, d, seed + 3) * 0.5 + 0.5;
            let away = ((u - at(0)) * w).hypot((v - at(1)) * h) / (0.06 * h * (1.0 + at(2)));
            if away < 1.0 {
                rgb = [at(3), at(4), at(5)].map(|c| 0.15 + 0.6 * c + grain);
            }
        }
        object(u * w / h, v, rgb).unwrap_or(rgb)
    };
    (0..size[0] * size[1]).map(pixel).collect()
}

/// Scene and picture as it should be.
fn before_and_after(case: Case, size: [u32; 2], seed: u32) -> [Vec<[f32; 3]>; 2] {
    let radius = if case == Case::Small { 0.025 } else { 0.13 };
    let middle = [0.4 + 0.3 * noise(1, 1, seed), 0.5 + 0.15 * noise(2, 1, seed)];
    let inside = move |x: f32, y: f32| (x - middle[0]).hypot(y - middle[1]) < radius;
    let own = |x: f32, y: f32| {
        let grain = 0.05 * smooth_noise(x * 900.0, y * 900.0, 3.0, seed + 9);
        [0.75 + grain, 0.25 + grain, 0.2 + grain]
    };
    let with = |colour: &dyn Fn(f32, f32, [f32; 3]) -> [f32; 3]| scene(size, seed, |x, y, rgb| inside(x, y).then(|| colour(x, y, rgb)));
    let there = || with(&|x, y, _| own(x, y));
    let bare = || scene(size, seed, |_, _, _| None);
    let blue = |x: f32, y: f32| [own(x, y)[2], own(x, y)[1] + 0.1, own(x, y)[0]];
    match case {
        Case::Recoloured | Case::Small | Case::Shifted => [there(), with(&|x, y, _| blue(x, y))],
        Case::Added => [bare(), there()],
        Case::Removed => [there(), bare()],
        Case::Patterned => [there(), with(&|x, y, _| own(x, y).map(|c| c + 0.12 * ((x * 120.0).sin() * (y * 120.0).sin()).signum()))],
        Case::Nothing => [there(), there()],
    }
}

fn picture(size: [u32; 2], pixels: &[[f32; 3]], bits: u8) -> Picture {
    let samples = pixels.iter().flat_map(|[r, g, b]| [*r, *g, *b, 1.0]).map(|v| v.clamp(0.0, 1.0));
    let pixels = if bits == 8 {
        Pixels::Rgba8(samples.map(|v| (v * 255.0).round() as u8).collect())
    } else {
        Pixels::Rgba16(samples.map(|v| (v * 65_535.0).round() as u16).collect())
    };
    Picture::new(size[0], size[1], pixels).unwrap_or_else(|e| panic!("{e}"))
}

/// What an autoencoder makes of a picture: blurred, the colours a little off, the same grain of its own each time. A model
/// adds noise and may move it all.
fn developed(picture: &Picture, seed: u32, own_noise: f32, shift: [f32; 2]) -> Picture {
    let (width, height) = (i64::from(picture.width()), i64::from(picture.height()));
    let rgb = picture.to_rgb8();
    let at = |x: i64, y: i64, c: usize| f32::from(rgb[3 * (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)) as usize + c]);
    let mut out = Vec::with_capacity(rgb.len());
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        // A Gaussian of 0.8 pixels about the moved place.
        let (px, py) = (x as f32 - shift[0], y as f32 - shift[1]);
        let (cx, cy) = (px.round() as i64, py.round() as i64);
        let weight = |i: i64, p: f32| (-(i as f32 - p).powi(2) / (2.0 * 0.8 * 0.8)).exp();
        for c in 0..3 {
            let (mut sum, mut total) = (0.0, 0.0);
            for (j, i) in (cy - 2..=cy + 2).flat_map(|j| (cx - 2..=cx + 2).map(move |i| (j, i))) {
                let w = weight(i, px) * weight(j, py);
                sum += w * at(i, j, c);
                total += w;
            }
            let grain = 2.0 * smooth_noise(x as f32, y as f32, 4.0, seed + c as u32) + 1.2 * noise(x, y, seed + 5 + c as u32);
            let own = own_noise * (noise(x, y, seed + 50 + c as u32) + 0.7 * smooth_noise(x as f32, y as f32, 6.0, seed + 60));
            out.push((sum / total * 0.985 + 3.0 + grain + own).round().clamp(0.0, 255.0) as u8);
        }
    }
    Picture::from_rgb8(picture.width(), picture.height(), &out).unwrap_or_else(|e| panic!("{e}"))
}

/// Samples in 0..1, red, green and blue alone.
fn samples(picture: &Picture) -> Vec<[f64; 3]> {
    match picture.pixels() {
        Pixels::Rgba8(v) => v.as_chunks::<4>().0.iter().map(|p| [p[0], p[1], p[2]].map(|s| f64::from(s) / 255.0)).collect(),
        Pixels::Rgba16(v) => v.as_chunks::<4>().0.iter().map(|p| [p[0], p[1], p[2]].map(|s| f64::from(s) / 65_535.0)).collect(),
    }
}

/// Untouched pixels that are equal, and how much of the change is kept.
fn shares(source: &Picture, wanted: &Picture, out: &Picture) -> (f64, f64) {
    let (source, wanted, out) = (samples(source), samples(wanted), samples(out));
    let (mut untouched, mut equal, mut far, mut left) = (0u64, 0u64, 0f64, 0f64);
    for ((s, w), o) in source.iter().zip(&wanted).zip(&out) {
        if s == w {
            untouched += 1;
            equal += u64::from(s == o);
        } else {
            far += (0..3).map(|c| (s[c] - w[c]).abs()).sum::<f64>();
            left += (0..3).map(|c| (o[c] - w[c]).abs()).sum::<f64>();
        }
    }
    (equal as f64 / untouched as f64, if far > 0.0 { 1.0 - left / far } else { 1.0 })
}

/// One case on one picture of `size` with a model of `side` pixels that sees all of it.
pub fn measure(case: Case, seed: u32, size: [u32; 2], side: u32, reach: f32) -> Row {
    let bits = if seed.is_multiple_of(2) { 16 } else { 8 };
    let [source, wanted] = before_and_after(case, size, 100 * seed).map(|pixels| picture(size, &pixels, bits));
    let (model, seen) = ([side; 2], ContextBox::around(size, None, [side; 2]));
    let made = || -> pentimento::imaging::Result<_> {
        let [shown, edited] = [crop_to_model(&source, seen, model)?, crop_to_model(&wanted, seen, model)?];
        let shift = if case == Case::Shifted { [1.4, -0.7] } else { [0.0; 2] };
        let (reconstruction, result) = (developed(&shown, 7 * seed, 0.0, [0.0; 2]), developed(&edited, 7 * seed, 1.5, shift));
        let kept = preserve(&source, seen, &shown, &reconstruction, &result, reach)?;
        // The model sees all of it, so what comes back is as large as the picture.
        let (_, pasted) = back_to_full(&result, seen, size, bits)?;
        Ok((kept, pasted))
    };
    let (kept, pasted) = made().unwrap_or_else(|e| panic!("{e}"));
    let near = |a: &Picture| psnr(a, &wanted).unwrap_or_default();
    let (untouched_equal, change_kept) = shares(&source, &wanted, &kept.picture);
    let (pasted_untouched_equal, pasted_change_kept) = shares(&source, &wanted, &pasted);
    Row {
        case,
        seed,
        size,
        model: side,
        bits,
        untouched_equal,
        change_kept,
        psnr_to_wanted: near(&kept.picture),
        pasted_untouched_equal,
        pasted_change_kept,
        pasted_psnr_to_wanted: near(&pasted),
        shift: kept.shift,
    }
}
