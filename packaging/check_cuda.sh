#!/usr/bin/env bash
# Shows on a machine with an NVIDIA card what a machine without one cannot: that our kernels compute what their plain twins do,
# that the recorded cases of the PyTorch reference come out the same, and how long a picture takes.
#     bash packaging/check_cuda.sh [FOLDER] [MODEL]
# FOLDER is what `build_cuda.sh FOLDER --tests` has built (default: target/cuda; built if it is not there), MODEL a folder of
# full size to take times with. What has run before is not run again by a failure: every part is tried, and the last line counts.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-target/cuda} model=${2:-}
[ -x "$folder/golden" ] || bash packaging/build_cuda.sh "$folder" --tests || exit 1
folder=$(cd "$folder" && pwd)
program=$folder/build/release/pentimento-cuda
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_MANIFEST_DIR=$PWD PENTIMENTO_HOME=$work PENTIMENTO_DEVICE=cuda PENTIMENTO_LOG=${PENTIMENTO_LOG:-warn,pentimento::models=debug}
export LD_LIBRARY_PATH=$folder/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
failed=0

# part WHAT COMMAND…
part() {
    printf '\n== %s\n' "$1"
    shift
    "$@" || { echo "FAILED ($?): $*"; failed=$((failed + 1)); }
}

# Without the numbers of single steps: the seconds of every stage, and the most memory.
times() {
    "$program" "$@" --device cuda --json --out "$work/made.png" | grep -E '"(seconds|peak_bytes|plan)"'
}

date -u '+%Y-%m-%d %H:%M UTC'
part "driver and card" nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv
part "devices" "$program" devices
part "kernels beside their plain twins" "$folder/kernels" models::kernels --nocapture --test-threads 1
part "parity with the reference" "$folder/golden" --nocapture --test-threads 1
part "a small picture" times generate --prompt "a fox in the snow" --seed 1
part "a small edit" times edit assets/examples/fox.png --prompt "make it black and white" --seed 1
if [ -n "$model" ]; then
    part "a picture of full size" times generate --model "$model" --prompt "a fox" --seed 1 --ignore-eos
    part "an edit of full size" times edit assets/examples/fox.png --model "$model" --prompt "a fox" --seed 1 --ignore-eos
fi
printf '\n%s parts failed\n' "$failed"
[ "$failed" = 0 ]
