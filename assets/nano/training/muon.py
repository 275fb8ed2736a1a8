"""Muon (momentum, then an orthogonalised update) for matrices and dense convolutions; AdamW for the rest."""

import torch
import torch.distributed as dist

import nets


class Muon:
    """Momentum with orthogonalised updates for the matrices; AdamW for everything else."""

    def __init__(self, model, lr, adam_lr, rank=0, world_size=1, smallest=32):
        self.lr, self.rank, self.size = lr, rank, world_size
        flat, rest, embed = [], [], []
        for name, p in model.named_parameters():
            if not p.requires_grad:
                continue
            if "embed_tokens" in name:
                embed.append(p)
            elif p.dim() >= 2 and min(len(p), p.numel() // len(p)) >= smallest and not any(
                    k in name for k in ("conv_depth", "proj_in", "time_embed", "patch_embed", "proj_out", "scale_shift")):
                flat.append(p)
            else:
                rest.append(p)
        self.matrices = flat
        self.momentum = [torch.zeros_like(p) for p in flat]
        self.adam = torch.optim.AdamW([dict(params=rest, base=adam_lr), dict(params=embed, base=adam_lr * 2)],
                                      lr=adam_lr, betas=(.9, .98), weight_decay=0.0)

    @staticmethod
    def orthogonal(g, rounds=5):
        a, b, c = 3.4445, -4.7750, 2.0315
        x = g.flatten(1)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        x = x / (x.norm() + 1e-7)
        x = x.bfloat16() if nets.has_fast_bf16(x.device) else x
        for _ in range(rounds):
            s = x @ x.T
            x = a * x + (b * s + c * s @ s) @ x
        return (x.T if tall else x).float().reshape(g.shape)

    def step(self, scale, decay=.02):
        for g in self.adam.param_groups:
            g["lr"] = g["base"] * scale
        self.adam.step()
        flat = []
        for i, (p, m) in enumerate(zip(self.matrices, self.momentum)):
            if i % self.size != self.rank:
                flat.append(torch.zeros(p.numel(), device=p.device))
                continue
            if p.grad is None:
                flat.append(torch.zeros(p.numel(), device=p.device))
                continue
            m.lerp_(p.grad, .05)
            flat.append(self.orthogonal(p.grad.lerp(m, .95)).flatten())
        flat = torch.cat(flat)
        if self.size > 1:
            dist.all_reduce(flat)
        lr, at = self.lr * scale, 0
        for p in self.matrices:
            rows, cols = len(p), p.numel() // len(p)
            with torch.no_grad():
                p.mul_(1 - lr * decay).add_(flat[at:at + p.numel()].view_as(p), alpha=-lr * max(1, rows / cols) ** .5)
            at += p.numel()
