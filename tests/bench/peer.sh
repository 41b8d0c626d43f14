#!/bin/bash
# Runs Troupe as a peer beside other servers, for measuring: Release build, domain localhost, loopback only.
#
#   peer.sh install|start|stop|pid|data|port|adduser-range A..B [PASSWORD]
#
# Environment:
#   PEER_DATA   folder for everything that is written; default a new temporary one, remembered for later subcommands
#   PEER_PORT   port for clients on 127.0.0.1, default 5922
#   PEER_MAM    1 (default): message archives on, 0: off (there are none yet: both are the same)
#   PEER_BUILD  where the build is, default build/ of the source tree
#   PEER_SHARDS, PEER_REACTORS, PEER_THREADS   storage.shards, c2s.reactor_threads, scheduler.max-threads
#   XLOAD       the load tool that adduser-range uses, default xload on the PATH
#
# Open registration, no limits per address, STARTTLS offered and not required with a self-signed ECDSA certificate.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=${PEER_BUILD:-$root/build}
remembered="${TMPDIR:-/tmp}/peer-troupe.data"
PEER_PORT=${PEER_PORT:-5922}
PEER_MAM=${PEER_MAM:-1}

if [ -z "${PEER_DATA:-}" ]; then
  if [ "${1:-}" != start ] && [ -f "$remembered" ]; then
    PEER_DATA=$(cat "$remembered")
  else
    PEER_DATA=$(mktemp -d "${TMPDIR:-/tmp}/peer-troupe.XXXXXX")
  fi
fi

alive() { # a zombie that nobody has reaped yet is not alive
  [ -f "$PEER_DATA/pids" ] && grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(cat "$PEER_DATA/pids")/status" 2>/dev/null
}

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$PEER_PORT") 2>/dev/null; }

write_configuration() {
  {
    echo '[server]'
    echo 'data_folder = "data"'
    echo '[listen]'
    echo "c2s = [\"127.0.0.1:$PEER_PORT\"]"
    echo 'c2s_tls = []'
    echo 'backlog = 65535'
    echo 'per_address_max = 0'
    echo 'per_address_per_minute = 0'
    echo 'unauthenticated_max = 1000000'
    echo '[tls]'
    echo 'required = false'
    echo '[sign_in]'
    echo 'registrations_per_address_per_hour = 0'
    echo 'backoff_after = 1000000'
    echo '[log]'
    echo 'format = "json"'
    if [ -n "${PEER_REACTORS:-}" ]; then
      echo '[c2s]'
      echo "reactor_threads = $PEER_REACTORS"
    fi
    if [ -n "${PEER_SHARDS:-}" ]; then
      echo '[storage]'
      echo "shards = $PEER_SHARDS"
    fi
    if [ -n "${PEER_THREADS:-}" ]; then
      echo '[scheduler]'
      echo "max-threads = $PEER_THREADS"
    fi
    echo '[hosts.main]'
    echo 'name = "localhost"'
    echo 'certificate_files = ["data/certificate.pem"]'
    echo 'key_files = ["data/key.pem"]'
    echo 'registration = "open"'
    echo 'offline_messages_max = 5000'
    echo 'offline_bytes_max = 268435456'
  } >"$PEER_DATA/troupe.conf"
}

start() {
  if alive; then
    echo "troupe runs already" >&2
    return 1
  fi
  if answers; then
    echo "port $PEER_PORT is taken" >&2
    return 1
  fi
  mkdir -p "$PEER_DATA"
  echo "$PEER_DATA" >"$remembered"
  ulimit -n "$(ulimit -Hn)"
  write_configuration
  "$build/troupe" init --config "$PEER_DATA/troupe.conf" >/dev/null # folder and certificate
  cd "$PEER_DATA"
  "$build/troupe" serve --config "$PEER_DATA/troupe.conf" >"$PEER_DATA/out.log" 2>&1 </dev/null &
  echo $! >"$PEER_DATA/pids"
  for _ in $(seq 1 300); do
    alive || break
    answers && return 0
    sleep 0.1
  done
  echo "troupe does not listen on port $PEER_PORT:" >&2
  tail -n 5 "$PEER_DATA/out.log" >&2
  return 1
}

stop() {
  [ -f "$PEER_DATA/pids" ] || return 0
  kill "$(cat "$PEER_DATA/pids")" 2>/dev/null || true
  for _ in $(seq 1 300); do
    alive || break
    sleep 0.1
  done
  if alive; then
    kill -9 "$(cat "$PEER_DATA/pids")" 2>/dev/null || true
  fi
  rm -f "$PEER_DATA/pids"
}

case "${1:-}" in
  install)
    make -C "$root" --no-print-directory server BUILD="$build" SANITIZE= >&2
    "$build/troupe" version
    ;;
  start) start ;;
  stop) stop ;;
  pid) paste -sd, "$PEER_DATA/pids" ;;
  data) echo "$PEER_DATA" ;;
  port) echo "$PEER_PORT" ;;
  adduser-range)
    "${XLOAD:-xload}" register --port "$PEER_PORT" --users "$2" --password "${3:-secret}" --concurrency 20
    ;;
  *)
    echo "usage: $0 install|start|stop|pid|data|port|adduser-range A..B [PASSWORD]" >&2
    exit 2
    ;;
esac
