#!/usr/bin/env bash
# usage: scripts/fuzz.sh [TARGET …]   runs each fuzz target of the codecs and decoders (or those named) for FUZZ_SECONDS (60)
# What was found interesting stays in the cache and is tried first the next time; a finding is kept under fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh rust cxx

version=0.13.2
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aigw"
root="$cache/cargo-fuzz-$version"
if [ ! -x "$root/bin/cargo-fuzz" ]; then
    echo "building cargo-fuzz $version (once, a minute)" >&2
    CARGO_TARGET_DIR="$root/target" cargo install --quiet --locked --root "$root" "cargo-fuzz@$version"
    rm -rf "$root/target"
fi
export PATH="$root/bin:$PATH"
# What is fuzzed is what is built.
cp Cargo.lock crates/aigw-translate/fuzz/Cargo.lock
cd crates/aigw-translate
# The pinned stable compiler takes the flags that coverage needs. Safe code needs no sanitizer.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${FUZZ_TARGET_DIR:-$cache/fuzz-target}"
[ "$#" -gt 0 ] || mapfile -t all < <(cargo fuzz list)
for target in "$@" ${all[@]+"${all[@]}"}; do
    echo "== $target"
    corpus="$cache/fuzz-corpus/$target"
    mkdir -p "$corpus"
    cargo fuzz run --sanitizer none "$target" "$corpus" -- \
        -max_total_time="${FUZZ_SECONDS:-60}" -verbosity=0 -print_final_stats=1 -timeout=10
done
