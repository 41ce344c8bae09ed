#!/usr/bin/env bash
# usage: scripts/e2e.sh [--host native|envoy|envoy-local] [PYTEST ARGUMENT …]
# End-to-end tests of the gateway, with the vendors' own SDKs as clients. In CI a test that fails is run once more and named as RERUN:
# one that fails by chance must be mended, yet does not hold up what it has nothing to do with.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh rust python curl
export PATH="$PATH:$HOME/.cargo/bin"

cargo build --locked -p aigw
target="$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"
export AIGW_BIN="${AIGW_BIN:-$target/debug/aigw}"

cache="${XDG_CACHE_HOME:-$HOME/.cache}/aigw"
key() { cat "$@" | sha256sum | cut -c1-12; }

venv="$(scripts/venv.sh)"
ENVOY_BIN="$(scripts/envoy.sh)"
export ENVOY_BIN

# The JavaScript SDKs likewise; without npm those tests are skipped, which CI does not accept.
if [ -n "${CI:-}" ]; then
    scripts/need.sh node
fi
if command -v npm >/dev/null; then
    js="$cache/js-$(key tests/e2e/js/package.json tests/e2e/js/package-lock.json)"
    if [ ! -f "$js/complete" ]; then
        rm -rf "$js"
        mkdir -p "$js"
        cp tests/e2e/js/package.json tests/e2e/js/package-lock.json "$js/"
        (cd "$js" && npm ci --silent --no-audit --no-fund --ignore-scripts)
        touch "$js/complete"
    fi
    export AIGW_E2E_JS="$js"
fi

exec "$venv/bin/python" -m pytest tests/e2e --ignore tests/e2e/kubernetes -p no:cacheprovider ${CI:+--reruns 1} "$@"
