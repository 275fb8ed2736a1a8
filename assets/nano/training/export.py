"""Write the official checkpoint folder from the trained pieces, or the pieces from such a folder, to go on training it.

    python export.py work/ checkpoint/ [--dtype f16] [--untrained]
"""

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import nets
from model import Model
from nets import bo, mc

DTYPES = {"f16": (torch.float16, "float16"), "bf16": (torch.bfloat16, "bfloat16"), "f32": (torch.float32, "float32")}


def export(work: Path, out: Path, dtype="f16", untrained=False, model="model.pt"):
    kind, name = DTYPES[dtype]
    out.mkdir(parents=True, exist_ok=True)
    tok = nets.tokenizer(work)
    tok.save_pretrained(out)
    for extra in ("added_tokens.json", "merges.txt", "vocab.json"):  # all of it is in tokenizer.json
        (out / extra).unlink(missing_ok=True)
    path = out / "tokenizer_config.json"
    cfg = json.loads(path.read_text())
    cfg.update(tokenizer_class="Qwen2Tokenizer", add_prefix_space=False, add_bos_token=False, errors="replace",
               bos_token=None, unk_token=None, split_special_tokens=False)
    path.write_text(json.dumps(cfg, indent=2, ensure_ascii=False) + "\n")

    if untrained:
        torch.manual_seed(0)
        ae, tatok, model = dict(model=nets.autoencoder().state_dict(), scaling=1.0), nets.tatok().state_dict(), Model(tok).state_dict()
    else:
        load = lambda n: torch.load(work / n, map_location="cpu", weights_only=True)
        ae, tatok, model = load("ae.pt"), load("tatok.pt"), load(model)
    parts = nets.configs(tok, round(ae["scaling"], 6), name)
    c = parts.config
    mc.dump_json(out / "config.json", c)
    mc.dump_json(out / "generation_config.json", dict(
        bos_token_id=c["bos_token_id"], do_sample=True, eos_token_id=[c["eos_token_id"], c["bos_token_id"]],
        pad_token_id=c["bos_token_id"], temperature=0.6, top_k=20, top_p=0.95, transformers_version="4.51.3"))
    mc.dump_json(out / "transformer" / "config.json", parts.sana_cfg)
    mc.dump_json(out / "vae" / "config.json", parts.vae_cfg)
    mc.dump_json(out / "scheduler" / "scheduler_config.json", bo.scheduler_config())
    mc.dump_json(out / "vision_tower" / "config.json", parts.tatok_cfg)

    have = {("model." + k[3:] if k.startswith("lm.") else "model." + k): v for k, v in model.items()}
    have |= {"model.vision_tower.vision_tower." + k: v for k, v in tatok.items()}
    have |= {"model.sana_vae." + k: v for k, v in ae["model"].items()}
    want = parts.shapes()
    assert want.keys() == have.keys(), (sorted(want.keys() ^ have.keys())[:8])
    tensors = {}
    for k, shape in want.items():
        assert tuple(have[k].shape) == shape, k
        t = have[k].to(kind).contiguous()
        assert torch.isfinite(t).all(), k
        tensors[k] = t.clone()
    save_file(tensors, str(out / "model.safetensors"), metadata={"format": "pt"})
    size = sum(f.stat().st_size for f in out.rglob("*") if f.is_file())
    count = {}
    for k, t in tensors.items():
        part = k.split(".")[1] if k.split(".")[1] in ("sana", "sana_vae", "vision_tower") else "lm and connectors"
        count[part] = count.get(part, 0) + t.numel()
    digest = hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()
    print(f"{len(tensors)} tensors, {sum(count.values())} values {count}, folder {size / 1e6:.1f} MB, sha256 {digest}", flush=True)


def restore(folder: Path, work: Path):
    """What `export` wrote; the sizes must be those that were chosen."""
    (work / "tokenizer").mkdir(parents=True, exist_ok=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(folder / name, work / "tokenizer" / name)
    have = {k.removeprefix("model."): v.float() for k, v in load_file(folder / "model.safetensors").items()}
    part = lambda prefix: {k.removeprefix(prefix): have.pop(k) for k in list(have) if k.startswith(prefix)}
    vae, tatok, own = part("sana_vae."), part("vision_tower.vision_tower."), ("sana.", "diffusion_connector.", "und_image_vae")
    nets.autoencoder().load_state_dict(vae)
    nets.tatok().load_state_dict(tatok)
    model = {k if k.startswith(own) else "lm." + k: v for k, v in have.items()}
    Model(nets.tokenizer(work)).load_state_dict(model)
    torch.save(dict(model=vae, scaling=json.loads((folder / "vae" / "config.json").read_text())["scaling_factor"]), work / "ae.pt")
    torch.save(tatok, work / "tatok.pt")
    torch.save(model, work / "model.pt")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("out", type=Path)
    ap.add_argument("--dtype", choices=DTYPES, default="f16")
    ap.add_argument("--size", choices=nets.SIZES, default="large", help="what the preset says")
    ap.add_argument("--model", default="model.pt", help="another state of the AR model and DiT, model-SAMPLES.pt")
    ap.add_argument("--untrained", action="store_true", help="random weights, to try the sizes")
    a = ap.parse_args()
    nets.choose(a.size)
    export(a.work, a.out, a.dtype, a.untrained, a.model)


if __name__ == "__main__":
    main()
