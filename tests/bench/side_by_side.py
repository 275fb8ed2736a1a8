"""Sets the stages beside the PyTorch reference on this machine: the same threads, f32, one after the other.

    pip install torch "transformers==4.51.3" "diffusers==0.34.0" "numpy<2.3" pillow safetensors
    cargo build --benches
    python tests/bench/side_by_side.py --size small --runs 9
    python tests/bench/side_by_side.py --size full --runs 3 --stage dit
    python tests/bench/side_by_side.py --size full --stage vae --memory

The two take turns, `--rounds` times each. Prints a JSON line per stage with the best round's median of both, in wall and in
processor time, their ratios (ours / PyTorch's; below 1 is faster here), the spread and the most memory of both; then whole
pictures that are composed of the stages. The best round is the one that other programs on
the machine disturbed least. `ratio` is by wall time. Exit status 1 when one is above 1.3.

`--memory` is about memory alone: each stage once in a process of its own, with the allocators as they come, since those of a
measurement of time keep what they have. `stage_peak_bytes` is the most above what was there before the stage, its weights
loaded, and `ratio` that of the two.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN, HALF = ", plain cross-attention", ", in 16 bits"
LIMIT = 1.3
STAGES = ["ceilings", "ar", "depthwise", "connectors", "dit", "vae", "encode", "vision"]
# What a picture of 1024 pixels is made of at full size: 28 layers, 729 tokens, 20 blocks, 30 steps. The reference runs the whole
# sequence a second time for the hidden states.
LAYERS, TOKENS, BLOCKS, STEPS = 28, 729, 20, 30
TOKEN = {"lm layer, decode 1 token": LAYERS * TOKENS, "lm head, 1 token": TOKENS}
PICTURE = TOKEN | {"diffusion connector": 1, "sana block, t2i": BLOCKS * STEPS, "vae decode": 1}
EDIT = TOKEN | {"siglip forward": 1, "codebook projection and lookup": 1, "vae encode": 1, "lm layer, prefill": LAYERS,
                "diffusion connector": 1, "sana block, edit, noise and cross": BLOCKS * STEPS, "vae decode": 1}
WHOLE = {"text to image, composed": (PICTURE, {"lm layer, prefill": LAYERS}),
         "edit, composed": (EDIT, {"lm layer, prefill": 2 * LAYERS})}


def lines(command, env=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--size", choices=["small", "full"], default="small")
    ap.add_argument("--stage", choices=[*STAGES, "all"], default="all")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--weights", choices=["f32", "bf16"], default="f32", help="how ours are stored (released ones are bf16)")
    ap.add_argument("--dtype", choices=["f32", "bf16"], default="f32", help="what PyTorch computes in")
    ap.add_argument("--memory", action="store_true")
    a = ap.parse_args()
    ours = sorted((p for p in (ROOT / "target/debug/deps").glob("stages-*") if not p.suffix), key=lambda p: p.stat().st_mtime)
    if not ours:
        sys.exit("build the benchmark first: cargo build --benches")
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads), MALLOC_MMAP_THRESHOLD_="4294967296", MALLOC_TRIM_THRESHOLD_="17179869184")
    reference = [sys.executable, ROOT / "tests/golden/reference/bench_reference.py"]
    if a.memory:
        for stage in STAGES[1:] if a.stage == "all" else [a.stage]:
            common = ["--size", a.size, "--stage", stage, "--threads", a.threads]
            theirs = {r["what"]: r for r in lines(reference + common + ["--cold"])}
            for row in lines([ours[-1]] + common + ["--runs", 0]):
                pair = [r["stage_peak_bytes"] for r in (row, theirs.get(row["what"].removesuffix(PLAIN).removesuffix(HALF))) if r]
                if len(pair) == 2 and min(pair) > 0:
                    print(json.dumps(dict(size=a.size, what=row["what"], stage_peak_bytes=pair, ratio=round(pair[0] / pair[1], 2))), flush=True)
        return
    bad, seen = 0, {}
    for stage in STAGES if a.stage == "all" else [a.stage]:
        common = ["--size", a.size, "--stage", stage, "--runs", a.runs, "--threads", a.threads]
        theirs, mine = {}, {}
        for _ in range(a.rounds):
            for best, command in ((theirs, [*reference, "--dtype", a.dtype]), (mine, [ours[-1], "--dtype", a.weights])):
                for r in lines(command + common, env):
                    if r["what"] not in best or r["median_s"] < best[r["what"]]["median_s"]:
                        best[r["what"]] = r
        for what, row in mine.items():
            base = theirs.get(what.removesuffix(PLAIN).removesuffix(HALF))
            if base is None:
                print(json.dumps(row), flush=True)
                continue
            seen[what] = (row["median_s"], base["median_s"])
            ratio = row["median_s"] / base["median_s"]
            bad += ratio > LIMIT
            print(json.dumps(dict(size=a.size, what=what, ours_s=round(row["median_s"], 6), torch_s=base["median_s"], ours_cpu_s=round(row["cpu_s"], 4),
                                  torch_cpu_s=base["cpu_s"], ratio=round(ratio, 2), spread=[row["spread"], base["spread"]],
                                  peak_bytes=[row["peak_bytes"], base["peak_bytes"]],
                                  stage_peak_bytes=[row["stage_peak_bytes"], base["stage_peak_bytes"]])), flush=True)
    halves = {what + HALF: ({part + HALF * part.startswith("sana"): n for part, n in parts.items()}, more) for what, (parts, more) in WHOLE.items()}
    for what, (parts, more) in (WHOLE | halves).items() if a.size == "full" else ():
        if all(part in seen for part in parts | more):
            ours_s = sum(times * seen[part][0] for part, times in parts.items())
            torch_s = sum(times * seen[part][1] for part, times in parts.items()) + sum(n * seen[part][1] for part, n in more.items())
            print(json.dumps(dict(size=a.size, what=what, ours_s=round(ours_s, 1), torch_s=round(torch_s, 1), ratio=round(ours_s / torch_s, 2))))
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
