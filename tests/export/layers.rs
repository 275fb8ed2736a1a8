//! `OpenRaster`, as pyora and Krita read it.

use crate::{ask, done, python};
use pentimento::document::{Document, Origin, RevisionId};
use pentimento::imaging::{self, Picture, Tool};
use pentimento::project::{Project, State};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

/// A photo, and beside its copy what three plain tools made of it; as `a.ora` and `a.png`. Tells the copy.
fn export(home: &Path) -> RevisionId {
    let rgb: Vec<u8> = (0..60 * 40).flat_map(|i| [(i % 60 * 4) as u8, (i / 60 * 6) as u8, 90]).collect();
    let photo = Picture::from_rgb8(60, 40, &rgb).unwrap();
    let mut document = Document::default();
    let mut parent = document.record(None, Origin::Opened { name: "holiday & <sea>.jpg".into() }, photo.clone());
    let mut picture = photo;
    let beside = document.record(Some(parent), Origin::Pasted, picture.clone());
    for tool in [Tool::Mirror, Tool::Crop { left: 10, top: 5, width: 30, height: 20, of: [60, 40] }, Tool::Flip] {
        picture = tool.apply(&picture).unwrap();
        parent = document.record(Some(parent), Origin::Changed { tool }, picture.clone());
    }
    document.go(parent);
    document.rename(parent, "the last one");
    let project = Project::create(&home.join("a.pentimento"), &document, &BTreeMap::new(), &State::default()).unwrap();
    drop(project);
    done(home, &["export", "a.pentimento", "--out", "a.ora"]);
    done(home, &["export", "a.pentimento", "--out", "a.png"]);
    beside
}

#[test]
fn each_picture_on_the_way_is_a_layer() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    let beside = export(home.path());
    done(home.path(), &["export", "a.pentimento", "--revision", &beside.0.to_string(), "--out", "beside.png"]);
    let seen = ask(
        python,
        home.path(),
        r#"
import json, zipfile
from pyora import Project
from PIL import Image, ImageChops
p = Project.load("a.ora")
z = zipfile.ZipFile("a.ora")
first = z.infolist()[0]
assert (first.filename, first.compress_type, z.read("mimetype")) == ("mimetype", 0, b"image/openraster")
want = Image.open("a.png").convert("RGBA")
def same(image):
    return ImageChops.difference(image.convert("RGBA"), want).getbbox(alpha_only=False) is None
thumbnail = Image.open(z.open("Thumbnails/thumbnail.png"))
photo = list(p.children)[-1].get_image_data(raw=True)
print(json.dumps({
    "size": p.dimensions, "names": [l.name for l in p.children], "at": [l.offsets for l in p.children],
    "merged": same(Image.open(z.open("mergedimage.png"))), "rendered": same(p.get_image_data(use_original=False)),
    "thumbnail": thumbnail.size, "photo": photo.size, "beside": Image.open("beside.png").size,
}))
"#,
    );
    let want = serde_json::json!({
        "size": [30, 20], "names": ["the last one", "Crop", "Mirror", "holiday & <sea>.jpg"], "at": [[0, 0], [0, 0], [-10, -5], [-10, -5]],
        "merged": true, "rendered": true, "thumbnail": [30, 20], "photo": [60, 40], "beside": [60, 40],
    });
    assert_eq!(seen, want);
}

/// Runs Krita on a display of its own; false where it is not here, which is said.
fn krita(home: &Path, arguments: &[&str]) -> bool {
    let is_here = |program: &str| Command::new("which").arg(program).output().is_ok_and(|found| found.status.success());
    for program in ["krita", "xvfb-run"] {
        if !is_here(program) {
            println!("skipped: {program} is not here; install krita and xvfb (Debian) to have layers read by Krita");
            return false;
        }
    }
    let mut command = Command::new("xvfb-run");
    command.args(["-a", "krita"]).args(arguments).current_dir(home).env("HOME", home).env("XDG_RUNTIME_DIR", home);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

#[test]
fn krita_shows_the_layers_and_their_picture() {
    let home = tempfile::tempdir().unwrap();
    export(home.path());
    if !krita(home.path(), &["--export", "--export-filename", "a.kra", "a.ora"]) {
        return;
    }
    // What Krita has understood, in its own format.
    let mut own = zip::ZipArchive::new(std::fs::File::open(home.path().join("a.kra")).unwrap()).unwrap();
    let mut text = String::new();
    let at = own.index_for_name("maindoc.xml").unwrap();
    flate2::read::DeflateDecoder::new(own.by_index_raw(at).unwrap()).read_to_string(&mut text).unwrap();
    let value = |tag: &str, name: &str| {
        let from = tag.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {tag}")) + name.len() + 3;
        let text = &tag[from..from + tag[from..].find('"').unwrap()];
        text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    };
    let image = text.split("<IMAGE").nth(1).unwrap();
    assert_eq!([value(image, "width"), value(image, "height")], ["30", "20"]);
    let layers: Vec<[String; 4]> =
        text.split("<layer ").skip(1).map(|tag| ["name", "x", "y", "visible"].map(|name| value(&format!(" {tag}"), name))).collect();
    // What reaches beyond the picture is hidden, so that the layers together are the picture.
    let want =
        [["the last one", "0", "0", "1"], ["Crop", "0", "0", "1"], ["Mirror", "-10", "-5", "0"], ["holiday & <sea>.jpg", "-10", "-5", "0"]];
    assert_eq!(layers, want.map(|layer| layer.map(str::to_owned)));
    // And what it paints of them.
    assert!(krita(home.path(), &["--export", "--export-filename", "krita.png", "a.ora"]));
    let open = |name: &str| imaging::open(&home.path().join(name)).unwrap();
    assert!(open("krita.png").to_rgba8() == open("a.png").to_rgba8(), "Krita's picture is another one");
}
