"""Sets the stages beside the PyTorch reference on this machine: the same threads, f32, one after the other.

    pip install torch "transformers==4.51.3" "diffusers==0.34.0" "numpy<2.3" pillow safetensors
    cargo build --benches
    python tests/bench/side_by_side.py --size small --runs 9
    python tests/bench/side_by_side.py --size full --runs 3 --stage dit

The two take turns, `--rounds` times each. Prints a JSON line per stage with the best round's median of both, in wall and in
processor time, and their ratios (ours / PyTorch's; below 1 is faster here). The best round is the one that other programs on
the machine disturbed least. `ratio` is by wall time. Exit status 1 when one is above 1.3.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLAIN = ", plain cross-attention"
LIMIT = 1.3


def lines(command, env=None):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--size", choices=["small", "full"], default="small")
    ap.add_argument("--stage", choices=["ar", "dit", "vae", "encode", "vision", "all"], default="all")
    ap.add_argument("--runs", type=int, default=5)
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--rounds", type=int, default=3)
    a = ap.parse_args()
    ours = sorted((p for p in (ROOT / "target/debug/deps").glob("stages-*") if not p.suffix), key=lambda p: p.stat().st_mtime)
    if not ours:
        sys.exit("build the benchmark first: cargo build --benches")
    env = dict(os.environ, OMP_NUM_THREADS=str(a.threads), MALLOC_MMAP_THRESHOLD_="4294967296", MALLOC_TRIM_THRESHOLD_="17179869184")
    bad = 0
    for stage in ["ar", "dit", "vae", "encode", "vision"] if a.stage == "all" else [a.stage]:
        common = ["--size", a.size, "--stage", stage, "--runs", a.runs, "--threads", a.threads]
        theirs, mine = {}, {}
        for _ in range(a.rounds):
            for best, command in ((theirs, [sys.executable, ROOT / "tests/golden/reference/bench_reference.py"]), (mine, [ours[-1]])):
                for r in lines(command + common, env):
                    if r["what"] not in best or r["median_s"] < best[r["what"]]["median_s"]:
                        best[r["what"]] = r
        for what, row in mine.items():
            base = theirs[what.removesuffix(PLAIN)]
            ratio = row["median_s"] / base["median_s"]
            bad += ratio > LIMIT
            print(json.dumps(dict(size=a.size, what=what, ours_s=round(row["median_s"], 6), torch_s=base["median_s"], ours_cpu_s=round(row["cpu_s"], 4),
                                  torch_cpu_s=base["cpu_s"], ratio=round(ratio, 2))), flush=True)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
