"""Pictures of many scenes at once, on any device: the same numbers as `paint.draw`, to one part in 255."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

import backdrops
from paint import ARTS, LUMA, POSTS, REF, SIDE, SIZES, TINTS

MOST = 6  # things in a scene
WEATHERS = [(w, v) for w in backdrops.WEATHERS[1:] for v in range(backdrops.VARIANTS)]


class Composer:
    def __init__(self, atlas, device, bank=None):
        """bank: which backdrops to keep drawn (all in `backdrops.every`); those that are missing are drawn when they are needed."""
        self.atlas, self.device = atlas, device
        flat, self.base, at = [], {}, 0
        for a in ARTS:
            for z, side in SIZES.items():
                v = atlas.art[a, z]
                self.base[a, z] = at
                at += v.shape[0] * side * side
                flat.append(np.ascontiguousarray(v).view(np.int32).reshape(-1))
        self.flat = torch.from_numpy(np.concatenate(flat)).to(device)
        self.index = {}
        keys = backdrops.every() if bank is None else bank
        self.bank = torch.zeros(max(len(keys), 1), SIDE, SIDE, 3, dtype=torch.uint8, device=device)
        for k in keys:
            self._keep(k)
        cast, strength, cover, colour = zip(*(backdrops.weather_layer(*w) for w in WEATHERS))
        full = lambda v: np.broadcast_to(v, (SIDE, SIDE, 1))
        put = lambda v: torch.from_numpy(np.stack(v).astype(np.float32)).to(device)
        self.cast, self.colour = put(cast)[:, None, None], put(colour)[:, None, None]
        self.strength, self.cover = put([full(s) for s in strength]), put(cover)
        self.tints = torch.tensor([backdrops.COLOURS[c] for c in TINTS], dtype=torch.float32, device=device)
        self.luma = torch.from_numpy(LUMA).to(device)
        self.grid = torch.arange(SIDE, device=device)

    def _keep(self, key):
        if key not in self.index:
            if len(self.index) == len(self.bank):
                self.bank = torch.cat([self.bank, torch.zeros_like(self.bank)])
            self.bank[len(self.index)] = torch.from_numpy(backdrops.backdrop(key)).to(self.device)
            self.index[key] = len(self.index)
        return self.index[key]

    def plan(self, scenes):
        """The scenes in numbers; light enough to make in another process."""
        n = len(scenes)
        backs, rows = [], np.zeros((n, MOST, 7), np.int32)
        rest = np.zeros((n, 4), np.int64)
        for i, s in enumerate(scenes):
            b = s.back
            backs.append(b._replace(weather="clear"))
            rest[i] = (WEATHERS.index((b.weather, b.variant)) + 1 if b.weather != "clear" else 0, b.time == "night",
                       ARTS.index(s.art), POSTS.index(s.post) + 1 if s.post else 0)
            for k, t in enumerate(s.things):
                side = SIZES[t.size]
                rows[i, k] = (self.base[s.art, t.size] + t.kind * side * side, side, t.x - side // 2, t.y - side // 2, t.tint,
                              self.atlas.whole[t.kind], t.kind)
        return backs, torch.from_numpy(rest), torch.from_numpy(rows)

    def _layers(self, rows):
        """Each layer's (pixels as int32, where it is inside, its rows), from the lowest."""
        y, x = self.grid[None, :, None], self.grid[None, None, :]
        for k in range(MOST):
            r = rows[:, k].long()
            if not bool((r[:, 1] > 0).any()):
                return
            base, side, x0, y0 = (r[:, j, None, None] for j in range(4))
            yy, xx = y - y0, x - x0
            inside = (yy >= 0) & (yy < side) & (xx >= 0) & (xx < side)
            yield self.flat[torch.where(inside, base + yy * side + xx, 0)], inside, r

    @torch.no_grad()
    def paint(self, plan):
        """uint8 N,256,256,3 on the device."""
        backs, rest, rows = plan
        rest, rows = rest.to(self.device), rows.to(self.device)
        which = torch.tensor([self._keep(b) for b in backs], device=self.device)  # first: it may make the bank larger
        img = self.bank[which].float()
        w = (rest[:, 0] - 1).clamp(min=0)
        on = rest[:, 0] > 0
        if bool(on.any()):
            night = rest[on, 1].float()[:, None, None, None]
            a, w = img[on], w[on]
            a = a + (self.cast[w] * (1 - .55 * night) - a) * self.strength[w]
            a = a + (self.colour[w] * (1 - .4 * night) - a) * self.cover[w]
            img[on] = torch.floor(a.clamp(0, 255) + .5)
        flat, line = rest[:, 2] == ARTS.index("flat"), rest[:, 2] == ARTS.index("line")
        if bool(flat.any()):
            img[flat] = torch.floor(img[flat] / 36) * 36 + 18
        if bool(line.any()):
            g = (img[line] * self.luma).sum(-1)
            edge = torch.zeros_like(g)
            edge[:, 1:] += (g[:, 1:] - g[:, :-1]).abs()
            edge[:, :, 1:] += (g[:, :, 1:] - g[:, :, :-1]).abs()
            img[line] = torch.floor((250 - 7 * (edge - 4).clamp(min=0)).clamp(40, 250))[..., None].expand(-1, -1, -1, 3)
        for px, inside, r in self._layers(rows):
            rgb = torch.stack([px & 255, px >> 8 & 255, px >> 16 & 255], -1).float() * inside[..., None]
            alpha = ((px >> 24 & 255) * inside)[..., None].float() / 255
            t = (r[:, 4] >= 0) & (r[:, 1] > 0)
            if bool(t.any()):
                rgb[t] = self._tinted(rgb[t], alpha[t], self.tints[r[t, 4]][:, None, None], r[t, 5].bool()[:, None, None, None])
            img = img * (1 - alpha) + rgb
        for k, what in enumerate(POSTS):
            m = rest[:, 3] == k + 1
            if bool(m.any()):
                img[m] = self._post(img[m], what)
        return (img + .5).clamp(0, 255).byte()

    def _tinted(self, rgb, alpha, colour, whole):
        plain = rgb / alpha.clamp(min=1 / 255)
        luma = (plain * self.luma).sum(-1, keepdim=True) / 255
        span = (plain.amax(-1, keepdim=True) - plain.amin(-1, keepdim=True)) / 255
        weight = torch.where(whole, ((luma - .25) / .15).clamp(0, 1), ((span - .12) / .18).clamp(0, 1))
        ref = float(REF)
        shade = torch.where(luma < ref, colour * (luma / ref), colour + (255 - colour) * ((luma - ref) / (1 - ref)) * .8)
        return (plain + (shade - plain) * weight) * alpha

    def _post(self, img, what):
        if what in ("grey", "sepia"):
            img = (img * self.luma).sum(-1, keepdim=True).expand(-1, -1, -1, 3)
            if what == "sepia":
                img = img * img.new_tensor((1.07, .89, .66)) + img.new_tensor((12., 4., 0.))
        elif what == "dark":
            img = img * .42
        else:
            x = img.permute(0, 3, 1, 2)
            if what == "pixel":
                x = F.interpolate(F.avg_pool2d(x, 8), scale_factor=8)
            else:
                k = torch.exp(-.5 * (torch.arange(-9, 10, device=x.device) / 4.5) ** 2)
                k = k / k.sum()
                x = F.pad(x, (9, 9, 9, 9), mode="replicate")
                x = F.conv2d(F.conv2d(x, k.view(1, 1, 1, 19).expand(3, 1, 1, 19), groups=3), k.view(1, 1, 19, 1).expand(3, 1, 19, 1), groups=3)
            img = x.permute(0, 2, 3, 1)
        return img

    @torch.no_grad()
    def labels(self, plan, grid=8):
        """As `paint.labels`, but each sprite's own coverage is that of its own drawing: N, grid, grid."""
        rows = plan[2].to(self.device)
        cell = SIDE // grid
        out = torch.zeros(len(rows), grid, grid, dtype=torch.long, device=self.device)
        best = torch.full((len(rows), grid, grid), .18, device=self.device)
        for px, inside, r in self._layers(rows):
            cover = F.avg_pool2d(((px >> 24 & 255) * inside).float()[:, None] / 255, cell)[:, 0]
            hit = cover > best
            out = torch.where(hit, r[:, 6, None, None] + 1, out)
            best = torch.where(hit, cover, best)
        return out
