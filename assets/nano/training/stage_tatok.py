"""TA-Tok: 256 px -> 64 tokens of 1,024 codes.

"Text-aligned" is meant literally here: besides the pixels at a quarter of the resolution, the decoder must name what every patch
shows (which object) and what the whole picture is (place, time, weather, season, drawing, tint). These heads are thrown away.
"""

import torch
import torch.nn.functional as F
from torch import nn

import backdrops
import nets
from muon import Muon
from run import Averaged, Run

CELL = 8  # a patch is compared as 8 x 8 pixels
PLACES = backdrops.PLACES + backdrops.INDOOR + backdrops.PLAIN
WHOLE = [len(PLACES), len(backdrops.TIMES), len(backdrops.SEASONS), len(backdrops.WEATHERS), 4, 6]


def whole(plan):
    """What the picture is as a whole: N, 6."""
    backs, rest, _ = plan
    rows = [(PLACES.index(b.place), backdrops.TIMES.index(b.time), backdrops.SEASONS.index(b.season)) for b in backs]
    weather = torch.where(rest[:, 0] > 0, (rest[:, 0] - 1) // backdrops.VARIANTS + 1, 0)
    return torch.cat([torch.tensor(rows), torch.stack([weather, rest[:, 2], rest[:, 3]], 1)], 1)


def features(tok, x):
    """hidden_states[-2] of the encoder, without running the last layer; normalised codes."""
    h = tok.encoder.embeddings(x)
    for layer in tok.encoder.encoder.layers[:len(tok.encoder.encoder.layers) + 1 + tok.select]:
        h = layer(h, attention_mask=None)[0]
    return F.normalize(tok.bottleneck.in_linear(tok.encode_task_layer(h)).float(), dim=-1)


@torch.no_grad()
def encode(tok, x):
    return (features(tok, x) @ tok.bottleneck.regularizer.codebook().T).argmax(-1)


class Heads(nn.Module):
    def __init__(self, dim, objects):
        super().__init__()
        self.pixels, self.names = nn.Linear(dim, CELL * CELL * 3), nn.Linear(dim, objects + 1)
        self.tint, self.whole = nn.Linear(dim, 12), nn.Linear(dim, sum(WHOLE))
        self.early = nn.Linear(nets.NANO["bottleneck_dim"], objects + 1)


def decode(tok, q):
    d = tok.decoder.vision_model
    h = d.embeddings.patch_embedding(q) + d.embeddings.position_embedding.weight
    for layer in d.encoder.layers:
        h = layer(h, attention_mask=None)[0]
    return tok.decode_task_layer(d.post_layernorm(h))


def patches(x):
    x = F.avg_pool2d(x, nets.SIDE // (nets.GRID * CELL))
    return x.unfold(2, CELL, CELL).unfold(3, CELL, CELL).permute(0, 2, 3, 1, 4, 5).reshape(len(x), nets.TOKENS, -1)


@torch.no_grad()
def kmeans(z, k, rounds=12):
    c = z[torch.randperm(len(z), device=z.device)[:k]].clone()
    c = c if len(c) == k else torch.cat([c, F.normalize(torch.randn(k - len(c), z.shape[1], device=z.device), dim=-1)])
    for _ in range(rounds):
        near = (z @ c.T).argmax(1)
        new = torch.zeros_like(c).index_add_(0, near, z)
        dead = torch.bincount(near, minlength=k) == 0
        new[dead] = z[torch.randint(len(z), (int(dead.sum()),), device=z.device)]
        c = F.normalize(new, dim=-1)
    return c


def quantised(vq, z):
    """-> (codes with the gradient passed straight through, losses of codebook and commitment and of uneven use)."""
    book = vq.codebook()
    sim = z @ book.T
    q = book[sim.detach().argmax(-1)]
    extra = (q - z.detach()).square().sum(-1).mean() + .3 * (q.detach() - z).square().sum(-1).mean()
    use = torch.softmax(sim[::4].flatten(0, 1) * 20, -1).mean(0)
    return z + (q - z).detach(), extra + .05 * (use * (use + 1e-9).log()).sum()


def train(run: Run):
    p = run.preset
    tok, heads = nets.tatok(), Heads(nets.NANO["vit"]["hidden_size"], len(run.atlas.objects))
    vq = tok.bottleneck.regularizer
    nn.init.orthogonal_(vq.embedding_proj.weight)
    for m in tok.modules():
        if isinstance(m, nn.Embedding) and m is not vq.embedding:
            nn.init.normal_(m.weight, std=.02)
    stage = run.stage("tatok", [("scenes", p["tatok_batch"])])
    saved, ready = stage.load("tatok_run.pt"), False
    if saved:
        tok.load_state_dict(saved["tok"])
        heads.load_state_dict(saved["heads"])
        ready = saved["ready"]
    if stage.done:
        stage.feed.close()
        return
    both = nn.ModuleList([tok, heads]).to(run.device)
    run.share(both)
    opt, ema, recent, mean = Muon(both, p["tatok_lr"], 3e-3, run.rank, run.ranks), Averaged(tok, .998 if run.gpu else .99), [], None
    read = run.compiled(features)

    def save():
        stage.save("tatok_run.pt", dict(tok={k: v.cpu() for k, v in tok.state_dict().items()},
                                        heads={k: v.cpu() for k, v in heads.state_dict().items()}, ready=ready))
        stage.save("tatok.pt", {k: v.cpu() for k, v in tok.state_dict().items()})

    for f, _, batch in stage:
        x, lab = nets.to_input(run.composer.paint(batch["plan"])), run.composer.labels(batch["plan"]).flatten(1)
        rows = batch["plan"][2].to(run.device)
        alltints = run.composer.labels((None, None, torch.cat([rows[..., :6], rows[..., 4:5]], -1))).flatten(1)  # tint + 1, 0: none
        with run.autocast():
            z = read(tok, x)
            if not ready:
                recent = (recent + [z.detach().flatten(0, 1)])[-16:]
                if f > .4:  # the codebook starts from clusters of what the encoder has learned so far
                    with torch.no_grad():
                        vq.embedding.weight.copy_(kmeans(torch.cat(recent), vq.embedding.num_embeddings))
                        vq.embedding_proj.weight.copy_(torch.eye(z.shape[-1]))
                        vq.embedding_proj.bias.zero_()
                    run.share(vq)
                    ready, recent = True, []
            extra = torch.zeros((), device=run.device)
            if ready:
                q, extra = quantised(vq, z)
            else:
                q = F.normalize(z + .05 * torch.randn_like(z), dim=-1)
            h = decode(tok, q)
            pix = F.l1_loss(heads.pixels(h).float(), patches(x))
            name = F.cross_entropy(heads.names(h).float().flatten(0, 1), lab.flatten())
            tint = F.cross_entropy(heads.tint(h).float().flatten(0, 1), alltints.clamp(max=11).flatten())
            want = whole(batch["plan"]).to(run.device)
            kinds = heads.whole(h.mean(1)).float().split(WHOLE, -1)
            kind = sum(F.cross_entropy(k, want[:, i]) for i, k in enumerate(kinds)) / len(WHOLE)
            early = F.cross_entropy(heads.early(12 * z).float().flatten(0, 1), lab.flatten())  # names before the codebook
            loss = 4 * pix + .7 * name + .3 * tint + .3 * kind + early + extra
        loss.backward()
        run.average(both)
        torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0, error_if_nonfinite=True)
        opt.step(nets.warm_cosine(f))
        both.zero_grad(set_to_none=True)
        ema.update()
        stage.seen(len(x))
        on = lab > 0
        right = (heads.names(h.float()).argmax(-1) == lab)[on].float().mean() if bool(on.any()) else torch.ones(())
        now = torch.stack([loss.detach(), pix.detach(), name.detach(), kind.detach(), right.to(loss.device)])
        mean = now if mean is None else mean.lerp(now, .03)
        if stage.due():
            v = mean.tolist()
            stage.say(loss=v[0], pixels=v[1], names=v[2], whole=v[3], object_patches_named=v[4], quantised=int(ready))
        if stage.due("saved", 240):
            save()
    save()
