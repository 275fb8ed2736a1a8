"""Sizes of the nano model and the way to its modules.

The modules themselves are those of the reference (`blip3o_oracle.py`: Qwen3, SANA, AutoencoderDC, TA-Tok);
they lie with the golden tests, BLIP3O_ORACLE overrides the folder.
"""

from __future__ import annotations

import math
import os
import random
import sys
from pathlib import Path

sys.path.insert(0, os.environ.get("BLIP3O_ORACLE", str(Path(__file__).resolve().parents[3] / "tests/golden/reference")))

import blip3o_oracle as bo  # noqa: E402
import make_checkpoint as mc  # noqa: E402
import torch  # noqa: E402

import paint  # noqa: E402
import words  # noqa: E402
import world  # noqa: E402

R, E = bo.R, bo.E
SIDE = paint.SIDE
GRID = 8
TOKENS = GRID * GRID
NANO = dict(
    base_vocab=2000,
    codes=1024,
    lm=dict(hidden_size=256, intermediate_size=704, num_hidden_layers=6, num_attention_heads=8,
            num_key_value_heads=2, head_dim=32),
    vit=dict(hidden_size=128, intermediate_size=352, num_hidden_layers=5, num_attention_heads=4,
             image_size=SIDE, patch_size=SIDE // GRID),
    vit_decoder=dict(intermediate_size=256, num_attention_heads=4, num_patches=TOKENS, depth=1),
    bottleneck_dim=48,
    stochastic=(True, 0.03),
    connector_dim=256,
    sana=dict(interpolation_scale=1.0, num_layers=8, num_attention_heads=9, attention_head_dim=32, num_cross_attention_heads=4,
              cross_attention_head_dim=72, cross_attention_dim=288, sample_size=GRID),
    vae=dict(latent_channels=64, attention_head_dim=32, types=[R, R, R, E, E, E], channels=[16, 32, 64, 128, 128, 128],
             enc_layers=[1, 1, 1, 1, 2, 3], dec_layers=[1, 1, 2, 2, 3, 2], multiscales=[[], [], [], [5], [5], [5]]),
)
# What differs where two processors must do: they see too few pictures for more, and would wait for depthwise convolutions.
SMALL = dict(
    codes=768,
    lm=dict(hidden_size=192, intermediate_size=512, num_hidden_layers=5, num_attention_heads=6),
    connector_dim=192,
    sana=dict(num_attention_heads=7, cross_attention_head_dim=56, cross_attention_dim=224),
    vae=dict(channels=[8, 16, 64, 128, 128, 128], multiscales=[[]] * 6),
)
SIZES = dict(large={}, small=SMALL)


def choose(size: str):
    """Makes `NANO` the sizes of that name; before anything is built."""
    for k, v in SIZES[size].items():
        if isinstance(v, dict):
            NANO[k].update(v)
        else:
            NANO[k] = v


def device():
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_fast_bf16(on):
    """Whether matrix products are much faster in bfloat16: on GPUs, and on processors with AMX or AMD's AVX512-BF16. Intel's
    AVX512-BF16 alone is slower than float32, and layers compiled for it had gradients that were no numbers (PyTorch 2.15)."""
    if on.type == "cuda" or torch.cpu._is_amx_tile_supported():
        return True
    info = Path("/proc/cpuinfo")
    return torch.cpu._is_avx512_bf16_supported() and info.exists() and "AuthenticAMD" in info.read_text()


def tokenizer(work, atlas=None):
    """Byte-level BPE over the world's captions, with Qwen's special tokens and chat template; made once, of all objects."""
    path = Path(work) / "tokenizer"
    if (path / "tokenizer.json").exists():
        from transformers import AutoTokenizer
        return AutoTokenizer.from_pretrained(path)
    fixed = ["You are a helpful assistant.", "Please generate image based on the following caption: ",
             "Please edit this image according to the following instruction: ", "system\nuser\nassistant\n"]
    text = words.Words(world.World(atlas or paint.Atlas(work)))
    mc.corpus = lambda: fixed * 200 + list(text.corpus(12000, random.Random(1)))
    tok = mc.build_tokenizer(NANO, exact_ids=False)
    tok.save_pretrained(path)
    return tok


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
    """Replace the forward of diffusers' RMSNorm while training on a CPU (a GPU compiles the library's own)."""
    from diffusers.models.normalization import RMSNorm
    RMSNorm.forward = lambda self, x: _FastRms.apply(x, self.weight, self.bias, self.eps)


def to_input(images):
    """uint8 N,H,W,3 -> float N,3,H,W in [-1, 1]; serves the autoencoder and TA-Tok alike."""
    return torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pixels(x):
    """The other way, rounded as the engine does it."""
    return ((x.float() / 2 + .5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1)


def warm_cosine(f: float, warm: float = 0.03, floor: float = 0.02) -> float:
    if f < warm:
        return f / warm
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, (f - warm) / (1 - warm))))
