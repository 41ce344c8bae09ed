#!/usr/bin/env bash
# usage: scripts/generated.sh [--check]   writes (or checks) the parts of committed files that a program generates
set -euo pipefail
cd "$(dirname "$0")/.."

# replace FILE NAME COMMAND … : puts the command's output between `<!-- NAME:begin -->` and `<!-- NAME:end -->`.
replace() {
    local file=$1 name=$2
    shift 2
    grep -q "<!-- $name:begin -->" "$file" 2>/dev/null || return 0
    local text fresh
    text="$("$@")"
    fresh="$(mktemp)"
    NAME="$name" TEXT="$text" awk '
        $0 == "<!-- " ENVIRON["NAME"] ":end -->" { inside = 0 }
        !inside { print }
        $0 == "<!-- " ENVIRON["NAME"] ":begin -->" { inside = 1; print ENVIRON["TEXT"] }
    ' "$file" >"$fresh"
    if [ "$mode" = --check ]; then
        diff -u "$file" "$fresh" || {
            rm -f "$fresh"
            echo "$file is out of date: run scripts/generated.sh" >&2
            exit 1
        }
        rm -f "$fresh"
        echo "$file: $name is up to date"
    else
        cat "$fresh" >"$file"
        rm -f "$fresh"
    fi
}

# whole FILE COMMAND … : the file is what the command prints.
whole() {
    local file=$1
    shift
    local fresh
    fresh="$(mktemp)"
    "$@" >"$fresh"
    if [ "$mode" = --check ]; then
        diff -u "$file" "$fresh" || {
            rm -f "$fresh"
            echo "$file is out of date: run scripts/generated.sh" >&2
            exit 1
        }
    else
        mkdir -p "${file%/*}"
        cat "$fresh" >"$file"
    fi
    rm -f "$fresh"
}

# crds FOLDER KIND=FILE … : a file for each kind's definition, and no other file.
crds() {
    local folder=$1 pair
    shift
    for pair in "$@"; do
        whole "$folder/${pair#*=}.yaml" cargo run --quiet --locked -p aigw -- crds --only "${pair%=*}"
    done
    diff <(printf '%s.yaml\n' "${@#*=}" | sort) <(find "$folder" -maxdepth 1 -name '*.yaml' -printf '%f\n' | sort) || {
        echo "$folder has files of kinds that are not among those of scripts/generated.sh" >&2
        exit 1
    }
    echo "$folder is up to date"
}

mode="${1:-}"
replace README.md providers cargo run --quiet --locked -p aigw -- providers --markdown
crds manifests/crds AIGatewayRoute=aigatewayroutes AIServiceBackend=aiservicebackends \
    BackendSecurityPolicy=backendsecuritypolicies GatewayConfig=gatewayconfigs \
    MCPRoute=mcproutes QuotaPolicy=quotapolicies
crds manifests/crds/envoy-gateway Backend=backends BackendTrafficPolicy=backendtrafficpolicies \
    ClientTrafficPolicy=clienttrafficpolicies EnvoyProxy=envoyproxies SecurityPolicy=securitypolicies
