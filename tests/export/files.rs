//! Marks, recipes, camera data and colour profiles in every format that has room for them.

use crate::{ask, done, exiftool, python};
use pentimento::imaging;
use std::path::Path;

const GENERATED: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
const EDITED: &str = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const PROMPT: &str = "a fox in the snow, früh 🦊";

#[test]
fn a_generated_picture_says_so() {
    let home = tempfile::tempdir().unwrap();
    for name in ["a.png", "a.jpg", "a.webp", "a.tif"] {
        done(home.path(), &["generate", "--prompt", PROMPT, "--steps", "2", "--seed", "9", "--out", name]);
        let said = exiftool(&home.path().join(name));
        assert_eq!(said["XMP-iptcExt:DigitalSourceType"], GENERATED, "{name}: {said}");
        assert!(said["XMP-xmp:CreatorTool"].as_str().unwrap().starts_with("Pentimento"), "{name}");
        let parameters = if name.ends_with("png") { &said["PNG:Parameters"] } else { &said["ExifIFD:UserComment"] };
        let parameters = parameters.as_str().unwrap_or_else(|| panic!("{name}: {said}"));
        assert!(
            parameters.starts_with(PROMPT) && parameters.contains("Steps: 2, Sampler: Euler, CFG scale: 2, Seed: 9"),
            "{name}: {parameters}"
        );
        assert!(said["ExifTool:Warning"].is_null(), "{name}: {said}");
        assert!(said.to_string().contains("nano"), "{name}");
    }
    done(home.path(), &["generate", "--prompt", PROMPT, "--steps", "1", "--out", "b.jpg", "--no-mark", "--no-recipe"]);
    let said = exiftool(&home.path().join("b.jpg"));
    assert!(said["XMP-iptcExt:DigitalSourceType"].is_null() && !said.to_string().contains("snow"), "{said}");
}

/// Photographs as cameras write them: a wide colour space, lying on their side, with maker's data, a place and a thumbnail.
fn photographs(python: &Path, folder: &Path) {
    for (name, profile) in [("p3", moxcms::ColorProfile::new_display_p3()), ("adobe", moxcms::ColorProfile::new_adobe_rgb())] {
        std::fs::write(folder.join(format!("{name}.icc")), profile.encode().unwrap()).unwrap();
    }
    ask(
        python,
        folder,
        r#"
from PIL import Image
import io
def camera():
    e = Image.Exif()
    e[0x010f], e[0x0110], e[0x0112] = "Maker", "Model 5", 6
    e.get_ifd(0x8769).update({0x829a: 0.008, 0x927c: b"MAKERNOTE-0123456789", 0xa002: 48, 0xa003: 32})
    e.get_ifd(0x8825).update({1: "N", 2: (48.0, 12.0, 0.0), 3: "E", 4: (16.0, 22.0, 0.0)})
    return e.tobytes()
image = Image.new("RGB", (48, 32))
image.putdata([((x * 5) % 256, (y * 8) % 256, 255 - x * 5 % 256) for y in range(32) for x in range(48)])
for name in ["p3", "adobe"]:
    icc = open(name + ".icc", "rb").read()
    image.save(name + ".jpg", quality=97, subsampling=0, icc_profile=icc, exif=camera())
    image.save(name + ".png", icc_profile=icc, exif=camera())
    image.save(name + ".webp", lossless=True, icc_profile=icc, exif=camera())
    image.save(name + ".tif", icc_profile=icc, exif=camera())
"#,
    );
}

#[test]
fn profiles_and_camera_data_come_through_every_pair_of_formats() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    photographs(python, home.path());
    for from in ["jpg", "png", "webp", "tif"] {
        for profile in ["p3", "adobe"] {
            let source = format!("{profile}.{from}");
            for to in ["jpg", "png", "webp", "tif"] {
                let out = format!("out-{profile}-{from}.{to}");
                done(home.path(), &["adjust", &source, "--crop", "4,6,20x30", "--out", &out, "--quality", "100"]);
                let said = exiftool(&home.path().join(&out));
                let what = format!("{source} to {to}: {said}");
                let name = if profile == "p3" { "Display P3" } else { "Adobe RGB" };
                assert!(said["ICC_Profile:ProfileDescription"].as_str().is_some_and(|d| d.contains(name)), "{what}");
                assert_eq!((said["IFD0:Make"].as_str(), said["IFD0:Model"].as_str()), (Some("Maker"), Some("Model 5")), "{what}");
                assert_eq!(said["ExifIFD:ExposureTime"], 0.008, "{what}");
                assert!((said["GPS:GPSLatitude"].as_f64().unwrap() - 48.2).abs() < 1e-6, "{what}");
                // The pixels are upright, so the tag must not turn them again.
                assert!(said["IFD0:Orientation"].is_null() || said["IFD0:Orientation"] == 1, "{what}");
                assert!(said["XMP-iptcExt:DigitalSourceType"].is_null(), "no model was at work: {what}");
                assert!(said["ExifIFD:ExifImageWidth"].is_null() || said["ExifIFD:ExifImageWidth"] == 20, "{what}");
            }
        }
    }
    // What others see: the same colours, upright, in the same profile; to the last bit where nothing is lost.
    let seen = ask(
        python,
        home.path(),
        r#"
from PIL import Image, ImageOps
import json
far = {}
for name in ["p3", "adobe"]:
    for source in ["jpg", "png", "webp", "tif"]:
        want = ImageOps.exif_transpose(Image.open(f"{name}.{source}")).convert("RGB").crop((4, 6, 24, 36))
        for to in ["jpg", "png", "webp", "tif"]:
            out = Image.open(f"out-{name}-{source}.{to}")
            same = out.info.get("icc_profile") == open(f"{name}.icc", "rb").read()
            got = ImageOps.exif_transpose(out).convert("RGB")
            assert got.size == want.size and same, (source, to, got.size, same)
            far[f"{name} {source} {to}"] = max(abs(a - b) for p, q in zip(got.getdata(), want.getdata()) for a, b in zip(p, q))
print(json.dumps(far))
"#,
    );
    for (pair, far) in seen.as_object().unwrap() {
        let lossless = pair.ends_with("png") || pair.ends_with("tif");
        // Pillow and we develop JPEG by other rounding.
        let most = if lossless && !pair.contains(" jpg ") { 0 } else { 14 };
        assert!(far.as_u64().unwrap() <= most, "{pair}: {far}");
    }
}

#[test]
fn an_edit_keeps_the_photograph_and_says_what_a_model_did() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    photographs(python, home.path());
    ask(python, home.path(), "from PIL import Image\nm = Image.new('L', (32, 48))\nm.paste(255, (8, 8, 20, 20))\nm.save('mask.png')");
    let edit =
        ["edit", "p3.png", "--mask", "mask.png", "--feather", "2", "--prompt", "make it night", "--steps", "2", "--out", "edited.tif"];
    done(home.path(), &edit);
    let said = exiftool(&home.path().join("edited.tif"));
    assert_eq!((&said["XMP-iptcExt:DigitalSourceType"], said["IFD0:Make"].as_str()), (&EDITED.into(), Some("Maker")), "{said}");
    let (before, after) = (imaging::open(&home.path().join("p3.png")).unwrap(), imaging::open(&home.path().join("edited.tif")).unwrap());
    let found = imaging::compare(&before, &after, None).unwrap();
    // Of 32 x 48 pixels 12 x 12 are selected, and two around them are touched; colours beyond sRGB stay elsewhere.
    assert!(found.pixels > 100 && found.pixels <= 16 * 16, "{found:?}");
    done(home.path(), &["edit", "p3.jpg", "--prompt", "x", "--steps", "1", "--whole", "--no-camera", "--out", "private.jpg"]);
    let said = exiftool(&home.path().join("private.jpg"));
    assert!(said["IFD0:Make"].is_null() && said["GPS:GPSLatitude"].is_null(), "{said}");
    // Without a model the mark of the file stays.
    done(home.path(), &["adjust", "edited.tif", "--mirror", "--out", "mirrored.webp"]);
    assert_eq!(exiftool(&home.path().join("mirrored.webp"))["XMP-iptcExt:DigitalSourceType"], EDITED);
}

#[test]
fn sixteen_bits_stay_sixteen() {
    let home = tempfile::tempdir().unwrap();
    let samples: Vec<u16> = (0..4 * 40 * 30).map(|i: u16| if i % 4 == 3 { 65_535 - i % 7 } else { i.wrapping_mul(13) }).collect();
    let picture = imaging::Picture::new(40, 30, imaging::Pixels::Rgba16(samples.into())).unwrap();
    imaging::save(&picture, &home.path().join("deep.png"), imaging::Format::Png).unwrap();
    for out in ["deep.tif", "again.png"] {
        done(home.path(), &["export", "deep.png", "--out", out]);
        assert_eq!(imaging::open(&home.path().join(out)).unwrap(), picture, "{out}");
        let said = exiftool(&home.path().join(out));
        assert!(said["IFD0:BitsPerSample"] == "16 16 16 16" || said["PNG:BitDepth"] == 16, "{said}");
    }
}
