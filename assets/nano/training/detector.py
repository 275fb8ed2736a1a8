"""A detector for this world: which object, in which colour, is where, and what the whole picture is.

Two of them are trained, on pictures with noise, blur and jitter: one (`--seed 7`) judges SceneEval and never meets the model in
training; another one (seed 8, narrower) is the reward of the AR model's reinforcement learning.

    python detector.py work/ --minutes 20 --objects 160       # writes judge.pt
"""

import argparse
import json
import random
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

import backdrops
import compose
import feed
import nets
import paint
from stage_tatok import PLACES, WHOLE, whole

GRID = 16  # cells of 16 pixels; each object is told at the cell of its middle


class Detector(nn.Module):
    def __init__(self, objects, width=48):
        super().__init__()
        w, layers, last = width, [nn.PixelUnshuffle(4)], 48
        for c, stride in ((w, 1), (2 * w, 2), (4 * w, 2), (4 * w, 1)):
            layers += [nn.Conv2d(last, c, 3, stride, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU(inplace=True)]
            last = c
        self.body = nn.Sequential(*layers)
        self.wide = nn.Sequential(nn.Conv2d(last, last, 5, 1, 2, groups=last), nn.GELU(), nn.Conv2d(last, last, 1), nn.GELU())
        self.there, self.kind = nn.Conv2d(last, 1, 1), nn.Conv2d(last, objects, 1)
        self.tint, self.size, self.whole = nn.Conv2d(last, 12, 1), nn.Conv2d(last, 4, 1), nn.Linear(2 * last, sum(WHOLE))

    def forward(self, x):
        h = self.body(x)
        h = h + self.wide(h)
        pooled = torch.cat([h.mean((2, 3)), h.amax((2, 3))], 1)
        return dict(there=self.there(h)[:, 0], kind=self.kind(h), tint=self.tint(h), size=self.size(h),
                    whole=self.whole(pooled).split(WHOLE, -1))


def targets(rows, zoom=None):
    """Cells of the objects' middles: (batch, row, column), kind, tint + 1, size. zoom: N, 3 as `zoomed` took it."""
    b, k = (rows[..., 1] > 0).nonzero(as_tuple=True)
    r = rows[b, k].long()
    side = r[:, 1].float()
    x, y = r[:, 2] + side / 2, r[:, 3] + side / 2
    if zoom is not None:
        z, dx, dy = zoom[b].unbind(1)
        half = nets.SIDE / 2
        x, y, side = (x - half) * z + half + dx, (y - half) * z + half + dy, side * z
    on = (x >= 0) & (x < nets.SIDE) & (y >= 0) & (y < nets.SIDE)
    sizes = torch.tensor(list(paint.SIZES.values()), device=rows.device)
    size = (side[:, None].log() - sizes.log()).abs().argmin(1)
    cell = nets.SIDE // GRID
    return tuple(v[on] for v in (b, (y / cell).long(), (x / cell).long(), r[:, 6], r[:, 4] + 1, size))


def zoomed(x):
    """Pictures nearer or farther and to the side, and by how much: N, 3 (factor, pixels right, pixels down)."""
    n = len(x)
    z = torch.where(torch.rand(n, device=x.device) < .5, torch.ones((), device=x.device), .8 + .55 * torch.rand(n, device=x.device))
    move = (z != 1)[:, None] * (torch.rand(n, 2, device=x.device) - .5) * 40
    theta = torch.zeros(n, 2, 3, device=x.device)
    theta[:, 0, 0] = theta[:, 1, 1] = 1 / z
    theta[:, :, 2] = -move / (nets.SIDE / 2) / z[:, None]
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=False), torch.cat([z[:, None], move], 1)


def roughened(x, rng):
    """As a model's pictures are: soft, noisy, of other brightness."""
    n = len(x)
    if rng.random() < .5:
        k = rng.choice([2, 2, 3, 4])
        soft = F.interpolate(F.avg_pool2d(x, k), size=x.shape[-2:], mode="bilinear")
        x = torch.where((torch.rand(n, device=x.device) < .6)[:, None, None, None], soft, x)
    x = x * (1 + .1 * torch.randn(n, 1, 1, 1, device=x.device)) + .05 * torch.randn(n, 3, 1, 1, device=x.device)
    return x + torch.randn_like(x) * .12 * torch.rand(n, 1, 1, 1, device=x.device)


def loss_fn(out, rows, want, zoom=None):
    b, y, x, kind, tint, size = targets(rows, zoom)
    heat = torch.zeros_like(out["there"])
    heat[b, y, x] = 1
    near = F.max_pool2d(heat[:, None], 3, 1, 1)[:, 0] - heat  # beside a middle neither answer is punished
    hit = F.binary_cross_entropy_with_logits(out["there"].float(), heat, pos_weight=torch.full((), 12.0, device=heat.device), reduction="none")
    at = lambda v: v.movedim(1, -1)[b, y, x].float()
    return ((hit * (1 - near)).mean() * 4 + F.cross_entropy(at(out["kind"]), kind) + .5 * F.cross_entropy(at(out["tint"]), tint)
            + .5 * F.cross_entropy(at(out["size"]), size)
            + .5 * sum(F.cross_entropy(w.float(), want[:, i]) for i, w in enumerate(out["whole"])) / len(WHOLE))


@torch.no_grad()
def read(model, x, least=.5):
    """x: pictures in -1..1. -> for each a list of (kind, tint - 1, size name, x, y, sureness), and the whole as indices."""
    out = model(x)
    p = out["there"].float().sigmoid()
    peak = (p == F.max_pool2d(p[:, None], 3, 1, 1)[:, 0]) & (p > least)
    kind, tint, size = (out[k].argmax(1) for k in ("kind", "tint", "size"))
    cell, names, found = nets.SIDE // GRID, list(paint.SIZES), [[] for _ in range(len(x))]
    for b, r, c in peak.nonzero().tolist():
        found[b].append((int(kind[b, r, c]), int(tint[b, r, c]) - 1, names[int(size[b, r, c])], c * cell + cell // 2, r * cell + cell // 2,
                         float(p[b, r, c])))
    return found, torch.stack([w.argmax(-1) for w in out["whole"]], 1).tolist()


def train(atlas, composer, device, seconds, batch, seed, width, processes=0, say=print, compiled=lambda f: f):
    """-> the trained detector."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    model = Detector(len(atlas.objects), width).to(device, memory_format=torch.channels_last)
    with torch.no_grad():
        model.there.bias.fill_(-4)
    opt = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=.02, betas=(.9, .98))
    source = feed.Feed(feed.Maker(atlas, None, composer), [("scenes", batch)], seed + 500, 0, processes)
    fast, start, shown, step = compiled(model), time.time(), time.time(), 0
    while (f := (time.time() - start) / seconds) < 1:
        _, b = next(source)
        x, zoom = zoomed(nets.to_input(composer.paint(b["plan"])))
        x = roughened(x, rng).contiguous(memory_format=torch.channels_last)
        for g in opt.param_groups:
            g["lr"] = 2e-3 * nets.warm_cosine(f)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            out = fast(x)
        loss = loss_fn(out, b["plan"][2].to(device), whole(b["plan"]).to(device), zoom)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        opt.zero_grad(set_to_none=True)
        step += 1
        if time.time() - shown > 30:
            shown = time.time()
            say(f"[detector {shown - start:.0f}/{seconds:.0f} s, {step * batch} samples] loss {loss.item():.3f}", flush=True)
    source.close()
    return model.eval()


def load(path, device):
    saved = torch.load(path, map_location="cpu", weights_only=True)
    model = Detector(saved["model"]["kind.weight"].shape[0], saved["width"])
    model.load_state_dict({k: v.float() for k, v in saved["model"].items()})
    return model.to(device).eval()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("--minutes", type=float, default=20)
    ap.add_argument("--objects", type=int)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--width", type=int, default=48)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--processes", type=int, default=0)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--out", default="judge.pt")
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    device = nets.device()
    atlas = paint.Atlas(a.work, a.objects)
    composer = compose.Composer(atlas, device, [] if device.type == "cpu" else None)
    model = train(atlas, composer, device, 60 * a.minutes, a.batch, a.seed, a.width, a.processes)
    torch.save(dict(model={k: v.half() for k, v in model.cpu().state_dict().items()}, width=a.width, objects=atlas.count), a.work / a.out)
    print(json.dumps(dict(parameters=sum(p.numel() for p in model.parameters()), places=len(PLACES))))


if __name__ == "__main__":
    main()
