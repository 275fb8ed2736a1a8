"""A judge that is not learned: each object of the world is looked for everywhere in a picture, by correlation within its outline.

    look(pictures) -> for each picture what it shows: [Found], and the backdrop that is nearest

Pictures are compared at a quarter of their size, where a small model's softness hardly shows. `scene_eval.py` reports what it says
of true scenes, which is the ceiling of every score.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "assets/nano/training"))

import backdrops  # noqa: E402
import paint  # noqa: E402

CUT, GRID, PAD = 4, 64, 96
LEAST = .4  # correlation that makes a place worth a look
GAIN, REST = .03, .17  # how much better than the backdrop an object must explain its place, and how much may stay unexplained


class Found(NamedTuple):
    kind: int
    tint: int
    size: str
    x: int
    y: int
    sure: float


def small(images):
    """uint8 N,256,256,3 -> float N,3,64,64 in 0..1"""
    x = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2).float() / 255
    return F.avg_pool2d(x, CUT)


def views(x):
    """What is correlated, of x: 3, ... : brightness (tints change it little, and colour is told afterwards)."""
    return (x.mean(0),)


class Matching:
    def __init__(self, atlas, art="3d", more=()):
        """more: further sides in pixels, multiples of four, that another model's objects have."""
        self.atlas, self.art, self.sides, self.plans = atlas, art, {}, []
        self.sizes = dict(paint.SIZES) | {str(v): v for v in more}
        for z, pixels in self.sizes.items():
            whole = torch.from_numpy(atlas.art[art, z if z in paint.SIZES else "l"]).permute(0, 3, 1, 2).float() / 255
            a = F.interpolate(whole, size=(pixels // CUT,) * 2, mode="area")  # sides are multiples of four
            m, side, colour = a[:, 3], a.shape[-1], a[:, :3] / a[:, 3:].clamp(min=1 / 255)
            self.sides[z], n = side, m.sum((1, 2), keepdim=True)
            put = lambda v: torch.fft.rfft2(F.pad(v, (0, PAD - side, 0, PAD - side))).conj()
            parts = []
            for t in views(colour.transpose(0, 1)):
                centred = (t - (t * m).sum((1, 2), keepdim=True) / n) * m
                parts.append((put(centred), (centred * t).sum((1, 2), keepdim=True)))
            self.plans.append((side, put(m), n, parts))
        self.keys = backdrops.every()
        self.backs = small(np.stack([backdrops.backdrop(k) for k in self.keys]))
        self.few = F.avg_pool2d(self.backs, 2)
        self.drawn = {}

    def maps(self, x):
        """Correlation of every object in every size with a picture (3, 64, 64): sizes x objects, at the object's middle."""
        out = []
        fs = [[torch.fft.rfft2(F.pad(v, (0, PAD - GRID, 0, PAD - GRID))) for v in (t, t * t)] for t in views(x)]
        for side, mask, n, parts in self.plans:
            best = None
            for (f, f2), (art, var) in zip(fs, parts):
                s1, s2, cov = (torch.fft.irfft2(v, s=(PAD, PAD)) for v in (f * mask, f2 * mask, f * art))
                r = cov / (((s2 - s1 * s1 / n).clamp(min=0) + .002 * n) * (var + .002 * n)).sqrt()
                best = r if best is None else torch.maximum(best, r)
            out.append(torch.roll(best, (side // 2, side // 2), (1, 2))[:, :GRID, :GRID])  # may lie partly outside, by wrapping round
        return torch.cat(out)

    def nearest(self, x):
        """The backdrops in order of likeness to a picture (3, 64, 64); what lies before them counts little."""
        d = (self.few - F.avg_pool2d(x[None], 2)).abs().sum(1).clamp(max=.35).mean((1, 2))
        return [self.keys[i] for i in d.argsort()[:8].tolist()]

    def forms(self, kind, z):
        """An object in its own colour and in every tint: (colour premultiplied 12, 3, side, side), its coverage."""
        if (kind, z) not in self.drawn:
            both = [self.atlas.sprite(kind, z if z in paint.SIZES else "l", t, self.art) for t in range(-1, len(paint.TINTS))]
            cut = lambda v: F.interpolate(torch.from_numpy(np.stack(v)).permute(0, 3, 1, 2), size=(self.sides[z],) * 2, mode="area")
            self.drawn[kind, z] = cut([rgb / 255 for rgb, _ in both]), cut([both[0][1]])[0]
        return self.drawn[kind, z]

    def tried(self, x, scene, kind, z, cx, cy):
        """(explained in all, explained per cell, unexplained per cell, tint, window, what is drawn there) of an object at a place."""
        rgb, a = self.forms(kind, z)
        side = self.sides[z]
        x0, y0 = cx - side // 2, cy - side // 2
        u, v = max(0, -y0), max(0, -x0)
        y1, x1 = min(GRID, y0 + side), min(GRID, x0 + side)
        rgb, a = rgb[..., u:u + y1 - max(0, y0), v:v + x1 - max(0, x0)], a[..., u:u + y1 - max(0, y0), v:v + x1 - max(0, x0)]
        where = (slice(None), slice(max(0, y0), y1), slice(max(0, x0), x1))
        now, see = scene[where], x[where]
        drawn = now * (1 - a) + rgb
        rest = ((drawn - see).abs().mean(1, keepdim=True) * a).sum((1, 2, 3))
        best = int(rest.argmin())
        area = a.sum().clamp(min=1)
        gain = ((now - see).abs().mean(0, keepdim=True) * a).sum() - rest[best]
        return float(gain), float(gain / area), float(rest[best] / area), best - 1, where, drawn[best]

    @torch.no_grad()
    def one(self, image, most=8):
        """The picture is explained by a backdrop and objects, each time the one that explains most: ([Found], backdrops)."""
        x = small(image[None])[0]
        order = self.nearest(x)
        scene = self.backs[self.keys.index(order[0])].clone()
        r = self.maps(x)
        peaks = torch.where(r == F.max_pool2d(r[:, None], 5, 1, 2)[:, 0], r, -1.0).view(len(self.sizes), self.atlas.count, -1)
        places = []  # of every size the likeliest, since small ones fit almost anywhere
        for z, p in zip(self.sizes, peaks):
            value, at = p.flatten().topk(150)
            places += [(i // GRID ** 2, z, i % GRID ** 2 % GRID, i % GRID ** 2 // GRID, v) for v, i in zip(value.tolist(), at.tolist()) if v > LEAST]
        found = []
        tries = [(*self.tried(x, scene, *p[:4]), p) for p in places]
        while tries and len(found) < most:
            tries = [t for t in tries if t[1] > GAIN and t[2] < REST]
            if not tries:
                break
            best = max(tries, key=lambda t: t[0])
            kind, z, cx, cy, v = best[5 + 1]
            scene[best[4]] = best[5]
            named = z if z in paint.SIZES else min(paint.SIZES, key=lambda n: abs(paint.SIZES[n] - self.sizes[z]))
            found.append(Found(kind, best[3], named, cx * CUT + 2, cy * CUT + 2, v))
            reach = self.sides[z]
            tries = [(*self.tried(x, scene, *t[6][:4]), t[6]) if max(abs(t[6][2] - cx), abs(t[6][3] - cy)) < reach + 16 else t
                     for t in tries if t is not best]
        return found, order

    def look(self, images):
        return [self.one(i) for i in images]
