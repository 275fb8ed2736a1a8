"""Train the AR model, the connectors and the SANA transformer together.

    python train_model.py work/ --minutes 12 --ar-only           # while the autoencoder still trains
    python train_model.py work/ --minutes 35 --resume            # joint: next-token + flow matching

Half of every batch is text-to-image, half is editing. With more than one process (torchrun) the gradients are
averaged and the orthogonalised updates of the matrices are shared out.
"""

import argparse
import os
import pickle
import random
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

import cache
import fast
import nets
import world
from muon import Muon
from run_reference import prompt_text


class Model(nn.Module):
    def __init__(self, tok, wrap=lambda f: f):
        """wrap: put around the layers' forward passes, such as torch.compile."""
        super().__init__()
        self.parts = nets.configs(tok, 1.0)
        p = self.parts
        self.lm, self.sana = p.lm(), p.sana()
        self.diffusion_connector = p.diffusion_connector()
        self.und_image_vae_connector = p.und_image_vae_connector()
        self.und_image_vae_as_noise_connector = p.und_image_vae_as_noise_connector()  # official, unused
        self.start = p.config["image_start_token_id"]
        self.run_lm, self.run_sana = fast.Qwen(self.lm, wrap), fast.Sana(self.sana, wrap)

    def ar(self, ids, first, weight):
        """ids right-padded; first: position of the scale token; weight: of each image token in the loss.
        -> hidden of [scale, image tokens], cross-entropy, weighted cross-entropy."""
        h = self.run_lm(ids)
        where = first[:, None] + torch.arange(nets.TOKENS + 1)
        h = torch.gather(h, 1, where[..., None].expand(-1, -1, h.shape[-1]))
        logits = F.linear(h[:, :-1], self.lm.embed_tokens.weight).float()
        want = torch.gather(ids, 1, where[:, 1:])
        each = F.cross_entropy(logits.flatten(0, 1), want.flatten(), reduction="none").view_as(weight)
        return h, each.mean(), (each * weight).sum() / weight.sum()

    def flow(self, hidden, target, ref, drop, weight, centre):
        """-> flow-matching loss, plain and weighted; `drop`: probability of each sample losing its conditions;
        weight: of each latent; centre: of half of the noise levels (logit), the other half is uniform."""
        n = len(target)
        off = (torch.rand(n) < drop)[:, None, None]
        if ref is None:
            enc = self.diffusion_connector(torch.where(off, torch.zeros(()), hidden))
        else:
            soft = (torch.rand(n) < .5)[:, None, None]  # both kinds of "nothing" occur in practice
            enc = self.diffusion_connector(torch.where(off & soft, torch.zeros(()), hidden))
            enc = torch.where(off & ~soft, torch.zeros(()), enc)
            vae = self.und_image_vae_connector(ref.movedim(1, -1).flatten(1, 2))
            enc = torch.cat([enc, torch.where(off, torch.zeros(()), vae)], 1)
        sigma = torch.where(torch.rand(n) < .5, torch.rand(n), torch.sigmoid(centre + torch.randn(n)))
        s = sigma[:, None, None, None]
        noise = torch.randn_like(target)
        x = (1 - s) * target + s * noise
        if ref is not None:
            x = torch.cat([x, ref], -1)
        v = self.run_sana(x, enc, sigma * 1000)[..., :nets.GRID].float()
        each = (v - (noise - target)).square().mean(1)
        weight = weight.view_as(each)
        return each.mean(), (each * weight).sum() / weight.sum()


LENGTHS = {False: 124, True: 178}  # of all sequences, so that one compiled version serves each task
TEST = range(5936, 6000)  # pairs kept back for the running test


class Data:
    def __init__(self, work, tok, rng, latents=True, object_weight=1.0, one=0.0):
        self.work, self.tok, self.rng, self.atlas = work, tok, rng, world.load_atlas(work)
        self.object_weight, self.one = object_weight, one
        self.edits = pickle.loads((work / "edits.pkl").read_bytes())
        self.whats = ["tokens", "latents"] if latents else ["tokens"]
        self.order, self.tokens, self.latents = [], (), None
        self.start = tok.convert_tokens_to_ids("<I0>")
        self.pad = tok.convert_tokens_to_ids("<|image_pad|>")
        self.refresh()

    def refresh(self):
        """Take in what has been cached; more may come while training runs."""
        self.tokens, *latents = cache.load(self.work, *self.whats)
        self.latents = latents[0] if latents else None

    def next(self):
        if not self.order:
            self.order = [i for i in range(len(self.tokens)) if i not in TEST]
            self.rng.shuffle(self.order)
        return self.order.pop()

    def weights(self, scenes):
        """Patches that show an object count more: they are few and decide what the picture is about."""
        shown = np.stack([world.labels(s, self.atlas) > 0 for s in scenes]).reshape(len(scenes), -1)
        return torch.from_numpy(1 + (self.object_weight - 1) * shown).float()

    def pack(self, texts, edit, target, ref):
        prompts = [prompt_text(self.tok, t, edit, nets.TOKENS, 0) for t in texts]
        ids = self.tok(prompts)["input_ids"]
        first = torch.tensor([len(i) - 1 for i in ids])
        out = torch.zeros(len(ids), LENGTHS[edit], dtype=torch.long)
        for k, i in enumerate(ids):
            row = torch.tensor(i)
            if edit:
                row[row == self.pad] = torch.from_numpy(ref[k].astype(np.int64)) + self.start
            out[k, :len(i)] = row
            out[k, len(i):len(i) + nets.TOKENS] = torch.from_numpy(target[k].astype(np.int64)) + self.start
        return out, first

    def t2i(self, n, picks=None):
        texts, where, scenes = [], [], []
        while len(texts) < n:
            p = self.next() if picks is None else picks.pop()
            e = self.edits[p]
            side = self.rng.randrange(2)
            if picks is None and self.rng.random() < self.one:
                single = [k for k in (0, 1) if len(e[1 + k].things) == 1 and not e[1 + k].style]
                if not single:
                    continue
                side = self.rng.choice(single)
            scene = (e.before, e.after)[side]
            if scene.style or not scene.things:
                side, scene = 0, e.before
            texts.append(world.caption(self.rng, scene))
            where.append((p, side))
            scenes.append(scene)
        ids, first = self.pack(texts, False, [self.tokens[w] for w in where], None)
        lat = None if self.latents is None else torch.from_numpy(np.stack([self.latents[w] for w in where])).float()
        return ids, first, self.weights(scenes), lat, None

    def edit(self, n, picks=None):
        p = [self.next() if picks is None else picks.pop() for _ in range(n)]
        texts = [world.instruction(self.rng, self.edits[k]) for k in p]
        ids, first = self.pack(texts, True, self.tokens[p, 1], self.tokens[p, 0])
        weight = self.weights([self.edits[k].after for k in p])
        if self.latents is None:
            return ids, first, weight, None, None
        lat = torch.from_numpy(self.latents[p]).float()
        return ids, first, weight, lat[:, 1], lat[:, 0]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("--minutes", type=float, default=35)
    ap.add_argument("--ar-only", action="store_true")
    ap.add_argument("--resume", action="store_true", help="start from model.pt")
    ap.add_argument("--only-lm", action="store_true", help="with --resume: take the AR model only, start the rest afresh")
    ap.add_argument("--freeze-lm", action="store_true", help="train the diffusion side alone, on true tokens")
    ap.add_argument("--batch", type=int, default=12, help="of each task, over all processes")
    ap.add_argument("--lr", type=float, default=.02)
    ap.add_argument("--adam-lr", type=float, default=2e-3)
    ap.add_argument("--ce", type=float, default=.5)
    ap.add_argument("--object-weight", type=float, default=3.0, help="of image tokens and latents that show an object")
    ap.add_argument("--t2i", type=float, default=1.0, help="text-to-image samples per edit sample")
    ap.add_argument("--one", type=float, default=0.0, help="share of text-to-image samples that must show one object")
    ap.add_argument("--decay-from", type=float, default=.4, help="fraction of the time with the full learning rate")
    ap.add_argument("--edit-every", type=int, default=1, help="train on edits in every so many steps only")
    ap.add_argument("--centre", type=float, default=1.0, help="of half of the noise levels, as a logit: above 0 for more noise")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--plain", action="store_true", help="no torch.compile, no bfloat16")
    ap.add_argument("--warm", type=float, default=.02)
    ap.add_argument("--seed", type=int, default=0)
    a = ap.parse_args()
    rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if size > 1:
        dist.init_process_group("gloo")
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    tok = nets.tokenizer(a.work / "tokenizer")
    model = Model(tok, (lambda f: f) if a.plain else lambda f: torch.compile(f, dynamic=False))
    if a.resume:
        sd = torch.load(a.work / "model.pt")
        if a.only_lm:
            sd = {k: v for k, v in sd.items() if k.startswith("lm.")}
        model.load_state_dict(sd, strict=not a.only_lm)
    unused = list(model.und_image_vae_as_noise_connector.parameters())
    if a.freeze_lm:
        unused += list(model.lm.parameters())
    if a.ar_only:
        unused += [p for n, p in model.named_parameters() if not n.startswith("lm.")]
    for p in unused:
        p.requires_grad_(False)
    torch.manual_seed(a.seed * 1000 + rank + 1)
    data = Data(a.work, tok, random.Random(a.seed * 100 + rank + 5), not a.ar_only, a.object_weight, a.one)
    params = [p for p in model.parameters() if p.requires_grad]
    if rank == 0:
        count = {n: sum(p.numel() for p in m.parameters()) for n, m in model.named_children()}
        print("parameters", count, "trained", sum(p.numel() for p in params), flush=True)
    opt = Muon(model, a.lr, a.adam_lr, rank, size)
    ema = {k: v.detach().clone() for k, v in model.state_dict().items()}
    test = None
    clock, step, seen, t0, last = nets.Clock(60 * a.minutes), 0, 0, time.time(), time.time()
    now, stats = np.zeros(4), None
    each = max(1, a.batch // size)

    def losses(batch, train=True):
        """-> cross-entropy and flow loss to look at, and the loss to train on."""
        with torch.autocast("cpu", torch.bfloat16, enabled=not a.plain):
            return all_losses(train, *batch)

    def all_losses(train, ids, first, weight, lat, ref):
        hidden, ce, weighted = model.ar(ids, first, weight)
        if a.ar_only:
            return ce, torch.zeros(()), weighted
        flow, flow_weighted = model.flow(hidden, lat, ref, .1, weight, a.centre if train else 0.0)
        return ce, flow, a.ce * weighted + flow_weighted

    def save(name):
        torch.save(ema, a.work / f"{name}.tmp")
        os.replace(a.work / f"{name}.tmp", a.work / name)

    def running_test():
        """Losses of the averaged weights on pairs kept back, always the same words and noise."""
        nonlocal test
        keep, state = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
        if test is None:
            back, data.rng = data.rng, random.Random(99)
            pairs = list(TEST)
            test = [data.t2i(32, pairs), data.edit(32, pairs)]
            data.rng = back
        model.load_state_dict(ema)
        runs = model.run_lm, model.run_sana
        model.run_lm, model.run_sana = fast.Qwen(model.lm), fast.Sana(model.sana)  # another batch size: not worth compiling
        with torch.no_grad():
            torch.manual_seed(4)
            out = [v.item() for b in test for v in losses(b, False)[:2]]
        model.run_lm, model.run_sana = runs
        model.load_state_dict(keep)
        torch.set_rng_state(state)
        return out

    while True:
        f = torch.tensor(clock.fraction())
        if size > 1:
            dist.broadcast(f, 0)
        f = f.item()
        if f >= 1:
            break
        scale = min(1.0, f / a.warm) * (1.0 if f < a.decay_from else max(.01, (1 - f) / (1 - a.decay_from)))
        counts = {data.t2i: round(each * a.t2i)}
        if step % a.edit_every == 0:
            counts[data.edit] = each
        for i, (make, count) in enumerate(counts.items()):
            ce, fl, loss = losses(make(count))
            loss.backward()
            now[2 * i:2 * i + 2] = ce.item(), fl.item()
            seen += count * size
        grads = [p.grad for p in params]
        if size > 1:
            flat = torch.cat([g.flatten() for g in grads])
            dist.all_reduce(flat)
            flat /= size
            at = 0
            for g in grads:
                g.copy_(flat[at:at + g.numel()].view_as(g))
                at += g.numel()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step(scale)
        for g in grads:
            g.zero_()
        step += 1
        if rank == 0:
            d = min(.998, (1 + step) / (10 + step))
            with torch.no_grad():
                for k, v in model.state_dict().items():
                    ema[k].lerp_(v, 1 - d)
            stats = now.copy() if stats is None else .97 * stats + .03 * now
            if step % 20 == 0:
                print(f"step {step} seen {seen} t2i ce {stats[0]:.3f} flow {stats[1]:.4f} edit ce {stats[2]:.3f} "
                      f"flow {stats[3]:.4f} lr {scale:.2f} {seen / (time.time() - t0):.1f}/s", flush=True)
        if time.time() - last > 150:
            last = time.time()
            data.refresh()
            if rank == 0:
                save("model.pt")
                print("test (ema): t2i ce {:.3f} flow {:.4f} edit ce {:.3f} flow {:.4f}".format(*running_test()), flush=True)
    if rank == 0:
        save("model.pt")
        print(f"done: {step} steps, {seen} samples in {(time.time() - t0) / 60:.1f} min; test (ema): "
              "t2i ce {:.3f} flow {:.4f} edit ce {:.3f} flow {:.4f}".format(*running_test()), flush=True)
    if size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
