//! TIFF files: strips packed without loss, in the order of bytes of the camera's data, which keeps its place at the front.

use super::codec::is_opaque;
use super::notes::{Block, Entry, TIFF_PROFILE, TIFF_XMP};
use super::{Error, Notes, Picture, Pixels, Result};
use rayon::prelude::*;
use std::io::Write as _;

/// Bytes of a strip before it is packed, about.
const STRIP: usize = 1 << 18;
/// Tags of how a file is stored, which camera data must not say.
const STORES: [u16; 26] = [
    0x00fe,
    0x0100,
    0x0101,
    0x0102,
    0x0103,
    0x0106,
    0x010a,
    0x0111,
    0x0112,
    0x0115,
    0x0116,
    0x0117,
    0x011c,
    0x013d,
    0x0142,
    0x0143,
    0x0144,
    0x0145,
    0x0152,
    0x0153,
    0x0201,
    0x0202,
    0x0211,
    0x0212,
    TIFF_XMP,
    TIFF_PROFILE,
];

/// The bytes of a file, at the picture's own depth. `None` where `stops` said to stop.
///
/// # Errors      longer than 4 GiB
pub(super) fn encode(picture: &Picture, notes: &Notes, stops: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<u8>>> {
    let (exif, packet) = notes.for_tiff();
    let mut block = exif.as_deref().and_then(Block::new).unwrap_or_else(Block::empty);
    let channels = if is_opaque(picture) { 3 } else { 4 };
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let row_bytes = width * channels * usize::from(picture.bits()) / 8;
    let rows = (STRIP / row_bytes).clamp(1, height);
    let is_big = block.is_big();
    let strip = |i: usize| {
        let rows = i * rows..((i + 1) * rows).min(height);
        (!stops()).then(|| packed(picture, rows, channels, is_big)).transpose()
    };
    let strips: Vec<Option<Vec<u8>>> =
        (0..height.div_ceil(rows)).into_par_iter().map(strip).collect::<std::io::Result<_>>().map_err(|e| Error::Encode(e.to_string()))?;
    let Some(strips) = strips.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
    let long = strips.iter().map(|s| s.len() as u64 + 9).sum::<u64>() + (64 << 20);
    if long > u64::from(u32::MAX) {
        return Err(Error::Encode("a TIFF file cannot be longer than 4 GiB".to_owned()));
    }
    let mut entries: Vec<Entry> = block.entries().into_iter().filter(|e| !STORES.contains(&e.tag)).collect();
    let places: Vec<u32> = strips.iter().map(|s| block.append(s)).collect();
    let longs = |block: &Block<'_>, all: &[u32]| all.iter().flat_map(|v| block.bytes_of_u32(*v)).collect::<Vec<u8>>();
    let shorts = |block: &Block<'_>, all: &[u16]| all.iter().flat_map(|v| block.bytes_of_u16(*v)).collect::<Vec<u8>>();
    let numbers: [(u16, &[u32]); 5] = [
        (0x0100, &[picture.width()]),
        (0x0101, &[picture.height()]),
        (0x0111, &places),
        (0x0116, &[rows as u32]),
        (0x0117, &strips.iter().map(|s| s.len() as u32).collect::<Vec<_>>()),
    ];
    for (tag, all) in numbers {
        let bytes = longs(&block, all);
        entries.push(block.entry(tag, 4, all.len() as u32, &bytes));
    }
    let (bits, unassociated) = (vec![u16::from(picture.bits()); channels], [2]);
    let mut numbers: Vec<(u16, &[u16])> = vec![
        (0x0102, &bits),
        // Deflate, red green blue, upright, in one plane, differences of neighbours.
        (0x0103, &[8]),
        (0x0106, &[2]),
        (0x0112, &[1]),
        (0x0115, if channels == 4 { &[4] } else { &[3] }),
        (0x011c, &[1]),
        (0x013d, &[2]),
    ];
    if channels == 4 {
        numbers.push((0x0152, &unassociated));
    }
    for (tag, all) in numbers {
        let bytes = shorts(&block, all);
        entries.push(block.entry(tag, 3, all.len() as u32, &bytes));
    }
    if let Some(packet) = packet {
        entries.push(block.entry(TIFF_XMP, 1, packet.len() as u32, packet.as_bytes()));
    }
    if let Some(profile) = &notes.profile {
        entries.push(block.entry(TIFF_PROFILE, 7, profile.len() as u32, profile));
    }
    let first = block.append_directory(entries);
    block.set_first(first);
    Ok(Some(block.bytes.into_owned()))
}

/// Rows as differences of neighbours, packed.
fn packed(picture: &Picture, rows: std::ops::Range<usize>, channels: usize, is_big: bool) -> std::io::Result<Vec<u8>> {
    let width = picture.width() as usize;
    let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    for y in rows {
        let of = 4 * y * width..4 * (y + 1) * width;
        let row: Vec<u8> = match picture.pixels() {
            Pixels::Rgba8(v) => differences(&v[of], channels, u8::wrapping_sub).collect(),
            Pixels::Rgba16(v) => differences(&v[of], channels, u16::wrapping_sub)
                .flat_map(|v| if is_big { v.to_be_bytes() } else { v.to_le_bytes() })
                .collect(),
        };
        out.write_all(&row)?;
    }
    out.finish()
}

fn differences<T: Copy + Default>(row: &[T], channels: usize, minus: impl Fn(T, T) -> T) -> impl Iterator<Item = T> {
    let mut before = [T::default(); 4];
    row.as_chunks::<4>().0.iter().flat_map(move |pixel| {
        let difference = [0, 1, 2, 3].map(|c| minus(pixel[c], before[c]));
        before = *pixel;
        difference.into_iter().take(channels)
    })
}
