"""Sizes of the nano model and the way to its modules.

The modules themselves are those of the reference (`blip3o_oracle.py`: Qwen3, SANA, AutoencoderDC, TA-Tok);
they lie with the golden tests, BLIP3O_ORACLE overrides the folder.
"""

from __future__ import annotations

import math
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, os.environ.get("BLIP3O_ORACLE", str(Path(__file__).resolve().parents[4] / "tests/golden/reference")))

import blip3o_oracle as bo  # noqa: E402
import make_checkpoint as mc  # noqa: E402
import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import world  # noqa: E402

R, E = bo.R, bo.E
GRID = 8
TOKENS = GRID * GRID
NANO = dict(
    base_vocab=900,
    codes=512,
    lm=dict(hidden_size=192, intermediate_size=512, num_hidden_layers=4, num_attention_heads=6,
            num_key_value_heads=2, head_dim=32),
    vit=dict(hidden_size=128, intermediate_size=320, num_hidden_layers=4, num_attention_heads=4,
             image_size=world.SIDE, patch_size=world.SIDE // GRID),
    vit_decoder=dict(intermediate_size=256, num_attention_heads=4, num_patches=TOKENS, depth=2),
    bottleneck_dim=48,
    stochastic=(True, 0.03),
    connector_dim=192,
    sana=dict(interpolation_scale=1.0, num_layers=8, num_attention_heads=6, attention_head_dim=32, num_cross_attention_heads=3,
              cross_attention_head_dim=64, cross_attention_dim=192, sample_size=GRID),
    vae=dict(latent_channels=32, attention_head_dim=16, types=[R, R, R, E, E], channels=[8, 16, 32, 64, 128],
             enc_layers=[1, 1, 1, 1, 1], dec_layers=[1, 1, 1, 1, 1], multiscales=[[], [], [], [5], [5]]),
)


def tokenizer(path=None):
    """Byte-level BPE over the world's captions, with Qwen's special tokens and chat template."""
    if path is not None and Path(path, "tokenizer.json").exists():
        from transformers import AutoTokenizer
        return AutoTokenizer.from_pretrained(path)
    fixed = ["You are a helpful assistant.", "Please generate image based on the following caption: ",
             "Please edit this image according to the following instruction: ", "system\nuser\nassistant\n"]
    mc.corpus = lambda: fixed * 200 + list(world.corpus())
    return mc.build_tokenizer(NANO, exact_ids=False)


def configs(tok, scaling: float, dtype: str = "float16"):
    cfg = mc.model_config(NANO, tok, "both", "width", True, "f32")
    cfg["torch_dtype"] = dtype
    vae = bo.vae_config(NANO)
    vae["scaling_factor"] = scaling
    vae.pop("_name_or_path")
    return bo.Parts(cfg, bo.sana_config(NANO, "width"), vae, bo.tatok_config(NANO))


def autoencoder():
    vae = bo.vae_config(NANO)
    vae.pop("_name_or_path")
    from diffusers import AutoencoderDC
    return AutoencoderDC.from_config(vae)


def tatok():
    return bo.TaTok(bo.tatok_config(NANO))


class _FastRms(torch.autograd.Function):
    """RMSNorm with fewer passes over memory than the library's; same numbers."""

    @staticmethod
    def forward(ctx, x, w, b, eps):
        r = torch.rsqrt(torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps))
        y = x * r
        ctx.save_for_backward(y, r, w)
        ctx.bias = b is not None
        return torch.addcmul(b, y, w) if ctx.bias else y * w

    @staticmethod
    def backward(ctx, g):
        y, r, w = ctx.saved_tensors
        dims = list(range(g.dim() - 1))
        gy = g * y
        mean = (gy @ w)[..., None] / y.shape[-1]
        return (g * w).addcmul_(y, -mean).mul_(r), gy.sum(dims), g.sum(dims) if ctx.bias else None, None


def fast_norms():
    """Replace the forward of the RMSNorm classes while training."""
    from diffusers.models.normalization import RMSNorm
    from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm
    RMSNorm.forward = lambda self, x: _FastRms.apply(x, self.weight, self.bias, self.eps)
    Qwen3RMSNorm.forward = lambda self, x: _FastRms.apply(x, self.weight, None, self.variance_epsilon)


def to_input(images):
    """uint8 N,H,W,3 -> float N,3,H,W in [-1, 1]; serves the autoencoder and TA-Tok alike."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def warm_cosine(step_fraction: float, warm: float = 0.03, floor: float = 0.02) -> float:
    if step_fraction < warm:
        return step_fraction / warm
    f = min(1.0, (step_fraction - warm) / (1 - warm))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * f))


class Clock:
    """Fraction of a time budget that is used up; training runs by the clock, not by steps."""

    def __init__(self, seconds):
        self.seconds, self.start = seconds, time.time()

    def fraction(self):
        return (time.time() - self.start) / self.seconds
