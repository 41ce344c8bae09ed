#!/usr/bin/env bash
# usage: scripts/fuzz.sh [SECONDS]   runs each fuzz target of the codecs and decoders for that long (60)
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh rust
seconds="${1:-60}"

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "installing cargo-fuzz (once)" >&2
    cargo install --quiet --locked cargo-fuzz
fi
cd crates/aigw-translate
# The pinned stable compiler takes the nightly flags that sanitizer coverage needs.
export RUSTC_BOOTSTRAP=1
for target in $(cargo fuzz list); do
    echo "== $target"
    cargo fuzz run --sanitizer none "$target" -- -max_total_time="$seconds" -verbosity=0 -print_final_stats=1
done
