"""The AR model, the connectors and the SANA transformer together, with forward passes written for training.

The parameters are the library's and the numbers are the same; everything stays in the layout batch, token, channel, 1 x 1
convolutions are matrix products and the depthwise convolution is nine shifted products, which `torch.compile` fuses.
"""

import torch
import torch.nn.functional as F
from torch import nn

import nets


def rms(x, weight, eps):
    return x * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + eps).to(x.dtype) * weight


def plain_norm(x, eps):
    return F.layer_norm(x, x.shape[-1:], eps=eps)


def depthwise(x, conv):
    """3 x 3 depthwise convolution with zero padding; x: batch, rows, columns, channels."""
    _, h, w, _ = x.shape
    x = F.pad(x, (0, 0, 1, 1, 1, 1))
    weight = conv.weight[:, 0].permute(1, 2, 0).contiguous()
    out = conv.bias
    for i in range(3):
        for j in range(3):
            out = out + x[:, i:i + h, j:j + w] * weight[i, j]
    return out


def attention(q, k, v, causal=False):
    """Softmax attention; q: batch, heads, tokens, channels; k, v may have fewer heads, each for several of q's. On CPUs plain
    products, since the gradients of the library's way take long there."""
    if q.is_cuda:
        return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=q.shape[1] != k.shape[1])
    n, heads, t, size = q.shape
    few = k.shape[1]
    score = ((q * size ** -.5).reshape(n, few, -1, size) @ k.transpose(2, 3)).view(n, few, heads // few, t, -1)
    if causal:
        score = score + torch.full((t, t), -torch.inf, dtype=score.dtype, device=q.device).triu(1)
    return (score.softmax(-1).to(v.dtype).view(n, few, heads // few * t, -1) @ v).view(n, heads, t, size)


def block(b, x, enc, time, h, w):
    """One SANA block; enc: batch, conditions, channels; time: batch, 6, channels."""
    n, t, dim = x.shape
    shift, scale, gate, shift2, scale2, gate2 = (b.scale_shift_table[None] + time).chunk(6, 1)

    a, y = b.attn1, plain_norm(x, b.norm1.eps) * (1 + scale) + shift
    q, k, v = F.linear(y, torch.cat([a.to_q.weight, a.to_k.weight, a.to_v.weight])).chunk(3, -1)
    q = F.relu(rms(q, a.norm_q.weight, a.norm_q.eps)).view(n, t, a.heads, -1).transpose(1, 2).float()
    k = F.relu(rms(k, a.norm_k.weight, a.norm_k.eps)).view(n, t, a.heads, -1).transpose(1, 2).float()
    v = v.view(n, t, a.heads, -1).transpose(1, 2).float()
    with torch.autocast(x.device.type, enabled=False):
        top = q @ (k.transpose(2, 3) @ v)
        low = q @ k.sum(2)[..., None]
        y = top / (low + 1e-15)
    x = x + gate * a.to_out[0](y.transpose(1, 2).reshape(n, t, dim).to(x.dtype))

    a = b.attn2
    q = rms(a.to_q(x), a.norm_q.weight, a.norm_q.eps)
    k, v = F.linear(enc, torch.cat([a.to_k.weight, a.to_v.weight]), torch.cat([a.to_k.bias, a.to_v.bias])).chunk(2, -1)
    k = rms(k, a.norm_k.weight, a.norm_k.eps)
    q, k, v = (z.view(n, -1, a.heads, dim // a.heads).transpose(1, 2) for z in (q.to(v.dtype), k.to(v.dtype), v))
    y = attention(q, k, v)
    x = x + a.to_out[0](y.transpose(1, 2).reshape(n, t, dim))

    f, y = b.ff, plain_norm(x, b.norm2.eps) * (1 + scale2) + shift2
    y = F.silu(F.linear(y, f.conv_inverted.weight[:, :, 0, 0], f.conv_inverted.bias))
    y, z = depthwise(y.view(n, h, w, -1), f.conv_depth).view(n, t, -1).chunk(2, -1)
    return x + gate2 * F.linear(y * F.silu(z), f.conv_point.weight[:, :, 0, 0])


class Sana:
    """Calls like the library's transformer; `wrap` is put around the block, e.g. torch.compile."""

    def __init__(self, sana, wrap=lambda f: f):
        self.sana, self.block = sana, wrap(block)

    def __call__(self, x, enc, time):
        """x: batch, channels, rows, columns; enc: conditions; time: 0..1000 per sample. -> the velocity."""
        s = self.sana
        n, c, h, w = x.shape
        y = s.patch_embed(x)
        time, embedded = s.time_embed(time, batch_size=n, hidden_dtype=y.dtype)
        enc = s.caption_norm(s.caption_projection(enc))
        for b in s.transformer_blocks:
            y = self.block(b, y, enc, time.view(n, 6, -1), h, w)
        y = s.proj_out(s.norm_out(y, embedded, s.scale_shift_table))
        return y.view(n, h, w, c).permute(0, 3, 1, 2)


def turn(x, cos, sin):
    """Rotary position embedding; x: batch, heads, tokens, head dimension."""
    a, b = x.chunk(2, -1)
    return x * cos + torch.cat([-b, a], -1) * sin


def lm_layer(b, x, cos, sin, cache=None):
    """One Qwen3 layer over right-padded sequences; with a cache (keys, values of all tokens before) for one token."""
    n, t, _ = x.shape
    a, size = b.self_attn, b.self_attn.head_dim
    y = rms(x, b.input_layernorm.weight, b.input_layernorm.variance_epsilon)
    q, k, v = a.q_proj(y).view(n, t, -1, size), a.k_proj(y).view(n, t, -1, size), a.v_proj(y).view(n, t, -1, size)
    q = turn(rms(q, a.q_norm.weight, a.q_norm.variance_epsilon).transpose(1, 2), cos, sin)
    k = turn(rms(k, a.k_norm.weight, a.k_norm.variance_epsilon).transpose(1, 2), cos, sin)
    v = v.transpose(1, 2)
    p = attention(q.to(v.dtype), k.to(v.dtype), v, causal=True)
    x = x + a.o_proj(p.transpose(1, 2).reshape(n, t, -1))
    y = rms(x, b.post_attention_layernorm.weight, b.post_attention_layernorm.variance_epsilon)
    return x + b.mlp.down_proj(F.silu(b.mlp.gate_proj(y)) * b.mlp.up_proj(y))


class Qwen:
    """The AR model's hidden states; calls with right-padded ids."""

    def __init__(self, lm, wrap=lambda f: f):
        self.lm, self.layer = lm, wrap(lm_layer)

    def __call__(self, ids):
        t = ids.shape[1]
        x = self.lm.embed_tokens(ids)
        angle = torch.arange(t, device=ids.device)[:, None] * self.lm.rotary_emb.inv_freq.float()
        angle = torch.cat([angle, angle], -1)
        for b in self.lm.layers:
            x = self.layer(b, x, angle.cos(), angle.sin())
        return rms(x, self.lm.norm.weight, self.lm.norm.variance_epsilon)


class Model(nn.Module):
    def __init__(self, tok, wrap=lambda f: f):
        """wrap: put around the layers' forward passes, such as torch.compile."""
        super().__init__()
        p = self.parts = nets.configs(tok, 1.0)
        self.lm, self.sana = p.lm(), p.sana()
        self.diffusion_connector = p.diffusion_connector()
        self.und_image_vae_connector = p.und_image_vae_connector()
        self.und_image_vae_as_noise_connector = p.und_image_vae_as_noise_connector()  # official, unused
        for q in self.und_image_vae_as_noise_connector.parameters():
            q.requires_grad_(False)
        self.start = p.config["image_start_token_id"]
        self.run_lm, self.run_sana = Qwen(self.lm, wrap), Sana(self.sana, wrap)

    def ar(self, ids, first, weight):
        """ids right-padded; first: position of the scale token; weight: of each image token in the loss.
        -> hidden of [scale, image tokens], cross-entropy, weighted cross-entropy."""
        h = self.run_lm(ids)
        where = first[:, None] + torch.arange(nets.TOKENS + 1, device=ids.device)
        h = torch.gather(h, 1, where[..., None].expand(-1, -1, h.shape[-1]))
        logits = F.linear(h[:, :-1], self.lm.embed_tokens.weight).float()
        want = torch.gather(ids, 1, where[:, 1:])
        each = F.cross_entropy(logits.flatten(0, 1), want.flatten(), reduction="none").view_as(weight)
        return h, each.mean(), (each * weight).sum() / weight.sum()

    def flow(self, hidden, target, ref, drop, weight, centre):
        """-> flow-matching loss, plain and weighted; `drop`: probability of each sample losing its conditions;
        weight: of each latent; centre: of half of the noise levels (logit), the other half is uniform."""
        n, on = len(target), target.device
        zero = torch.zeros((), device=on)
        off = (torch.rand(n, device=on) < drop)[:, None, None]
        if ref is None:
            enc = self.diffusion_connector(torch.where(off, zero, hidden.float()))
        else:
            soft = (torch.rand(n, device=on) < .5)[:, None, None]  # both kinds of "nothing" occur in practice
            enc = self.diffusion_connector(torch.where(off & soft, zero, hidden.float()))
            enc = torch.where(off & ~soft, zero, enc)
            vae = self.und_image_vae_connector(ref.movedim(1, -1).flatten(1, 2))
            enc = torch.cat([enc, torch.where(off, zero, vae)], 1)
        sigma = torch.where(torch.rand(n, device=on) < .5, torch.rand(n, device=on), torch.sigmoid(centre + torch.randn(n, device=on)))
        s = sigma[:, None, None, None]
        noise = torch.randn_like(target)
        x = (1 - s) * target + s * noise
        if ref is not None:
            x = torch.cat([x, ref], -1)
        v = self.run_sana(x, enc, sigma * 1000)[..., :nets.GRID].float()
        each = (v - (noise - target)).square().mean(1)
        weight = weight.view_as(each)
        return each.mean(), (each * weight).sum() / weight.sum()
