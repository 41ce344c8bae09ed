#!/usr/bin/env bash
# Runs in the node: gives every Service of type LoadBalancer an address. kube-proxy answers on it, and this machine has a route to it.
set -uo pipefail
. "$(dirname "$0")/settings.sh"

columns='{.metadata.namespace} {.metadata.name} {.spec.type} {.status.loadBalancer.ingress[0].ip}{"\n"}'
while :; do
    kube get services -A --watch -o "jsonpath=$columns" 2>/dev/null | while read -r namespace name type address; do
        if [ "$type" != LoadBalancer ] || [ -n "$address" ]; then continue; fi
        used=" $(kube get services -A -o 'jsonpath={.items[*].status.loadBalancer.ingress[*].ip}') "
        for number in $(seq 1 250); do
            address="$CLUSTER_BALANCER_PREFIX.$number"
            [[ "$used" == *" $address "* ]] || break
        done
        kube -n "$namespace" patch service "$name" --subresource=status --type=merge \
            -p "{\"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"$address\",\"ipMode\":\"VIP\"}]}}}"
    done
    sleep 1
done
