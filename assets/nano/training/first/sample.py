"""Batched text-to-image and editing with an exported checkpoint folder, for evaluation and contact sheets.

`run_reference.py` does the same for one prompt; this only adds left-padded batches.
"""

import numpy as np
import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, DynamicCache

import nets
from nets import bo
from run_reference import prompt_text


class Sampler:
    def __init__(self, folder):
        self.parts, w = bo.Parts.from_folder(folder), bo.Weights(folder)
        self.tok = AutoTokenizer.from_pretrained(folder)
        for name, (prefix, build) in self.parts.components().items():
            setattr(self, name, w.fill(build, prefix, torch.float32))
        c = self.parts.config
        self.i0, self.i1 = c["image_start_token_id"], c["image_end_token_id"]
        self.scaling = self.parts.vae_cfg["scaling_factor"]
        self.pad = self.tok.convert_tokens_to_ids("<|image_pad|>")
        self.n = self.parts.tatok_cfg["args"]["bottleneck_token_num"]

    @torch.no_grad()
    def __call__(self, texts, images=None, steps=20, guidance=2.0, temperature=0.0, top_k=20, seed=0, written=None):
        """images: uint8 N,H,W,3 for editing. -> uint8 N,H,W,3. temperature 0 is greedy.
        written: image tokens N,64 to draw instead of the AR model's own."""
        edit = images is not None
        torch.manual_seed(seed)
        ref = None
        ids = self.tok([prompt_text(self.tok, t, edit, self.n, 0) for t in texts])["input_ids"]
        if edit:
            x = nets.to_input(images)
            codes = self.vision_tower(x)["indices"] + self.i0
            ref = self.sana_vae.encode(x).latent * self.scaling
        width = max(map(len, ids))
        seq, mask = torch.zeros(len(ids), width, dtype=torch.long), torch.zeros(len(ids), width, dtype=torch.long)
        for k, i in enumerate(ids):
            row = torch.tensor(i)
            if edit:
                row[row == self.pad] = codes[k]
            seq[k, width - len(i):], mask[k, width - len(i):] = row, 1
        past, inp, head = DynamicCache(), seq, self.lm.embed_tokens.weight
        if written is not None:
            seq, mask = torch.cat([seq, written + self.i0], 1), F.pad(mask, (0, self.n), value=1)
        for _ in range(self.n if written is None else 0):
            place = (mask.cumsum(1) - 1).clamp(min=0)
            h = self.lm(input_ids=inp, attention_mask=mask, position_ids=place[:, -inp.shape[1]:],
                        past_key_values=past, use_cache=True).last_hidden_state[:, -1]
            logits = h @ head.T
            if temperature == 0:
                new = logits.argmax(-1)
            else:
                best = logits.topk(top_k, -1)
                new = best.indices.gather(1, torch.multinomial((best.values / temperature).softmax(-1), 1))[:, 0]
            seq, mask, inp = torch.cat([seq, new[:, None]], 1), F.pad(mask, (0, 1), value=1), new[:, None]
        place = (mask.cumsum(1) - 1).clamp(min=0)
        hidden = self.lm(input_ids=seq, attention_mask=mask, position_ids=place, use_cache=False).last_hidden_state
        region = hidden[:, -self.n - 1:]
        self.last_tokens = seq[:, -self.n:] - self.i0
        enc = torch.cat([self.diffusion_connector(torch.zeros_like(region)), self.diffusion_connector(region)])
        if edit:
            v = self.und_image_vae_connector(ref.movedim(1, -1).flatten(1, 2))
            enc = torch.cat([enc, torch.cat([torch.zeros_like(v), v])], 1)
        side, ch = self.parts.sana_cfg["sample_size"], self.parts.vae_cfg["latent_channels"]
        x = torch.randn(len(texts), ch, side, side)
        sigmas = np.append(np.linspace(1.0, 1 / steps, steps), 0.0)
        for s, nxt in zip(sigmas[:-1], sigmas[1:]):
            inp = x if ref is None else torch.cat([x, ref], -1)
            t = torch.full((2 * len(x),), float(s) * 1000)
            out = self.sana(hidden_states=torch.cat([inp, inp]), encoder_hidden_states=enc, timestep=t,
                            encoder_attention_mask=None).sample[..., :side]
            un, con = out.chunk(2)
            x = x + float(nxt - s) * (un + guidance * (con - un))
        y = self.sana_vae.decode(x / self.scaling).sample
        return ((y / 2 + .5).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
