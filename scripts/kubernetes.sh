#!/usr/bin/env bash
# usage: scripts/kubernetes.sh [kubectl|helm|containerd|cni/ptp|… …]   prints a folder with kube-apiserver and etcd (and what else is named):
# KUBEBUILDER_ASSETS, else what is built once from the Go modules that tests/e2e/cluster/mods pins
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -n "${KUBEBUILDER_ASSETS:-}" ]; then
    echo "$KUBEBUILDER_ASSETS"
    exit
fi

cache="${XDG_CACHE_HOME:-$HOME/.cache}/aigw"
mods="$PWD/tests/e2e/cluster/mods"
mkdir -p "$cache"
export GOFLAGS="-buildvcs=false -trimpath" GOTOOLCHAIN=local

# The Go that the modules ask for, or a newer one; an older one fetches it as the module it is also published as.
minimum=1.26
recent() { printf '%s\n%s\n' "$minimum" "$("$1" env GOVERSION 2>/dev/null | sed 's/^go//')" | sort -CV; }
go=go
[ ! -x /usr/local/go/bin/go ] || PATH="$PATH:/usr/local/go/bin"
if ! recent go; then
    go="$cache/go-1.26.8/bin/go"
    if [ ! -x "$go" ]; then
        scripts/need.sh go
        module="golang.org/toolchain@v0.0.1-go1.26.8.$(go env GOOS)-$(go env GOARCH)"
        echo "fetching Go 1.26.8 (once)" >&2
        (cd / && go mod download "$module") >&2
        new="$(mktemp -d "$cache/go.XXXXXX")"
        cp -r "$(go env GOMODCACHE)/$module/." "$new"
        chmod -R u+w "$new"
        chmod +x "$new"/bin/* "$new"/pkg/tool/*/*
        rm -rf "$cache/go-1.26.8"
        mv "$new" "$cache/go-1.26.8"
    fi
    recent "$go"
fi

key="$({ cat scripts/kubernetes.sh "$mods"/*/*; "$go" env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-12)"
folder="$cache/kubernetes-$key"
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
rm -rf "$folder"/.build.*

# build MODULE NAME PACKAGE [LDFLAGS [CGO [TAGS]]]
build() {
    [ ! -x "$folder/$2" ] || return 0
    echo "building $2 (once; all of it takes some minutes)" >&2
    aside="$(mktemp -d "$folder/.build.XXXXXX")"
    cp "$mods/$1"/* "$aside"
    (cd "$aside" && CGO_ENABLED="${5:-0}" nice "$go" build -tags "${6:-}" -ldflags "-s -w ${4:-}" -o built "$3") >&2
    mkdir -p "$(dirname "$folder/$2")"
    mv "$aside/built" "$folder/$2"
    rm -rf "$aside"
}

# required MODULE PACKAGE: the version that the module pins.
required() { awk -v package="$2" '$1 == "require" && $2 == package { print $3 }' "$mods/$1/go.mod"; }

# Without a version of its own the server says it is a pre-release of v0.0.0, which clients with version rules refuse.
version="$(required apiserver k8s.io/kubernetes)"
minor="$(cut -d. -f2 <<<"$version")"
stamp=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor"
    stamp="$stamp -X $package.gitCommit=none -X $package.gitTreeState=archive -X $package.buildDate=1970-01-01T00:00:00Z"
done

for name in etcd kube-apiserver "$@"; do
    case "$name" in
        etcd) build etcd etcd go.etcd.io/etcd/server/v3 ;;
        kube*) build apiserver "$name" "k8s.io/kubernetes/cmd/$name" "$stamp" 1 ;;
        containerd | containerd-shim-runc-v2 | ctr)
            build containerd "$name" "github.com/containerd/containerd/v2/cmd/$name" \
                "-X github.com/containerd/containerd/v2/version.Version=$(required containerd github.com/containerd/containerd/v2)" 0 \
                no_btrfs,no_devmapper,no_zfs,no_aufs
            ;;
        cni/host-local) build cni "$name" github.com/containernetworking/plugins/plugins/ipam/host-local ;;
        cni/portmap) build cni "$name" github.com/containernetworking/plugins/plugins/meta/portmap ;;
        cni/*) build cni "$name" "github.com/containernetworking/plugins/plugins/main/${name#cni/}" ;;
        coredns) build coredns coredns . ;;
        helm)
            # What it takes for the cluster's version when it has no cluster.
            defaults="-X helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor=1 -X helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor=$minor"
            build helm helm helm.sh/helm/v3/cmd/helm "$defaults -X helm.sh/helm/v3/internal/version.version=$(required helm helm.sh/helm/v3)"
            ;;
        *)
            echo "$name is nothing that is built here" >&2
            exit 1
            ;;
    esac
done
echo "$folder"
