//! Pictures of other programs, as Pillow writes them for A1111 and `ComfyUI`.

use crate::{ask, python};
use pentimento::export::Found;
use pentimento::imaging::Said;

#[test]
fn their_prompts_are_read() {
    let Some(python) = python() else { return };
    let home = tempfile::tempdir().unwrap();
    ask(
        python,
        home.path(),
        r#"
from PIL import Image
from PIL.PngImagePlugin import PngInfo
import json
image = Image.new("RGB", (8, 8), "red")
text = "ein Schloß, 城\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 42, Size: 8x8, Model: x"
for name, add in [("latin", lambda p: p.add_text("parameters", text.replace("城", "é"))), ("itxt", lambda p: p.add_itxt("parameters", text)),
                  ("packed", lambda p: p.add_text("parameters", text.replace("城", "é"), zip=True))]:
    p = PngInfo(); add(p); image.save(name + ".png", pnginfo=p)
e = Image.Exif()
e.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + text.encode("utf-16-be")
image.save("a.jpg", exif=e.tobytes()); image.save("a.webp", exif=e.tobytes())
p = PngInfo()
p.add_text("prompt", json.dumps({"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 9, "cfg": 4.5, "positive": ["6", 0], "negative": ["7", 0]}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "ein Schloß, 城"}}, "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry"}}}))
p.add_text("workflow", json.dumps({"nodes": []}))
image.save("comfy.png", pnginfo=p)
image.save("plain.png")
"#,
    );
    let found = |name: &str| Found::of(&Said::of(&std::fs::read(home.path().join(name)).unwrap()));
    for (name, prompt, seed) in [
        ("latin.png", "ein Schloß, é", 42),
        ("itxt.png", "ein Schloß, 城", 42),
        ("packed.png", "ein Schloß, é", 42),
        ("a.jpg", "ein Schloß, 城", 42),
        ("a.webp", "ein Schloß, 城", 42),
        ("comfy.png", "ein Schloß, 城", 5),
    ] {
        let words = found(name).and_then(|f| f.words).unwrap_or_else(|| panic!("{name} says nothing"));
        assert_eq!((words.prompt.as_str(), words.negative.as_deref(), words.seed), (prompt, Some("blurry"), Some(seed)), "{name}");
    }
    assert_eq!(found("plain.png"), None);
}
