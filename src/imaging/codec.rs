//! Picture files: opened as hostile, saved whole or not at all.

use super::{Error, MAX_PIXELS, MAX_SIDE, Picture, Pixels, Result};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageReader, Limits};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

/// Endings of the files that are opened.
pub const ENDINGS: [&str; 10] = ["png", "jpg", "jpeg", "webp", "tif", "tiff", "gif", "bmp", "jfif", "dib"];

/// The kinds of file that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Png,
    /// With a quality of 1 to 100.
    Jpeg(u8),
    /// Lossless.
    WebP,
}

impl Format {
    /// By the ending of a file's name; JPEG at `quality`.
    ///
    /// # Errors      an ending that is not known
    pub fn of(path: &Path, quality: u8) -> Result<Self> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg(quality.clamp(1, 100))),
            "webp" => Ok(Self::WebP),
            _ => Err(Error::UnknownEnding(ending)),
        }
    }
}

/// Opens a picture file: upright, in sRGB, with its bit depth kept.
///
/// # Errors      not readable, no picture, too large, damaged
pub fn open(path: &Path) -> Result<Picture> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let file = fs::metadata(path).map_err(read)?;
    if file.is_dir() {
        return Err(read(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    if !file.is_file() {
        // A device or a pipe may never end.
        return Err(read(std::io::Error::other("not an ordinary file")));
    }
    if file.len() > 4 << 30 {
        return Err(Error::Damaged("the file is larger than 4 GiB".to_owned()));
    }
    decode(&fs::read(path).map_err(read)?)
}

/// [`open`] for a file that is in memory already.
///
/// # Errors      no picture, too large, damaged
pub fn decode(bytes: &[u8]) -> Result<Picture> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| damaged(&e))?;
    if reader.format().is_none() {
        return Err(Error::UnknownFormat);
    }
    if reader.format() == Some(image::ImageFormat::Jpeg) && !jpeg_ends(bytes) {
        // Its decoder would fill what is missing with grey.
        return Err(Error::Damaged("it ends before the picture does".to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PIXELS * 8);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(Error::TooLarge { width: width.into(), height: height.into() });
    }
    if width == 0 || height == 0 {
        return Err(Error::Damaged("it has no pixels".to_owned()));
    }
    let profile = decoder.icc_profile().ok().flatten();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let deep = matches!(decoder.color_type(), ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let pixels = if deep {
        let mut samples = image.into_rgba16().into_raw();
        to_srgb16(profile.as_deref(), &mut samples);
        Pixels::Rgba16(samples.into())
    } else {
        let mut samples = image.into_rgba8().into_raw();
        to_srgb8(profile.as_deref(), &mut samples);
        Pixels::Rgba8(samples.into())
    };
    Picture::new(width, height, pixels)
}

fn refused(error: ImageError) -> Error {
    match error {
        ImageError::Unsupported(_) => Error::UnknownFormat,
        ImageError::Limits(e) if matches!(e.kind(), image::error::LimitErrorKind::DimensionError) => {
            Error::Damaged(format!("a side is longer than {MAX_SIDE} pixels"))
        }
        other => damaged(&other),
    }
}

/// In one line, whatever the decoder said.
fn damaged(error: &dyn std::error::Error) -> Error {
    Error::Damaged(error.to_string().split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a JPEG goes on to the mark of its end, markers and scans one after the other.
fn jpeg_ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([0xff, marker]) = bytes.get(at..at + 2) {
        match marker {
            0xd9 => return true,
            // Filling, and markers without a length.
            0xff => at += 1,
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some([high, low]) = bytes.get(at + 2..at + 4) else { return false };
                at += 2 + usize::from(u16::from_be_bytes([*high, *low])).max(2);
                if *marker == 0xda {
                    // The scan: up to a marker that is neither a byte of data nor a restart.
                    let scan = bytes.get(at..).unwrap_or_default();
                    let end = scan.windows(2).position(|w| w[0] == 0xff && !matches!(w[1], 0 | 0xd0..=0xd7 | 0xff));
                    at = end.map_or(bytes.len(), |n| at + n);
                }
            }
        }
    }
    false
}

/// The transform from an RGB profile to sRGB; `None` where there is nothing to do or the profile is of no use.
macro_rules! srgb_transform {
    ($profile:expr, $make:ident) => {
        $profile.and_then(|icc| moxcms::ColorProfile::new_from_slice(icc).ok()).and_then(|source| {
            let rgb = source.color_space == moxcms::DataColorSpace::Rgb;
            let target = moxcms::ColorProfile::new_srgb();
            rgb.then(|| source.$make(moxcms::Layout::Rgba, &target, moxcms::Layout::Rgba, moxcms::TransformOptions::default()).ok())?
        })
    };
}

fn to_srgb8(profile: Option<&[u8]>, samples: &mut [u8]) {
    if let Some(transform) = srgb_transform!(profile, create_transform_8bit) {
        let mut out = vec![0; samples.len()];
        if transform.transform(samples, &mut out).is_ok() {
            samples.copy_from_slice(&out);
        }
    }
}

fn to_srgb16(profile: Option<&[u8]>, samples: &mut [u16]) {
    if let Some(transform) = srgb_transform!(profile, create_transform_16bit) {
        let mut out = vec![0; samples.len()];
        if transform.transform(samples, &mut out).is_ok() {
            samples.copy_from_slice(&out);
        }
    }
}

/// The bytes of a picture file. PNG keeps 16 bits; JPEG and WebP take 8, JPEG over white.
///
/// # Errors      the encoder refuses, such as a side too long for the format
pub fn encode(picture: &Picture, format: Format) -> Result<Vec<u8>> {
    let (w, h) = (picture.width(), picture.height());
    let mut out = Vec::new();
    let opaque = |rgba: &[u8]| rgba.as_chunks::<4>().0.iter().all(|p| p[3] == 255);
    let made = match (format, picture.pixels()) {
        (Format::Png, Pixels::Rgba16(samples)) => {
            let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_ne_bytes()).collect();
            image::codecs::png::PngEncoder::new(&mut out).write_image(&bytes, w, h, ColorType::Rgba16.into())
        }
        (Format::Png, Pixels::Rgba8(samples)) if opaque(samples) => {
            image::codecs::png::PngEncoder::new(&mut out).write_image(&picture.to_rgb8(), w, h, ColorType::Rgb8.into())
        }
        (Format::Png, Pixels::Rgba8(samples)) => {
            image::codecs::png::PngEncoder::new(&mut out).write_image(samples, w, h, ColorType::Rgba8.into())
        }
        (Format::Jpeg(quality), _) => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality).write_image(
            &picture.to_rgb8(),
            w,
            h,
            ColorType::Rgb8.into(),
        ),
        (Format::WebP, _) => {
            let rgba = picture.to_rgba8();
            let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut out);
            if opaque(&rgba) {
                encoder.write_image(&picture.to_rgb8(), w, h, ColorType::Rgb8.into())
            } else {
                encoder.write_image(&rgba, w, h, ColorType::Rgba8.into())
            }
        }
    };
    made.map_err(|e| Error::Encode(e.to_string()))?;
    Ok(out)
}

/// Encodes and saves. The file appears whole under its name or not at all: a full disk or a crash leaves what was there.
///
/// # Errors      the encoder refuses, or the file cannot be written
pub fn save(picture: &Picture, path: &Path, format: Format) -> Result<()> {
    let bytes = encode(picture, format)?;
    let write = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".pentimento-").tempfile_in(folder).map_err(write)?;
    file.write_all(&bytes).map_err(write)?;
    file.as_file().sync_all().map_err(write)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private; a saved picture has the usual rights, or those of the file it replaces.
        let mode = fs::metadata(path).map_or(0o644, |m| m.permissions().mode() & 0o777);
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(write)?;
    }
    file.persist(path).map_err(|e| write(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(w: u32, h: u32) -> Picture {
        let rgb: Vec<u8> = (0..w * h).flat_map(|i| [(i % w * 255 / w) as u8, (i / w * 255 / h) as u8, (i % 251) as u8]).collect();
        Picture::from_rgb8(w, h, &rgb).unwrap()
    }

    #[test]
    fn lossless_formats_keep_every_byte() {
        let picture = gradient(37, 21);
        for format in [Format::Png, Format::WebP] {
            assert_eq!(decode(&encode(&picture, format).unwrap()).unwrap(), picture);
        }
        let deep: Vec<u16> = (0..4 * 37 * 21).map(|i| (i * 977 % 65_536) as u16).collect();
        let deep = Picture::new(37, 21, Pixels::Rgba16(deep.into())).unwrap();
        assert_eq!(decode(&encode(&deep, Format::Png).unwrap()).unwrap(), deep);
        let jpeg = decode(&encode(&picture, Format::Jpeg(95)).unwrap()).unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (37, 21));
    }

    #[test]
    fn bad_files_get_a_sentence() {
        let png = encode(&gradient(64, 64), Format::Png).unwrap();
        assert!(matches!(decode(&[]), Err(Error::Empty)));
        assert!(matches!(decode(b"PK\x03\x04 not a picture"), Err(Error::UnknownFormat)));
        assert!(matches!(decode(&png[..png.len() / 2]), Err(Error::Damaged(_))));
        let mut huge = png.clone(); // the header says 2^31 pixels a side
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        assert!(decode(&huge).is_err());
        assert!(matches!(open(Path::new("/nowhere/x.png")), Err(Error::Read { .. })));
        assert!(matches!(Format::of(Path::new("a.xcf"), 90), Err(Error::UnknownEnding(_))));
    }

    #[test]
    fn saving_replaces_the_file_or_leaves_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        save(&gradient(8, 8), &path, Format::Png).unwrap();
        save(&gradient(9, 9), &path, Format::Png).unwrap();
        assert_eq!(open(&path).unwrap(), gradient(9, 9));
        assert!(matches!(save(&gradient(8, 8), &folder.path().join("none/a.png"), Format::Png), Err(Error::Write { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
