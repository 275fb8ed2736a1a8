#!/usr/bin/env bash
# Checks everything; what every change must pass:
#     bash packaging/check.sh
# Cheap checks come first, and one set of built libraries serves as many of them as possible. Ends with 0 when all is well.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source packaging/system.sh
exec </dev/null
began=$SECONDS

# Every step runs in a process group of its own, and nothing of it outlives it.
group=''
end_group() {
    [ -z "$group" ] || kill -TERM -- "-$group" 2>/dev/null || true
    group=''
}
trap end_group EXIT
trap 'end_group; exit 130' INT TERM

# step WHAT COMMAND…
step() {
    local what=$1 start=$SECONDS code=0
    shift
    printf '\n== %s\n' "$what"
    set -m
    "$@" &
    group=$!
    set +m
    wait "$group" || code=$?
    end_group
    [ "$code" = 0 ] || fail "
FAILED: $what ($*), exit status $code"
    printf '== %s: %d s\n' "$what" $((SECONDS - start))
}

need "$build_needs" "$window_needs" "$test_needs"
need_rust
for component in fmt clippy; do
    cargo "$component" --version >/dev/null 2>&1 || rustup component add "${component/fmt/rustfmt}" ||
        fail "cargo $component is missing; it comes with Rust's own installer (rustup)."
done

command_line() {
    local folder
    folder=$(mktemp -d) || return 1
    local program=$PWD/${CARGO_TARGET_DIR:-target}/debug/pentimento
    cargo build --locked --no-default-features &&
        PENTIMENTO_HOME=$folder "$program" inspect nano >/dev/null &&
        PENTIMENTO_HOME=$folder "$program" generate --prompt "a fox in the snow" --steps 2 --out "$folder/made.png" &&
        PENTIMENTO_HOME=$folder "$program" edit "$folder/made.png" --prompt "make it darker" --steps 2 --out "$folder/edited.png" &&
        [ -s "$folder/edited.png" ]
    local code=$?
    rm -rf "$folder"
    return "$code"
}

licences() {
    local tools=${CARGO_TARGET_DIR:-target}/tools
    local deny=$tools/bin/cargo-deny
    if command -v cargo-deny >/dev/null 2>&1; then
        deny=cargo-deny
    elif [ ! -x "$deny" ]; then
        cargo install --locked --debug --version "$deny_version" --root "$tools" cargo-deny || return 1
    fi
    # Known weaknesses (advisories) need a database from the net, so they are not looked up here: cargo deny check advisories.
    cargo fetch --locked && # also what only other systems need
        "$deny" --offline --all-features --config .deny.toml check licenses bans sources
}
deny_version=0.20.2

# The embedded model's training, every stage of it for seconds, and what comes out in the program.
training() {
    local python=${CARGO_TARGET_DIR:-target}/tools/python
    [ -x "$python/bin/pip" ] || python3 -m venv "$python" || return 1
    "$python/bin/pip" install --quiet --disable-pip-version-check --requirement assets/nano/training/requirements.txt &&
        "$python/bin/python" assets/nano/training/smoke.py --program "${CARGO_TARGET_DIR:-target}/debug/pentimento"
}

step "format" cargo fmt --check
step "lints" cargo clippy --locked --all-targets -- -D warnings
step "documentation" env RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
step "tests" cargo test --locked
step "without the window" command_line
step "training" training
step "licences" licences
printf '\nAll is well after %d minutes.\n' $(((SECONDS - began + 59) / 60))
