#!/usr/bin/env bash
# usage: scripts/gateway-api.sh   copies Gateway API's CRDs that aigw needs to manifests/crds/gateway-api/, with their licence (needs Go)
set -euo pipefail
cd "$(dirname "$0")/.."

version=v1.5.1
kinds="backendtlspolicies gatewayclasses gateways httproutes referencegrants"
module="$(cd "$(mktemp -d)" && go mod download -json "sigs.k8s.io/gateway-api@$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')"
target=manifests/crds/gateway-api
mkdir -p "$target"
install -m 644 "$module/LICENSE" "$target/LICENSE"
for kind in $kinds; do
    changed=""
    from="$module/config/crd/standard/gateway.networking.k8s.io_$kind.yaml"
    if [ "$kind" = backendtlspolicies ]; then
        changed=" Changed: v1alpha3 is served, for manifests that still have it."
    fi
    {
        echo "# Copyright The Kubernetes Authors, Apache License 2.0 (LICENSE beside this file)."
        echo "# From sigs.k8s.io/gateway-api $version, config/crd/standard/${from##*/}.$changed"
        if [ -n "$changed" ]; then
            awk '/^    name: v1alpha3$/ { early = 1 } early && /^    served: false$/ { $0 = "    served: true"; early = 0 } { print }' "$from"
        else
            cat "$from"
        fi
    } >"$target/$kind.yaml"
done
grep -A2000 '^    name: v1alpha3$' "$target/backendtlspolicies.yaml" | grep -q '^    served: true$'
