#!/usr/bin/env bash
# usage: tests/e2e/cluster/in-node.sh COMMAND …   runs a command inside the node, for example `nft list ruleset`
set -euo pipefail
. "$(dirname "$0")/settings.sh"
in_node "$@"
