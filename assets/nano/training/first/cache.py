"""Draw the training scenes once and keep their tokens and latents.

    python cache.py work/ --pairs 9000 --what tokens     # after train_tatok.py
    python cache.py work/ --pairs 9000 --what latents    # after train_ae.py

A pair is a scene and its edited version. Captions and instructions are not kept: they are said anew each time.
"""

import argparse
import pickle
import random
from pathlib import Path

import numpy as np
import torch

import nets
import train_tatok
import world


def scenes(n: int, seed: int = 11):
    rng = random.Random(seed)
    return [world.sample(rng, lambda: world.random_edit(rng))[2] for _ in range(n)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("work", type=Path)
    ap.add_argument("--pairs", type=int, default=9000)
    ap.add_argument("--what", choices=["tokens", "latents"], required=True)
    ap.add_argument("--part", type=int, nargs=2, default=(0, 1), metavar=("I", "N"), help="do part I of N")
    ap.add_argument("--threads", type=int, default=1)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    edits, atlas = scenes(a.pairs), world.load_atlas(a.work)
    i, n = a.part
    lo, hi = a.pairs * i // n, a.pairs * (i + 1) // n
    if a.what == "tokens":
        model = nets.tatok()
        model.load_state_dict(torch.load(a.work / "tatok.pt"))
        fn = lambda x: train_tatok.encode(model, x).to(torch.int16)
    else:
        saved = torch.load(a.work / "ae_final.pt")
        model = nets.autoencoder()
        model.load_state_dict(saved["model"])
        model = model.to(memory_format=torch.channels_last)
        nets.fast_norms()
        fn = lambda x: (model.encoder(x.contiguous(memory_format=torch.channels_last)) * saved["scaling"]).half()
    model.eval()
    out = []
    with torch.no_grad():
        for k in range(lo, hi, 16):
            images = np.stack([world.draw(s, atlas) for e in edits[k:min(k + 16, hi)] for s in (e.before, e.after)])
            out.append(fn(nets.to_input(images)).numpy())
    out = np.concatenate(out)
    out = out.reshape(hi - lo, 2, *out.shape[1:])
    if i == 0:
        (a.work / "edits.pkl").write_bytes(pickle.dumps(edits))
    np.save(a.work / "part.npy", out)
    (a.work / "part.npy").rename(a.work / f"{a.what}_{i}of{n}.npy")  # a training run may be looking for it
    print(a.what, out.shape, out.dtype)


def load(work, *whats):
    """Arrays of each kind over the parts that are there for all kinds, in order."""
    parts = [{p.name[len(w):] for p in Path(work).glob(f"{w}_*of*.npy")} for w in whats]
    names = sorted(set.intersection(*parts), key=lambda n: int(n[1:].split("of")[0]))
    return [np.concatenate([np.load(Path(work) / (w + n)) for n in names]) for w in whats]


if __name__ == "__main__":
    main()
