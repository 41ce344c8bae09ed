#!/usr/bin/env bash
# usage: tests/e2e/cluster/part.sh kill|start NAME   ends a part of the node (kube-apiserver, kubelet, …) as a crash does, or starts it again
set -euo pipefail
. "$(dirname "$0")/settings.sh"
what=${1:?kill or start} name=${2:?name of a part}

case $what in
kill)
    # shellcheck disable=SC2016 # the node's shell reads these
    in_node bash -c 'pid="$(awk -v name="$1" '\''$1 == name { pid = $2 } END { print pid }'\'' /run/pids)" && kill -9 "$pid"
        while [ -e "/proc/$pid" ]; do sleep 0.05; done' part "$name"
    ;;
start)
    # shellcheck disable=SC2016
    in_node bash -c 'export PATH="$3:/usr/sbin:/usr/bin:/sbin:/bin"
        setsid bash -c "exec $(<"/run/command.$1")" >>"$2/log/$1.log" 2>&1 </dev/null &
        echo "$1 $!" >>/run/pids' part "$name" "$state" "$tools"
    ;;
*)
    echo "kill or start, not $what" >&2
    exit 2
    ;;
esac
