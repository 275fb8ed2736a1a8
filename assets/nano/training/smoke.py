"""A minute or two: every stage of the training runs, goes on after a stop, and what comes out loads and runs in the program.

    python smoke.py --program ../../../target/debug/pentimento

Needs neither net nor art: eight coloured shapes take the objects' place. Ends with "N passed, 0 failed".
"""

import argparse
import io
import json
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
SHAPES = [("ball", "red"), ("box", "blue"), ("pyramid", "yellow"), ("moon", "white"), ("egg", "orange"), ("leaf", "green"),
          ("plum", "purple"), ("stone", "grey")]


def art(path):
    """A stand-in for fetch_art.py's art.npz."""
    import backdrops
    data, words = {}, []
    for a in ("3d", "flat", "line", "cartoon"):
        files = []
        for i, (_, colour) in enumerate(SHAPES):
            img = Image.new("RGBA", (132, 132))
            pen, box = ImageDraw.Draw(img), (4, 4 + i * 4, 127, 127 - i * 4)
            look = dict(fill=None if a == "line" else backdrops.COLOURS[colour], outline=(20, 20, 30), width=2 if a == "3d" else 6)
            (pen.rectangle if i % 3 == 1 else pen.ellipse)(box, **look)
            out = io.BytesIO()
            img.save(out, "WEBP", lossless=True)
            files.append(out.getvalue())
        data[a] = np.frombuffer(b"".join(files), np.uint8)
        data[a + "_ends"] = np.cumsum([len(f) for f in files])
    for name, _ in SHAPES:
        words.append(dict(name=name, code="", other=[], rare=[], group="shape"))
    np.savez(path, objects=np.frombuffer(json.dumps(words).encode(), np.uint8), **data)


def same_pictures(work):
    """compose.py against paint.py, over every drawing, weather and thing that is done to a whole picture."""
    import compose
    import feed
    import paint
    atlas = paint.Atlas(work)
    made = compose.Composer(atlas, "cpu", [])
    batch = feed.Maker(atlas, None, made).scenes(random.Random(5), 40)
    scenes = [replace(s, post=(None, *paint.POSTS)[i % 6]) for i, s in enumerate(batch["scenes"])]
    apart = np.abs(made.paint(made.plan(scenes)).numpy().astype(int) - np.stack([paint.draw(s, atlas) for s in scenes]))
    assert apart.max() <= 1, apart.max()
    nudged = [replace(s, things=tuple(t._replace(x=t.x + 1) for t in s.things)) for s in scenes]
    assert np.abs(made.paint(made.plan(nudged)).numpy().astype(int) - np.stack([paint.draw(s, atlas) for s in scenes])).max() > 20


def exact_edits(work):
    """An edit changes what it says; captions and instructions can be said of all scenes; held-out combinations stay out."""
    import paint
    import words
    import world
    atlas = paint.Atlas(work)
    w = world.World(atlas)
    text, rng = words.Words(w), random.Random(3)
    for kind in [*world.EDITS, "two"]:
        for _ in range(20):
            e = w.edit(rng, kind)
            a, b = paint.draw(e.before, atlas), paint.draw(e.after, atlas)
            assert (kind == "nothing") == bool((a == b).all()) or kind in ("weather", "style", "move"), (kind, e)
            assert len(text.instruction(rng, e)) > 3 and len(text.caption(rng, e.before)) > 2
    found = [w.held_what(w.scene(rng)) for _ in range(600)]
    assert {"pair", "place", "tint", "count"} >= set().union(*found) and .1 < sum(map(bool, found)) / 600 < .7
    assert not any(w.held_out(w.sample(rng, lambda: w.scene(rng))) for _ in range(100))


def main():
    import export
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--program", type=Path, help="without it nothing is run in the program")
    a = ap.parse_args()
    passed = 0
    with tempfile.TemporaryDirectory() as folder:
        work, other = Path(folder, "work"), Path(folder, "other")
        work.mkdir()
        other.mkdir()
        for w in (work, other):
            art(w / "art.npz")
        for test in (same_pictures, exact_edits):
            test(work)
            passed += 1
            print(f"{test.__name__} ... ok", flush=True)
        run = lambda *args: subprocess.run([sys.executable, "-u", str(HERE / "train.py"), *map(str, args), "--preset", "smoke"], check=True)
        run(work, "--stages", "ae,tatok", "--pieces", work / "pieces")
        run(other, "--from", work / "pieces", "--pieces", other / "pieces", "--out", other / "checkpoint")  # goes on elsewhere
        progress = json.loads((other / "progress.json").read_text())
        assert all(progress[s]["samples"] > 0 for s in ("ae", "tatok", "model", "rl")), progress
        assert max(p.stat().st_size for p in (other / "pieces").iterdir()) < 16 << 20
        again = Path(folder, "again")
        again.mkdir()
        export.restore(other / "checkpoint", again)  # what a later training starts from is what was written
        export.export(again, again / "checkpoint")
        assert (again / "checkpoint/model.safetensors").read_bytes() == (other / "checkpoint/model.safetensors").read_bytes()
        size = sum(p.stat().st_size for p in (other / "checkpoint").rglob("*") if p.is_file())
        assert size < 48e6, size
        passed += 1
        if a.program:
            model, home = str(other / "checkpoint"), dict(os.environ, PENTIMENTO_HOME=folder)
            for words in (["inspect", model], ["generate", "--model", model, "--prompt", "two red balls", "--steps", "2", "--image-tokens-only",
                                               "--ignore-eos", "--out", f"{folder}/a.png"],
                          ["edit", f"{folder}/a.png", "--model", model, "--prompt", "make it night", "--steps", "2", "--image-tokens-only",
                           "--ignore-eos", "--out", f"{folder}/b.png"]):
                subprocess.run([str(a.program), *words], check=True, env=home, stdout=subprocess.DEVNULL)
                passed += 1
            assert Image.open(f"{folder}/b.png").size == (256, 256)
    print(f"{passed} passed, 0 failed")


if __name__ == "__main__":
    main()
