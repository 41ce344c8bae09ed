#!/usr/bin/env bash
# usage: scripts/envoy.sh   prints the Envoy that tests use: ENVOY_BIN, else the one among the requirements of the tests
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${ENVOY_BIN:-}" ]; then
    echo "$ENVOY_BIN"
else
    venv="$(scripts/venv.sh)"
    echo "$venv"/lib/python3*/site-packages/envoy/_bin/envoy
fi
