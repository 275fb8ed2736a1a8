"""SceneEval: does a picture show what was asked for? Scored by nearest-sprite matching, no learned judge.

    python evaluate.py work/ checkpoint/ --out scores.json --sheet samples.png

The background is the backdrop with the smallest clipped difference. At each slot of the layout every object
(and "nothing") is pasted on that backdrop at 25 small offsets; the one with the smallest difference is what
the slot shows. Also reported: the same score for the drawn scenes (ceiling of the judge), for their
autoencoder round trip (ceiling of the model), and for the model's pictures against shuffled prompts (chance).
"""

import argparse
import json
import random
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import nets
import world
from world import SIZES, SLOTS

NONE = len(world.OBJECTS)


class Judge:
    def __init__(self, atlas):
        self.atlas = atlas
        self.backs = [(k, f, world.backdrop(k)[:, ::-1] if f else world.backdrop(k)) for k in world.KINDS for f in (0, 1)]
        self.stack = np.stack([b for *_, b in self.backs])[:, ::2, ::2]
        self.art = {z: atlas.art[z][..., :3] for z in SIZES}
        self.clear = {z: 1 - atlas.art[z][..., 3:] / 255 for z in SIZES}

    def back(self, img):
        d = np.abs(self.stack - img[::2, ::2].astype(np.float32)).sum(-1)
        kind, _, drawn = self.backs[int(np.minimum(d, 90).mean((1, 2)).argmin())]
        return kind, drawn

    def slot(self, img, drawn, at, size, reach=6):
        """(best object or NONE, distance of every candidate) at one place."""
        side, img = SIZES[size], img.astype(np.float32)
        best = np.full(NONE + 1, np.inf, np.float32)
        for dy in range(-reach, reach + 1, 3):
            for dx in range(-reach, reach + 1, 3):
                x0, y0 = at[0] + dx - side // 2, at[1] + dy - side // 2
                a, b = max(0, -x0), max(0, -y0)
                c, d = min(side, world.SIDE - x0), min(side, world.SIDE - y0)
                see = img[y0 + b:y0 + d:2, x0 + a:x0 + c:2]
                bg = drawn[y0 + b:y0 + d:2, x0 + a:x0 + c:2]
                cand = self.art[size][:, b:d:2, a:c:2] + bg * self.clear[size][:, b:d:2, a:c:2]
                dist = np.abs(cand - see).mean((1, 2, 3))
                best[:NONE] = np.minimum(best[:NONE], dist)
                best[NONE] = min(best[NONE], np.abs(bg - see).mean())
        return int(best.argmin()), best

    def t2i(self, img, s):
        kind, drawn = self.back(img)
        out = {"background": kind == s.back}
        want = [t.kind for t in s.things]
        if len(want) == 1:
            t = s.things[0]
            found = {z: self.slot(img, drawn, p, t.size)[0] for z, p in SLOTS.items()}
            out["object"] = t.kind in found.values()
            out["position"] = found[t.slot] == t.kind
        else:
            found = [self.slot(img, drawn, (t.x, t.y), t.size)[0] for t in s.things]
            name = "two objects" if len(want) == 2 else "three objects"
            out[name] = sorted(found) == sorted(want)
            out[name + ", placed"] = found == want
            out["each of several"] = float(np.mean([k in found for k in want]))
        return out

    def edit(self, img, e, before_img, after_img):
        d, kind = e.data, e.kind
        _, drawn = self.back(img)
        t = d.get("target")
        at = None if t is None else (t.x, t.y)
        out = {}
        if kind in ("add", "replace"):
            out["success"] = self.slot(img, drawn, at, t.size)[0] == d["new"]
        elif kind == "remove":
            out["success"] = self.slot(img, drawn, at, t.size, 0)[0] == NONE
        elif kind == "background":
            out["success"] = self.back(img)[0] == d["back"]
        elif kind == "move":
            old = e.before.things[0]
            out["success"] = (self.slot(img, drawn, at, t.size)[0] == d["old"]
                              and self.slot(img, drawn, (old.x, old.y), old.size, 0)[1][d["old"]]
                              > self.slot(img, drawn, at, t.size)[1][d["old"]])
        elif kind == "resize":
            sizes = {z: self.slot(img, drawn, at, z)[1][d["old"]] for z in (e.before.things[0].size, t.size)}
            ok = self.slot(img, drawn, at, t.size)[0] == d["old"]
            out["success"] = ok and min(sizes, key=sizes.get) == t.size
        else:
            styles = {s: np.abs(world.apply_style(before_img.astype(np.float32), s) - img).mean()
                      for s in (None, *world.STYLES)}
            out["success"] = min(styles, key=styles.get) == d["style"]
        if kind in ("add", "remove", "replace", "background"):
            rest = [o for o in e.after.things if o != t]
            if rest:
                out["others kept"] = float(np.mean([self.slot(img, drawn, (o.x, o.y), o.size)[0] == o.kind for o in rest]))
        if kind != "style":
            change = np.abs(before_img.astype(int) - after_img).sum(-1) > 12
            grown = np.pad(change, 3)
            grown = np.max([grown[3 + i:131 + i, 3 + j:131 + j] for i in (-3, 0, 3) for j in (-3, 0, 3)], 0)
            if (~grown).sum() > 300:
                err = ((img.astype(np.float32) - after_img) ** 2)[~grown].mean()
                out["kept PSNR"] = float(10 * np.log10(255 ** 2 / max(err, 1e-3)))
        return out


def mean(rows):
    acc = defaultdict(list)
    for r in rows:
        for k, v in r.items():
            acc[k].append(float(v))
    return {k: round(float(np.mean(v)), 3) for k, v in sorted(acc.items())} | {"n": len(rows)}


def counted(rows):
    """The mean of every score with the number of pictures it is taken over."""
    number = {k: sum(k in r for r in rows) for r in rows for k in r}
    return {k: {"score": v, "n": number[k]} for k, v in mean(rows).items() if k != "n"}


LAYOUTS = {1: ["one"], 2: ["row", "row", "row", "column"], 3: ["three"]}


def prompts(numbers, held, seed):
    """Scenes and captions; numbers: how many with one, two and three objects; held: only scenes with a combination
    that training never saw, or only seen ones."""
    rng, out = random.Random(seed), []
    for objects, n in zip(LAYOUTS, numbers):
        end = len(out) + n
        while len(out) < end:
            s = world.random_scene(rng, rng.choice(LAYOUTS[objects]))
            if world.held_out(s) == held:
                out.append((s, world.caption(rng, s)))
    return out


def edits(n, kind, held, seed):
    rng, out = random.Random(seed), []
    while len(out) < n:
        e = world.random_edit(rng, kind)[2]
        if (world.held_out(e.before) or world.held_out(e.after)) == held:
            out.append((e, world.instruction(rng, e)))
    return out


def sheet(path, t2i, edit, columns=8):
    """t2i: (image, caption); edit: (before, after, instruction)."""
    scale, text = 160, 46
    cells = [([i], c) for i, c in t2i] + [([b, a], c) for b, a, c in edit]
    rows = -(-len(t2i) // columns) + -(-len(edit) * 2 // columns)
    out = Image.new("RGB", (columns * (scale + 8), rows * (scale + text)), "white")
    pen, at = ImageDraw.Draw(out), 0
    for images, words in cells:
        x, y = at % columns * (scale + 8), at // columns * (scale + text)
        for k, img in enumerate(images):
            out.paste(Image.fromarray(img).resize((scale, scale), Image.Resampling.LANCZOS), (x + k * (scale + 4), y))
        line, lines, room = "", [], 27 * len(images)
        for w in words.split():
            if len(line) + len(w) > room:
                lines, line = lines + [line], ""
            line += w + " "
        pen.multiline_text((x + 2, y + scale + 2), "\n".join((lines + [line])[:3]), fill="black", spacing=1)
        at += len(images)
    out.save(path)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("checkpoint", type=Path)
    ap.add_argument("--n", type=int, nargs=3, default=(100, 30, 10), help="prompts with one, two and three objects")
    ap.add_argument("--n-seen", type=int, nargs=3, default=(50, 20, 10), help="the same, of seen combinations")
    ap.add_argument("--n-edit", type=int, default=12, help="edits per kind and group")
    ap.add_argument("--steps", type=int, default=20)
    ap.add_argument("--guidance", type=float, default=2.0)
    ap.add_argument("--temperature", type=float, default=0.0)
    ap.add_argument("--batch", type=int, default=50)
    ap.add_argument("--only", choices=["t2i", "edit"])
    ap.add_argument("--no-ceiling", action="store_true")
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--out", type=Path)
    ap.add_argument("--sheet", type=Path)
    a = ap.parse_args()
    from sample import Sampler

    torch.set_num_threads(a.threads)
    atlas = world.load_atlas(a.work)
    judge, model = Judge(atlas), Sampler(a.checkpoint)
    kw = dict(steps=a.steps, guidance=a.guidance, temperature=a.temperature)
    report, pics, pairs = dict(settings=dict(kw)), [], []

    @torch.no_grad()
    def round_trip(images):
        x = nets.to_input(images)
        y = torch.cat([model.sana_vae.decode(model.sana_vae.encode(c).latent).sample for c in x.split(25)])
        return ((y / 2 + .5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()

    def run(texts, images=None):
        out = []
        for k in range(0, len(texts), a.batch):
            out.append(model(texts[k:k + a.batch], None if images is None else images[k:k + a.batch], seed=k, **kw))
        return np.concatenate(out)

    if a.only != "edit":
        for name, held in (("held out", True), ("seen combinations", False)):
            todo, t0 = prompts(a.n if held else a.n_seen, held, 501 + held), time.time()
            made = run([c for _, c in todo])
            spent = time.time() - t0
            got = report.setdefault("t2i", {})[name] = {"model": counted([judge.t2i(m, s) for m, (s, _) in zip(made, todo)])}
            got["seconds per picture"] = round(spent / len(todo), 3)
            same = [[i for i, (s, _) in enumerate(todo) if len(s.things) == n] for n in (1, 2, 3)]
            other = {i: g[(k + 1) % len(g)] for g in same for k, i in enumerate(g)}
            got["chance (shuffled prompts)"] = mean([judge.t2i(made[other[i]], s) for i, (s, _) in enumerate(todo)])
            if held and not a.no_ceiling:
                drawn = np.stack([world.draw(s, atlas) for s, _ in todo])
                got["drawn scenes"] = mean([judge.t2i(m, s) for m, (s, _) in zip(drawn, todo)])
                got["autoencoder round trip"] = mean([judge.t2i(m, s) for m, (s, _) in zip(round_trip(drawn), todo)])
            pics += [(made[k], todo[k][1]) for g, show in zip(same, (9, 5, 2)) for k in g[:show]]
            print(name, json.dumps(got), flush=True)
    if a.only != "t2i":
        for name, held in (("held out", True), ("seen combinations", False)):
            for kind in world.EDITS:
                todo = edits(a.n_edit, kind, held, 701 + held)
                before = np.stack([world.draw(e.before, atlas) for e, _ in todo])
                after = np.stack([world.draw(e.after, atlas) for e, _ in todo])
                t0 = time.time()
                made = run([c for _, c in todo], before)
                spent = time.time() - t0
                score = lambda images: mean([judge.edit(m, e, b, t) for m, (e, _), b, t in zip(images, todo, before, after)])
                got = report.setdefault("edit", {}).setdefault(name, {})[kind] = {"model": score(made)}
                got["seconds per picture"] = round(spent / a.n_edit, 3)
                got["unchanged input"] = score(before)
                if held and not a.no_ceiling:
                    got["autoencoder round trip of the right answer"] = score(round_trip(after))
                if len(pairs) < 16:
                    pairs += [(b, m, c) for b, m, (_, c) in list(zip(before, made, todo))[:3 if kind in ("add", "replace") else 2]]
                print(name, kind, json.dumps(got), flush=True)
    if a.out:
        a.out.write_text(json.dumps(report, indent=1) + "\n")
    if a.sheet:
        sheet(a.sheet, pics[:32], pairs[:16])


if __name__ == "__main__":
    main()
