"""The AR model, the connectors and the DiT together: next token and flow matching, on pictures composed as training goes on.

Muon for the matrices, AdamW for the rest. Patches that show an object weigh three times. A tenth of the samples lose their
conditions, for guidance. References of edits are read as the model will meet them: some after another pass through the
autoencoder, some with noise as a result of its own has.
"""

import random

import torch

import nets
import stage_tatok
from model import Model
from muon import Muon
from run import Averaged, Run


class Readers:
    """The autoencoder's encoder and TA-Tok, both frozen: pictures to latents and to tokens."""

    def __init__(self, run: Run):
        saved = torch.load(run.work / "ae.pt", map_location="cpu", weights_only=True)
        self.run, self.scaling = run, saved["scaling"]
        self.vae, self.tok = nets.autoencoder(), nets.tatok()
        self.vae.load_state_dict({k: v.float() for k, v in saved["model"].items()})
        self.tok.load_state_dict({k: v.float() for k, v in torch.load(run.work / "tatok.pt", map_location="cpu", weights_only=True).items()})
        self.vae.to(run.device, memory_format=torch.channels_last).eval().requires_grad_(False)
        self.tok.to(run.device).eval().requires_grad_(False)
        wrap = (lambda f: f) if run.preset.get("ae_plain") else run.compiled
        self.encoder, self.read = wrap(self.vae.encoder), run.compiled(stage_tatok.features)

    @torch.no_grad()
    def latents(self, x):
        x = x.contiguous(memory_format=torch.channels_last)
        with self.run.autocast():  # on a processor a few at a time, which its cache holds
            return torch.cat([self.encoder(p).float() for p in x.split(len(x) if self.run.gpu else 4)]) * self.scaling

    @torch.no_grad()
    def codes(self, x):
        """In full precision: a token is an argmax, and the engine's must be the same."""
        return (self.read(self.tok, x) @ self.tok.bottleneck.regularizer.codebook().T).argmax(-1)

    @torch.no_grad()
    def decode(self, latents):
        with self.run.autocast():
            return self.vae.decoder((latents / self.scaling).contiguous(memory_format=torch.channels_last)).float()


class Batches:
    """Fills a batch of words with the tokens and latents of its pictures.

    On a processor, painting and reading the pictures takes longer than learning from them. With `replay` in the preset only one
    batch in so many is new; the others are drawn from the samples made before, in other words and with other noise.
    """
    KEPT = 20_000  # samples of a kind

    def __init__(self, run: Run, readers: Readers):
        self.run, self.readers = run, readers
        self.start, self.pad = (run.tok.convert_tokens_to_ids(t) for t in ("<I0>", "<|image_pad|>"))
        self.least = run.preset.get("replay_after", 200)  # batches before the first is drawn from them
        self.every, self.rng = run.preset.get("replay", 1), random.Random(run.progress["model"]["batches"] * run.ranks + run.rank)
        self.kept, self.turn = dict(t2i=[], edit=[]), dict(t2i=0, edit=0)

    def __call__(self, kind, batch):
        self.turn[kind] += 1
        kept, n = self.kept[kind], len(batch["ids"])
        if len(kept) >= self.least * n and self.turn[kind] % self.every:
            items, *parts = zip(*self.rng.sample(kept, n))
            batch = dict(zip(("ids", "first"), self.run.maker.say(self.rng, kind, items)))
            return self.filled(batch, *(torch.stack(p).float() if p[0] is not None else None for p in parts))
        parts = self.read(kind, batch)
        if self.every > 1:
            small = [p.half().unbind() if p is not None else [None] * n for p in parts]  # tokens below 1024 are exact
            for sample in zip(batch["items"], *small):
                if len(kept) < self.KEPT:
                    kept.append(sample)
                else:
                    kept[self.rng.randrange(self.KEPT)] = sample
        return self.filled(batch, *parts)

    def read(self, kind, batch):
        """Latents, tokens and weights of the pictures after, latents and tokens of those before."""
        run = self.run
        after = nets.to_input(run.composer.paint(batch["after"]))
        shown = run.composer.labels(batch["after"]).flatten(1) > 0
        ref = before = None
        if kind == "edit":
            before = nets.to_input(run.composer.paint(batch["before"]))
            ref = self.readers.latents(before)
            again = len(ref) // 4  # always as many, so that nothing is compiled twice
            if again:  # what was edited before has been through the autoencoder
                x = self.readers.decode(ref[:again] + .08 * torch.randn_like(ref[:again])).clamp(-1, 1)
                before[:again], ref[:again] = x, self.readers.latents(x)
            before = self.readers.codes(before)
        return self.readers.latents(after), self.readers.codes(after), 1 + 2 * shown.float(), ref, before

    def filled(self, batch, latents, tokens, weight, ref, before):
        on = self.run.device
        ids, first = batch["ids"].to(on), batch["first"].to(on)
        if before is not None:
            ids[ids == self.pad] = (before.long() + self.start).flatten()
        where = first[:, None] + 1 + torch.arange(nets.TOKENS, device=on)
        ids.scatter_(1, where, tokens.long() + self.start)
        return ids, first, weight, latents, ref


def held_loss(run, model, batches, ema):
    """Losses of the averaged weights on fresh batches, the same ones and the same noise each time."""
    live = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(ema.weights)
    state, out = torch.get_rng_state(), []
    torch.manual_seed(4)
    runs, model.run_lm, model.run_sana = (model.run_lm, model.run_sana), type(model.run_lm)(model.lm), type(model.run_sana)(model.sana)
    with torch.no_grad(), run.autocast():
        for kind in ("t2i", "edit"):
            batch = getattr(run.maker, kind)(random.Random(77), 64 if run.gpu else 16)
            ids, first, weight, lat, ref = batches.filled(batch, *batches.read(kind, batch))
            h, ce, _ = model.ar(ids, first, weight)
            out += [ce.item(), model.flow(h, lat, ref, .1, weight, 0.0)[0].item()]
    model.run_lm, model.run_sana = runs
    torch.set_rng_state(state)
    model.load_state_dict(live)
    return dict(zip(("t2i_ce", "t2i_flow", "edit_ce", "edit_flow"), out))


def train(run: Run):
    p = run.preset
    stage = run.stage("model", [("t2i", p["t2i_batch"]), ("edit", p["edit_batch"])])
    if stage.done:
        stage.feed.close()
        return
    model = Model(run.tok, run.compiled)
    saved = stage.load("model.pt")
    if saved:
        model.load_state_dict({k: v.float() for k, v in saved.items()})
    model.to(run.device)
    run.share(model)
    batches = Batches(run, Readers(run))
    opt, ema, mean = Muon(model, p["lr"], p["adam_lr"], run.rank, run.ranks), Averaged(model, .9995 if run.gpu else .998), {}

    def save():
        stage.save("model.pt", ema.cpu())
        stage.say(**held_loss(run, model, batches, ema))

    quarter = int(4 * stage.state["seconds"] / stage.budget)
    for f, kind, batch in stage:
        ids, first, weight, lat, ref = batches(kind, batch)
        with run.autocast():
            hidden, ce, weighted = model.ar(ids, first, weight)
            # Noise is what differs most from step to step, and the words of a sample need be read but once for several of it.
            again = lambda v: v.repeat(p.get("draws", 1), *[1] * (v.dim() - 1)) if v is not None else None
            flow, flow_weighted = model.flow(*map(again, (hidden, lat, ref)), .1, again(weight), 1.0 if f < .5 else .5)
        (.5 * weighted + flow_weighted).backward()
        stage.seen(len(ids))
        now = torch.stack([ce.detach(), flow.detach()])
        mean[kind] = now if kind not in mean else mean[kind].lerp(now, .03)
        if kind == "edit":  # one step for both kinds together
            run.average(model)
            # Nothing that is no number gets into the weights, nor into what is saved of them.
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=True)
            scale = min(1.0, f / .02, ema.step / 30) * (1.0 if f < .4 else max(.01, (1 - f) / .6))
            opt.step(scale)
            model.zero_grad(set_to_none=True)
            ema.update()
            if stage.due():
                (a, b), (c, d) = mean["t2i"].tolist(), mean["edit"].tolist()
                stage.say(t2i_ce=a, flow=b, edit_ce=c, edit_flow=d, lr=scale)
            if int(4 * f) > quarter:  # for a curve of what more of the training brings
                quarter = int(4 * f)
                stage.save(f"model-{stage.state['samples']}.pt", ema.cpu())
            if stage.due("saved", 240):
                save()
    save()
