#!/usr/bin/env bash
# What a list of NAMES names (1000000) costs resolvers: memory above that without a list, processor time and time on the wall until
# the first blocked answer. weir (bin/weir) beside Debian's unbound and dnsmasq, one after the other on the same machine.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps servers
names=${1:-1000000}
port=${PORT:-15353}
weir=${WEIR:-bin/weir}

for program in dig awk; do
  command -v "$program" >/dev/null || { echo "######## bench-lists: no $program (Debian: dnsutils, mawk): the peers are NOT measured"; exit 0; }
done
dir=$(mktemp -d)
server=
trap 'if [ -n "$server" ]; then kill "$server" || :; fi; rm -rf "$dir"' EXIT

# The same names as in blocklists/set/bench_test.go in kind: three or four labels, 20 octets.
awk -v n="$names" 'BEGIN {
  srand(7); split("com net example info xyz top co.uk org", tld)
  for (i = 0; i < n; i++) printf "www.%x-%05x.%s\n", i, int(rand() * 1048576), tld[int(rand() * 8) + 1]
}' >"$dir/names"
probe=$(sed -n "$((names / 2 + 1))p" "$dir/names")
awk '{ print "0.0.0.0 " $1 }' "$dir/names" >"$dir/hosts"
awk '{ print "local=/" $1 "/" }' "$dir/names" >"$dir/dnsmasq.list"
awk '{ print "local-zone: \"" $1 "\" always_nxdomain" }' "$dir/names" >"$dir/unbound.list"

config() { # weir's; $1 is "list" or nothing
  mkdir -p "$dir/weir$1"
  printf 'version: 1\ndata_dir: %s\nproxy: {listen: []}\nresolver: {listen: ["127.0.0.1:%d"]}\nadmin: {listen: ""}\n' "$dir/weir$1" "$port"
  if [ -n "$1" ]; then printf 'lists: [{name: bench, file: %s, format: hosts}]\n' "$dir/hosts"; fi
}
config "" >"$dir/weir.yaml"
config list >"$dir/weirlist.yaml"
for with in "" list; do
  printf 'server:\n username: ""\n chroot: ""\n directory: "%s"\n pidfile: ""\n use-syslog: no\n interface: 127.0.0.1\n port: %d\n num-threads: 1\nremote-control:\n control-enable: no\n' "$dir" "$port" >"$dir/unbound$with.conf"
  printf 'port=%d\nlisten-address=127.0.0.1\nbind-interfaces\nno-resolv\nno-hosts\nno-daemon\nuser=\npid-file=\n' "$port" >"$dir/dnsmasq$with.conf"
done
printf 'server:\n include: "%s"\n' "$dir/unbound.list" >>"$dir/unboundlist.conf"
printf 'conf-file=%s\n' "$dir/dnsmasq.list" >>"$dir/dnsmasqlist.conf"

# answer is the status of the answer for the probe; with nothing to ask upstream, only a blocked name is NXDOMAIN or an address.
answer() { dig @127.0.0.1 -p "$port" +tries=1 +time=1 "$probe" A 2>/dev/null | awk '/status:/ { sub(",", "", $6); print $6 }'; }

# run starts a server, waits for its answer and prints resident kB, processor ms and wall ms.
run() { # want, command...
  local want=$1 begin end status
  shift
  begin=$(date +%s%N)
  "$@" >"$dir/log" 2>&1 &
  server=$!
  while :; do
    status=$(answer) || : # not there yet
    case "$want:$status" in any:?* | blocked:NXDOMAIN | blocked:NOERROR) break ;; esac
    kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; server=; return 1; }
    [ $(($(date +%s%N) - begin)) -lt 120000000000 ] || { echo "no answer in two minutes" >&2; return 1; }
    sleep 0.02
  done
  end=$(date +%s%N)
  sleep 1 # what is given back at once after loading is not counted
  awk -v wall=$(((end - begin) / 1000000)) -v ticks="$(getconf CLK_TCK)" '
    FILENAME ~ /status$/ && /^VmRSS:/ { rss = $2 }
    FILENAME ~ /stat$/ { sub(/.*\) /, ""); cpu = ($12 + $13) * 1000 / ticks }
    END { print rss, cpu, wall }' "/proc/$server/status" "/proc/$server/stat"
  kill "$server"
  wait "$server" 2>/dev/null || :
  server=
}

compare() { # label, command without list, command with list
  local label=$1 command without with
  read -ra command <<<"$2"
  run any "${command[@]}" >"$dir/without"
  read -ra command <<<"$3"
  run blocked "${command[@]}" >"$dir/with"
  read -ra without <"$dir/without"
  read -ra with <"$dir/with"
  awk -v l="$label" -v a="${without[0]}" -v b="${with[0]}" -v n="$names" -v c="${with[1]}" -v w="${with[2]}" \
    'BEGIN { printf "%-24s %8.1f MB without, %8.1f with: %6.1f bytes a name; %6.2f s processor, %6.2f s wall to the first blocked answer\n", l, a / 1024, b / 1024, (b - a) * 1024 / n, c / 1000, w / 1000 }'
}

echo "a list of $names names:"
compare "weir, from the text" "$weir run -c $dir/weir.yaml" "$weir run -c $dir/weirlist.yaml"
compare "weir, saved" "$weir run -c $dir/weir.yaml" "$weir run -c $dir/weirlist.yaml"
for peer in unbound dnsmasq; do
  command -v "$peer" >/dev/null || { echo "######## bench-lists: no $peer (Debian package $peer): this peer is NOT measured"; continue; }
  case $peer in
    unbound) compare "unbound" "unbound -d -c $dir/unbound.conf" "unbound -d -c $dir/unboundlist.conf" ;;
    dnsmasq) compare "dnsmasq" "dnsmasq -C $dir/dnsmasq.conf" "dnsmasq -C $dir/dnsmasqlist.conf" ;;
  esac
done
