#!/usr/bin/env bash
# Brings the programs that the tests drive. As root on Debian it installs what is missing, quietly and once; anywhere
# else it says what is missing, for the tests that need it will fail or be left out.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin # where Debian keeps nginx and debootstrap, also for those who are not root

# program=package
wanted=(
  curl=curl dig=dnsutils nginx=nginx-light chromium=chromium certutil=libnss3-tools openssl=openssl
  named=bind9 unbound=unbound dnsmasq=dnsmasq-base minisign=minisign shellcheck=shellcheck yamllint=yamllint git=git gcc=gcc make=make
  podman=podman runc=runc debootstrap=debootstrap
)

missing=() packages=()
for pair in "${wanted[@]}"; do
  if ! command -v "${pair%%=*}" >/dev/null 2>&1; then
    missing+=("${pair%%=*}") packages+=("${pair#*=}")
  fi
done
# A module of Debian's own Python is no program in PATH.
if ! /usr/bin/python3 -c 'import websockets' 2>/dev/null; then
  missing+=("python3-websockets") packages+=("python3-websockets")
fi
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -ne 0 ] || ! [ -e /etc/debian_version ] || ! command -v apt-get >/dev/null; then
  echo "setup: not root on Debian, nothing installed. Missing: ${missing[*]}"
  echo "setup: the tests that drive these programs will say so; install: ${packages[*]}"
  exit 0
fi

echo "setup: installing ${packages[*]}"
log=$(mktemp)
# Some of these are daemons (bind9, unbound, nginx), which Debian starts on ports 53 and 80 as it installs them. The tests start them
# on ports of their own: nothing is to run beside, least of all on a machine that somebody works on. A policy that is there stays.
policy=/usr/sbin/policy-rc.d # asked by invoke-rc.d and deb-systemd-invoke; 101 is "do not" (policy-rc.d(8))
mark='# of setup.sh of weir, only while it installs'
ours=
cleanup() {
  rm -f "$log"
  if [ -n "$ours" ]; then rm -f "$policy"; fi
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
if [ -f "$policy" ] && grep -qxF "$mark" "$policy"; then # of a run that was killed
  rm -f "$policy"
fi
if ! [ -e "$policy" ] && ! [ -L "$policy" ]; then
  ours=yes
  printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# libc6-dev is what the race detector links with; ca-certificates is what curl trusts.
if ! { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}" libc6-dev ca-certificates; } >"$log" 2>&1; then
  cat "$log"
  echo "setup: apt-get failed; tests that need ${missing[*]} will fail" >&2
  exit 1
fi
# They are not to come up at the next boot either.
for pair in bind9=named unbound=unbound nginx-light=nginx; do
  case " ${packages[*]} " in *" ${pair%%=*} "*) ;; *) continue ;; esac
  if command -v systemctl >/dev/null; then
    now=()
    if [ -d /run/systemd/system ]; then now=(--now); fi # else there is nothing that runs services
    systemctl disable --quiet "${now[@]}" "${pair#*=}.service" || echo "setup: ${pair#*=} could not be disabled" >&2
  fi
done
