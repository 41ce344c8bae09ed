#!/usr/bin/env bash
# usage: scripts/venv.sh   makes the virtual environment of the tests (the vendors' Python SDKs, and Envoy) once for each set of
# requirements, and prints its directory
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh python >&2
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aigw"
key="$(sha256sum < tests/e2e/requirements.txt | cut -c1-12)"
venv="$cache/venv-$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')-$key"
if [ ! -f "$venv/complete" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r tests/e2e/requirements.txt >&2
    touch "$venv/complete"
fi
echo "$venv"
