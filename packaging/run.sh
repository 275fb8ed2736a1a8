#!/usr/bin/env bash
# Sets up what is missing, builds Pentimento and opens its window:
#     bash packaging/run.sh [PICTURE…]
# Without a display it says so and shows the command line doing the same work.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source packaging/system.sh

here=$OLDPWD
display=${WAYLAND_DISPLAY:-}${DISPLAY:-}
case $(uname -s) in Linux | *BSD) ;; *) display=always ;; esac

need "$build_needs" ${display:+"$window_needs"}
need_rust

say "Building Pentimento. The first time takes a while (about 10 minutes on two cores), later seconds."
if [ -n "$display" ]; then
    cargo build --locked
    program=$PWD/${CARGO_TARGET_DIR:-target}/debug/pentimento
    cd "$here"
    exec "$program" "$@"
fi

cargo build --locked --no-default-features
program=${CARGO_TARGET_DIR:-target}/debug/pentimento
folder=${PENTIMENTO_HOME:-target}/without-display
mkdir -p "$folder"
say "
No window can open: there is no display (neither WAYLAND_DISPLAY nor DISPLAY is set).
On a desktop, run this again from a terminal there. The command line does the same work here and now:"

# shown ARGUMENTS…: shows a command and runs it.
shown() {
    say "" "\$ pentimento" "$(printf '%q ' "$@")"
    "$program" "$@"
}
shown generate --prompt "a fox in the snow" --seed 1 --out "$folder/made.png"
shown edit assets/examples/fox.png --prompt "make it black and white" --out "$folder/edited.png"
say "
The pictures:
    $PWD/$folder/made.png
    $PWD/$folder/edited.png   (from $PWD/assets/examples/fox.png)
More: $program --help"
