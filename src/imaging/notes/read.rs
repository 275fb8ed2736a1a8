//! What a file says of its picture in words. Every byte is hostile: lengths are bounded, and what cannot be read is left out.

use super::xmp::SourceType;
use super::{exif, xmp};
use std::io::Read as _;

/// The longest text, and all texts together, in bytes.
const MOST_TEXT: usize = 4 << 20;
const MOST_TEXTS: usize = 16 << 20;

/// What a file says of its picture in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Entries of a PNG file: a keyword and its text.
    pub texts: Vec<(String, String)>,
    /// What a person or a program has written into EXIF.
    pub comment: Option<String>,
    /// XMP.
    pub xmp: Option<String>,
}

impl Said {
    /// Of a PNG, JPEG, WebP or TIFF file.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            of_png(bytes)
        } else if bytes.starts_with(b"\xff\xd8") {
            of_jpeg(bytes)
        } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
            of_webp(bytes)
        } else {
            of_tiff(bytes)
        }
    }

    /// The text of a keyword.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.texts.iter().find(|(k, _)| k == keyword).map(|(_, t)| t.as_str())
    }

    /// Our recipe, as it was written.
    pub fn recipe(&self) -> Option<String> {
        self.xmp.as_deref().and_then(xmp::recipe)
    }

    /// How the picture came to be.
    pub fn source_type(&self) -> Option<SourceType> {
        self.xmp.as_deref().and_then(xmp::source_type)
    }

    fn take_exif(&mut self, bytes: &[u8]) {
        self.comment = self.comment.take().or_else(|| exif::comment(bytes).filter(|t| t.len() <= MOST_TEXT));
    }

    fn take_xmp(&mut self, bytes: &[u8]) {
        if self.xmp.is_none() && bytes.len() <= xmp::MOST_BYTES {
            self.xmp = Some(String::from_utf8_lossy(bytes).into_owned());
        }
    }
}

/// The chunks of a PNG file in order: kind and data.
pub(super) fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 8usize;
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize;
        let kind = bytes.get(at + 4..at + 8)?;
        let data = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        at += 12 + length;
        Some((kind, data))
    })
}

fn of_png(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    let mut all = 0;
    for (kind, data) in png_chunks(bytes) {
        let found = match kind {
            b"tEXt" => split(data).map(|(keyword, text)| (keyword, Some(latin1(text)))),
            b"zTXt" => split(data).map(|(keyword, rest)| (keyword, inflated(rest.get(1..).unwrap_or_default()).map(|t| latin1(&t)))),
            b"iTXt" => split(data).map(|(keyword, rest)| (keyword, international(rest))),
            b"eXIf" => {
                said.take_exif(data);
                None
            }
            _ => None,
        };
        let Some((keyword, Some(text))) = found else { continue };
        all += text.len();
        if text.len() > MOST_TEXT || all > MOST_TEXTS || said.texts.len() > 1000 {
            continue;
        }
        if keyword == "XML:com.adobe.xmp" {
            said.take_xmp(text.as_bytes());
        } else {
            said.texts.push((keyword, text));
        }
    }
    said
}

/// A keyword and what follows its zero.
fn split(data: &[u8]) -> Option<(String, &[u8])> {
    let end = data.iter().take(80).position(|b| *b == 0)?;
    Some((latin1(&data[..end]), &data[end + 1..]))
}

fn latin1(bytes: &[u8]) -> String {
    // Many write UTF-8 where the format asks for Latin-1.
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| bytes.iter().map(|b| char::from(*b)).collect())
}

fn international(rest: &[u8]) -> Option<String> {
    let is_packed = *rest.first()? == 1;
    let mut rest = rest.get(2..)?;
    for _ in 0..2 {
        // The language, and the keyword in it.
        let end = rest.iter().position(|b| *b == 0)?;
        rest = &rest[end + 1..];
    }
    let bytes = if is_packed { inflated(rest)? } else { rest.to_vec() };
    String::from_utf8(bytes).ok()
}

/// Unpacked, where that is no longer than a text may be.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(bytes).take(MOST_TEXT as u64 + 1).read_to_end(&mut out).ok()?;
    (out.len() <= MOST_TEXT).then_some(out)
}

pub(super) const JPEG_EXIF: &[u8] = b"Exif\0\0";
pub(super) const JPEG_XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

fn of_jpeg(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    let mut at = 2;
    while let Some([0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            // The picture itself; what describes it stands before.
            0xd8..=0xda => break,
            _ => {
                let Some(length) = bytes.get(at + 2..at + 4).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]]))) else { break };
                let Some(data) = bytes.get(at + 4..at + 2 + length.max(2)) else { break };
                match marker {
                    0xe1 if data.starts_with(JPEG_EXIF) => said.take_exif(data),
                    0xe1 if data.starts_with(JPEG_XMP) => said.take_xmp(&data[JPEG_XMP.len()..]),
                    _ => {}
                }
                at += 2 + length.max(2);
            }
        }
    }
    said
}

/// The chunks of a WebP file in order: kind and data.
pub(super) fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 12usize;
    std::iter::from_fn(move || {
        let kind = bytes.get(at..at + 4)?;
        let length = u32::from_le_bytes(bytes.get(at + 4..at + 8)?.try_into().ok()?) as usize;
        let data = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        at += 8 + length + length % 2;
        Some((kind, data))
    })
}

fn of_webp(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    for (kind, data) in webp_chunks(bytes) {
        match kind {
            b"EXIF" => said.take_exif(data),
            b"XMP " => said.take_xmp(data),
            _ => {}
        }
    }
    said
}

fn of_tiff(bytes: &[u8]) -> Said {
    let mut said = Said::default();
    if let Some(block) = exif::of_tiff(bytes) {
        said.take_exif(&block);
    }
    if let Some(packet) = exif::value_of_tiff(bytes, exif::XMP) {
        said.take_xmp(&packet);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0..4usize) {
            let heads: [&[u8]; 4] = [b"\x89PNG\r\n\x1a\n\0\0\0\x10iTXta\0\x01", b"\xff\xd8\xff\xe1\0\x30Exif\0\0II*\0\x08\0\0\0", b"RIFF\0\0\0\0WEBPEXIF", b"II*\0\x08\0\0\0"];
            let _ = Said::of(&[heads[head], &bytes].concat());
        }
    }

    #[test]
    fn a_text_that_unpacks_without_end_is_left_out() {
        let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packed, &vec![b'x'; MOST_TEXT + 1]).unwrap();
        let data = [b"parameters\0\0", packed.finish().unwrap().as_slice()].concat();
        let file = [b"\x89PNG\r\n\x1a\n", (data.len() as u32).to_be_bytes().as_slice(), b"zTXt", &data, &[0; 4]].concat();
        assert_eq!(Said::of(&file), Said::default());
        let data = b"prompt\0\xfcber";
        let file = [b"\x89PNG\r\n\x1a\n", (data.len() as u32).to_be_bytes().as_slice(), b"tEXt", data, &[0; 4]].concat();
        assert_eq!(Said::of(&file).text("prompt"), Some("über"));
    }
}
