"""Reinforcement learning of the AR model (GRPO, as the paper does it): several blueprints of one caption are painted, and those that
the reward detector finds better than their group are made likelier. The DiT and all else stay as they are.

The reward detector is not SceneEval's judge: other seed, other width, trained here.
"""

import random
import time

import torch
import torch.nn.functional as F

import detector
import nets
from model import Model
from run import Run
from sample import blueprint, paint
from stage_model import Readers

CLIP, TEMPERATURE = .2, 1.0


def score(found, whole_, scene, places):
    """0..1: the share of what was asked for that is there; surplus objects count against it."""
    left = list(found)
    right = 0.0
    for t in scene.things:
        near = [f for f in left if f[0] == t.kind]
        if near:
            best = min(near, key=lambda f: (f[1] != t.tint, (f[3] - t.x) ** 2 + (f[4] - t.y) ** 2))
            left.remove(best)
            right += .6 + .2 * (best[1] == t.tint) + .2 * ((best[3] - t.x) ** 2 + (best[4] - t.y) ** 2 < 48 ** 2)
    n = max(len(scene.things), 1)
    return .75 * max(0.0, (right - .5 * len(left)) / n) + .25 * (whole_[0] == places.index(scene.back.place))


def log_probability(model, ids, first):
    """Of each image token that was written: N, TOKENS."""
    h = model.run_lm(ids)
    where = first[:, None] + torch.arange(nets.TOKENS + 1, device=ids.device)
    h = torch.gather(h, 1, where[:, :-1, None].expand(-1, -1, h.shape[-1]))
    table = model.lm.embed_tokens.weight[model.start:model.start + nets.NANO["codes"]]
    logp = (F.linear(h, table.to(h.dtype)).float() / TEMPERATURE).log_softmax(-1)
    return logp.gather(-1, torch.gather(ids, 1, where[:, 1:])[..., None] - model.start)[..., 0]


def reward_model(run: Run):
    path = run.work / "reward.pt"
    if not path.exists():
        seconds = min(run.preset["reward"], max(1.0, run.end - time.time()))
        model = detector.train(run.atlas, run.composer, run.device, seconds, 128 if run.gpu else 8, 8, 40, run.preset.get("processes", 0))
        torch.save(dict(model={k: v.cpu() for k, v in model.state_dict().items()}, width=40, objects=run.atlas.count), path)
    return detector.load(path, run.device)


def train(run: Run):
    if run.rank:  # one process does it, with all threads
        return
    torch.set_num_threads(run.ranks * run.preset.get("threads", 2))
    run.ranks, p = 1, run.preset
    judge = reward_model(run)
    stage = run.stage("rl", [("t2i", p["rl_prompts"])])
    stage.feed.close()  # captions are made here, since their scenes are needed
    saved = stage.load("model.pt")
    if stage.done or saved is None or run.progress.get("model", {}).get("seconds", 0) < p["model"]:
        return
    readers = Readers(run)
    model, before = Model(run.tok), Model(run.tok)
    for m in (model, before):
        m.load_state_dict({k: v.float() for k, v in saved.items()})
        m.to(run.device)
    before.requires_grad_(False)
    opt = torch.optim.AdamW(model.lm.parameters(), lr=2e-5 if run.gpu else 5e-5, betas=(.9, .98), weight_decay=0.0)
    mean, many = None, p["rl_samples"]
    places = detector.PLACES
    for f, _, _ in _numbers(stage):
        rng = random.Random(run.preset["seed"] * 7919 + stage.state["batches"])
        scenes = [run.maker.world.sample(rng, lambda: run.maker.world.scene(rng)) for _ in range(p["rl_prompts"])]
        ids, first = run.maker.pack(lambda s: run.maker.words.caption(rng, s), scenes, False)
        ids, first = ids.repeat_interleave(many, 0).to(run.device), first.repeat_interleave(many, 0).to(run.device)
        with torch.no_grad(), run.autocast():
            ids, hidden = blueprint(model, ids, first, True, TEMPERATURE)
            noise = torch.randn(len(scenes), nets.NANO["vae"]["latent_channels"], nets.GRID, nets.GRID, device=run.device)
            x = readers.decode(paint(model, hidden.float(), steps=8, noise=noise.repeat_interleave(many, 0)))
            found, whole = detector.read(judge, x.clamp(-1, 1))
            old, base = log_probability(model, ids, first), log_probability(before, ids, first)
        reward = torch.tensor([score(a, w, scenes[i // many], places) for i, (a, w) in enumerate(zip(found, whole))], device=run.device)
        group = reward.view(-1, many)
        gain = ((group - group.mean(1, keepdim=True)) / (group.std(1, keepdim=True) + .05)).flatten()[:, None]
        for _ in range(2):
            with run.autocast():
                new = log_probability(model, ids, first)
            ratio = (new - old).exp()
            apart = base - new  # unbiased estimate of the distance to the model before
            loss = -torch.minimum(ratio * gain, ratio.clamp(1 - CLIP, 1 + CLIP) * gain).mean() + .02 * (apart.exp() - apart - 1).mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.lm.parameters(), 1.0, error_if_nonfinite=True)
            opt.step()
            opt.zero_grad(set_to_none=True)
        stage.seen(len(ids))
        mean = reward.mean().item() if mean is None else .95 * mean + .05 * reward.mean().item()
        if stage.due():
            stage.say(reward=mean, within=group.std(1).mean().item(), apart=(apart.exp() - apart - 1).mean().item())
    stage.save("model.pt", {k: v.detach().cpu() for k, v in model.state_dict().items()})
    stage.say(reward=mean or 0.0)


def _numbers(stage):
    """The stage's clock without its batches."""
    last = stage.run.clock()
    while not stage.done and time.time() < stage.run.end:
        yield stage.state["seconds"] / stage.budget, None, None
        now = stage.run.clock()
        stage.state["seconds"] += now - last
        stage.state["batches"] += 1
        last = now
