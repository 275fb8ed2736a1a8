"""Batched text-to-image and editing with a checkpoint folder or with a model in training.

`run_reference.py` does the same for one prompt; this only adds right-padded batches.
"""

import numpy as np
import torch
import torch.nn.functional as F

import nets


@torch.no_grad()
def blueprint(model, ids, first, samples=False, temperature=1.0, generator=None):
    """Writes TOKENS image tokens after `first`, by the likelihood of image tokens alone. -> (ids, hidden of scale and tokens).

    One pass over everything per token, which a device of any size does in less time than the cache takes to write.
    """
    ids, n = ids.clone(), len(ids)
    rows = torch.arange(n, device=ids.device)
    table = model.lm.embed_tokens.weight[model.start:model.start + nets.NANO["codes"]]
    longest = int(first.max()) + nets.TOKENS + 1
    for k in range(nets.TOKENS):
        h = model.run_lm(ids[:, :longest])[rows, first + k]
        logits = F.linear(h, table.to(h.dtype)).float()
        new = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)[:, 0] if samples else logits.argmax(-1)
        ids[rows, first + k + 1] = new + model.start
    h = model.run_lm(ids[:, :longest])
    where = first[:, None] + torch.arange(nets.TOKENS + 1, device=ids.device)
    return ids, torch.gather(h, 1, where[..., None].expand(-1, -1, h.shape[-1]))


@torch.no_grad()
def paint(model, hidden, ref=None, steps=20, guidance=2.0, noise=None):
    """Latents from hidden states, and from the reference's latents when editing."""
    enc = torch.cat([model.diffusion_connector(torch.zeros_like(hidden)), model.diffusion_connector(hidden)])
    if ref is not None:
        v = model.und_image_vae_connector(ref.movedim(1, -1).flatten(1, 2))
        enc = torch.cat([enc, torch.cat([torch.zeros_like(v), v])], 1)
    shape = (len(hidden), nets.NANO["vae"]["latent_channels"], nets.GRID, nets.GRID)
    x = torch.randn(shape, device=hidden.device) if noise is None else noise
    sigmas = np.append(np.linspace(1.0, 1 / steps, steps), 0.0)
    for s, nxt in zip(sigmas[:-1], sigmas[1:]):
        inp = x if ref is None else torch.cat([x, ref], -1)
        t = torch.full((2 * len(x),), float(s) * 1000, device=x.device)
        out = model.run_sana(torch.cat([inp, inp]), enc, t)[..., :nets.GRID].float()
        un, con = out.chunk(2)
        x = x + float(nxt - s) * (un + guidance * (con - un))
    return x
