//! Picture files: opened as hostile, saved whole or not at all.

use super::{Error, MAX_PIXELS, MAX_SIDE, Notes, Picture, Pixels, Result, Said, Tags, colour, notes, tiff, webp};
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageEncoder, ImageError, ImageReader, Limits};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Arc;

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
    /// With a quality of 1 to 100.
    WebPLossy(u8),
    Tiff,
}

impl Format {
    /// By the ending of a file's name; JPEG at `quality`, WebP lossless.
    ///
    /// # Errors      an ending that is not known
    pub fn of(path: &Path, quality: u8) -> Result<Self> {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        match ending.as_str() {
            "png" => Ok(Self::Png),
            "jpg" | "jpeg" => Ok(Self::Jpeg(quality.clamp(1, 100))),
            "webp" => Ok(Self::WebP),
            "tif" | "tiff" => Ok(Self::Tiff),
            _ => Err(Error::UnknownEnding(ending)),
        }
    }

    /// The usual ending of a file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg(_) => "jpg",
            Self::WebP | Self::WebPLossy(_) => "webp",
            Self::Tiff => "tif",
        }
    }
}

/// Opens a picture file: upright, with its bit depth, its colour profile and its camera data kept.
///
/// # Errors      not readable, no picture, too large, damaged
pub fn open(path: &Path) -> Result<Picture> {
    decode(&read(path)?)
}

/// The bytes of a file that may be a picture.
///
/// # Errors      not readable, or too long
pub fn read(path: &Path) -> Result<Vec<u8>> {
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
    fs::read(path).map_err(read)
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
    let is_tiff = reader.format() == Some(image::ImageFormat::Tiff);
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
    let profile = if is_tiff { notes::value_of_tiff(bytes, notes::TIFF_PROFILE) } else { decoder.icc_profile().ok().flatten() };
    let profile = profile.filter(|icc| colour::is_of_use(icc));
    let exif = if is_tiff { notes::of_tiff(bytes) } else { decoder.exif_metadata().ok().flatten() };
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let deep = matches!(decoder.color_type(), ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16);
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width(), image.height());
    let pixels =
        if deep { Pixels::Rgba16(image.into_rgba16().into_raw().into()) } else { Pixels::Rgba8(image.into_rgba8().into_raw().into()) };
    let tags = Tags {
        profile: profile.map(Arc::from),
        exif: exif.and_then(|exif| notes::upright(&exif, [width, height])).map(Arc::from),
        source: Said::of(bytes).source_type(),
    };
    Ok(Picture::new(width, height, pixels)?.with_tags(tags))
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

/// The bytes of a picture file with all that the picture carries. PNG and TIFF keep 16 bits; JPEG and WebP take 8, JPEG over
/// white.
///
/// # Errors      the encoder refuses, such as a side too long for the format
pub fn encode(picture: &Picture, format: Format) -> Result<Vec<u8>> {
    Ok(encode_with(picture, format, &Notes::from(picture.tags()), &|| false)?.unwrap_or_default())
}

/// [`encode`] with other notes than the picture's own tags; its colours stay in its own profile, which the notes should name.
/// `None` where `stops` said to stop.
///
/// # Errors      the encoder refuses, such as a side too long for the format
pub fn encode_with(picture: &Picture, format: Format, notes: &Notes, stops: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<u8>>> {
    let size = [picture.width(), picture.height()];
    // The size may have changed since the camera wrote.
    let exif = notes.exif.as_deref().and_then(|exif| notes::upright(exif, size)).map(Arc::from);
    let notes = &Notes { exif, ..notes.clone() };
    if format == Format::Tiff {
        return tiff::encode(picture, notes, stops);
    }
    let opaque = is_opaque(picture);
    let bytes = match format {
        Format::WebPLossy(quality) => webp::encode(picture, quality, opaque, stops)?,
        _ => encode_plain(picture, format, opaque, stops)?,
    };
    Ok(bytes.map(|bytes| match format {
        Format::Jpeg(_) => notes::into_jpeg(&bytes, notes),
        Format::WebP | Format::WebPLossy(_) => notes::into_webp(&bytes, notes, size, !opaque),
        _ => notes::into_png(&bytes, notes),
    }))
}

pub(super) fn is_opaque(picture: &Picture) -> bool {
    match picture.pixels() {
        Pixels::Rgba8(v) => v.as_chunks::<4>().0.iter().all(|p| p[3] == u8::MAX),
        Pixels::Rgba16(v) => v.as_chunks::<4>().0.iter().all(|p| p[3] == u16::MAX),
    }
}

fn encode_plain(picture: &Picture, format: Format, opaque: bool, stops: &(dyn Fn() -> bool + Sync)) -> Result<Option<Vec<u8>>> {
    let (w, h) = (picture.width(), picture.height());
    let mut out = Stoppable { bytes: Vec::new(), stops };
    let made = match (format, picture.pixels()) {
        (Format::Png, Pixels::Rgba16(samples)) => {
            let bytes: Vec<u8> = samples.iter().flat_map(|s| s.to_ne_bytes()).collect();
            image::codecs::png::PngEncoder::new(&mut out).write_image(&bytes, w, h, ColorType::Rgba16.into())
        }
        (Format::Png, Pixels::Rgba8(_)) if opaque => {
            image::codecs::png::PngEncoder::new(&mut out).write_image(&picture.own_rgb8(), w, h, ColorType::Rgb8.into())
        }
        (Format::Png, Pixels::Rgba8(samples)) => {
            image::codecs::png::PngEncoder::new(&mut out).write_image(samples, w, h, ColorType::Rgba8.into())
        }
        (Format::Jpeg(quality), _) => image::codecs::jpeg::JpegEncoder::new_with_quality(&mut out, quality).write_image(
            &picture.own_rgb8(),
            w,
            h,
            ColorType::Rgb8.into(),
        ),
        _ => {
            let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut out);
            if opaque {
                encoder.write_image(&picture.own_rgb8(), w, h, ColorType::Rgb8.into())
            } else {
                encoder.write_image(&picture.own_rgba8(), w, h, ColorType::Rgba8.into())
            }
        }
    };
    if stops() {
        return Ok(None);
    }
    made.map_err(|e| Error::Encode(e.to_string()))?;
    Ok(Some(out.bytes))
}

/// Takes bytes until it is told to stop.
struct Stoppable<'a> {
    bytes: Vec<u8>,
    stops: &'a (dyn Fn() -> bool + Sync),
}

impl Write for Stoppable<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if (self.stops)() {
            return Err(std::io::Error::other("stopped"));
        }
        self.bytes.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Encodes and saves. The file appears whole under its name or not at all: a full disk or a crash leaves what was there.
///
/// # Errors      the encoder refuses, or the file cannot be written
pub fn save(picture: &Picture, path: &Path, format: Format) -> Result<()> {
    write_whole(path, &encode(picture, format)?)
}

/// Writes a file that appears whole under its name or not at all.
///
/// # Errors      the file cannot be written
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let file = written(path, bytes)?;
    file.persist(path).map_err(|e| Error::Write { path: path.to_owned(), source: e.error })?;
    Ok(())
}

/// [`write_whole`] where nothing is there yet; false, and nothing happens, where something is.
///
/// # Errors      the file cannot be written
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(false);
    }
    match written(path, bytes)?.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(Error::Write { path: path.to_owned(), source: e.error }),
    }
}

/// A file beside the one that it is to be.
fn written(path: &Path, bytes: &[u8]) -> Result<tempfile::NamedTempFile> {
    let write = |source| Error::Write { path: path.to_owned(), source };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".pentimento-").tempfile_in(folder).map_err(write)?;
    file.write_all(bytes).map_err(write)?;
    file.as_file().sync_all().map_err(write)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private; a saved picture has the usual rights, or those of the file it replaces.
        let mode = fs::metadata(path).map_or(0o644, |m| m.permissions().mode() & 0o777);
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(write)?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::super::SourceType;
    use super::*;

    fn gradient(w: u32, h: u32) -> Picture {
        let rgb: Vec<u8> = (0..w * h).flat_map(|i| [(i % w * 255 / w) as u8, (i / w * 255 / h) as u8, (i % 251) as u8]).collect();
        Picture::from_rgb8(w, h, &rgb).unwrap()
    }

    #[test]
    fn lossless_formats_keep_every_byte() {
        let picture = gradient(37, 21);
        for format in [Format::Png, Format::WebP, Format::Tiff] {
            assert_eq!(decode(&encode(&picture, format).unwrap()).unwrap(), picture);
        }
        let deep: Vec<u16> = (0..4 * 37 * 21).map(|i| (i * 977 % 65_536) as u16).collect();
        let deep = Picture::new(37, 21, Pixels::Rgba16(deep.into())).unwrap();
        assert_eq!(decode(&encode(&deep, Format::Png).unwrap()).unwrap(), deep);
        let jpeg = decode(&encode(&picture, Format::Jpeg(95)).unwrap()).unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (37, 21));
    }

    /// Colours that sRGB does not have, with the orientation of a camera that was held upright.
    fn wide(bits: u8, profile: &[u8]) -> Picture {
        let exif: Arc<[u8]> = notes::upright(&notes::camera(true), [37, 21]).unwrap().into();
        let value = |i: usize| [(i * 7 % 256) as u8, (i * 13 % 256) as u8, (i % 200) as u8, 255][i % 4];
        let pixels = if bits == 8 {
            Pixels::Rgba8((0..4 * 37 * 21).map(|i| if i % 4 == 3 { 255 } else { value(i) }).collect())
        } else {
            Pixels::Rgba16((0..4 * 37 * 21).map(|i| if i % 4 == 3 { 65_535 } else { u16::from(value(i)) * 256 + i as u16 % 256 }).collect())
        };
        let tags = Tags { profile: Some(profile.into()), exif: Some(exif), source: Some(SourceType::TrainedAlgorithmicMedia) };
        Picture::new(37, 21, pixels).unwrap().with_tags(tags)
    }

    #[test]
    fn every_format_keeps_profile_camera_and_mark() {
        for profile in [moxcms::ColorProfile::new_display_p3(), moxcms::ColorProfile::new_adobe_rgb()] {
            let profile = profile.encode().unwrap();
            for (bits, format, exact) in [
                (8, Format::Png, true),
                (16, Format::Png, true),
                (8, Format::Tiff, true),
                (16, Format::Tiff, true),
                (8, Format::WebP, true),
                (8, Format::WebPLossy(90), false),
                (8, Format::Jpeg(95), false),
                (16, Format::Jpeg(95), false),
            ] {
                let picture = wide(bits, &profile);
                let bytes = encode(&picture, format).unwrap();
                let again = decode(&bytes).unwrap();
                assert_eq!(
                    (again.tags().profile.as_deref(), again.tags().source),
                    (Some(profile.as_slice()), picture.tags().source),
                    "{format:?}"
                );
                let camera = |p: &Picture| p.tags().exif.as_ref().map(|e| e.windows(9).any(|w| w == b"note-note"));
                assert_eq!(camera(&again), Some(true), "{format:?}");
                assert_eq!(again.pixels() == picture.pixels(), exact, "{format:?}");
                // What is written the second time is what was written the first; TIFF puts camera data in another order.
                assert!(!exact || format == Format::Tiff || encode(&again, format).unwrap() == bytes, "{format:?}");
            }
        }
    }

    #[test]
    fn work_in_srgb_leaves_other_colours_as_they_are() {
        let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        for bits in [8, 16] {
            let source = wide(bits, &profile);
            assert!(source.in_srgb().pixels() != source.pixels());
            let paint = |picture: &Picture| {
                let Pixels::Rgba16(v) = picture.pixels() else { unreachable!() };
                let mut v = v.to_vec();
                v[..8].copy_from_slice(&[30_000, 30_000, 30_000, 65_535, 65_535, 0, 0, 65_535]);
                Ok((Picture::new(37, 21, Pixels::Rgba16(v.into()))?, ()))
            };
            let (made, ()) = crate::imaging::through_srgb(&source, paint).unwrap();
            let found = crate::imaging::compare(&source, &made, None).unwrap();
            assert_eq!((found.pixels, made.bits(), made.tags()), (2, bits, source.tags()));
            let seen = made.in_srgb().to_rgb8();
            // sRGB's red is a duller one in Display P3, and comes back.
            assert!(seen[3] > 252 && seen[4] < 4 && seen[5] < 4 && seen[0].abs_diff(117) < 2, "{:?}", &seen[..6]);
        }
        // sRGB by another name is left alone.
        let plain = wide(8, &moxcms::ColorProfile::new_srgb().encode().unwrap());
        assert!(plain.in_srgb().pixels() == plain.pixels());
    }

    #[test]
    fn encoding_can_be_stopped() {
        for format in [Format::Png, Format::Jpeg(90), Format::WebP, Format::WebPLossy(80), Format::Tiff] {
            assert_eq!(encode_with(&gradient(300, 200), format, &Notes::default(), &|| true).unwrap(), None);
        }
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
