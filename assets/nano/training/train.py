"""Train all of nano with one command.

    python train.py work/ --preset gpu             # 30 minutes of one large GPU
    python train.py work/ --preset cpu             # hours on two cores
    python train.py work/ --preset smoke           # about a minute: that every stage runs and what comes out loads

`work/` needs `art.npz` (fetch_art.py). Goes on where it was stopped; `--limit SECONDS` stops it in time, with all that is needed to
go on in `--pieces FOLDER`, in files below 16 MB (`--from FOLDER` takes them up on another machine).
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist

import export
import nets
import paint
import stage_ae
import stage_model
import stage_rl
import stage_tatok
from run import Run

GPU = dict(seed=1, processes=14, compile=True, bank=True, threads=4,
           ae=420, ae_batch=64, ae_lr=.02, ae_test=16, tatok=180, tatok_batch=256, tatok_lr=.02,
           model=960, t2i_batch=256, edit_batch=192, lr=.02, adam_lr=2e-3, reward=60, rl=120, rl_prompts=64, rl_samples=8)
# Each processor works on batches of its own: threads would wait for each other at every one of the many small operations.
CPU = dict(seed=1, size="small", ranks=2, threads=1, bank=True, compile=True, objects=64,
           ae=1300, ae_batch=4, ae_crop=128, ae_lr=.015, ae_test=4, ae_plain=True, tatok=600, tatok_batch=24, tatok_lr=.02,
           model=3200, replay=3, draws=2, t2i_batch=12, edit_batch=8, lr=.02, adam_lr=2e-3, reward=300, rl=300, rl_prompts=2, rl_samples=6)
SMOKE = dict(seed=1, ranks=2, threads=1, objects=8,
             ae=6, ae_batch=2, ae_crop=64, ae_lr=.015, ae_test=1, tatok=5, tatok_batch=4, tatok_lr=.02,
             model=12, replay=2, replay_after=1, draws=2, t2i_batch=2, edit_batch=4, lr=.02, adam_lr=2e-3, reward=4, rl=6, rl_prompts=1, rl_samples=2)
# What a GPU runs and a CPU otherwise does not: processes, compiled layers, bfloat16. To be run before a GPU is paid for.
REHEARSAL = dict(SMOKE, ranks=1, processes=2, compile=True, bf16=True, ae_crop=None, ae=40, tatok=40, model=90, reward=10, rl=20)
PRESETS = dict(gpu=GPU, cpu=CPU, smoke=SMOKE, rehearsal=REHEARSAL)
KEEP = ("ae.pt", "tatok.pt", "tatok_run.pt", "model.pt", "reward.pt")
PIECE = 15 << 20


def pieces_out(work: Path, folder: Path):
    """All state in 16-bit floats, cut into pieces that any mail or upload takes."""
    folder.mkdir(parents=True, exist_ok=True)
    half = lambda v: v.half() if torch.is_tensor(v) and v.is_floating_point() else {k: half(w) for k, w in v.items()} if isinstance(v, dict) else v
    for name in KEEP:
        if (work / name).exists():
            small = work / (name + ".half")
            torch.save(half(torch.load(work / name, map_location="cpu", weights_only=True)), small)
            data = small.read_bytes()
            small.unlink()
            for i in range(0, len(data), PIECE):
                (folder / f"{name}.{i // PIECE}").write_bytes(data[i:i + PIECE])
    for name in ("progress.json", "tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"):
        if (work / name).exists():
            shutil.copy(work / name, folder / name.replace("/", "-"))


def pieces_in(work: Path, folder: Path):
    wide = lambda v: v.float() if torch.is_tensor(v) and v.is_floating_point() else {k: wide(w) for k, w in v.items()} if isinstance(v, dict) else v
    for name in KEEP:
        parts = sorted(folder.glob(name + ".[0-9]*"), key=lambda p: int(p.suffix[1:]))
        if parts:
            whole = work / (name + ".half")
            whole.write_bytes(b"".join(p.read_bytes() for p in parts))
            torch.save(wide(torch.load(whole, map_location="cpu", weights_only=True)), work / name)
            whole.unlink()
    (work / "tokenizer").mkdir(exist_ok=True)
    for p in folder.glob("*.json"):
        shutil.copy(p, work / p.name.replace("tokenizer-", "tokenizer/", 1))


def in_ranks(ranks):
    """Starts the other processes of this command; -> this one's number."""
    if "RANK" not in os.environ:
        os.environ |= dict(RANK="0", WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(20000 + os.getpid() % 20000))
        for rank in range(1, ranks):
            subprocess.Popen([sys.executable, *sys.argv], env=dict(os.environ, RANK=str(rank)))
    dist.init_process_group("gloo")
    return int(os.environ["RANK"])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("--preset", choices=PRESETS, required=True)
    ap.add_argument("--limit", type=float, default=1e9, help="seconds that this call may take, all in all")
    ap.add_argument("--pieces", type=Path, help="where the state goes at the end")
    ap.add_argument("--from", dest="source", type=Path, help="pieces to go on from")
    ap.add_argument("--start", type=Path, help="checkpoint folder of the same sizes, whose AR model and DiT are trained on")
    ap.add_argument("--scale", type=float, default=1.0, help="of all budgets of the preset")
    ap.add_argument("--stages", default="ae,tatok,model,rl", help="which stages to run")
    ap.add_argument("--out", type=Path, help="write the checkpoint folder there at the end")
    a = ap.parse_args()
    start, preset = time.time(), dict(PRESETS[a.preset])
    nets.choose(preset.get("size", "large"))
    for k in ("ae", "tatok", "model", "reward", "rl"):
        preset[k] *= a.scale
    ranks = preset.get("ranks", 1)
    rank = in_ranks(ranks) if ranks > 1 else 0
    if not rank:
        if a.source:
            pieces_in(a.work, a.source)
        elif a.start and not (a.work / "model.pt").exists():
            export.restore(a.start, a.work)
        nets.tokenizer(a.work, paint.Atlas(a.work))
    if ranks > 1:
        dist.barrier()
    run = Run(a.work, preset, a.limit - (30 if a.limit < 1e8 else 0), rank, ranks)
    if not rank:
        print(f"{run.device}, {run.atlas.count} objects, ready after {time.time() - start:.0f} s", flush=True)
    for name, stage in dict(ae=stage_ae, tatok=stage_tatok, model=stage_model, rl=stage_rl).items():
        if name in a.stages.split(",") and time.time() < run.end:
            stage.train(run)
    if ranks > 1:
        dist.destroy_process_group()
    if rank:
        return
    run.save_progress()
    if a.pieces:
        pieces_out(a.work, a.pieces)
    if a.out and (a.work / "model.pt").exists():
        export.export(a.work, a.out)
    print(f"{time.time() - start:.0f} s in all: {run.progress}", flush=True)


if __name__ == "__main__":
    main()
