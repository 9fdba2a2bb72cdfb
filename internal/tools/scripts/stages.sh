#!/usr/bin/env bash
# Runs make targets one after the other, each with its time, and ends with one line of totals: the sum of every
# "N passed, N failed" that a target printed. Stops at the first target that fails.
set -uo pipefail
log=$(mktemp)
trap 'rm -f "$log"' EXIT
begin=$SECONDS
status=0
for stage in "$@"; do
  start=$SECONDS
  echo "== $stage"
  "${MAKE:-make}" -s --no-print-directory "$stage" 2>&1 | tee -a "$log"
  status=${PIPESTATUS[0]}
  echo "== $stage: $((SECONDS - start)) s"
  [ "$status" -eq 0 ] || { echo "== $stage FAILED"; break; }
done
read -r passed failed < <(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed.*/\1 \2/p' "$log" | awk '{p += $1; f += $2} END {print p + 0, f + 0}')
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
echo "== all: $((SECONDS - begin)) s"
echo "$passed passed, $failed failed"
exit "$status"
