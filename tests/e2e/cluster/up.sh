#!/usr/bin/env bash
# usage: tests/e2e/cluster/up.sh [IMAGE.tar …]   brings a single-node Kubernetes up with these images and returns when it can be used
# `export KUBECONFIG=…` is what it prints, and where the API server's audit log is.
set -euo pipefail
. "$(dirname "$0")/settings.sh"

say() { printf '%4ss %s\n' "$SECONDS" "$*" >&2; }
fail() {
    echo "$*" >&2
    exit 1
}

"$repository/scripts/need.sh" cluster
[ "$(id -u)" = 0 ] || fail "the cluster makes namespaces and mounts: run this as root, or name another cluster with E2E_KUBECONFIG (README.md)"
[ -d /sys/fs/cgroup/memory ] || fail "the cluster was made for cgroup v1, this machine has v2: name another cluster with E2E_KUBECONFIG (README.md)"
[ -z "$(node_pid)" ] || fail "the cluster is up already; tests/e2e/cluster/down.sh ends it"
[ ! -e "$state" ] || fail "$state exists: run tests/e2e/cluster/down.sh first"
! ip link show "$CLUSTER_NAME" >/dev/null 2>&1 || fail "there is a network link $CLUSTER_NAME already: set CLUSTER_NAME"

built="$(tools_built)"
base="$("$cluster/images.sh")"
SECONDS=0
mkdir -p "$state"/{log,var-lib/kubelet,var-log,images,network,containerd,volume-plugins}
ln -s "$built" "$tools"
host_picture >"$state/before"

"$cluster/certificates.sh"
for image in "$base"/*.tar "$@"; do
    ln -s "$(realpath "$image")" "$state/images/"
done
echo nameserver 127.0.0.1 >"$state/resolv.conf"

# render FILE: a template of config/ with its settings.
render() {
    local text name
    text="$(<"$cluster/config/$1")"
    for name in CLUSTER_NAME CLUSTER_STATE CLUSTER_NODE_IP CLUSTER_POD_RANGE CLUSTER_DNS_IP; do
        text="${text//@$name@/${!name}}"
    done
    echo "$text"
}
render network.conflist >"$state/network/10-pods.conflist"
for file in containerd.toml kubelet.yaml kube-proxy.yaml coredns.yaml; do
    render "$file" >"$state/$file"
done

for hierarchy in "${hierarchies[@]}"; do
    mkdir -p "/sys/fs/cgroup/$hierarchy/$CLUSTER_NAME"
done
for file in cpuset.cpus cpuset.mems; do
    cat "/sys/fs/cgroup/cpuset/$file" >"/sys/fs/cgroup/cpuset/$CLUSTER_NAME/$file"
done

# The node: its first process gets every kind of namespace, and everything in them ends with it.
setsid nohup unshare --mount --pid --net --uts --ipc --fork --kill-child bash "$cluster/node.sh" \
    </dev/null >"$state/log/node.log" 2>&1 &
outside=$!
inside=
trap 'kill -9 "$outside"' EXIT
first_process() {
    inside="$(cut -d' ' -f1 "/proc/$outside/task/$outside/children")"
    [ -n "$inside" ]
}
wait_for 5 "the node's first process" first_process
echo "$inside $(started_at "$inside")" >"$state/node.pid"
trap - EXIT
wait_for 5 "the node's namespaces" test -e "/proc/$inside/root/run/namespaces-ready"
ip link add "$CLUSTER_NAME" type veth peer name host netns "$inside"
ip addr add "$CLUSTER_HOST_IP/30" dev "$CLUSTER_NAME"
ip link set "$CLUSTER_NAME" up
for range in "$CLUSTER_POD_RANGE" "$CLUSTER_SERVICE_RANGE" "$CLUSTER_BALANCER_PREFIX.0/24"; do
    ip route add "$range" via "$CLUSTER_NODE_IP" dev "$CLUSTER_NAME"
done

wait_for 60 "the API server" kube get --raw /readyz
say "the API server is ready"
wait_for 60 "a node" kube get node "$node_name"
kube wait --for=condition=Ready "node/$node_name" --timeout=60s >/dev/null
say "the node is ready"
wait_for 120 "the images" test -e "/proc/$inside/root/run/images-loaded"
say "images are loaded"
kube apply -f "$state/coredns.yaml" >/dev/null
kube -n kube-system rollout status deployment/coredns --timeout=60s >/dev/null
wait_for 20 "the default service account" kube get serviceaccount default
say "names are resolved"
echo "export KUBECONFIG=$admin"
echo "export E2E_AUDIT_LOG=$state/log/audit.log"
