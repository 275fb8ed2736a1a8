//! `OpenRaster`, as pyora reads it.

use crate::{ask, done, python};
use pentimento::document::{Document, Origin};
use pentimento::imaging::{Picture, Tool};
use pentimento::project::{Project, State};
use std::collections::BTreeMap;

#[test]
fn each_picture_on_the_way_is_a_layer() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
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
    let project = Project::create(&home.path().join("a.pentimento"), &document, &BTreeMap::new(), &State::default()).unwrap();
    drop(project);
    done(home.path(), &["export", "a.pentimento", "--out", "a.ora"]);
    done(home.path(), &["export", "a.pentimento", "--out", "a.png"]);
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
