#!/usr/bin/env bash
# usage: tests/e2e/cluster/load.sh FILE.tar …   gives the node images (of `docker save`, or of image.py)
set -euo pipefail
. "$(dirname "$0")/settings.sh"
for file in "$@"; do
    in_node "$(readlink -f "$tools/ctr")" -a /run/containerd/containerd.sock -n k8s.io images import "$(realpath "$file")" >/dev/null
done
