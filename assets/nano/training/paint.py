"""Drawing scenes: sprites in four sizes and four drawings, tints, and what is done to a whole picture. Needs numpy only.

`compose.py` does the same for a batch on a device, and is held to this file by `smoke.py`.
"""

from __future__ import annotations

import io
import json
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from backdrops import COLOURS, SIDE, background

ARTS = ("3d", "flat", "line", "cartoon")
SIZES = {"xs": 44, "s": 60, "m": 84, "l": 132}
TINTS = list(COLOURS)
POSTS = ("grey", "sepia", "pixel", "blur", "dark")
LUMA = np.asarray((.299, .587, .114), np.float32)
REF = np.float32(.58)  # brightness that gets a tint's own colour


class Atlas:
    """All sprites, premultiplied RGBA; the order of the objects is that of art.npz."""

    def __init__(self, work, count=None):
        with np.load(Path(work) / "art.npz") as f:
            self.objects = json.loads(f["objects"].tobytes())
            raw = {a: (f[a].tobytes(), f[a + "_ends"]) for a in ARTS}
        self.count = count or len(self.objects)
        self.names = [o["name"] for o in self.objects]
        self.index = {n: i for i, n in enumerate(self.names)}
        cached = Path(work) / f"sprites_{self.count}.npz"
        if cached.exists():
            with np.load(cached) as f:
                self.art = {(a, z): f[f"{a}_{z}"] for a in ARTS for z in SIZES}
        else:
            self.art = {(a, z): np.zeros((self.count, n, n, 4), np.uint8) for a in ARTS for z, n in SIZES.items()}
            for a in ARTS:
                blob, ends = raw[a]
                for i in range(self.count):
                    img = np.asarray(Image.open(io.BytesIO(blob[ends[i - 1] if i else 0:ends[i]])).convert("RGBA"), np.float32)
                    img = np.concatenate([img[..., :3] * (img[..., 3:] / 255), img[..., 3:]], -1)
                    for z, n in SIZES.items():
                        self.art[a, z][i] = _shrunk(img, n)
            np.savez(cached, **{f"{a}_{z}": v for (a, z), v in self.art.items()})
        looks = [_look(self.art["3d", "s"][i]) for i in range(self.count)]
        self.colour = [c for c, _ in looks]  # the colour a person would name, or None
        self.whole = np.array([w for _, w in looks])  # hardly any colour: a tint covers all of it

    @lru_cache(4000)
    def sprite(self, kind: int, size: str, tint: int, art: str):
        """(colour premultiplied, alpha 0..1), float32 side x side."""
        s = self.art[art, size][kind].astype(np.float32)
        alpha = s[..., 3:] / 255
        rgb = s[..., :3]
        if tint >= 0:
            rgb = tinted(rgb, alpha, np.asarray(COLOURS[TINTS[tint]], np.float32), bool(self.whole[kind]))
        return rgb, alpha


def _shrunk(img, n):
    if n == img.shape[0]:
        out = img
    else:
        out = np.stack([np.asarray(Image.fromarray(img[..., c]).resize((n, n), Image.Resampling.BOX if n < 60 else Image.Resampling.BICUBIC))
                        for c in range(4)], -1)
    out = np.clip(out + .5, 0, 255)
    out[..., :3] = np.minimum(out[..., :3], out[..., 3:])
    return out.astype(np.uint8)


def _look(sprite):
    a = sprite.astype(np.float32)
    on = a[..., 3] > 200
    rgb = a[on][:, :3]
    if not len(rgb):
        return None, True
    span = rgb.max(1) - rgb.min(1)
    strong = span > 60
    if strong.mean() < .25:
        v = rgb.mean()
        return ("white" if v > 200 else "black" if v < 70 else "grey") if strong.mean() < .12 else None, True
    table = np.asarray([COLOURS[c] for c in TINTS if c not in ("black", "white", "grey")], np.float32)
    names = [c for c in TINTS if c not in ("black", "white", "grey")]
    near = np.abs(rgb[strong][:, None] / rgb[strong].max(1)[:, None, None] - table / table.max(1, keepdims=True)).sum(-1).argmin(1)
    share = np.bincount(near, minlength=len(names)) / on.sum()
    return (names[int(share.argmax())] if share.max() > .6 else None), False


def tinted(rgb, alpha, colour, whole):
    """The coloured part (or all that is not dark) in shades of one colour; premultiplied in and out."""
    plain = rgb / np.maximum(alpha, np.float32(1 / 255))
    luma = (plain * LUMA).sum(-1, keepdims=True) / 255
    span = (plain.max(-1, keepdims=True) - plain.min(-1, keepdims=True)) / 255
    weight = np.clip((luma - .25) / .15, 0, 1) if whole else np.clip((span - .12) / .18, 0, 1)
    shade = np.where(luma < REF, colour * (luma / REF), colour + (255 - colour) * ((luma - REF) / (1 - REF)) * np.float32(.8))
    return (plain + (shade - plain) * weight) * alpha


def as_art(img, art):
    """A background in the manner of a drawing: whole-number float32."""
    if art == "flat":
        return np.floor(img / 36) * 36 + 18
    if art == "line":
        g = (img * LUMA).sum(-1)
        edge = np.abs(np.diff(g, axis=0, prepend=g[:1])) + np.abs(np.diff(g, axis=1, prepend=g[:, :1]))
        return np.broadcast_to(np.floor(np.clip(250 - 7 * np.maximum(edge - 4, 0), 40, 250))[..., None], img.shape)
    return img


def post(img, what):
    """Something done to the whole picture."""
    if what in ("grey", "sepia"):
        img = np.repeat((img * LUMA).sum(-1, keepdims=True), 3, -1)
        if what == "sepia":
            img = img * np.asarray((1.07, .89, .66), np.float32) + np.asarray((12, 4, 0), np.float32)
    elif what == "dark":
        img = img * np.float32(.42)
    elif what == "pixel":
        img = img.reshape(SIDE // 8, 8, SIDE // 8, 8, 3).mean((1, 3))
        img = np.repeat(np.repeat(img, 8, 0), 8, 1)
    elif what == "blur":
        k = np.exp(-.5 * (np.arange(-9, 10) / 4.5) ** 2)
        k = (k / k.sum()).astype(np.float32)
        for axis in (0, 1):
            pad = [(0, 0)] * 3
            pad[axis] = (9, 9)
            p = np.pad(img, pad, mode="edge")
            img = sum(k[i] * np.take(p, np.arange(i, i + SIDE), axis) for i in range(19))
    return img


@lru_cache(300)
def _back(b, art):
    return as_art(background(b), art)


def window(x, y, side):
    """Rows and columns of the picture and of the sprite that meet: (y0, y1, x0, x1), (a, b, c, d)."""
    x0, y0 = x - side // 2, y - side // 2
    a, c = max(0, -y0), max(0, -x0)
    b, d = min(side, SIDE - y0), min(side, SIDE - x0)
    return (y0 + a, y0 + b, x0 + c, x0 + d), (a, b, c, d)


def draw(s, atlas: Atlas) -> np.ndarray:
    """The picture of a scene: uint8 256 x 256 x 3."""
    img = np.array(_back(s.back, s.art))
    for t in s.things:
        rgb, alpha = atlas.sprite(t.kind, t.size, t.tint, s.art)
        (y0, y1, x0, x1), (a, b, c, d) = window(t.x, t.y, rgb.shape[0])
        if y1 > y0 and x1 > x0:
            view = img[y0:y1, x0:x1]
            view *= 1 - alpha[a:b, c:d]
            view += rgb[a:b, c:d]
    return np.clip(post(img, s.post) + .5, 0, 255).astype(np.uint8)


def labels(s, atlas: Atlas, grid: int = 8) -> np.ndarray:
    """Per patch: object number + 1 of what covers most of it, or 0 where the background shows; grid x grid."""
    cell = SIDE // grid
    out, best = np.zeros((grid, grid), np.int64), np.full((grid, grid), .18, np.float32)
    for t in s.things:
        m = np.zeros((SIDE, SIDE), np.float32)
        alpha = atlas.art["3d", t.size][t.kind][..., 3]
        (y0, y1, x0, x1), (a, b, c, d) = window(t.x, t.y, alpha.shape[0])
        if y1 > y0 and x1 > x0:
            m[y0:y1, x0:x1] = alpha[a:b, c:d]
        cover = m.reshape(grid, cell, grid, cell).mean((1, 3)) / 255
        hit = cover > best
        out[hit], best[hit] = t.kind + 1, cover[hit]
    return out
