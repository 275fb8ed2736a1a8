//! Files broken in thousands of ways, read inside the test: an error or a result each time, and never a panic.

use super::{cases, model};
use image::{DynamicImage, ImageFormat};
use pentimento::imaging;
use pentimento::pipeline::load::Checkpoint;
use pentimento::pipeline::{self, ConvertRequest, Precision, Precisions};
use pentimento::recipe::ModelId;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use std::io::Cursor;
use std::path::Path;

/// A small picture in every format that is read.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let deep =
        image::ImageBuffer::from_fn(33, 21, |x, y| image::Rgba([x as u16 * 1900, y as u16 * 3000, (x * y) as u16 * 90, 65_535 - x as u16]));
    let deep = DynamicImage::ImageRgba16(deep);
    let flat = DynamicImage::ImageRgb8(deep.to_rgb8());
    let encode = |picture: &DynamicImage, format| {
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    };
    vec![
        ("png", encode(&flat, ImageFormat::Png)),
        ("png, 16 bit", encode(&deep, ImageFormat::Png)),
        ("jpeg", encode(&flat, ImageFormat::Jpeg)),
        ("webp", encode(&flat, ImageFormat::WebP)),
        ("tiff", encode(&flat, ImageFormat::Tiff)),
        ("gif", encode(&flat, ImageFormat::Gif)),
        ("bmp", encode(&flat, ImageFormat::Bmp)),
    ]
}

/// Bytes with some of them changed, or a stretch doubled or taken out.
fn damage(bytes: &[u8], within: usize, rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut any = |below: usize| rng.next_u64() as usize % below.max(1);
    for _ in 0..=any(4) {
        let at = any(within.min(bytes.len()));
        match any(5) {
            0 => bytes[at] = any(256) as u8,
            1 => bytes[at] ^= 1 << any(8),
            2 => bytes[at] = [0, 0x7f, 0x80, 0xff][any(4)],
            3 => drop(bytes.drain(at..(at + any(40)).min(bytes.len()))),
            _ => {
                let stretch = bytes[at..(at + any(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, stretch);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}

#[test]
fn pictures_that_are_cut_are_refused() {
    for (name, bytes) in pictures() {
        assert!(imaging::decode(&bytes).is_ok(), "{name}");
        for len in 0..bytes.len() {
            let cut = imaging::decode(&bytes[..len]);
            assert!(cut.is_err() || len + 12 > bytes.len(), "{name} opens after {len} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn damaged_pictures_open_or_are_refused() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut opened, mut refused) = (0, 0);
    for (_, bytes) in pictures() {
        for _ in 0..1500 {
            match imaging::decode(&damage(&bytes, usize::MAX, &mut rng)) {
                Ok(_) => opened += 1,
                Err(error) => {
                    assert!(!error.to_string().contains('\n'), "{error}");
                    refused += 1;
                }
            }
        }
    }
    println!("{opened} opened, {refused} refused");
    assert!(opened > 500 && refused > 500);
}

#[test]
fn damaged_ready_models_open_or_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let (folder, out) = (model(home.path(), "tiny-both", |_| {}), home.path().join("ready"));
    let precisions = Precisions::all(Precision::Q8);
    let request = ConvertRequest { model: ModelId::Folder(folder), out: out.clone(), precisions };
    pipeline::convert(&request, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    // Lengths are not looked at first, so that the header is.
    let list = std::fs::read_to_string(out.join("pentimento.json")).unwrap();
    for file in ["language_model.gguf", "transformer.gguf", "image_tokenizer.gguf"] {
        let whole = std::fs::read(out.join(file)).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut refused = 0;
        for _ in 0..400 {
            let broken = damage(&whole, 6_000, &mut rng);
            let told = list.replace(&format!("\"bytes\": {}", whole.len()), &format!("\"bytes\": {}", broken.len()));
            std::fs::write(out.join("pentimento.json"), told).unwrap();
            std::fs::remove_file(out.join(file)).unwrap();
            std::fs::write(out.join(file), broken).unwrap();
            refused += usize::from(Checkpoint::open(&ModelId::Folder(out.clone())).is_err());
        }
        println!("{file}: {refused} of 400 refused");
        assert!(refused > 150, "{refused}");
        std::fs::write(out.join(file), &whole).unwrap();
        std::fs::write(out.join("pentimento.json"), &list).unwrap();
        Checkpoint::open(&ModelId::Folder(out.clone())).unwrap();
    }
    open_damaged(&out, "pentimento.json", usize::MAX, 200);
}

/// Damages a file of a model over and over and opens the model each time.
fn open_damaged(folder: &Path, file: &str, within: usize, times: usize) {
    let path = folder.join(file);
    let whole = std::fs::read(&path).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut refused = 0;
    for _ in 0..times {
        // A new file each time: the old one may still be mapped.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, damage(&whole, within, &mut rng)).unwrap();
        refused += usize::from(Checkpoint::open(&ModelId::Folder(folder.to_owned())).is_err());
    }
    println!("{file}: {refused} of {times} refused");
    assert!(refused > times / 3);
    std::fs::write(&path, whole).unwrap();
    Checkpoint::open(&ModelId::Folder(folder.to_owned())).unwrap();
}

#[test]
fn damaged_models_open_or_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = model(home.path(), "tiny-both-bf16-pth", |_| {});
    std::fs::copy(cases().join("tiny-both-bf16-pth.ta_tok.pth"), folder.join("ta_tok.pth")).unwrap();
    open_damaged(&folder, "model.safetensors", 20_000, 300);
    open_damaged(&folder, "config.json", usize::MAX, 300);
    open_damaged(&folder, "transformer/config.json", usize::MAX, 300);
    open_damaged(&folder, "vae/config.json", usize::MAX, 300);
    let pickle = std::fs::read(folder.join("ta_tok.pth")).unwrap().windows(8).position(|w| w == b"data.pkl").unwrap();
    open_damaged(&folder, "ta_tok.pth", pickle + 12_000, 400);
}
