#!/usr/bin/env bash
# Runs every native fuzz target in turn: fuzz.sh TIME BUDGET
#   TIME    per target at most, in seconds (a trailing "s" is allowed), or a number of inputs ("100x"), which no budget bounds
#   BUDGET  for all targets together, in seconds; 0 = no bound. Each target gets at least one second.
set -euo pipefail
time=${1%s} budget=${2%s} unit=s
if [[ $time = *x ]]; then
  time=${time%x} unit=x budget=0
fi

# tests/file.go:func FuzzX( -> "dir FuzzX"
mapfile -t targets < <(git ls-files -co --exclude-standard -- '*_test.go' | while read -r f; do
  [ -f "$f" ] || continue
  sed -n "s|^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing.F).*|$(dirname "$f") \1|p" "$f"
done | sort -u)
if [ ${#targets[@]} -eq 0 ]; then
  echo "fuzz: no targets"
  exit 0
fi
if [ "$budget" -gt 0 ] && [ $((time * ${#targets[@]})) -gt "$budget" ]; then
  time=$((budget / ${#targets[@]}))
  [ "$time" -ge 1 ] || time=1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The fuzzer sometimes reports its own deadline as a failure when it stops; nothing was found then, so it runs once more.
run() {
  local dir=$1 name=$2
  go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$time$unit" -fuzzminimizetime 10s >"$log" 2>&1 && return 0
  grep -q 'context deadline exceeded' "$log" && ! grep -q 'Failing input written' "$log" || return 1
  go test "./$dir" -run '^$' -fuzz "^$name\$" -fuzztime "$time$unit" -fuzzminimizetime 10s >"$log" 2>&1
}

failed=0 start=$SECONDS
for t in "${targets[@]}"; do
  read -r dir name <<<"$t"
  if ! run "$dir" "$name"; then
    failed=$((failed + 1))
    echo "--- FAIL: $name ($dir)"
    cat "$log"
  fi
done
echo "fuzz: $time$unit for each target, $((SECONDS - start)) s in all"
echo "$((${#targets[@]} - failed)) passed, $failed failed"
[ "$failed" -eq 0 ]
