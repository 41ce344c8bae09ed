#!/usr/bin/env bash
# usage: tests/e2e/cluster/kind.sh [up|down]   for those who have Docker: a cluster in kind, with the images of aigw and its Envoy
# Prints the `export E2E_KUBECONFIG=…` that scripts/e2e-cluster.sh takes. Services of type LoadBalancer get addresses from
# cloud-provider-kind, which must be running (https://github.com/kubernetes-sigs/cloud-provider-kind).
set -euo pipefail
. "$(dirname "$0")/settings.sh"
for program in docker kind; do
    command -v "$program" >/dev/null || {
        echo "$program is missing: https://kind.sigs.k8s.io/docs/user/quick-start" >&2
        exit 1
    }
done
config="$cache/kind-$CLUSTER_NAME.kubeconfig"
if [ "${1:-up}" = down ]; then
    kind delete cluster --name "$CLUSTER_NAME" --kubeconfig "$config"
    rm -f "$config"
    exit
fi

mkdir -p "$cache"
aigw="$(chart_image image)"
envoy="$(chart_image envoyImage)"
docker build -t "$aigw" "$repository"
docker build -t "$envoy" -f "$repository/Dockerfile.envoy" "$repository"
kind get clusters | grep -qx "$CLUSTER_NAME" || kind create cluster --name "$CLUSTER_NAME" --kubeconfig "$config" --wait 2m
kind load docker-image --name "$CLUSTER_NAME" "$aigw" "$envoy"
echo "export E2E_KUBECONFIG=$config"
