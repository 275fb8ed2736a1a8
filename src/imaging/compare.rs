//! Two pictures beside each other: how many pixels differ, where, and by how much.

use super::{Error, Mask, Picture, Pixels, Result};
use rayon::prelude::*;
use std::sync::Arc;

/// Pixels that differ in any sample, alpha too, at the full depth of both pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    pub pixels: u64,
    /// Those of them that the selection does not cover at all; all, where there is no selection.
    pub outside: u64,
    /// The largest difference of two samples, in 16 bits.
    pub largest: u16,
}

/// Rows that are looked at together.
const BAND: usize = 64;

/// Counts what differs between two pictures of one size, overall and outside a selection.
///
/// # Errors      the sizes differ
pub fn compare(a: &Picture, b: &Picture, selection: Option<&Mask>) -> Result<Difference> {
    same_size(a, b)?;
    let [a, b] = &alike(a, b);
    if let Some(mask) = selection.filter(|mask| mask.size() != size(a)) {
        return Err(Error::SizesDiffer { left: size(a), right: mask.size() });
    }
    let shared = match (a.pixels(), b.pixels()) {
        (Pixels::Rgba8(a), Pixels::Rgba8(b)) => Arc::ptr_eq(a, b),
        (Pixels::Rgba16(a), Pixels::Rgba16(b)) => Arc::ptr_eq(a, b),
        _ => false,
    };
    if shared {
        return Ok(Difference::default());
    }
    let width = a.width() as usize;
    let row = |y: usize| {
        let mut found = Difference::default();
        let mut covered = Vec::new();
        for x in 0..width {
            let (p, q) = (pixel(a, y * width + x), pixel(b, y * width + x));
            if p == q {
                continue;
            }
            if let Some(mask) = selection.filter(|_| covered.is_empty()) {
                covered.resize(width, 0);
                mask.read_row(0, y as u32, &mut covered);
            }
            found.pixels += 1;
            found.outside += u64::from(covered.get(x).is_none_or(|c| *c == 0));
            found.largest = (0..4).map(|c| p[c].abs_diff(q[c])).fold(found.largest, u16::max);
        }
        found
    };
    let add = |a: Difference, b: Difference| Difference {
        pixels: a.pixels + b.pixels,
        outside: a.outside + b.outside,
        largest: a.largest.max(b.largest),
    };
    Ok((0..a.height() as usize).into_par_iter().with_min_len(BAND).map(row).reduce(Difference::default, add))
}

/// A picture of where two differ and by how much: black where they are the same to the last bit, then from deep blue over
/// red and yellow to white. `gain` makes small differences plainer; at 1 white is black against white.
///
/// # Errors      the sizes differ
pub fn heat_map(a: &Picture, b: &Picture, gain: f32) -> Result<Picture> {
    same_size(a, b)?;
    let [a, b] = &alike(a, b);
    let mut out: Arc<[u8]> = std::iter::repeat_n(255, 4 * a.width() as usize * a.height() as usize).collect();
    let pixels = Arc::get_mut(&mut out).unwrap_or_default().as_chunks_mut::<4>().0;
    pixels.par_iter_mut().with_min_len(1 << 14).enumerate().for_each(|(i, to)| {
        let (p, q) = (pixel(a, i), pixel(b, i));
        let largest = (0..4).map(|c| p[c].abs_diff(q[c])).max().unwrap_or(0);
        let rgb = if largest == 0 { [0; 3] } else { heat(f32::from(largest) / 65_535.0 * gain) };
        to[..3].copy_from_slice(&rgb);
    });
    Picture::new(a.width(), a.height(), Pixels::Rgba8(out))
}

/// Stops of the heat map. The first is not black, so that the least difference is seen.
const HEAT: [[f32; 3]; 5] = [[24.0, 16.0, 96.0], [150.0, 20.0, 110.0], [230.0, 80.0, 40.0], [250.0, 190.0, 40.0], [255.0, 255.0, 255.0]];

fn heat(v: f32) -> [u8; 3] {
    let at = v.clamp(0.0, 1.0) * (HEAT.len() - 1) as f32;
    let i = (at as usize).min(HEAT.len() - 2);
    let t = at - i as f32;
    [0, 1, 2].map(|c| (HEAT[i][c] * (1.0 - t) + HEAT[i + 1][c] * t).round() as u8)
}

/// The peak signal-to-noise ratio in decibels over red, green and blue of sRGB; infinite for pictures that are the same.
///
/// # Errors      the sizes differ
pub fn psnr(a: &Picture, b: &Picture) -> Result<f64> {
    same_size(a, b)?;
    let [a, b] = &[a.in_srgb(), b.in_srgb()];
    let count = a.width() as usize * a.height() as usize;
    let square = |i: usize| {
        let (p, q) = (pixel(a, i), pixel(b, i));
        (0..3).map(|c| (f64::from(p[c].abs_diff(q[c])) / 65_535.0).powi(2)).sum::<f64>()
    };
    let sum: f64 = (0..count).into_par_iter().with_min_len(1 << 14).map(square).sum();
    Ok(10.0 * (3.0 * count as f64 / sum).log10())
}

/// Both in the same colour profile: their own where it is one.
fn alike(a: &Picture, b: &Picture) -> [Picture; 2] {
    if a.tags().profile == b.tags().profile { [a.clone(), b.clone()] } else { [a.in_srgb(), b.in_srgb()] }
}

fn same_size(a: &Picture, b: &Picture) -> Result<()> {
    if size(a) == size(b) { Ok(()) } else { Err(Error::SizesDiffer { left: size(a), right: size(b) }) }
}

fn size(picture: &Picture) -> [u32; 2] {
    [picture.width(), picture.height()]
}

/// A pixel in 16 bits. An 8-bit sample times 257 is the same value, so equal stays equal and different stays different.
fn pixel(picture: &Picture, i: usize) -> [u16; 4] {
    match picture.pixels() {
        Pixels::Rgba8(v) => v.as_chunks::<4>().0[i].map(|s| u16::from(s) * 257),
        Pixels::Rgba16(v) => v.as_chunks::<4>().0[i],
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mode;
    use super::*;
    use crate::imaging::Rect;

    #[test]
    fn the_last_bit_of_alpha_counts_and_the_selection_excuses() {
        let a: Vec<u16> = (0..4 * 70 * 50).map(|i| (i * 37 % 65_535) as u16).collect();
        let mut b = a.clone();
        b[4 * (70 * 10 + 20) + 3] += 1;
        b[4 * (70 * 40 + 60)] ^= 1;
        let picture = |v: Vec<u16>| Picture::new(70, 50, Pixels::Rgba16(v.into())).unwrap();
        let (a, b) = (picture(a), picture(b));
        assert_eq!(compare(&a, &b, None).unwrap(), Difference { pixels: 2, outside: 2, largest: 1 });
        let mut mask = Mask::new(70, 50).unwrap();
        mask.rectangle(Rect { left: 20, top: 10, width: 1, height: 1 }, Mode::Add);
        assert_eq!(compare(&a, &b, Some(&mask)).unwrap(), Difference { pixels: 2, outside: 1, largest: 1 });
        assert_eq!(compare(&a, &a.clone(), None).unwrap(), Difference::default());
        let hot = heat_map(&a, &b, 1.0).unwrap().to_rgb8();
        assert_eq!(hot.as_chunks::<3>().0.iter().filter(|p| **p != [0; 3]).count(), 2);
        assert!(psnr(&a, &b).unwrap() > 100.0 && psnr(&a, &a).unwrap().is_infinite());
        assert!(matches!(compare(&a, &Picture::from_rgb8(1, 1, &[0; 3]).unwrap(), None), Err(Error::SizesDiffer { .. })));
    }
}
