#!/usr/bin/env bash
# usage: tests/e2e/cluster/images.sh   makes the images that every cluster has (pause, coredns, Envoy) once, and prints their folder
set -euo pipefail
. "$(dirname "$0")/settings.sh"
"$repository/scripts/need.sh" python rust
built="$(tools_built)"
envoy="$("$repository/scripts/envoy.sh")"

key="$({ cat "$cluster/image.py" "$cluster/pause.c"; basename "$built"; chart_image envoyImage; stat -c '%s %Y' "$envoy"; } | sha256sum | cut -c1-12)"
folder="$cache/cluster-images-$key"
if [ ! -f "$folder/complete" ]; then
    mkdir -p "$cache"
    find "$cache" -maxdepth 1 -name 'cluster-images-*' ! -name "*-$key*" -mmin +120 -exec rm -rf {} +
    new="$(mktemp -d "$cache/cluster-images-new.XXXXXX")"
    image() { python3 "$cluster/image.py" "$new/$1.tar" "$2" --entrypoint "[\"/usr/local/bin/$1\"]" "$3:/usr/local/bin/$1" "${@:4}"; }
    cc -static -Os -s -o "$new/pause" "$cluster/pause.c"
    image pause e2e.local/pause:1 "$new/pause"
    image coredns e2e.local/coredns:1 "$built/coredns"
    image envoy "$(chart_image envoyImage)" "$envoy"
    rm "$new/pause"
    touch "$new/complete"
    chmod 755 "$new"
    rm -rf "$folder"
    mv "$new" "$folder"
fi
echo "$folder"
