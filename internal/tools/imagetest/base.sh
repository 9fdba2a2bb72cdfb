#!/usr/bin/env bash
# Makes sure that podman has an image called golang:1.26-bookworm, the base that the Dockerfile builds on. Where the real
# one is there, or WEIR_BASE=pull asks for it, that one is used. Otherwise a stand-in of the same name is made from
# debootstrap and the Go toolchain of this machine, once, and kept in podman's own storage.
set -euo pipefail
name=docker.io/library/golang:1.26-bookworm
mirror=${WEIR_MIRROR:-http://deb.debian.org/debian}
goroot=$(go env GOROOT)
version=$(go env GOVERSION)

have=$(podman image inspect -f '{{index .Labels "weir.standin"}}|{{.Id}}' "$name" 2>/dev/null || true)
case "$have" in
  "$version|"*) exit 0 ;;  # our stand-in, with this toolchain
  "|"* | "<no value>|"*) exit 0 ;;  # a real one
esac
if [ "${WEIR_BASE:-}" = pull ]; then
  exec podman pull -q "$name"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
echo "base: debootstrap and $version make a stand-in for $name"
if ! debootstrap --variant=minbase --include=ca-certificates bookworm "$work" "$mirror" >"$work.log" 2>&1; then
  tail -n 20 "$work.log" >&2
  exit 1
fi
rm -rf "$work.log" "$work"/var/cache/apt/archives/*.deb "$work"/var/lib/apt/lists/* "$work"/usr/share/{doc,locale,man}
mkdir -p "$work/usr/local/go"
cp -a "$goroot/." "$work/usr/local/go/"
chmod -R u+w "$work/usr/local/go"
# The build takes its modules from a copy of this machine's module cache, mounted at /modproxy; go.sum still checks them.
tar -C "$work" -cf - . | podman import -q \
  --change 'ENV PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'ENV GOPATH=/go' --change 'ENV GOPROXY=file:///modproxy' --change 'ENV GOSUMDB=off' \
  --change 'WORKDIR /go' --change "LABEL weir.standin=$version" \
  - "$name" >/dev/null
