#!/usr/bin/env bash
# usage: scripts/need.sh rust|musl|cxx|python|node|curl|go|cluster …   installs what is missing, or says what to install
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

apt_updated=
# apt PACKAGE … : installs Debian packages when that is possible here.
apt() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "please install: $* (Debian package names), then run this again"
        return 1
    fi
    if [ -z "$apt_updated" ]; then
        apt-get update -qq >&2
        apt_updated=1
    fi
    say "installing $*"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 </dev/null
}

need_rust() {
    [ -x "$HOME/.cargo/bin/cargo" ] && export PATH="$HOME/.cargo/bin:$PATH"
    command -v cc >/dev/null || apt gcc libc6-dev
    if ! command -v cargo >/dev/null; then
        apt rustup || {
            say "Rust is missing: install rustup (https://rustup.rs); the version comes from rust-toolchain.toml"
            return 1
        }
    fi
    # In this folder rustup fetches the pinned toolchain when it is not there yet.
    cargo --version >/dev/null 2>&1 || rustup toolchain install >&2
    cargo --version >/dev/null
}

# For static binaries.
need_musl() {
    need_rust
    command -v musl-gcc >/dev/null || apt musl-tools
    rustup target list --installed | grep -qx "$(uname -m)-unknown-linux-musl" || rustup target add "$(uname -m)-unknown-linux-musl" >&2
}

need_cxx() {
    command -v c++ >/dev/null || apt g++
}

need_python() {
    command -v python3 >/dev/null || apt python3
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        say "Python 3.10 or later is needed, found $(python3 --version)"
        return 1
    }
    python3 -c 'import venv, ensurepip' 2>/dev/null || apt python3-venv
}

need_curl() {
    command -v curl >/dev/null || apt curl
}

# Any Go that can fetch a newer one.
need_go() {
    command -v cc >/dev/null || apt gcc libc6-dev
    command -v go >/dev/null || apt golang-go ca-certificates
}

# What a node of Kubernetes runs on (tests/e2e/cluster).
need_cluster() {
    local missing=()
    command -v runc >/dev/null || missing+=(runc)
    command -v nft >/dev/null || missing+=(nftables)
    command -v ip >/dev/null || missing+=(iproute2)
    command -v openssl >/dev/null || missing+=(openssl)
    command -v unshare >/dev/null || missing+=(util-linux)
    command -v sysctl >/dev/null || missing+=(procps)
    command -v mount >/dev/null || missing+=(mount)
    [ ${#missing[@]} = 0 ] || apt "${missing[@]}"
}

need_node() {
    command -v npm >/dev/null || apt nodejs npm
}

for what in "$@"; do
    "need_$what"
done
