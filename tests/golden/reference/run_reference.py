"""Text-to-image or image editing on a checkpoint folder, every stage dumped to one safetensors file.

Stages, each loading only the component that it needs:
  vision  reference image -> TA-Tok indices, VAE latents          (only with --image)
  ar      prompt -> image tokens -> hidden states of the image region
  cond    connectors -> encoder_hidden_states for both guidance branches
  dit     N Euler steps of SANA with classifier-free guidance
  vae     latents -> image
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import blip3o_oracle as bo  # first: it puts the libraries in offline mode

import numpy as np
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoTokenizer, DynamicCache
from transformers.models.siglip.image_processing_siglip import SiglipImageProcessor

SYSTEM = "You are a helpful assistant."


class Dump:
    def __init__(self, max_mb: float):
        self.max_bytes, self.tensors, self.skipped = int(max_mb * 2**20), {}, []

    def add(self, name: str, value):
        if value is None:
            return
        if not isinstance(value, torch.Tensor):
            value = torch.tensor(value)
        value = value.detach()
        if value.is_floating_point():
            value = value.float()
        if value.numel() * value.element_size() > self.max_bytes:
            self.skipped.append(name)
            self.tensors[name + ".stats"] = torch.stack(
                [value.mean(), value.std(), value.min(), value.max(), value.square().mean().sqrt()])
            return
        assert name not in self.tensors, name
        self.tensors[name] = value.clone().contiguous()


class Hooks:
    """Record the outputs of named submodules while the context is open."""

    def __init__(self, dump: Dump, table: dict[str, torch.nn.Module]):
        self.dump, self.table, self.handles = dump, table, []

    def __enter__(self):
        for name, module in self.table.items():
            def hook(_m, _i, out, name=name):
                if isinstance(out, (tuple, list)):
                    for i, o in enumerate(out):
                        if isinstance(o, torch.Tensor):
                            self.dump.add(name if i == 0 else f"{name}.{i}", o)
                else:
                    self.dump.add(name, out)
            self.handles.append(module.register_forward_hook(hook))
        return self

    def __exit__(self, *_):
        for h in self.handles:
            h.remove()


# ----------------------------------------------------------------------- image input


def tatok_pixels(image: Image.Image, side: int) -> torch.Tensor:
    """Squash to side x side (bicubic on uint8), /255, normalise with mean .5 and std .5."""
    proc = SiglipImageProcessor()
    proc.size = (side, side)
    return proc.preprocess(image, return_tensors="pt")["pixel_values"]


def vae_pixels(image: Image.Image, side: int) -> torch.Tensor:
    """Short side to `side` (Pillow bilinear, antialiased), centre crop, to [-1, 1]."""
    w, h = image.size
    if w <= h:
        size = (side, int(side * h / w))
    else:
        size = (int(side * w / h), side)
    if size != image.size:
        image = image.resize(size, Image.Resampling.BILINEAR)
    left, top = int(round((size[0] - side) / 2.0)), int(round((size[1] - side) / 2.0))
    image = image.crop((left, top, left + side, top + side))
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255
    return (x - 0.5) / 0.5


# ------------------------------------------------------------------------------ text


def prompt_text(tok, text: str, with_image: bool, image_tokens: int, scale: int) -> str:
    if with_image:
        user = f"Please edit this image according to the following instruction: {text}.\n<image>"
    else:
        user = f"Please generate image based on the following caption: {text}"
    out = tok.apply_chat_template([{"role": "system", "content": SYSTEM}, {"role": "user", "content": user}],
                                  tokenize=False, add_generation_prompt=True)
    out += f"<im_start><S{scale}>"
    if with_image:
        out = out.replace("<image>", "<|vision_start|>" + "<|image_pad|>" * image_tokens + "<|vision_end|>")
    return out


def pick(logits: torch.Tensor, a, gen, allowed) -> int:
    """One token from the last position's logits (float32), with the filters in transformers' order."""
    scores = logits.float().clone()
    if allowed is not None:
        mask = torch.ones_like(scores, dtype=torch.bool)
        mask[allowed[0]:allowed[1] + 1] = False
        scores[mask] = -torch.inf
    if a.greedy:
        return int(scores.argmax())
    scores = scores / a.temperature
    if a.top_k and a.top_k < scores.numel():
        scores[scores < scores.topk(a.top_k).values[-1]] = -torch.inf
    if a.top_p < 1.0:
        ordered, index = scores.sort(descending=False)
        drop = ordered.softmax(-1).cumsum(-1) <= 1 - a.top_p
        drop[-1] = False
        scores[index[drop]] = -torch.inf
    return int(torch.multinomial(scores.softmax(-1), 1, generator=gen))


def decode_tokens(lm, head, ids, n, a, gen, eos, allowed, forced, dump):
    cache, out, x = DynamicCache(), [], ids
    for i in range(n):
        h = lm(input_ids=x, past_key_values=cache, use_cache=True).last_hidden_state[:, -1]
        logits = (h @ head.T)[0]
        if i < 3 or i == n - 1:
            dump.add(f"ar.logits.{i}", logits)
        token = forced[i] if forced is not None else pick(logits, a, gen, allowed)
        out.append(token)
        if (forced is not None and len(out) == len(forced)) or (forced is None and token in eos):
            break
        x = torch.tensor([[token]])
    return torch.tensor(out)


# ------------------------------------------------------------------------------ main


def load_tokens(path: str, start: int) -> list[int]:
    if path.endswith(".json"):
        return json.loads(Path(path).read_text())
    with safe_open(path, "pt") as f:
        return f.get_tensor("ar.generated").tolist()


def load_noise(path: str) -> torch.Tensor:
    with safe_open(path, "pt") as f:
        keys = list(f.keys())
        return f.get_tensor("noise" if "noise" in keys else keys[0]).float()


@torch.no_grad()
def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("ckpt", type=Path)
    ap.add_argument("--prompt", required=True, help="caption, or the edit instruction when --image is given")
    ap.add_argument("--image", type=Path)
    ap.add_argument("--steps", type=int, default=30)
    ap.add_argument("--guidance", type=float, default=2.0)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--max-new-tokens", type=int, help="default: the tokenizer grid (729 at full size)")
    ap.add_argument("--scale", type=int, default=0, help="index of the <S?> token")
    ap.add_argument("--greedy", action="store_true")
    ap.add_argument("--temperature", type=float, default=1.0)
    ap.add_argument("--top-p", type=float, default=0.95)
    ap.add_argument("--top-k", type=int, default=1200)
    ap.add_argument("--image-tokens-only", action="store_true", help="sample from <I*> only (not official)")
    ap.add_argument("--ignore-eos", action="store_true", help="never stop early (not official)")
    ap.add_argument("--tokens", help="replay these tokens: an earlier dump (ar.generated) or a json list")
    ap.add_argument("--noise", help="initial noise: an earlier dump (noise) or a file with one tensor")
    ap.add_argument("--null-ar", choices=["connector_of_zeros", "zeros"], default="connector_of_zeros")
    ap.add_argument("--null-vae", choices=["zeros", "connector_of_zeros", "keep"], default="zeros")
    ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    ap.add_argument("--threads", type=int)
    ap.add_argument("--dump", type=Path)
    ap.add_argument("--out", type=Path)
    ap.add_argument("--max-mb", type=float, default=64, help="tensors above this are dumped as 5 statistics")
    ap.add_argument("--check", action="store_true", help="compare parts of this script with the libraries' own code")
    a = ap.parse_args()
    if a.threads:
        torch.set_num_threads(a.threads)

    dt = {"f32": torch.float32, "bf16": torch.bfloat16}[a.dtype]
    parts, w, dump = bo.Parts.from_folder(a.ckpt), bo.Weights(a.ckpt), Dump(a.max_mb)
    comp, cfg = parts.components(), parts.config
    gcfg = json.loads((a.ckpt / "generation_config.json").read_text())
    tok = AutoTokenizer.from_pretrained(a.ckpt)
    times = {}

    def load(name):
        prefix, build = comp[name]
        return w.fill(build, prefix, dt)

    side = parts.sana_cfg["sample_size"]
    factor = 2 ** (len(parts.vae_cfg["encoder_block_out_channels"]) - 1)
    channels = parts.vae_cfg["latent_channels"]
    scaling, shift = parts.vae_cfg["scaling_factor"], parts.vae_cfg.get("shift_factor")
    n_image = parts.tatok_cfg["args"]["bottleneck_token_num"]
    n_new = a.max_new_tokens or n_image
    as_noise = bool(cfg.get("use_und_image_vae_as_noise"))
    as_cond = bool(cfg.get("use_und_image_vae")) and not cfg.get("only_use_und_image_vae_as_noise")

    # -- vision
    ref_tokens = ref_latents = None
    if a.image:
        t0 = time.perf_counter()
        image = Image.open(a.image).convert("RGB")
        px = tatok_pixels(image, parts.tatok_cfg["args"]["input_size"])
        dump.add("vision.pixels", px)
        if a.check:
            from torchvision.transforms import v2
            tv = v2.Compose([v2.Resize(side * factor), v2.CenterCrop(side * factor), v2.ToImage(),
                             v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.5], [0.5])])
            gap = (tv(image)[None] - vae_pixels(image, side * factor)).abs().max().item()
            print(f"check: vae_pixels against torchvision: max difference {gap:.1e}")
        vt = load("vision_tower")
        table = {"vision.embeddings": vt.encoder.embeddings}
        table |= {f"vision.layer.{i}": m for i, m in enumerate(vt.encoder.encoder.layers)}
        with Hooks(dump, table):
            got = vt(px.to(dt))
        for k, v in got.items():
            dump.add(f"vision.{k}", v)
        ref_tokens = got["indices"].flatten() + cfg["image_start_token_id"]
        del vt
        if as_cond or as_noise:
            vpx = vae_pixels(image, side * factor)
            dump.add("ref.pixels", vpx)
            vae = load("sana_vae")
            table = {"ref.enc.conv_in": vae.encoder.conv_in}
            table |= {f"ref.enc.down.{i}": m for i, m in enumerate(vae.encoder.down_blocks)}
            with Hooks(dump, table):
                raw = vae.encode(vpx.to(dt)).latent
            dump.add("ref.latents_raw", raw)
            ref_latents = (raw if shift is None else raw - shift) * scaling
            dump.add("ref.latents", ref_latents)
            del vae
        times["vision"] = time.perf_counter() - t0

    # -- ar
    t0 = time.perf_counter()
    text = prompt_text(tok, a.prompt, a.image is not None, n_image, a.scale)
    ids = torch.tensor(tok(text)["input_ids"])
    dump.add("prompt.text_ids", ids)
    if ref_tokens is not None:
        pads = (ids == tok.convert_tokens_to_ids("<|image_pad|>")).nonzero().flatten()
        assert len(pads) == len(ref_tokens)
        ids[pads] = ref_tokens
    dump.add("prompt.ids", ids)

    lm = load("lm")
    head = lm.embed_tokens.weight if cfg["tie_word_embeddings"] else w.get("lm_head.weight", dt)
    gen = torch.Generator().manual_seed(a.seed)
    eos = set() if a.ignore_eos else set(np.atleast_1d(gcfg["eos_token_id"]).tolist())
    allowed = (cfg["image_start_token_id"], cfg["image_end_token_id"]) if a.image_tokens_only else None
    forced = load_tokens(a.tokens, cfg["image_start_token_id"]) if a.tokens else None
    new = decode_tokens(lm, head, ids[None], n_new, a, gen, eos, allowed, forced, dump)
    dump.add("ar.generated", new)
    all_ids = torch.cat([ids, new])
    dump.add("ar.ids", all_ids)
    times["ar_decode"] = time.perf_counter() - t0

    t0 = time.perf_counter()
    table = {"ar.embeds": lm.embed_tokens, "ar.final": lm.norm}
    table |= {f"ar.layer.{i}": m for i, m in enumerate(lm.layers)}
    l0 = lm.layers[0]
    table |= {"ar.layer0.input_norm": l0.input_layernorm, "ar.layer0.q": l0.self_attn.q_proj,
              "ar.layer0.q_normed": l0.self_attn.q_norm, "ar.layer0.k_normed": l0.self_attn.k_norm,
              "ar.layer0.attn": l0.self_attn.o_proj, "ar.layer0.mlp": l0.mlp}
    with Hooks(dump, table):
        hidden = lm(input_ids=all_ids[None], use_cache=False).last_hidden_state
    start = int((all_ids == cfg["image_start_tag_id"]).float().argmax()) + 1
    assert start == len(ids) - 1, "the prompt itself holds an <im_start>"
    region = hidden[:, start:]
    dump.add("cond.hidden", region)
    times["ar_forward"] = time.perf_counter() - t0
    if a.check:
        from transformers import Qwen3ForCausalLM
        full = Qwen3ForCausalLM(lm.config).to(dt)
        full.model, full.lm_head.weight = lm, torch.nn.Parameter(head)
        ref = full.generate(ids[None], max_new_tokens=n_new, do_sample=False, eos_token_id=sorted(eos) or None,
                            attention_mask=torch.ones_like(ids)[None], pad_token_id=gcfg["pad_token_id"])[0, len(ids):]
        mine = decode_tokens(lm, head, ids[None], n_new, argparse.Namespace(greedy=True), gen, eos, None, None, Dump(0))
        print("check: greedy tokens equal transformers' generate:", torch.equal(ref, mine))
        del full
    del lm, head

    # -- cond
    con = load("diffusion_connector")
    cond = con(region)
    null = con(torch.zeros_like(region)) if a.null_ar == "connector_of_zeros" else torch.zeros_like(cond)
    dump.add("cond.ar", cond)
    dump.add("cond.ar_null", null)
    enc = torch.cat([null, cond])
    if as_cond and ref_latents is not None:
        vcon = load("und_image_vae_connector")
        flat = ref_latents.movedim(1, -1).reshape(1, -1, channels)
        vcond = vcon(flat)
        vnull = {"zeros": torch.zeros_like(vcond), "keep": vcond,
                 "connector_of_zeros": vcon(torch.zeros_like(flat))}[a.null_vae]
        dump.add("cond.vae", vcond)
        dump.add("cond.vae_null", vnull)
        enc = torch.cat([enc, torch.cat([vnull, vcond])], dim=1)
    dump.add("cond.encoder_hidden_states", enc)

    # -- dit
    t0 = time.perf_counter()
    if a.noise:
        noise = load_noise(a.noise)
    else:
        g = torch.Generator().manual_seed(a.seed + 1)
        noise = torch.randn(1, channels, side, side, generator=g).to(torch.bfloat16).float()
    dump.add("noise", noise)
    sana, sched = load("sana"), bo.euler_scheduler()
    sched.set_timesteps(sigmas=np.linspace(1.0, 1 / a.steps, a.steps))
    dump.add("dit.sigmas", sched.sigmas)
    dump.add("dit.timesteps", sched.timesteps)
    by_channel = parts.sana_cfg["in_channels"] == 2 * channels
    x = noise.to(dt)
    for i, t in enumerate(sched.timesteps):
        inp = x
        if as_noise and ref_latents is not None:
            inp = torch.cat([x, ref_latents.to(x)], dim=1 if by_channel else -1)
        inp = torch.cat([inp, inp]).to(enc.dtype)
        table = {}
        if i == 0:
            b0 = sana.transformer_blocks[0]
            table = {"dit.0.patch_embed": sana.patch_embed, "dit.0.time": sana.time_embed,
                     "dit.0.caption": sana.caption_projection, "dit.0.caption_norm": sana.caption_norm,
                     "dit.0.block0.attn1": b0.attn1, "dit.0.block0.attn2": b0.attn2, "dit.0.block0.ff": b0.ff,
                     "dit.0.norm_out": sana.norm_out, "dit.0.proj_out": sana.proj_out}
            table |= {f"dit.0.block.{j}": m for j, m in enumerate(sana.transformer_blocks)}
        with Hooks(dump, table):
            v = sana(hidden_states=inp, encoder_hidden_states=enc, timestep=t[None].expand(2),
                     encoder_attention_mask=None).sample
        v = v[:, :channels] if by_channel else v[..., :x.shape[-1]]  # x may have another size than the model's own
        uncond, text_v = v.chunk(2)
        guided = uncond + a.guidance * (text_v - uncond)
        x = sched.step(guided, t, x).prev_sample
        for k, val in (("uncond", uncond), ("cond", text_v), ("guided", guided), ("latents", x)):
            dump.add(f"dit.{i}.{k}", val)
    times["dit"] = time.perf_counter() - t0
    del sana

    # -- vae
    t0 = time.perf_counter()
    vae = load("sana_vae")
    z = x.to(dt) / scaling
    if shift is not None:
        z = z + shift
    dump.add("vae.input", z)
    d = vae.decoder
    table = {"vae.conv_in": d.conv_in, "vae.conv_out": d.conv_out}
    table |= {f"vae.up.{i}": m for i, m in enumerate(d.up_blocks)}
    with Hooks(dump, table):
        sample = vae.decode(z).sample
    pic = (sample / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).float().numpy()
    pixels = (pic * 255).round().astype("uint8")[0]
    dump.add("image", torch.from_numpy(pixels))
    times["vae"] = time.perf_counter() - t0

    if a.out:
        Image.fromarray(pixels).save(a.out)
    if a.dump:  # one metadata key and no output paths: the same run gives the same bytes
        args = {k: str(v) for k, v in sorted(vars(a).items()) if k not in ("dump", "out", "ckpt", "image", "check")}
        save_file(dump.tensors, str(a.dump), metadata={"run": json.dumps(
            dict(text=text, args=args, torch=torch.__version__, skipped=dump.skipped))})
    print(json.dumps(dict(
        prompt_tokens=len(ids), generated=len(new), image_tokens=int(((new >= cfg["image_start_token_id"]) &
                                                                     (new <= cfg["image_end_token_id"])).sum()),
        region=region.shape[1], latent_std=round(float(x.float().std()), 4),
        saturated=round(float(((pic <= 0) | (pic >= 1)).mean()), 4), image_std=round(float(pic.std()), 4),
        size=list(pixels.shape), tensors=len(dump.tensors), skipped=dump.skipped,
        seconds={k: round(v, 3) for k, v in times.items()})))


if __name__ == "__main__":
    main()
