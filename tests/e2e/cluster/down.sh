#!/usr/bin/env bash
# usage: tests/e2e/cluster/down.sh   ends the cluster, removes all that it made, and says what differs from before
set -uo pipefail
. "$(dirname "$0")/settings.sh"
failed=0
complain() {
    echo "$*" >&2
    failed=1
}

pid="$(node_pid)"
if [ -n "$pid" ]; then
    # Every process of the node is in the namespace whose first process this is, and the kernel ends them with it.
    namespace="$(readlink "/proc/$pid/ns/pid")"
    kill -9 "$pid"
    gone() { [ ! -e "/proc/$pid" ]; }
    wait_for 30 "the end of process $pid" gone || complain "process $pid did not end"
    for link in /proc/[0-9]*/ns/pid; do
        [ "$(readlink "$link" 2>/dev/null)" != "$namespace" ] || complain "a process is left: $link"
    done
fi
ip link del "$CLUSTER_NAME" 2>/dev/null # mostly gone with the node
for hierarchy in "${hierarchies[@]}"; do
    group="/sys/fs/cgroup/$hierarchy/$CLUSTER_NAME"
    [ -d "$group" ] || continue
    removed() {
        find "$group" -depth -type d -exec rmdir {} \; 2>/dev/null
        [ ! -d "$group" ]
    }
    wait_for 5 "the end of $group" removed || complain "$group is left"
done
if [ -d "$state" ]; then
    if [ -f "$state/before" ]; then
        host_picture | diff "$state/before" - || complain "this machine is not as it was before (<)"
    fi
    rm -rf --one-file-system "$state"
fi
exit "$failed"
