#!/usr/bin/env bash
# usage: tests/e2e/cluster/aigw-image.sh BINARY FILE.tar [NAME]   makes the image that the chart asks for from a built `aigw`
set -euo pipefail
. "$(dirname "$0")/settings.sh"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
# Whom it trusts on the internet is what this machine trusts.
trusted=()
[ ! -f /etc/ssl/certs/ca-certificates.crt ] || trusted=(/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt)
strip --strip-debug -o "$folder/aigw" "$1"
python3 "$cluster/image.py" "$2" "${3:-$(chart_image image)}" --entrypoint '["/usr/local/bin/aigw"]' "$folder/aigw:/usr/local/bin/aigw" \
    "$repository/LICENSE:/usr/share/doc/aigw/LICENSE" "${trusted[@]}"
