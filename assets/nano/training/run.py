"""What all stages of training share: the budget by the clock, averaged weights, saving, and going on after a stop."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import torch

import compose
import feed
import nets
import paint


class Run:
    """One call of train.py: its preset, its art, and how long it may go on."""

    def __init__(self, work: Path, preset: dict, limit: float):
        self.work, self.preset, self.end = work, preset, time.time() + limit
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
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.preset.get("bf16", self.gpu))

    def compiled(self, f):
        return torch.compile(f, dynamic=False) if self.preset.get("compile") else f

    def stage(self, name, turns):
        return Stage(self, name, turns)


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
        self.feed = feed.Feed(run.maker, turns, run.preset["seed"] * 10 + len(name), self.state["batches"], run.preset.get("processes", 0))
        self.saved = time.time()
        self.last = self.run.clock()
        self.shown = self.started = time.time()

    @property
    def done(self):
        return self.state["seconds"] >= self.budget

    def __iter__(self):
        self.last = self.run.clock()
        while not self.done and time.time() < self.run.end:
            kind, batch = next(self.feed)
            yield min(1.0, self.state["seconds"] / self.budget), kind, batch
            now = self.run.clock()
            self.state["seconds"] += now - self.last
            self.last = now
            self.state["batches"] = self.feed.next
        self.feed.close()

    def seen(self, n):
        self.state["samples"] += n

    def due(self, what="shown", seconds=20):
        """Whether so many seconds have passed since it was last due."""
        if time.time() - getattr(self, what) < seconds:
            return False
        setattr(self, what, time.time())
        return True

    def say(self, **values):
        text = " ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
        print(f"[{self.name} {self.state['seconds']:.0f}/{self.budget:.0f} s, {self.state['samples']} samples] {text}", flush=True)

    def load(self, file):
        """What was saved, or None at the beginning."""
        path = self.run.work / file
        return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else None

    def save(self, file, data):
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
