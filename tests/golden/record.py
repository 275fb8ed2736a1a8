"""Records the golden cases: what the PyTorch reference makes of random checkpoints, for tests that need no PyTorch.

    pip install torch "transformers==4.51.3" "diffusers==0.34.0" "numpy<2.3" pillow safetensors
    python record.py                # all cases, into cases/ (about five minutes)
    python record.py tiny-both      # some of them
    python record.py nano           # the embedded model, after it has changed

A case is a JSON file (arguments, configuration files, names and shapes of the checkpoint's tensors: their values
follow from the seed) and a safetensors file with the reference's tensors. Large tensors are thinned out to SAMPLES
values at fixed places: enough to tell any error from rounding.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
REFERENCE, CASES = HERE / "reference", HERE / "cases"
SAMPLES, STRIDE = 512, 7919
WHOLE = ("prompt.text_ids", "prompt.ids", "ar.generated", "noise", "vision.indices")
PROMPT = "A red fox, running & jumping: over 12 small stones"
EDIT = "Make the red box blue"


def case(size, seed, edit="none", picture=None, run="", make="", noise=None, sharded=False, stored="f32"):
    """`stored` is the type of the weights on disk: f32, bf16, f16, or mixed (all three in turn, in the order of the names)."""
    return dict(size=size, seed=seed, edit=edit, picture=picture, run=run.split(), make=make.split(), noise=noise, sharded=sharded, stored=stored)


TABLE = {
    "tiny-words": case("tiny", 1, run="--steps 4"),
    "tiny-words-untied": case("tiny", 2, run="--steps 3 --guidance 3.5", make="--no-tied"),
    "tiny-words-tall": case("tiny", 31, run="--steps 3 --image-tokens-only --ignore-eos", noise=(9, 4)),
    "tiny-words-wide-sines": case("tiny", 32, run="--steps 3", make="--interpolation-scale 1.7", noise=(4, 11)),
    "tiny-tokens": case("tiny", 12, picture="odd", run="--steps 2 --image-tokens-only --ignore-eos"),
    "tiny-cross": case("tiny", 3, "cross", "odd", run="--steps 3 --ignore-eos"),
    "tiny-noise": case("tiny", 4, "noise", "tall", run="--steps 3 --image-tokens-only"),
    "tiny-both": case("tiny", 5, "both", "odd", run="--steps 3", sharded=True),
    "tiny-both-null": case("tiny", 5, "both", "odd", run="--steps 2 --null-ar zeros --null-vae connector_of_zeros"),
    "tiny-both-zeros": case("tiny", 5, "both", "odd", run="--steps 2 --null-ar zeros --null-vae zeros"),
    "tiny-both-keep-sines": case("tiny", 6, "both", "tall", run="--steps 3 --null-vae keep", make="--interpolation-scale 1.0"),
    "tiny-channel": case("tiny", 7, "noise", "odd", run="--steps 3", make="--concat channel"),
    "tiny-both-without-picture": case("tiny", 9, "both", run="--steps 3"),
    "tiny-both-bf16-pth": case("tiny", 8, "both", "odd", run="--steps 3", make="--dtype bf16 --tatok-pth only", stored="bf16"),
    "small-words": case("small", 3, run="--steps 2", make="--interpolation-scale 1.0"),
    "small-both": case("small", 1, "both", "odd", run="--steps 2"),
    "small-cross-untied-bf16": case("small", 2, "cross", "odd", run="--steps 2", make="--dtype bf16 --no-tied", sharded=True, stored="bf16"),
    "tiny-cross-f16": case("tiny", 21, "cross", "tall", run="--steps 3", make="--no-tied", stored="f16"),
    "tiny-both-mixed": case("tiny", 22, "both", "odd", run="--steps 3", sharded=True, stored="mixed"),
    "tiny-channel-untied": case("tiny", 23, "noise", "tall", run="--steps 3 --image-tokens-only", make="--concat channel --no-tied"),
    "small-tokens": case("small", 24, picture="tall", run="--steps 2"),
    "small-noise-untied": case("small", 25, "noise", "odd", run="--steps 2 --image-tokens-only --ignore-eos", make="--no-tied"),
    "small-channel": case("small", 26, "noise", "tall", run="--steps 2", make="--concat channel", sharded=True),
    "small-both-null-f16": case("small", 27, "both", "odd", run="--steps 2 --null-ar zeros --null-vae keep --guidance 4.5", stored="f16"),
    "small-words-wide-mixed": case("small", 28, run="--steps 2", noise=(9, 20), stored="mixed"),
}


def pictures():
    """Pictures of odd sizes, wider and taller than square."""
    def draw(w, h):
        y, x = np.mgrid[0:h, 0:w]
        img = np.stack([(x * 2) % 256, (y * 3) % 256, ((x * y) // 7) % 256], -1).astype(np.uint8)
        img[h // 5:h * 3 // 5, w // 4:w * 3 // 5] = (200, 30, 60)
        img[h // 2:h * 9 // 10, w * 2 // 3:w * 19 // 20] = (20, 180, 90)
        return Image.fromarray(img)
    CASES.mkdir(exist_ok=True)
    for name, size in (("odd", (131, 97)), ("tall", (75, 190))):
        draw(*size).save(CASES / f"{name}.png", optimize=True)


def call(script, *args):
    done = subprocess.run([sys.executable, REFERENCE / script, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{script} {args}\n{done.stdout}{done.stderr}")
    return done.stdout


def thin(name, value):
    flat = value.reshape(-1)
    if flat.size <= SAMPLES or name in WHOLE:
        return value
    return flat[(np.arange(SAMPLES) * STRIDE) % flat.size]


def keep(dump, out):
    """The reference's tensors, thinned out, and their full shapes."""
    tensors, shapes = {}, {}
    with safe_open(dump, "np") as f:
        for name in f.keys():
            value = f.get_tensor(name)
            tensors[name], shapes[name] = np.ascontiguousarray(thin(name, value)), list(value.shape)
    save_file(tensors, out)
    return shapes


def dtypes(names, stored):
    """The type that each tensor is stored in."""
    return {n: ("f32", "bf16", "f16")[i % 3] if stored == "mixed" else stored for i, n in enumerate(sorted(names))}


def store(folder, stored):
    """Rewrites the weights of a folder in other types."""
    import torch
    from safetensors.torch import load_file, save_file as save
    shards = {p: load_file(p) for p in folder.glob("*.safetensors")}
    types = dtypes([n for tensors in shards.values() for n in tensors], stored)
    for path, tensors in shards.items():
        save({n: t.to(dict(f32=torch.float32, bf16=torch.bfloat16, f16=torch.float16)[types[n]]) for n, t in tensors.items()}, path)


def ties(folder, names):
    """16-bit values whose f32 lies so near the middle of two that another rounding of log or cos decides: place and bits."""
    import torch
    sys.path.insert(0, str(REFERENCE))
    import blip3o_oracle as bo
    config = json.loads((folder / "config.json").read_text())
    out = {}
    for name, (shape, seed, dtype) in names.items():
        if dtype == "f32":
            continue
        narrow = dict(bf16=torch.bfloat16, f16=torch.float16)[dtype]
        exact = bo.random_tensor(name, tuple(shape), seed, config["hidden_size"]).reshape(-1)
        bits = exact.view(torch.int32)
        around = [(bits + by).view(torch.float32).to(narrow) for by in (-8, 8)]
        near = (around[0] != around[1]).nonzero().flatten()
        if len(near):
            values = exact[near].to(narrow).view(torch.int16).int().bitwise_and(0xFFFF)
            out[name] = torch.stack([near.int(), values], 1).flatten().tolist()
    return out


def reference(folder, c, work):
    args = ["--prompt", EDIT if c["picture"] else PROMPT, "--greedy", "--threads", "1", *c["run"]]
    if c["picture"]:
        args += ["--image", CASES / f"{c['picture']}.png"]
    if c["noise"]:
        channels = json.loads((folder / "vae" / "config.json").read_text())["latent_channels"]
        rng = np.random.default_rng(c["seed"])
        save_file({"noise": rng.standard_normal((1, channels, *c["noise"])).astype(np.float32)}, work / "noise.safetensors")
        args += ["--noise", work / "noise.safetensors"]
    call("run_reference.py", folder, *args, "--dump", work / "dump.safetensors", "--out", work / "out.png", "--max-mb", "4096")


def record(name, c):
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        folder = work / "checkpoint"
        call("make_checkpoint.py", folder, "--size", c["size"], "--seed", c["seed"], "--edit", c["edit"], *c["make"])
        if c["stored"] in ("f16", "mixed"):
            store(folder, c["stored"])
        reference(folder, c, work)
        shapes = {}
        for shard in sorted(folder.glob("*.safetensors")):
            with safe_open(shard, "np") as f:
                shapes |= {k: f.get_slice(k).get_shape() for k in f.keys()}
        types = dtypes(shapes, c["stored"])
        near = ties(folder, {n: (s, c["seed"], types[n]) for n, s in shapes.items()})
        files = [p for p in folder.rglob("*.json") if p.name not in ("tokenizer.json", "model.safetensors.index.json", "special_tokens_map.json")]
        texts = {str(p.relative_to(folder)): p.read_text() for p in sorted(files)}
        config = json.loads(texts["tokenizer_config.json"])
        texts["tokenizer_config.json"] = json.dumps({"model_max_length": config["model_max_length"]})
        shutil.copy(folder / "tokenizer.json", CASES / f"{c['size']}.tokenizer.json")
        if (folder / "ta_tok.pth").exists():
            shutil.copy(folder / "ta_tok.pth", CASES / f"{name}.ta_tok.pth")
        dumped = keep(work / "dump.safetensors", CASES / f"{name}.safetensors")
        document = dict(
            size=c["size"], seed=c["seed"], picture=c["picture"], prompt=EDIT if c["picture"] else PROMPT, run=c["run"], sharded=c["sharded"],
            dtype=c["stored"], ties=near, hidden_size=json.loads(texts["config.json"])["hidden_size"],
            samples=SAMPLES, stride=STRIDE, files=texts, shapes=dict(sorted(shapes.items())), dumped=dumped)
        (CASES / f"{name}.json").write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")


def nano():
    """The embedded model: the same picture through the reference, from words and from a picture."""
    folder = HERE.parents[1] / "assets" / "nano" / "checkpoint"
    for name, picture in (("nano-words", None), ("nano-edit", "odd")):
        c = dict(seed=0, picture=picture, run=["--steps", "6"], noise=None)
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            reference(folder, c, work)
            dumped = keep(work / "dump.safetensors", CASES / f"{name}.safetensors")
        document = dict(picture=picture, prompt=EDIT if picture else PROMPT, run=c["run"], samples=SAMPLES, stride=STRIDE, dumped=dumped)
        (CASES / f"{name}.json").write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")


def main():
    pictures()
    asked = sys.argv[1:] or [*TABLE, "nano"]
    for name in asked:
        nano() if name == "nano" else record(name, TABLE[name])
        print(name, flush=True)


if __name__ == "__main__":
    main()
