"""What all stages of training share: the budget by the clock, averaged weights, saving, and going on after a stop."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch
import torch.distributed as dist

import compose
import feed
import nets
import paint


class Run:
    """One call of train.py: its preset, its art, how long it may go on, and which of several processes it is."""

    def __init__(self, work: Path, preset: dict, limit: float, rank=0, ranks=1):
        self.work, self.preset, self.end, self.rank, self.ranks = work, preset, time.time() + limit, rank, ranks
        self.device = nets.device()
        self.gpu = self.device.type == "cuda"
        torch.set_num_threads(preset.get("threads", 2))
        torch.manual_seed(preset["seed"])
        if self.gpu:
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True
        self.atlas = paint.Atlas(work, preset.get("objects"))
        self.tok = nets.tokenizer(work, None if self.atlas.count < len(self.atlas.objects) else self.atlas)
        self.composer = compose.Composer(self.atlas, self.device, None if preset.get("bank") else [])
        self.maker = feed.Maker(self.atlas, self.tok, self.composer)
        path = work / "progress.json"
        self.progress = json.loads(path.read_text()) if path.exists() else {}

    def clock(self):
        """Seconds that budgets count: on a CPU the processor's, so that a machine busy with other work trains as long."""
        return time.time() if self.gpu else time.process_time() / self.preset.get("threads", 2)

    def save_progress(self):
        write(self.work / "progress.json", lambda p: p.write_text(json.dumps(self.progress, indent=1) + "\n"))

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.preset.get("bf16", nets.has_fast_bf16(self.device)))

    def compiled(self, f):
        return torch.compile(f, dynamic=False) if self.preset.get("compile") else f

    def stage(self, name, turns):
        """Every process makes it; what comes next has other random numbers in each."""
        if self.ranks > 1:
            dist.barrier()
        torch.manual_seed(self.preset["seed"] * 100 + self.rank)
        return Stage(self, name, turns)

    @torch.no_grad()
    def average(self, module):
        """The gradients of all processes."""
        if self.ranks > 1:
            grads = [p.grad for p in module.parameters() if p.grad is not None]
            flat = torch.cat([g.flatten() for g in grads])
            dist.all_reduce(flat)
            for g, part in zip(grads, flat.div_(self.ranks).split([g.numel() for g in grads])):
                g.copy_(part.view_as(g))

    @torch.no_grad()
    def share(self, module):
        """The first process's values."""
        if self.ranks > 1:
            for v in module.state_dict().values():
                dist.broadcast(v, 0)


def write(path, how):
    part = path.with_name(path.name + ".part")
    how(part)
    os.replace(part, path)


class Stage:
    """One stage's budget of seconds; iterating gives (fraction, kind, batch) until it is used up or the call must end."""

    def __init__(self, run: Run, name, turns):
        self.run, self.name = run, name
        self.budget = run.preset[name]
        self.state = run.progress.setdefault(name, dict(seconds=0.0, batches=0, samples=0))
        self.feed = feed.Feed(run.maker, turns, run.preset["seed"] * 10 + len(name), self.state["batches"], run.preset.get("processes", 0),
                              run.rank, run.ranks)
        self.saved = time.time()
        self.last = self.run.clock()
        self.shown = self.started = time.time()

    @property
    def done(self):
        return self.state["seconds"] >= self.budget

    def __iter__(self):
        self.last = self.run.clock()
        while self._goes_on():
            kind, batch = next(self.feed)
            yield min(1.0, self.state["seconds"] / self.budget), kind, batch
            now = self.run.clock()
            self.state["seconds"] += now - self.last
            self.last = now
            self.state["batches"] = self.feed.next
        self.feed.close()

    def _goes_on(self):
        """The first process's clock says it for all."""
        now = torch.tensor([self.state["seconds"], float(not self.done and time.time() < self.run.end)], dtype=torch.float64)
        if self.run.ranks > 1:
            dist.broadcast(now, 0)
        self.state["seconds"] = now[0].item()
        return bool(now[1])

    def seen(self, n):
        self.state["samples"] += n * self.run.ranks

    def due(self, what="shown", seconds=20):
        """Whether so many seconds have passed since it was last due; only in the first process."""
        if self.run.rank or time.time() - getattr(self, what) < seconds:
            return False
        setattr(self, what, time.time())
        return True

    def say(self, **values):
        if self.run.rank:
            return
        text = " ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
        print(f"[{self.name} {self.state['seconds']:.0f}/{self.budget:.0f} s, {self.state['samples']} samples] {text}", flush=True)

    def load(self, file):
        """What was saved, or None at the beginning."""
        path = self.run.work / file
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None

    def save(self, file, data):
        if self.run.rank:
            return
        write(self.run.work / file, lambda p: torch.save(data, p))
        self.run.save_progress()


class Averaged:
    """Weights averaged over about the last steps, which are the ones that are kept."""

    def __init__(self, module, most=.999):
        self.module, self.most, self.step = module, most, 0
        self.weights = {k: v.detach().float().clone() for k, v in module.state_dict().items()}

    @torch.no_grad()
    def update(self):
        self.step += 1
        d = min(self.most, (1 + self.step) / (10 + self.step))
        now = self.module.state_dict()
        names = [k for k in now if now[k].is_floating_point()]
        torch._foreach_lerp_([self.weights[k] for k in names], [now[k].float() for k in names], 1 - d)

    def cpu(self):
        return {k: v.detach().cpu().clone() for k, v in self.weights.items()}
