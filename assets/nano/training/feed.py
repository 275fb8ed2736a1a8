"""Batches of scenes, words and edits: made inline, or by processes of their own where there are cores for it.

Each batch depends on the seed and its own number only, so that a run that goes on where it stopped sees other batches than before,
and the same ones with any number of processes.
"""

import multiprocessing as mp
import os
import random
from dataclasses import replace

import numpy as np
import torch

import nets
import paint
from world import World
from words import Words

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads do not survive a fork
# What is learned last comes up more often than in the world itself: things in colours, and edits of single things.
MORE_COLOURS, MORE_HARD = .25, .4
HARD = ("add", "replace", "move", "resize", "recolour", "count")
LENGTHS = {False: 144, True: 216}  # of all sequences, so that one compiled version serves each task


class Maker:
    """kind -> batch; `held` combinations never come up where words are trained on."""

    def __init__(self, atlas, tok, composer):
        self.world = World(atlas)
        self.words, self.composer, self.tok = Words(self.world), composer, tok
        if tok is not None:
            from run_reference import prompt_text
            self.prompt = lambda t, edit: prompt_text(tok, t, edit, nets.TOKENS, 0)

    def scenes(self, rng, n):
        """Anything at all, without words: for the autoencoder, TA-Tok and the detector."""
        out = []
        for _ in range(n):
            s = self.world.scene(rng)
            r = rng.random()
            if r < .08:
                s = replace(s, post=rng.choice(paint.POSTS))
            elif r < .3:  # other places than the anchors
                dx, dy = rng.randint(-24, 24), rng.randint(-24, 24)
                s = replace(s, things=tuple(t._replace(x=t.x + dx, y=t.y + dy) for t in s.things))
            out.append(s)
        return dict(plan=self.composer.plan(out), scenes=out)

    def pack(self, say, items, edit):
        """ids with room for the image tokens, and the position of the scale token; what is too long is said again."""
        room = LENGTHS[edit] - nets.TOKENS - 1
        ids = self.tok([self.prompt(say(v), edit) for v in items])["input_ids"]
        out = torch.zeros(len(ids), LENGTHS[edit], dtype=torch.long)
        for k, i in enumerate(ids):
            while len(i) > room:
                i = ids[k] = self.tok([self.prompt(say(items[k]), edit)])["input_ids"][0]
            out[k, :len(i)] = torch.tensor(i)
        return out, torch.tensor([len(i) - 1 for i in ids])

    def say(self, rng, kind, items):
        """`pack` of captions or instructions."""
        what = self.words.instruction if kind == "edit" else self.words.caption
        return self.pack(lambda v: what(rng, v), items, kind == "edit")

    def scene(self, rng):
        """As the world makes them, with more colours."""
        s = self.world.scene(rng)
        if s.art == "line" or rng.random() > MORE_COLOURS:
            return s
        tints = {k: self.world.tint(rng, k) for k in sorted({t.kind for t in s.things})}
        return replace(s, things=tuple(t._replace(tint=tints[t.kind]) for t in s.things))

    def t2i(self, rng, n):
        scenes = [self.world.sample(rng, lambda: self.scene(rng)) for _ in range(n)]
        ids, first = self.say(rng, "t2i", scenes)
        return dict(ids=ids, first=first, items=scenes, after=self.composer.plan(scenes))

    def edit(self, rng, n):
        kind = lambda: rng.choice(HARD) if rng.random() < MORE_HARD else None
        edits = [self.world.sample(rng, lambda: self.world.edit(rng, kind())) for _ in range(n)]
        ids, first = self.say(rng, "edit", edits)
        return dict(ids=ids, first=first, items=edits, before=self.composer.plan([e.before for e in edits]),
                    after=self.composer.plan([e.after for e in edits]))


class _Light:
    """What planning needs of a composer, without its pictures."""

    def __init__(self, composer):
        self.base, self.atlas = composer.base, composer.atlas

    def plan(self, scenes):
        from compose import Composer
        return Composer.plan(self, scenes)


def _each(batch, f):
    return {k: tuple(f(w) for w in v) if isinstance(v, tuple) else f(v) for k, v in batch.items()}


def _work(maker, jobs, out):
    torch.set_num_threads(1)
    while (job := jobs.get()) is not None:
        number, kind, n, seed = job
        batch = getattr(maker, kind)(random.Random(seed), n)
        for what in ("scenes", "items"):
            batch.pop(what, None)
        out.put((number, _each(batch, lambda v: v.numpy() if torch.is_tensor(v) else v)))


class Feed:
    def __init__(self, maker, turns, seed, start=0, processes=0, rank=0, ranks=1):
        """turns: [(kind, batch size)] in order, over and over; with several ranks each has the same kind at a time."""
        start = -(-start // len(turns)) * len(turns)  # the first kind begins, also after a stop
        self.maker, self.turns, self.seed, self.next, self.procs = maker, turns, seed, start, []
        self.rank, self.ranks = rank, ranks
        self.ready = {}
        if processes:
            context = mp.get_context("fork")
            light = Maker.__new__(Maker)
            light.__dict__.update(maker.__dict__, composer=_Light(maker.composer))
            self.jobs, self.out = context.Queue(), context.Queue(64)
            self.procs = [context.Process(target=_work, args=(light, self.jobs, self.out), daemon=True) for _ in range(processes)]
            for p in self.procs:
                p.start()
            self.sent = start
            for _ in range(4 * processes):
                self._send()

    def _send(self):
        kind, n = self.turns[self.sent % len(self.turns)]
        self.jobs.put((self.sent, kind, n, self._seed(self.sent)))
        self.sent += 1

    def _seed(self, number):
        return self.seed * 1_000_003 + number * self.ranks + self.rank

    def __next__(self):
        """(kind, batch)"""
        kind, n = self.turns[self.next % len(self.turns)]
        if self.procs:
            while self.next not in self.ready:
                number, batch = self.out.get()
                self.ready[number] = _each(batch, lambda v: torch.from_numpy(v) if isinstance(v, np.ndarray) else v)
                self._send()
            batch = self.ready.pop(self.next)
        else:
            batch = getattr(self.maker, kind)(random.Random(self._seed(self.next)), n)
        self.next += 1
        return kind, batch

    def close(self):
        for p in self.procs:
            p.terminate()
