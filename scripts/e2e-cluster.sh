#!/usr/bin/env bash
# usage: scripts/e2e-cluster.sh [PYTEST ARGUMENT …]
# End-to-end tests in a Kubernetes cluster: the one that E2E_KUBECONFIG names, else one that is brought up for them and taken down
# again (tests/e2e/cluster). KEEP=1 leaves it up.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh python curl
venv="$(scripts/venv.sh)"
tools="$(env -u KUBEBUILDER_ASSETS scripts/kubernetes.sh kubectl helm)"
export PATH="$tools:$PATH"

tests=("$venv/bin/python" -m pytest tests/e2e/kubernetes -p no:cacheprovider ${CI:+--reruns 1} "$@")
if ! "${tests[@]}" --collect-only -q >/dev/null; then
    echo "no test in the cluster is chosen: $*" >&2
    exit 0
fi

if [ -n "${E2E_KUBECONFIG:-}" ]; then
    export KUBECONFIG="$E2E_KUBECONFIG"
else
    # The image has one static binary, as the Dockerfile makes it.
    scripts/need.sh musl
    export PATH="$PATH:$HOME/.cargo/bin"
    static="$(uname -m)-unknown-linux-musl"
    cargo build --locked -p aigw --target "$static"
    target="$(cargo metadata --format-version 1 --no-deps --locked | python3 -c 'import json,sys; print(json.load(sys.stdin)["target_directory"])')"
    image="$target/$static/aigw-image.tar"
    tests/e2e/cluster/aigw-image.sh "$target/$static/debug/aigw" "$image"
    [ -n "${KEEP:-}" ] || trap 'tests/e2e/cluster/down.sh' EXIT
    exports="$(tests/e2e/cluster/up.sh "$image")"
    eval "$exports"
fi
"${tests[@]}"
