#!/usr/bin/env bash
# Checks licences, sources and banned or duplicate crates against deny.toml. `ADVISORIES=1` adds the advisory database,
# which cargo-deny fetches.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh rust

version=0.20.2
root="${XDG_CACHE_HOME:-$HOME/.cache}/aigw/cargo-deny-$version"
if [ ! -x "$root/bin/cargo-deny" ]; then
    echo "building cargo-deny $version (once, a few minutes)" >&2
    CARGO_TARGET_DIR="$root/target" cargo install --quiet --locked --root "$root" "cargo-deny@$version"
    rm -rf "$root/target"
fi
"$root/bin/cargo-deny" --all-features check bans licenses sources ${ADVISORIES:+advisories}
