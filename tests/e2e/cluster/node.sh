#!/usr/bin/env bash
# The node's first process, in its own mount, process, network, name and IPC namespaces; up.sh starts it.
set -uo pipefail
. "$(dirname "$0")/settings.sh"

# Mounts that nobody outside sees.
mount --make-rprivate /
mount --make-rshared /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/containerd /run/netns
mount --bind "$state/var-lib" /var/lib
mount --bind "$state/var-log" /var/log
# The kubelet writes these settings of the whole machine, and ends if it cannot: it gets private files which have its values already.
mkdir -p "$state/sysctl"
while read -r name value; do
    echo "$value" >"$state/sysctl/$name"
    mount --bind "$state/sysctl/$name" "/proc/sys/${name//.//}"
done <<S
vm.overcommit_memory 1
vm.panic_on_oom 0
kernel.panic 10
kernel.panic_on_oops 1
kernel.keys.root_maxkeys 1000000
kernel.keys.root_maxbytes 25000000
S
hostname "$node_name"
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
touch /run/namespaces-ready

# up.sh moves the other end of the link in.
wait_for 10 "the link to the host" ip link show host || exit 1
ip addr add "$CLUSTER_NODE_IP/30" dev host
ip link set host up
ip route add default via "$CLUSTER_HOST_IP"

export PATH="$tools:/usr/sbin:/usr/bin:/sbin:/bin"
pki="$state/pki"

# start NAME COMMAND …; part.sh ends and starts it again.
start() {
    local name=$1
    shift
    printf '%q ' "$@" >"/run/command.$name"
    "$@" >"$state/log/$name.log" 2>&1 </dev/null &
    echo "$name $!" >>/run/pids
}

start etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster default=http://127.0.0.1:2380
start containerd containerd -c "$state/containerd.toml"
start kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 --secure-port 6443 \
    --advertise-address "$CLUSTER_NODE_IP" --service-cluster-ip-range "$CLUSTER_SERVICE_RANGE" --allow-privileged=true --profiling=false \
    --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --audit-policy-file "$cluster/config/audit.yaml" --audit-log-path "$state/log/audit.log" \
    --client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
    --kubelet-client-certificate "$pki/apiserver-kubelet.crt" --kubelet-client-key "$pki/apiserver-kubelet.key" \
    --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$pki/service-accounts.pub" --service-account-signing-key-file "$pki/service-accounts.key" \
    --requestheader-client-ca-file "$pki/ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-extra-headers-prefix X-Remote-Extra- --requestheader-group-headers X-Remote-Group \
    --requestheader-username-headers X-Remote-User \
    --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key"

load_images() {
    local image ctr=(ctr -a /run/containerd/containerd.sock -n k8s.io)
    wait_for 30 containerd test -S /run/containerd/containerd.sock || return 1
    for image in "$state"/images/*.tar; do
        "${ctr[@]}" images import "$image" || return 1
    done
    touch /run/images-loaded
}
load_images >"$state/log/images.log" 2>&1 &

# The controller manager ends if the first roles are not there yet.
wait_for 120 "the API server" kube get --raw /readyz
start kube-controller-manager kube-controller-manager --kubeconfig "$pki/controllers.kubeconfig" \
    --authentication-kubeconfig "$pki/controllers.kubeconfig" --authorization-kubeconfig "$pki/controllers.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false --profiling=false --controllers '*' --use-service-account-credentials=true \
    --cluster-cidr "$CLUSTER_POD_RANGE" --allocate-node-cidrs=true --node-cidr-mask-size 24 --service-cluster-ip-range "$CLUSTER_SERVICE_RANGE" \
    --service-account-private-key-file "$pki/service-accounts.key" --root-ca-file "$pki/ca.crt" \
    --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
start kube-scheduler kube-scheduler --kubeconfig "$pki/scheduler.kubeconfig" \
    --authentication-kubeconfig "$pki/scheduler.kubeconfig" --authorization-kubeconfig "$pki/scheduler.kubeconfig" \
    --bind-address 127.0.0.1 --leader-elect=false
wait_for 30 containerd test -S /run/containerd/containerd.sock
start kubelet kubelet --config "$state/kubelet.yaml" --kubeconfig "$pki/kubelet.kubeconfig" --root-dir /var/lib/kubelet \
    --hostname-override "$node_name" --node-ip "$CLUSTER_NODE_IP"
start kube-proxy kube-proxy --config "$state/kube-proxy.yaml" --hostname-override "$node_name"
start balancer "$cluster/balancer.sh"

# A part that ends stays ended, and shows in log/exits.
while :; do
    dead=
    wait -n -p dead 2>/dev/null
    code=$?
    if [ -n "$dead" ] && grep -q " $dead\$" /run/pids; then
        echo "$(date +%T) $(awk -v pid="$dead" '$2 == pid { print $1 }' /run/pids) (process $dead) ended with $code" >>"$state/log/exits"
    fi
    sleep 0.2
done
