#!/usr/bin/env bash
# usage: scripts/unit.sh [CARGO TEST ARGUMENT …]
# The Rust tests, with the Envoy and the API server that some of them need. In CI what failed is run once more, by name, and both
# outputs stay: a failure by chance is seen and holds nothing up.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh rust
export PATH="$PATH:$HOME/.cargo/bin"
ENVOY_BIN="$(scripts/envoy.sh)"
KUBEBUILDER_ASSETS="$(scripts/kubernetes.sh)"
export ENVOY_BIN KUBEBUILDER_ASSETS
if [ -z "${CI:-}" ]; then
    exec cargo test --workspace --locked "$@"
fi

log="$(mktemp)"
trap 'rm -f "$log"' EXIT
cargo test --workspace --locked --no-fail-fast "$@" 2>&1 | tee "$log" && exit 0
# Cargo ends with a list of the targets that failed; without one it was the build.
mapfile -t failed < <(sed -nE 's/^ +`(-[^`]+)`$/\1/p' "$log")
[ "${#failed[@]}" -gt 0 ] || exit 1
for target in "${failed[@]}"; do
    echo "RERUN $target"
    # shellcheck disable=SC2086 # a target is several words
    cargo test --locked $target
done
