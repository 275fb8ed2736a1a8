"""Write the official checkpoint folder from the trained pieces.

    python export.py work/ checkpoint/ [--dtype f16]
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

import nets
from nets import bo, mc
from train_model import Model

DTYPES = {"f16": (torch.float16, "float16"), "bf16": (torch.bfloat16, "bfloat16"), "f32": (torch.float32, "float32")}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("out", type=Path)
    ap.add_argument("--dtype", choices=DTYPES, default="f16")
    a = ap.parse_args()
    dtype, name = DTYPES[a.dtype]
    a.out.mkdir(parents=True, exist_ok=True)
    tok = nets.tokenizer(a.work / "tokenizer")
    tok.save_pretrained(a.out)
    for extra in ("added_tokens.json", "merges.txt", "vocab.json"):  # all of it is in tokenizer.json
        (a.out / extra).unlink(missing_ok=True)
    path = a.out / "tokenizer_config.json"
    cfg = json.loads(path.read_text())
    cfg.update(tokenizer_class="Qwen2Tokenizer", add_prefix_space=False, add_bos_token=False, errors="replace",
               bos_token=None, unk_token=None, split_special_tokens=False)
    path.write_text(json.dumps(cfg, indent=2, ensure_ascii=False) + "\n")

    ae = torch.load(a.work / "ae_final.pt")
    parts = nets.configs(tok, round(ae["scaling"], 6), name)
    c = parts.config
    mc.dump_json(a.out / "config.json", c)
    mc.dump_json(a.out / "generation_config.json", dict(
        bos_token_id=c["bos_token_id"], do_sample=True, eos_token_id=[c["eos_token_id"], c["bos_token_id"]],
        pad_token_id=c["bos_token_id"], temperature=0.6, top_k=20, top_p=0.95, transformers_version="4.51.3"))
    mc.dump_json(a.out / "transformer" / "config.json", parts.sana_cfg)
    mc.dump_json(a.out / "vae" / "config.json", parts.vae_cfg)
    mc.dump_json(a.out / "scheduler" / "scheduler_config.json", bo.scheduler_config())
    mc.dump_json(a.out / "vision_tower" / "config.json", parts.tatok_cfg)

    model = torch.load(a.work / "model.pt")
    have = {("model." + k[3:] if k.startswith("lm.") else "model." + k): v for k, v in model.items()}
    have |= {"model.vision_tower.vision_tower." + k: v for k, v in torch.load(a.work / "tatok.pt").items()}
    have |= {"model.sana_vae." + k: v for k, v in ae["model"].items()}
    want = parts.shapes()
    assert want.keys() == have.keys(), (sorted(want.keys() ^ have.keys())[:8])
    tensors = {}
    for k, shape in want.items():
        assert tuple(have[k].shape) == shape, k
        t = have[k].to(dtype).contiguous()
        assert torch.isfinite(t).all(), k
        tensors[k] = t.clone()
    save_file(tensors, str(a.out / "model.safetensors"), metadata={"format": "pt"})
    size = sum(f.stat().st_size for f in a.out.rglob("*") if f.is_file())
    print(f"{len(tensors)} tensors, {sum(t.numel() for t in tensors.values())} values, folder {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
