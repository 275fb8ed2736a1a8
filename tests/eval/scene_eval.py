"""SceneEval: does `pentimento` show what was asked for, and change what it was told to and nothing else?

    python tests/eval/scene_eval.py work/ --program target/debug/pentimento --model nano --objects 64 --out table.json --sheet sheet.png

Like GenEval and GEdit, for the illustrated world of `assets/nano/training`: prompts of combinations that training never saw
(`World.held_out`), pictures made by the program itself, and a judge. The judge is `matching.py`, which is not learned, or with
`--judge judge.pt` a detector that was trained on the art alone (`detector.py`). Beside each score stand what the same judge says of
true scenes (ceiling) and of pictures that belong to other prompts, or of the unedited picture (chance). What stands behind a `--`
goes to the program, such as `-- --quality balanced`; pictures that were made otherwise need another folder (`--pictures`).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import matching
from matching import Found, backdrops, paint

import sheet as sheets  # noqa: E402  (the path is set by matching)
import words  # noqa: E402
import world  # noqa: E402

T2I = ("single", "two", "counting", "colours", "position", "binding", "background")
NEAR = 48  # pixels


class Detected:
    """The trained detector as a judge; the nearest backdrops are told as `matching.py` does it."""

    def __init__(self, path, atlas):
        import detector
        import nets
        self.detector, self.nets, self.model = detector, nets, detector.load(path, torch.device("cpu"))
        self.plain = object.__new__(matching.Matching)
        self.plain.keys = backdrops.every()
        self.plain.few = torch.nn.functional.avg_pool2d(matching.small(np.stack([backdrops.backdrop(k) for k in self.plain.keys])), 2)

    def look(self, images):
        found, _ = self.detector.read(self.model, self.nets.to_input(np.stack(images)))
        return [([Found(*f) for f in fs], self.plain.nearest(matching.small(i[None])[0])) for fs, i in zip(found, images)]


# ------------------------------------------------------------------------ questions


def question(w, text, rng, kind):
    """(scene, caption, the kind of question) with something held out in it, if the kind of question allows that."""
    need = dict(single="place", two="pair", counting="count", colours="tint", position="pair", binding="pair", background="place")[kind]
    while True:
        n = dict(single=1, colours=1, background=1, counting=rng.choice([2, 3, 4])).get(kind, 2)
        kinds = [rng.randrange(w.count)] * n if kind == "counting" else rng.sample(range(w.count), n)
        s = replace(w.scene(rng, n, kinds), art="3d")
        b = s.back
        if kind not in ("background", "single"):
            b = rng.choice([world.DEFAULT, backdrops.Back(rng.choice(["white", "blue", "green"])), backdrops.Back("beach")])
        tints = [w.tint(rng, t.kind) if kind in ("colours", "binding") else -1 for t in s.things]
        s = replace(s, back=b, things=tuple(t._replace(tint=c) for t, c in zip(s.things, tints)))
        if kind in ("single", "background") and b.place in backdrops.PLACES and b.weather == "fog" or need not in w.held_what(s):
            continue
        if kind in ("position", "binding") and (s.layout not in ("row", "column") or len({t.size for t in s.things}) > 1):
            continue
        names = [text.noun(rng, t, n=n if kind == "counting" else 1) for t in s.things]
        where = text.where(rng, b)
        what = names[0] if kind in ("single", "counting", "colours", "background") else " and ".join(names)
        if kind == "position":
            what = rng.choice([f"{names[0]} above {names[1]}", f"{names[1]} below {names[0]}"] if s.layout == "column" else
                              [f"{names[0]} to the left of {names[1]}", f"{names[1]} to the right of {names[0]}"])
        return s, f"{what} {where}".strip()


def right(kind, s, look):
    """Whether the picture answers the question."""
    found, order = look
    of = [[f for f in found if f.kind == t.kind] for t in s.things]
    if kind == "counting":
        return len(of[0]) == len(s.things)
    if kind == "background":
        return order[0].place == s.back.place
    if not all(of):
        return False
    if kind in ("colours", "binding"):
        return all(any(f.tint == t.tint for f in fs) for t, fs in zip(s.things, of))
    if kind == "position":
        a, b = of[0][0], of[1][0]
        return a.y < b.y - 20 if s.layout == "column" else a.x < b.x - 20
    return True


# --------------------------------------------------------------------------- edits


def close(found, t, **must):
    return [f for f in found if f.kind == t.kind and abs(f.x - t.x) <= NEAR and abs(f.y - t.y) <= NEAR and all(getattr(f, k) == v for k, v in must.items())]


def likest(image, scenes, atlas):
    """Which of the scenes the picture is nearest to, at half its size and in its edges."""
    a = image[::2, ::2].astype(np.float32)
    score = []
    for s in scenes:
        b = paint.draw(s, atlas)[::2, ::2].astype(np.float32)
        score.append(np.abs(a - b).mean() + np.abs(np.diff(a, axis=0) - np.diff(b, axis=0)).mean() + np.abs(np.diff(a, axis=1) - np.diff(b, axis=1)).mean())
    return int(np.argmin(score))


def done(step, e, image, look, atlas):
    """Whether one step of an edit is to be seen in the picture."""
    (found, _), k, d = look, step.kind, step.data
    after = e.after
    if k in ("add", "replace"):
        return bool(close(found, step.new[0]))
    if k == "remove":
        return len([f for f in found if f.kind == step.gone[0].kind]) == sum(t.kind == step.gone[0].kind for t in after.things)
    if k == "move":
        return bool(close(found, step.new[0])) and not close(found, step.gone[0])
    if k == "resize":
        return bool(close(found, step.new[0], size=step.new[0].size))
    if k == "recolour":
        return bool(close(found, step.new[0], tint=step.new[0].tint))
    if k == "count":
        return len([f for f in found if f.kind == (step.gone or step.new)[0].kind]) == d["n"]
    b = e.before.back
    if k == "background":
        others = [b, *(backdrops.Back(p, variant=d["back"].variant) for p in backdrops.PLACES + backdrops.INDOOR + backdrops.PLAIN)]
        others = [o for o in others if o.place != d["back"].place]
        variants = [backdrops.Back(d["back"].place, variant=v) for v in range(backdrops.VARIANTS)]
        return likest(image, [replace(after, back=o) for o in variants + others], atlas) < len(variants)
    if k in ("time", "season", "weather"):
        values = dict(time=backdrops.TIMES, season=backdrops.SEASONS, weather=backdrops.WEATHERS)[k]
        scenes = [replace(after, back=after.back._replace(**{k: v})) for v in values]
        return values[likest(image, scenes, atlas)] == d[k]
    if k == "style":
        looks = [replace(e.before, post=None)] + [replace(after, art=a, post=None) for a in paint.ARTS if a != e.before.art]
        looks += [replace(after, post=p, art=e.before.art) for p in paint.POSTS]
        names = [e.before.art] + [a for a in paint.ARTS if a != e.before.art] + list(paint.POSTS)
        return names[likest(image, looks, atlas)] == d["style"]
    return likest(image, [e.before, *(replace(e.before, things=e.before.things[1:]),) * bool(e.before.things)], atlas) == 0


def outside(e, image, atlas):
    """(PSNR, SSIM) where the edit changes nothing, or None where it changes nearly all."""
    a, b = paint.draw(e.before, atlas).astype(np.float32), paint.draw(e.after, atlas).astype(np.float32)
    changed = torch.from_numpy((np.abs(a - b).sum(-1) > 6).astype(np.float32))[None, None]
    keep = torch.nn.functional.max_pool2d(changed, 13, 1, 6)[0, 0].numpy() == 0
    if keep.mean() < .1:
        return None
    error = ((image.astype(np.float32) - a) ** 2)[keep].mean()
    return float(10 * np.log10(255 ** 2 / max(error, .01))), float(ssim(image.astype(np.float32).mean(-1), a.mean(-1))[keep].mean())


def ssim(a, b):
    blur = lambda v: torch.nn.functional.avg_pool2d(torch.from_numpy(np.ascontiguousarray(v))[None, None].float(), 7, 1, 3, count_include_pad=False)[0, 0].numpy()
    ma, mb = blur(a), blur(b)
    va, vb, cov = blur(a * a) - ma * ma, blur(b * b) - mb * mb, blur(a * b) - ma * mb
    return (2 * ma * mb + 6.5) * (2 * cov + 58.5) / ((ma * ma + mb * mb + 6.5) * (va + vb + 58.5))


# ------------------------------------------------------------------------ pictures


class Program:
    def __init__(self, program, model, folder, more):
        self.program, self.model, self.folder, self.more = program, model, folder, more
        folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, name, prompt, picture=None, seed=0):
        """What the program makes of a prompt; kept, so that judging again costs nothing."""
        out = self.folder / f"{name}.png"
        if not out.exists():
            words = ["generate"] if picture is None else ["edit", str(picture)]
            subprocess.run([self.program, *words, "--model", self.model, "--prompt", prompt, "--seed", str(seed), "--out", str(out), *self.more],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        img = Image.open(out).convert("RGB")
        return np.asarray(img if img.size == (paint.SIDE,) * 2 else img.resize((paint.SIDE,) * 2, Image.Resampling.LANCZOS))


def mean(values):
    values = [float(v) for v in values if v is not None]
    return round(sum(values) / len(values), 3) if values else None


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path, help="has art.npz")
    ap.add_argument("--program", default="target/debug/pentimento")
    ap.add_argument("--model", default="nano")
    ap.add_argument("--objects", type=int, help="only the first of the world's objects are asked for")
    ap.add_argument("--n", type=int, default=12, help="prompts of each kind")
    ap.add_argument("--only", choices=["words", "edits"], help="the others are left out, and so are the rounds")
    ap.add_argument("--rounds", type=int, default=3, help="chains of five edits")
    ap.add_argument("--sides", type=int, nargs="*", default=(), help="matching.py looks for these sizes in pixels too (the 128 px model: 72 104 152)")
    ap.add_argument("--judge", type=Path, help="a trained detector; without it, matching.py")
    ap.add_argument("--pictures", type=Path, help="where the pictures are kept (work/eval-MODEL)")
    ap.add_argument("--out", type=Path)
    ap.add_argument("--sheet", type=Path)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    a, more = ap.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    torch.set_num_threads(2)
    atlas = paint.Atlas(a.work, a.objects)
    w = world.World(atlas)
    text = words.Words(w)
    judge = Detected(a.judge, atlas) if a.judge else matching.Matching(atlas, more=a.sides)
    program = Program(a.program, a.model, a.pictures or a.work / f"eval-{Path(a.model).name}", more)
    table, cells = dict(model=a.model, objects=atlas.count, judge=str(a.judge or "matching"), n=a.n, arguments=more, words={}, edits={}), []

    for kind in T2I if a.only != "edits" else ():
        rng = random.Random(f"words {kind}")
        asked = [question(w, text, rng, kind) for _ in range(a.n)]
        made = [program(f"{kind}-{i}", c, seed=i) for i, (_, c) in enumerate(asked)]
        looks, true = judge.look(made), judge.look([paint.draw(s, atlas) for s, _ in asked])
        hits = [right(kind, s, v) for (s, _), v in zip(asked, looks)]
        row = dict(score=mean(hits), ceiling=mean(right(kind, s, v) for (s, _), v in zip(asked, true)),
                   chance=mean(right(kind, s, v) for (s, _), v in zip(asked, looks[1:] + looks[:1])))
        table["words"][kind] = row
        cells += [([m], f"[{kind}{'' if h else ', wrong'}] {c}") for m, (_, c), h in list(zip(made, asked, hits))[:4]]
        print(f"{kind:12} {row}", flush=True)
    for kind in [*world.EDITS, "two"] if a.only != "words" else ():
        rng, edits = random.Random(f"edit {kind}"), []
        while len(edits) < a.n:
            e = w.edit(rng, kind)
            if e.before.art == "3d" and e.before.things and (w.held_out(e.before) or w.held_out(e.after)):
                edits.append((e, text.instruction(rng, e)))
        made = []
        for i, (e, words_) in enumerate(edits):
            before = program.folder / f"before-{kind}-{i}.png"
            Image.fromarray(paint.draw(e.before, atlas)).save(before)
            made.append(program(f"edit-{kind}-{i}", words_, before, i))
        sees = lambda pictures: [all(done(s, e, m, v, atlas) for s in e.steps) for (e, _), m, v in zip(edits, pictures, judge.look(pictures))]
        hits, kept = sees(made), [outside(e, m, atlas) for (e, _), m in zip(edits, made)]
        row = dict(score=mean(hits), ceiling=mean(sees([paint.draw(e.after, atlas) for e, _ in edits])),
                   chance=mean(sees([paint.draw(e.before, atlas) for e, _ in edits])),
                   psnr_outside=mean(k and k[0] for k in kept), ssim_outside=mean(k and k[1] for k in kept))
        table["edits"][kind] = row
        cells += [([paint.draw(e.before, atlas), m], f"[{kind}{'' if h else ', wrong'}] {c}") for m, (e, c), h in list(zip(made, edits, hits))[:2]]
        print(f"{kind:12} {row}", flush=True)
    drift = []
    for i in range(0 if a.only else a.rounds):
        rng = random.Random(f"rounds {i}")
        while (chain := w.rounds(rng))[0].before.art != "3d":
            pass
        at = program.folder / f"round-{i}-0.png"
        Image.fromarray(paint.draw(chain[0].before, atlas)).save(at)
        shown, values = [paint.draw(chain[0].before, atlas)], []
        for k, e in enumerate(chain):
            img = program(f"round-{i}-{k + 1}", text.instruction(rng, e), at, i)
            at = program.folder / f"round-{i}-{k + 1}.png"
            shown.append(img)
            a_, b_ = (paint.draw(s, atlas).astype(np.float32) for s in (chain[0].before, e.after))
            same = np.abs(a_ - b_).sum(-1) < 6  # what no edit so far should have touched
            values.append(float(10 * np.log10(255 ** 2 / max(((img - a_) ** 2)[same].mean(), .01))) if same.mean() > .1 else None)
        drift.append(values)
        cells.append((shown, "[five rounds] " + "; ".join(text.instruction(random.Random(0), e) for e in chain)))
    table["psnr_of_the_untouched_by_round"] = [mean(v) for v in zip(*drift)]
    for part in [part for part in ("words", "edits") if table[part]]:
        rows = table[part].values()
        table[part + "_overall"] = {k: mean(r[k] for r in rows) for k in ("score", "ceiling", "chance")}
        table[part + "_overall"]["of_ceiling"] = round(table[part + "_overall"]["score"] / max(table[part + "_overall"]["ceiling"], 1e-9), 3)
        print(part, "overall", table[part + "_overall"], flush=True)
    print("drift", table["psnr_of_the_untouched_by_round"])
    if a.out:
        a.out.write_text(json.dumps(table, indent=1) + "\n")
    if a.sheet:
        sheets.sheet(a.sheet, cells, scale=160)


if __name__ == "__main__":
    sys.exit(main())
