#!/usr/bin/env bash
# Fails when a generated file is not what its generator writes. Works on a copy, so the tree is never changed.
set -euo pipefail
if ! git grep -q --untracked -E '^//go:generate ' -- '*.go' ':!internal/tools'; then
  echo "generate-check: no generators"
  exit 0
fi
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -zco --exclude-standard | while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done |
  tar --null -T - -cf - | tar -xf - -C "$copy"
(cd "$copy" && cp -a . ../"$(basename "$copy").want")
trap 'rm -rf "$copy" "$copy.want"' EXIT
(cd "$copy" && go generate ./...)
if ! diff -r -u "$copy.want" "$copy"; then
  echo "generate-check: run 'go generate ./...' and commit the result" >&2
  exit 1
fi
