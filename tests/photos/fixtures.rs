//! The pictures: one scene in every guise. What nothing in Rust's libraries writes lies in `files`, made by `make.py`.

use image::codecs::{bmp::BmpEncoder, gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, tiff::TiffEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use pentimento::imaging::Picture;

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

pub struct Fixture {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    size: [u32; 2],
    bits: u8,
    /// Colours (red, green, blue, alpha of 255) near the top left and bottom right corners, and how far they may be off.
    corners: Option<([[u8; 4]; 2], u8)>,
}

impl Fixture {
    /// Whether a picture is the one that the file shows: upright, in sRGB, as deep as it was.
    pub fn check(&self, picture: &Picture) {
        let Self { name, size, bits, corners, .. } = self;
        assert_eq!(([picture.width(), picture.height()], picture.bits()), (*size, *bits), "{name}");
        let Some((corners, off)) = corners else { return };
        let rgba = picture.to_rgba8();
        let pixel = |x: u32, y: u32| rgba.as_chunks::<4>().0[(y * size[0] + x) as usize];
        for (want, got) in corners.iter().zip([pixel(2, 2), pixel(size[0] - 3, size[1] - 3)]) {
            assert!(want.iter().zip(got).all(|(a, b)| a.abs_diff(b) <= *off), "{name}: {got:?} is not {want:?}");
        }
    }
}

/// Sky and meadow, no two corners alike.
fn colour(x: u32, y: u32) -> [u8; 3] {
    let (u, v) = (x as f32 / WIDTH as f32, y as f32 / HEIGHT as f32);
    let ball = (u - 0.3).powi(2) * 2.25 + (v - 0.45).powi(2) < 0.04;
    let rgb = match (ball, v < 0.6) {
        (true, _) => [230.0, 60.0, 40.0],
        (_, true) => [90.0 + 60.0 * v, 150.0 + 50.0 * v, 235.0 - 40.0 * u],
        _ => [60.0, 150.0 + 40.0 * u, 50.0 + 30.0 * u],
    };
    rgb.map(|c| c as u8)
}

fn rgb() -> Vec<u8> {
    (0..WIDTH * HEIGHT).flat_map(|i| colour(i % WIDTH, i / WIDTH)).collect()
}

fn corners() -> [[u8; 4]; 2] {
    [colour(2, 2), colour(WIDTH - 3, HEIGHT - 3)].map(|[r, g, b]| [r, g, b, 255])
}

fn fixture(name: &'static str, bytes: Vec<u8>, bits: u8, off: u8) -> Fixture {
    Fixture { name, bytes, size: [WIDTH, HEIGHT], bits, corners: Some((corners(), off)) }
}

/// What an encoder writes of 8-bit RGB.
fn written(write: impl FnOnce(&mut Vec<u8>, &[u8]) -> image::ImageResult<()>) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, &rgb()).unwrap();
    out
}

/// Turned so that a viewer which heeds the EXIF orientation sees the scene upright.
fn turned(orientation: u8) -> Vec<u8> {
    let scene = image::RgbImage::from_raw(WIDTH, HEIGHT, rgb()).unwrap();
    let mut stored = image::DynamicImage::ImageRgb8(scene);
    // The inverse of each: turns by a quarter are each other's, all others their own.
    let inverse = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    stored.apply_orientation(image::metadata::Orientation::from_exif(inverse).unwrap());
    // A TIFF of one entry: orientation, a short.
    let exif = [&b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat();
    let mut out = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut out, 95);
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(stored.as_bytes(), stored.width(), stored.height(), ExtendedColorType::Rgb8).unwrap();
    out
}

/// The scene's colours in another space, so that the file shows the same.
fn in_space(profile: &moxcms::ColorProfile) -> Vec<u8> {
    let srgb = moxcms::ColorProfile::new_srgb();
    let options = moxcms::TransformOptions::default();
    let transform = srgb.create_transform_8bit(moxcms::Layout::Rgb, profile, moxcms::Layout::Rgb, options).unwrap();
    let mut samples = rgb();
    transform.transform(&rgb(), &mut samples).unwrap();
    let mut out = Vec::new();
    let mut encoder = PngEncoder::new(&mut out);
    encoder.set_icc_profile(profile.encode().unwrap()).unwrap();
    encoder.write_image(&samples, WIDTH, HEIGHT, ExtendedColorType::Rgb8).unwrap();
    out
}

/// 16 bits a sample with values that 8 bits do not have.
fn deep() -> Vec<u8> {
    rgb().iter().enumerate().flat_map(|(i, v)| ((u16::from(*v) * 257) ^ (i % 97) as u16).to_ne_bytes()).collect()
}

fn long(width: u32, height: u32) -> Vec<u8> {
    let mut out = Vec::new();
    let rgb: Vec<u8> = (0..width * height).flat_map(|i| [(i / 100) as u8, 120, (i % 251) as u8]).collect();
    PngEncoder::new(&mut out).write_image(&rgb, width, height, ExtendedColorType::Rgb8).unwrap();
    out
}

pub fn all() -> Vec<Fixture> {
    let mut list = vec![
        fixture("plain.png", written(|out, rgb| PngEncoder::new(out).write_image(rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8)), 8, 0),
        fixture(
            "plain.webp",
            written(|out, rgb| WebPEncoder::new_lossless(out).write_image(rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8)),
            8,
            0,
        ),
        fixture("plain.bmp", written(|out, rgb| BmpEncoder::new(out).write_image(rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8)), 8, 0),
        fixture("display-p3.png", in_space(&moxcms::ColorProfile::new_display_p3()), 8, 3),
        fixture("adobe-rgb.png", in_space(&moxcms::ColorProfile::new_adobe_rgb()), 8, 3),
        fixture("deep.png", written(|out, _| PngEncoder::new(out).write_image(&deep(), WIDTH, HEIGHT, ExtendedColorType::Rgb16)), 16, 1),
        fixture("cmyk.jpg", include_bytes!("files/cmyk.jpg").to_vec(), 8, 20),
        fixture("progressive.jpg", include_bytes!("files/progressive.jpg").to_vec(), 8, 20),
        fixture("palette.png", include_bytes!("files/palette.png").to_vec(), 8, 26),
        fixture("moves.webp", include_bytes!("files/moves.webp").to_vec(), 8, 20),
        fixture("moves.gif", include_bytes!("files/moves.gif").to_vec(), 8, 26),
    ];
    let mut tiff = std::io::Cursor::new(Vec::new());
    TiffEncoder::new(&mut tiff).write_image(&deep(), WIDTH, HEIGHT, ExtendedColorType::Rgb16).unwrap();
    list.push(fixture("deep.tiff", tiff.into_inner(), 16, 1));
    let mut gif = Vec::new();
    let clear: Vec<u8> = rgb().as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect();
    GifEncoder::new(&mut gif).encode(&clear, WIDTH, HEIGHT, ExtendedColorType::Rgba8).unwrap();
    list.push(fixture("plain.gif", gif, 8, 26));
    for (i, name) in ["1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg", "8.jpg"].into_iter().enumerate() {
        list.push(fixture(name, turned(i as u8 + 1), 8, 6));
    }
    // Grey ones, transparent ones, and odd sizes.
    let mut grey = Vec::new();
    let luma: Vec<u8> = rgb().chunks(3).map(|p| p[1]).collect();
    PngEncoder::new(&mut grey).write_image(&luma, WIDTH, HEIGHT, ExtendedColorType::L8).unwrap();
    let mut clear = Vec::new();
    let rgba: Vec<u8> = (0..WIDTH * HEIGHT).flat_map(|i| [200, 30, 60, (i % WIDTH * 255 / WIDTH) as u8]).collect();
    PngEncoder::new(&mut clear).write_image(&rgba, WIDTH, HEIGHT, ExtendedColorType::Rgba8).unwrap();
    let at = |x: u32| [200, 30, 60, (x * 255 / WIDTH) as u8];
    let as_they_are = |name, bytes, size| Fixture { name, bytes, size, bits: 8, corners: None };
    list.extend([
        Fixture { corners: Some((corners().map(|[_, g, ..]| [g, g, g, 255]), 0)), ..as_they_are("grey.png", grey, [WIDTH, HEIGHT]) },
        Fixture { corners: Some(([at(2), at(WIDTH - 3)], 0)), ..as_they_are("clear.png", clear, [WIDTH, HEIGHT]) },
        as_they_are("grey.jpg", include_bytes!("files/grey.jpg").to_vec(), [WIDTH, HEIGHT]),
        as_they_are("one-bit.png", include_bytes!("files/one-bit.png").to_vec(), [WIDTH, HEIGHT]),
        as_they_are("palette-clear.png", include_bytes!("files/palette-clear.png").to_vec(), [WIDTH, HEIGHT]),
        as_they_are("dot.png", long(1, 1), [1, 1]),
        as_they_are("line.png", long(1, 20_000), [1, 20_000]),
        as_they_are("wide.png", long(3001, 7), [3001, 7]),
    ]);
    list
}

/// Files that promise more than anyone has room for, or never end.
pub fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let plain = written(|out, rgb| PngEncoder::new(out).write_image(rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8));
    let mut vast = plain.clone();
    vast[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]); // 60,000 x 60,000
    let crc = crc(&vast[12..29]);
    vast[29..33].copy_from_slice(&crc.to_be_bytes());
    let mut gif = include_bytes!("files/moves.gif").to_vec();
    gif[6..10].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
    let mut bmp = written(|out, rgb| BmpEncoder::new(out).write_image(rgb, WIDTH, HEIGHT, ExtendedColorType::Rgb8));
    bmp[18..26].copy_from_slice(&[0, 0, 0xff, 0x0f, 0, 0, 0xff, 0x0f]);
    // A TIFF that says 4 billion strips of itself.
    let tiff = [&b"II*\0\x08\0\0\0"[..], &[0xff; 64]].concat();
    vec![
        ("vast.png", vast),
        ("vast.gif", gif),
        ("vast.bmp", bmp),
        ("endless.tiff", tiff),
        ("empty.png", Vec::new()),
        ("poem.jpg", b"Shall I compare thee to a summer's day?".to_vec()),
        ("zeros.webp", [&b"RIFF\xff\xff\xff\x7fWEBPVP8 "[..], &[0; 400]].concat()),
    ]
}

/// Of a PNG's chunk.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 })
    })
}
