//! A contact sheet: many pictures small on one.

use crate::imaging::{Picture, Pixels, Result, fitted};

/// The side of a place, in pixels, and the room between places.
pub const SIDE: u32 = 320;
const GAP: u32 = 16;
/// The most pictures on a sheet.
const MOST: usize = 400;
const PAPER: [u8; 4] = [32, 32, 34, 255];
const EMPTY: [u8; 4] = [58, 30, 30, 255];
const CROSS: [u8; 4] = [200, 80, 70, 255];

/// A sheet of pictures in rows from the top left, each as large as fits its place. Where there is none, since something went
/// wrong, stands a cross.
///
/// # Errors      none for pictures that are in order
pub fn contact_sheet(pictures: &[Option<Picture>]) -> Result<Picture> {
    let pictures = &pictures[..pictures.len().min(MOST)];
    let across = (pictures.len() as f64).sqrt().ceil().max(1.0) as u32;
    let down = (pictures.len() as u32).div_ceil(across).max(1);
    let [width, height] = [across, down].map(|n| n * (SIDE + GAP) + GAP);
    let mut sheet: Vec<[u8; 4]> = vec![PAPER; width as usize * height as usize];
    for (i, picture) in (0u32..).zip(pictures) {
        let corner = [i % across, i / across].map(|n| GAP + n * (SIDE + GAP));
        let mut put = |x: u32, y: u32, pixel: [u8; 4]| {
            let under = &mut sheet[(corner[1] + y) as usize * width as usize + (corner[0] + x) as usize];
            let alpha = u32::from(pixel[3]);
            (0..3).for_each(|c| under[c] = ((u32::from(pixel[c]) * alpha + u32::from(under[c]) * (255 - alpha) + 127) / 255) as u8);
        };
        let Some(picture) = picture else {
            for (x, y) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (x, y))) {
                let on_cross = x.abs_diff(y) < 4 || (x + y).abs_diff(SIDE - 1) < 4;
                put(x, y, if on_cross { CROSS } else { EMPTY });
            }
            continue;
        };
        let small = small(picture)?;
        let (w, h) = (small.width(), small.height());
        let (left, top) = ((SIDE - w) / 2, (SIDE - h) / 2);
        let bytes = small.to_rgba8();
        for (n, pixel) in (0u32..).zip(bytes.as_chunks::<4>().0) {
            put(left + n % w, top + n / w, *pixel);
        }
    }
    Picture::new(width, height, Pixels::Rgba8(sheet.into_flattened().into()))
}

fn small(picture: &Picture) -> Result<Picture> {
    fitted(&picture.in_srgb(), [SIDE; 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_picture_has_its_place() {
        let flat = |w, h, v| Some(Picture::from_rgb8(w, h, &vec![v; (3 * w * h) as usize]).unwrap());
        let sheet = contact_sheet(&[flat(1000, 100, 250), None, flat(30, 30, 200)]).unwrap();
        assert_eq!((sheet.width(), sheet.height()), (2 * 336 + 16, 2 * 336 + 16));
        let rgb = sheet.to_rgb8();
        let at = |x: u32, y: u32| rgb[3 * (y * sheet.width() + x) as usize];
        assert_eq!([at(176, 176), at(20, 176), at(176, 100), at(512, 20), at(176, 512)], [250, 250, 32, 58, 200]);
        assert_eq!(contact_sheet(&[]).unwrap().width(), 352);
    }
}
