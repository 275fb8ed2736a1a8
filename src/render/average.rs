//! A mask's tiles made smaller for the screen: the mean of each square of pixels.

use crate::imaging::MASK_TILE;

const WIDTH: usize = MASK_TILE as usize;

/// Writes texels of a tile at a level, seven at most, to `out`, rows of `pitch` bytes. A texel is the mean of the `2^level` x `2^level` pixels
/// that it covers, of fewer where the picture ends.
///
/// # Shapes
/// - `bytes`: rows of [`MASK_TILE`] pixels, of which `pixels` (width, height) lie in the picture
/// - `part`: left, top, right and bottom of what is wanted, in texels from the tile's corner; it must hold such pixels
pub(super) fn reduce(bytes: &[u8], pixels: [usize; 2], level: usize, part: [usize; 4], out: &mut [u8], pitch: usize) {
    let [left, top, right, bottom] = part;
    let columns = left << level..(right << level).min(pixels[0]);
    for (y, out) in (top..bottom).zip(out.chunks_mut(pitch)) {
        let out = &mut out[..right - left];
        let rows = y << level..((y + 1) << level).min(pixels[1]);
        let row = |y: usize| &bytes[y * WIDTH..][columns.clone()];
        if level == 0 {
            out.copy_from_slice(row(y));
            continue;
        }
        // Each sum is of two columns. 16 bits hold 128 rows of them, and so narrow the additions go many at a time.
        let mut sums = [0u16; WIDTH / 2];
        let sums = &mut sums[..columns.len().div_ceil(2)];
        let square = [columns.len(), rows.len()];
        for y in rows {
            let (pairs, last) = row(y).as_chunks::<2>();
            for (sum, pair) in sums.iter_mut().zip(pairs) {
                let pair = u16::from_ne_bytes(*pair);
                *sum = sum.wrapping_add((pair & 0xff).wrapping_add(pair >> 8));
            }
            if let ([last], Some(sum)) = (last, sums.last_mut()) {
                *sum = sum.wrapping_add(u16::from(*last));
            }
        }
        match level {
            1 => means::<1>(sums, square, out),
            2 => means::<2>(sums, square, out),
            3 => means::<4>(sums, square, out),
            4 => means::<8>(sums, square, out),
            5 => means::<16>(sums, square, out),
            6 => means::<32>(sums, square, out),
            _ => means::<64>(sums, square, out),
        }
    }
}

/// The rounded means of every `2 N` of so many columns and rows, of which every two columns are summed; the last may be of
/// fewer columns.
fn means<const N: usize>(sums: &[u16], [columns, rows]: [usize; 2], out: &mut [u8]) {
    let mean = |sums: &[u16], count: u32| {
        let sum = sums.iter().fold(0u32, |all, sum| all.wrapping_add(u32::from(*sum)));
        ((sum + count / 2) / count) as u8
    };
    let whole = columns / (2 * N);
    let squares = sums.as_chunks::<N>().0;
    if rows == 2 * N {
        // Nearly always, and then the division is a shift.
        out.iter_mut().zip(&squares[..whole]).for_each(|(out, square)| *out = mean(square, (4 * N * N) as u32));
    } else {
        out.iter_mut().zip(&squares[..whole]).for_each(|(out, square)| *out = mean(square, (2 * N * rows) as u32));
    }
    if let Some(last) = out.get_mut(whole) {
        *last = mean(&sums[whole * N..], ((columns - whole * 2 * N) * rows) as u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_texel_is_the_mean_of_the_pixels_that_it_covers() {
        let bytes: Vec<u8> = (0..WIDTH * WIDTH).map(|i| (i * 31 + i / 256 * 77 + i / 1000) as u8).collect();
        for (level, pixels) in (0..=7).flat_map(|level| [[256, 256], [255, 1], [1, 200], [130, 67]].map(|pixels| (level, pixels))) {
            let counts = pixels.map(|side: usize| side.div_ceil(1 << level));
            for part in [[0, 0, counts[0], counts[1]], [counts[0] / 2, counts[1] / 3, counts[0], counts[1].div_ceil(2)]] {
                let pitch = part[2] - part[0] + 3;
                let mut out = vec![7; pitch * (part[3] - part[1])];
                reduce(&bytes, pixels, level, part, &mut out, pitch);
                for (i, got) in out.iter().enumerate() {
                    let (x, y) = (part[0] + i % pitch, part[1] + i / pitch);
                    let columns = x << level..((x + 1) << level).min(pixels[0]);
                    let rows = y << level..((y + 1) << level).min(pixels[1]);
                    let count = rows.len() * columns.len();
                    let all = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
                    let sum: usize = all.map(|(x, y)| usize::from(bytes[y * WIDTH + x])).sum();
                    let want = if x < part[2] { (2 * sum + count) / (2 * count) } else { 7 };
                    assert_eq!(usize::from(*got), want, "level {level}, {pixels:?}, {part:?}: {x}, {y}");
                }
            }
        }
    }
}
