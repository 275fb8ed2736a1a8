#!/usr/bin/env bash
# Builds pentimento-cuda, the worker that computes on NVIDIA's cards, on a machine that needs neither a card nor a toolkit:
#     bash packaging/build_cuda.sh [FOLDER] [--tests]
# NVIDIA's compiler and libraries come as Python wheels into FOLDER (default: target/cuda; 1.2 GB). The program needs a driver
# of version 580 or newer (CUDA 13) to start, and the libraries cublas, cublasLt, curand and cudart beside it or on its path.
# With --tests also the tests that packaging/check_cuda.sh runs on a machine with a card.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests=''
[ "${!#}" != --tests ] || { tests=yes; set -- "${@:1:$#-1}"; }

# What is compiled for: 8.0 runs on Ampere and everything newer, by the intermediate code that goes along.
capability=${CUDA_COMPUTE_CAP:-80}
mkdir -p "${1:-target/cuda}"
folder=$(cd "${1:-target/cuda}" && pwd)

[ -d "$folder/python" ] || python3 -m venv "$folder/python"
"$folder/python/bin/pip" install --quiet \
    nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 \
    nvidia-cuda-runtime==13.0.96 nvidia-cuda-nvrtc==13.0.88 nvidia-cublas==13.1.2.11 nvidia-curand==10.4.0.35
toolkit=$(echo "$folder"/python/lib/python3*/site-packages/nvidia/cu13)
[ -x "$toolkit/bin/nvcc" ] || { echo "nvcc is not where the wheels should have put it: $toolkit" >&2; exit 1; }

# Wheels bring libraries under their versions only; a linker asks for plain names, some tools for lib64.
for library in "$toolkit"/lib/lib*.so.[0-9]*; do
    name=$(basename "$library")
    ln -sfn "$name" "$toolkit/lib/${name%%.so.*}.so"
done
[ -e "$toolkit/lib64" ] || ln -s lib "$toolkit/lib64"

# The driver's own library comes with a driver alone. To link, a stand-in with the same names is enough; it is never shipped.
cargo fetch --locked
bindings=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -path '*/cudarc-0.19*/src/driver/sys' -type d | sort | tail -n 1)
[ -n "$bindings" ] || { echo "the sources of cudarc are not there" >&2; exit 1; }
mkdir -p "$toolkit/lib/stubs"
grep -rhoE '\bfn cu[A-Z][A-Za-z0-9_]*' "$bindings" | awk '{ print "int " $2 "(void) { return 100; }" }' | sort -u > "$folder/driver.c"
cc -shared -fPIC -w -Wl,-soname,libcuda.so.1 -o "$toolkit/lib/stubs/libcuda.so" "$folder/driver.c"

export CUDA_HOME=$toolkit CUDA_PATH=$toolkit NVCC=$toolkit/bin/nvcc PATH=$toolkit/bin:$PATH
export CUDA_COMPUTE_CAP=$capability CUDARC_CUDA_VERSION=13000 CUDAFORGE_THREADS=${CUDAFORGE_THREADS:-2}
export LIBRARY_PATH=$toolkit/lib:$toolkit/lib/stubs
# Libraries are looked for beside the program first.
export RUSTFLAGS="${RUSTFLAGS:-} -L native=$toolkit/lib -L native=$toolkit/lib/stubs -C link-arg=-Wl,-rpath,\$ORIGIN"

cargo build --release --locked --no-default-features --features cuda --bin pentimento-cuda --target-dir "$folder/build"
program=$folder/build/release/pentimento-cuda
echo "built: $program"
echo "it needs beside it:"
for library in libcublas libcublasLt libcurand libcudart; do
    ls "$toolkit"/lib/"$library".so.[0-9]*
done

if [ -n "$tests" ]; then
    ln -sfn "$toolkit/lib" "$folder/lib"
    for test in "--lib kernels" "--test golden"; do
        # shellcheck disable=SC2086
        built=$(cargo test --release --locked --no-default-features --features cuda ${test% kernels} --target-dir "$folder/build" \
            --no-run --message-format json | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
        cp "$built" "$folder/${test##* }"
        echo "built: $folder/${test##* }"
    done
fi
