#!/usr/bin/env bash
# usage: scripts/kubernetes.sh [kubectl …]   prints a folder with kube-apiserver and etcd (and the other commands of Kubernetes that are named):
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

key="$({ cat "$mods"/{apiserver,etcd}/go.{mod,sum}; "$go" env GOVERSION GOOS GOARCH; } | sha256sum | cut -c1-12)"
folder="$cache/kubernetes-$key"
mkdir -p "$folder"
exec 9>"$folder/.lock"
flock 9
rm -rf "$folder"/.build.*

# build MODULE NAME PACKAGE LDFLAGS CGO
build() {
    [ ! -x "$folder/$2" ] || return 0
    echo "building $2 (once; all of it takes some minutes)" >&2
    aside="$(mktemp -d "$folder/.build.XXXXXX")"
    cp "$mods/$1"/go.{mod,sum} "$mods/$1"/tools.go "$aside"
    (cd "$aside" && CGO_ENABLED="$5" nice "$go" build -ldflags "-s -w $4" -o "$2" "$3") >&2
    mv "$aside/$2" "$folder/$2"
    rm -rf "$aside"
}

# Without a version of its own the server says it is a pre-release of v0.0.0, which clients with version rules refuse.
version="$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" { print $3 }' "$mods/apiserver/go.mod")"
stamp=
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    stamp="$stamp -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$(cut -d. -f2 <<<"$version")"
    stamp="$stamp -X $package.gitCommit=none -X $package.gitTreeState=archive -X $package.buildDate=1970-01-01T00:00:00Z"
done
build etcd etcd go.etcd.io/etcd/server/v3 "" 0
for name in kube-apiserver "$@"; do
    build apiserver "$name" "k8s.io/kubernetes/cmd/$name" "$stamp" 1
done
echo "$folder"
