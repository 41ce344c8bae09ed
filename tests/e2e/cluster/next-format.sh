#!/usr/bin/env bash
# usage: tests/e2e/cluster/next-format.sh IMAGE FILE.tar   makes an image of the `aigw` that these sources are with the next format of snapshots
# Nothing but the number differs, and that it may be read only by who knows it: what operator and data plane do with two formats can be
# seen before there is a second one. Compiled dependencies are those of the other builds (CARGO_TARGET_DIR).
set -euo pipefail
. "$(dirname "$0")/settings.sh"
name=$1 file=$2
export PATH="$PATH:$HOME/.cargo/bin"
static="$(uname -m)-unknown-linux-musl"
cd "$repository"
target="$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"

sources="$target/next-format"
mkdir -p "$sources"
rm -rf "${sources:?}"/*
cp -a Cargo.toml Cargo.lock rust-toolchain.toml crates bench manifests charts "$sources/"
format="$sources/crates/aigw-config/src/shard/format.rs"
now="$(sed -n 's/^pub const FORMAT: u32 = \([0-9]*\);$/\1/p' "$format")"
sed -i "s/^pub const FORMAT: u32 = $now;/pub const FORMAT: u32 = $((now + 1));/" "$format"
[ "$(grep -c "^pub const FORMAT: u32 = $((now + 1));" "$format")" = 1 ] || {
    echo "the format is no longer where this script looks for it: $format" >&2
    exit 1
}
CARGO_TARGET_DIR="$target" cargo build --locked --quiet --manifest-path "$sources/Cargo.toml" -p aigw --target "$static"
"$cluster/aigw-image.sh" "$target/$static/debug/aigw" "$file" "$name"
rm -rf "$sources"
