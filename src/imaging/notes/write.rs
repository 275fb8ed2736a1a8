//! Puts notes into the files that the encoders have made.

use super::Notes;
use super::read::{JPEG_EXIF, JPEG_XMP, png_chunks, webp_chunks};

/// The most bytes of a JPEG segment besides its length.
pub(super) const JPEG_SEGMENT: usize = 65_533;
const JPEG_PROFILE: &[u8] = b"ICC_PROFILE\0";

/// Into a PNG file, before its pixels.
pub(in super::super) fn into_png(file: &[u8], notes: &Notes) -> Vec<u8> {
    let mut extra = Vec::new();
    if let Some(profile) = &notes.profile {
        let mut packed = flate2::write::ZlibEncoder::new(b"ICC profile\0\0".to_vec(), flate2::Compression::default());
        // Writing into memory does not fail.
        if std::io::Write::write_all(&mut packed, profile).is_ok()
            && let Ok(data) = packed.finish()
        {
            chunk(&mut extra, *b"iCCP", &data);
        }
    }
    if let Some(exif) = &notes.exif {
        chunk(&mut extra, *b"eXIf", exif);
    }
    let mut text = |keyword: &str, text: &str| {
        if text.bytes().all(|b| b == b'\n' || (b' '..=b'~').contains(&b)) && keyword == "parameters" {
            // What older readers know.
            chunk(&mut extra, *b"tEXt", &[keyword.as_bytes(), b"\0", text.as_bytes()].concat());
        } else {
            chunk(&mut extra, *b"iTXt", &[keyword.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat());
        }
    };
    if let Some(packet) = notes.packet() {
        text("XML:com.adobe.xmp", &packet);
    }
    if let Some(parameters) = &notes.parameters {
        text("parameters", parameters);
    }
    let behind_head = png_chunks(file).next().map_or(file.len(), |(_, head)| 8 + 12 + head.len());
    [&file[..behind_head], &extra, &file[behind_head..]].concat()
}

fn chunk(out: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    out.extend((data.len() as u32).to_be_bytes());
    let from = out.len();
    out.extend(kind);
    out.extend(data);
    let mut sum = flate2::Crc::new();
    sum.update(&out[from..]);
    out.extend(sum.sum().to_be_bytes());
}

/// Into a JPEG file, behind its first segment. What has no room there is left out.
pub(in super::super) fn into_jpeg(file: &[u8], notes: &Notes) -> Vec<u8> {
    let mut extra = Vec::new();
    let mut segment = |marker: u8, parts: &[&[u8]]| {
        let length = 2 + parts.iter().map(|p| p.len()).sum::<usize>();
        if let Ok(length) = u16::try_from(length) {
            extra.extend([0xff, marker]);
            extra.extend(length.to_be_bytes());
            parts.iter().for_each(|p| extra.extend(*p));
        }
    };
    if let Some(exif) = notes.exif_with_comment(JPEG_SEGMENT - JPEG_EXIF.len()) {
        segment(0xe1, &[JPEG_EXIF, &exif]);
    }
    let short = || Notes { recipe: None, ..notes.clone() }.packet();
    let packet = if notes.fits_jpeg() { notes.packet() } else { short() };
    if let Some(packet) = packet {
        segment(0xe1, &[JPEG_XMP, packet.as_bytes()]);
    }
    if let Some(profile) = &notes.profile {
        let parts: Vec<&[u8]> = profile.chunks(JPEG_SEGMENT - JPEG_PROFILE.len() - 2).collect();
        if let Ok(count) = u8::try_from(parts.len()) {
            for (i, part) in (1..=count).zip(parts) {
                segment(0xe2, &[JPEG_PROFILE, &[i, count], part]);
            }
        }
    }
    // Behind the mark of JFIF, which must be first.
    let length = |at: usize| file.get(at + 2..at + 4).map_or(0, |b| 2 + usize::from(u16::from_be_bytes([b[0], b[1]])));
    let behind = if file.get(2..4) == Some(&[0xff, 0xe0]) { (2 + length(2)).min(file.len()) } else { 2 };
    [&file[..behind], &extra, &file[behind..]].concat()
}

/// Into a WebP file of one picture.
pub(in super::super) fn into_webp(file: &[u8], notes: &Notes, [width, height]: [u32; 2], has_alpha: bool) -> Vec<u8> {
    let exif = notes.exif_with_comment(usize::MAX);
    let packet = notes.packet();
    if notes.profile.is_none() && exif.is_none() && packet.is_none() {
        return file.to_vec();
    }
    let mut body = b"WEBP".to_vec();
    let mut chunk = |kind: &[u8], data: &[u8]| {
        body.extend(kind);
        body.extend((data.len() as u32).to_le_bytes());
        body.extend(data);
        body.extend(&[0][..data.len() % 2]);
    };
    let flag = |is: bool, bit: u8| u8::from(is) << bit;
    let flags = flag(notes.profile.is_some(), 5) | flag(has_alpha, 4) | flag(exif.is_some(), 3) | flag(packet.is_some(), 2);
    let [w, h] = [width, height].map(|side| side.saturating_sub(1).to_le_bytes());
    chunk(b"VP8X", &[flags, 0, 0, 0, w[0], w[1], w[2], h[0], h[1], h[2]]);
    notes.profile.iter().for_each(|profile| chunk(b"ICCP", profile));
    webp_chunks(file)
        .filter(|(kind, _)| [b"ALPH", b"VP8 ", b"VP8L"].contains(&<&[u8; 4]>::try_from(*kind).unwrap_or(&[0; 4])))
        .for_each(|(kind, data)| chunk(kind, data));
    exif.iter().for_each(|exif| chunk(b"EXIF", exif));
    packet.iter().for_each(|packet| chunk(b"XMP ", packet.as_bytes()));
    [b"RIFF", (body.len() as u32).to_le_bytes().as_slice(), &body].concat()
}
