# Settings that every script here reads; each may be set in the environment. A second cluster beside the first needs other values of all.
# shellcheck shell=bash disable=SC2034
cluster="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
repository="$(cd "$cluster/../../.." && pwd)"
chart="$repository/charts/aigw"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/aigw"

: "${CLUSTER_NAME:=aigw-e2e}"                             # control group and network link; at most 10 characters
: "${CLUSTER_STATE:=$cache/cluster-state-$CLUSTER_NAME}"  # all that the cluster writes; down.sh removes it
: "${CLUSTER_HOST_IP:=10.123.0.1}"                        # this machine, as the node sees it
: "${CLUSTER_NODE_IP:=10.123.0.2}"                        # the node; the API server is https://$CLUSTER_NODE_IP:6443
: "${CLUSTER_POD_RANGE:=10.244.0.0/24}"
: "${CLUSTER_SERVICE_RANGE:=10.96.0.0/16}"
: "${CLUSTER_API_IP:=10.96.0.1}"                          # the first address of the services' range
: "${CLUSTER_DNS_IP:=10.96.0.10}"
: "${CLUSTER_BALANCER_PREFIX:=10.123.1}"                  # Services of type LoadBalancer get addresses $CLUSTER_BALANCER_PREFIX.N
export CLUSTER_NAME CLUSTER_STATE CLUSTER_HOST_IP CLUSTER_NODE_IP CLUSTER_POD_RANGE CLUSTER_SERVICE_RANGE
export CLUSTER_API_IP CLUSTER_DNS_IP CLUSTER_BALANCER_PREFIX

state="$CLUSTER_STATE"
tools="$state/tools"                  # a link to the folder of the cluster's programs
node_name=node
admin="$state/admin.kubeconfig"
hierarchies=(cpu cpuacct cpuset memory devices freezer blkio pids systemd unified)
export KUBECACHEDIR="$state/kubectl-cache"

# Builds the cluster's programs if they are not there yet, and prints their folder.
tools_built() {
    env -u KUBEBUILDER_ASSETS "$repository/scripts/kubernetes.sh" kube-controller-manager kube-scheduler kubelet kube-proxy kubectl helm \
        containerd containerd-shim-runc-v2 ctr cni/ptp cni/loopback cni/host-local cni/portmap coredns
}

# chart_image NAME: the image that the chart's values have under that name.
chart_image() {
    local repository tag
    repository="$(value "$1" repository)"
    tag="$(value "$1" tag)"
    if [ -z "$tag" ]; then tag="$(sed -n 's/^appVersion: *"\(.*\)"$/\1/p' "$chart/Chart.yaml")"; fi
    echo "$repository:$tag"
}
value() { awk -v block="$1:" -v key="$2:" '/^[^ ]/ { inside = $1 == block } inside && $1 == key { gsub(/"/, "", $2); print $2 }' "$chart/values.yaml"; }

# kubectl as the cluster's administrator.
kube() { "$tools/kubectl" --kubeconfig "$admin" "$@"; }

# wait_for SECONDS WHAT COMMAND … : runs the command until it succeeds.
wait_for() {
    local rounds=$(($1 * 10)) what=$2
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        rounds=$((rounds - 1))
        if [ "$rounds" -le 0 ]; then
            echo "waited in vain for: $what (logs: $state/log)" >&2
            return 1
        fi
        sleep 0.1
    done
}

# started_at PID: when the process began, in the kernel's ticks; nothing if there is none.
started_at() { awk '{ print $22 }' "/proc/$1/stat" 2>/dev/null; }

# The process id of the node's first process. A number that another process has got since does not count.
node_pid() {
    local pid began
    read -r pid began 2>/dev/null <"$state/node.pid" || return 1
    [ -n "$began" ] && [ "$(started_at "$pid")" = "$began" ] && echo "$pid"
}

# Runs a command inside the node.
in_node() {
    local pid
    pid="$(node_pid)" || {
        echo "no cluster is up: tests/e2e/cluster/up.sh" >&2
        return 1
    }
    nsenter -t "$pid" -m -p -n -u -i -- "$@"
}

# What a cluster must leave as it found it. Counters and what other programs change all the time are left out.
host_picture() {
    ip -o addr
    ip route
    nft list ruleset
    awk '{ print $2 }' /proc/mounts | sort
    sysctl -a 2>/dev/null | grep -vE 'random|fs\.(dentry|inode|file-nr|aio-nr|quota)|ns_last_pid|conntrack_count|netdev_budget|sched_domain|tcp_.*metrics|pty\.nr|nr_|cdrom'
}
