"""Runs fresh random checkpoints through the PyTorch reference and through Pentimento, and compares every tensor.

    pip install torch "transformers==4.51.3" "diffusers==0.34.0" "numpy<2.3" pillow safetensors
    cargo build
    python tests/golden/parity.py --runs 8              # random seeds, printed; --seed N repeats one of them
    python tests/golden/parity.py --runs 2 --size small

Each run draws a seed, a way of editing, null settings, guidance, size and type of the weights. Pentimento is given the
reference's noise and chooses its own tokens greedily. Prints a line per run and ends with 1 when a tensor is off by more
than a relative 1e-4, a token differs, or a byte of the picture by more than 2.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import record

ROOT = Path(__file__).resolve().parents[2]


def draw(seed: int, size: str) -> tuple:
    """The case of a seed, and what Pentimento is told besides."""
    rng = random.Random(seed)
    edit = rng.choice(["words", "words", "tokens", "cross", "noise", "both", "channel"])
    make, run = [], ["--steps", str(rng.randint(1, 4)), "--guidance", str(rng.choice([1.0, 2.0, 5.5]))]
    if rng.random() < 0.4:
        make.append("--no-tied")
    if rng.random() < 0.4:
        make += ["--interpolation-scale", str(rng.choice([0.5, 1.0, 1.7]))]
    if edit == "channel":
        make += ["--concat", "channel"]
    if rng.random() < 0.5:
        run.append("--image-tokens-only")
    if rng.random() < 0.5:
        run.append("--ignore-eos")
    run += ["--null-ar", rng.choice(["connector_of_zeros", "zeros"])]
    if edit in ("cross", "both"):
        run += ["--null-vae", rng.choice(["zeros", "connector_of_zeros", "keep"])]
    picture = None if edit == "words" else rng.choice(["odd", "tall"])
    noise = (rng.randint(3, 12), rng.randint(3, 12)) if edit == "words" and rng.random() < 0.5 else None
    kind = {"words": "none", "tokens": "none", "channel": "noise"}.get(edit, edit)
    stored = rng.choice(["f32", "bf16", "f16", "mixed"])
    case = record.case(size, seed, kind, picture, " ".join(run), " ".join(make), noise, stored=stored)
    return edit, case


def ours(folder: Path, case: dict, work: Path):
    program = ROOT / "target/debug/pentimento"
    prompt = record.EDIT if case["picture"] else record.PROMPT
    verb = ["edit", record.CASES / f"{case['picture']}.png", "--raw"] if case["picture"] else ["generate"]
    command = [program, *verb, "--prompt", prompt, "--model", folder, "--greedy", *case["run"], "--device", "cpu",
               "--noise", work / "dump.safetensors", "--dump", work / "ours.safetensors", "--out", work / "ours.png"]
    if case["noise"]:
        height, width = case["noise"]
        # Both sizes of random checkpoints compress by 2 to the number of levels less one.
        levels = len(record.json.loads((folder / "vae" / "config.json").read_text())["encoder_block_out_channels"])
        command += ["--width", width << (levels - 1), "--height", height << (levels - 1)]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    return done.returncode, done.stderr.strip()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--runs", type=int, default=4)
    ap.add_argument("--size", choices=["tiny", "small"], default="tiny")
    ap.add_argument("--seed", type=int, help="of the first run; the others follow it")
    a = ap.parse_args()
    first = a.seed if a.seed is not None else random.SystemRandom().randrange(1000, 10**6)
    bad = 0
    for seed in range(first, first + a.runs):
        edit, case = draw(seed, a.size)
        with tempfile.TemporaryDirectory() as work:
            work = Path(work)
            folder = work / "checkpoint"
            record.call("make_checkpoint.py", folder, "--size", a.size, "--seed", seed, "--edit", case["edit"], *case["make"])
            record.store(folder, case["stored"])
            record.reference(folder, case, work)
            code, said = ours(folder, case, work)
            verdict = said
            if code == 0:
                compare = [sys.executable, record.REFERENCE / "compare.py", work / "dump.safetensors", work / "ours.safetensors",
                           "--rtol", "1e-4", "--image-tol", "2", "--allow-missing", "--quiet"]
                done = subprocess.run([str(c) for c in compare], capture_output=True, text=True)
                code, verdict = done.returncode, done.stdout.strip().split("\n", 1)[1].strip()
        bad += code != 0
        settings = " ".join([edit, case["stored"], *case["make"], *case["run"], *(["{}x{}".format(*case["noise"])] if case["noise"] else [])])
        print(f"{'ok  ' if code == 0 else 'FAIL'} seed {seed} {a.size} {settings}\n     {verdict}", flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
