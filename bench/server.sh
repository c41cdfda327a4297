#!/bin/bash
# bench/server.sh [OFFICIAL_DIR] - measures phoenix-server; with hbbs and hbbr of the official server in
# OFFICIAL_DIR (built from its public source) the same load on them, in the same run
#
# Runs in a network namespace of its own; needs root. REALTIME=1 lets servers and load go before all
# other work of the machine; SECS, IDLE, PAIRS, PEERS and PEERS_OFFICIAL make it shorter or longer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=${PX_BUILD:-$here/../build}
if [ -z "${PX_IN_NAMESPACE:-}" ]; then
    PX_IN_NAMESPACE=1 exec unshare --net "$0" "$@"
fi
ip link set lo up
ip route add local 10.77.0.0/16 dev lo
ulimit -n 20000
official=${1:-}
load=$build/bench/server-load
[ -z "${REALTIME:-}" ] || first="chrt -r 5"
first=${first:-}
dir=$(mktemp -d)
secs=${SECS:-5}
pids=""
finish() {
    for p in $pids; do kill "$p" 2>/dev/null || true; done
    wait
    rm -rf "$dir"
}
trap finish EXIT

start_ours() { # flags...
    rm -f "$dir/ours.out"
    $first "$build/src/phoenix-server/phoenix-server" --data-dir="$dir/ours" --bind=10.77.0.1 --port=31116 \
        --log-level=error --connection-rate=0 --connections-per-source=0 --max-connections=60000 "$@" \
        >"$dir/ours.out" 2>"$dir/ours.err" &
    ours=$!
    pids="$pids $ours"
    until grep -qs Key "$dir/ours.out"; do sleep 0.1; done
    key=$(sed -n 's/^Key: *//p' "$dir/ours.out")
}

stop() {
    kill "$1"
    wait "$1" 2>/dev/null || true
}

start_official() {
    mkdir -p "$dir/official"
    (cd "$dir/official" && RUST_LOG=error exec $first "$official/hbbs" -b 10.77.0.2 -p 32116 -k "$key" \
        >hbbs.out 2>&1) &
    hbbs=$!
    (cd "$dir/official" && RUST_LOG=error TOTAL_BANDWIDTH=1000000 SINGLE_BANDWIDTH=1000000 \
        LIMIT_SPEED=1000000 exec $first "$official/hbbr" -b 10.77.0.2 -p 32117 -k "$key" >hbbr.out 2>&1) &
    hbbr=$!
    pids="$pids $hbbs $hbbr"
    sleep 2
}

say() { # who, what, load's arguments
    who=$1 what=$2
    shift 2
    printf '%-9s %-34s ' "$who" "$what"
    $first "$load" "$@" || echo failed
}

both() { # what, mode, id|relay, N, seconds
    if [ "$3" = id ]; then
        say phoenix "$1" "$2" 10.77.0.1 31116 "$key" "$ours" "$4" "$5"
        [ -z "$official" ] || say official "$1" "$2" 10.77.0.2 32116 "$key" "$hbbs" "$4" "$5"
    else
        say phoenix "$1" "$2" 10.77.0.1 31117 "$key" "$ours" "$4" "$5"
        [ -z "$official" ] || say official "$1" "$2" 10.77.0.2 32117 "$key" "$hbbr" "$4" "$5"
    fi
}

echo "# $(nproc) processors, $(uname -r), load $(cut -d' ' -f1-3 /proc/loadavg)"
start_ours
[ -z "$official" ] || start_official
both "heartbeats, 3000 devices" heartbeat id 3000 "$secs"
both "connection request, nobody else" punch id 0 0
both "connection request, ${IDLE:-10000} idle" punch id "${IDLE:-10000}" 0
both "relay, 1 pair" relay relay 1 "$secs"
both "relay, 50 pairs" relay relay 50 "$secs"
both "small frames, 1 pair" echo relay 1 "$secs"
both "small frames, ${PAIRS:-1000} pairs" echo relay "${PAIRS:-1000}" "$secs"
stop "$ours"
rm -rf "$dir/ours"
start_ours --register-burst=0 --register-ids-per-day=0 --max-peers=3000000
n=${PEERS:-1000000}
say phoenix "memory, $((n / 1000))k devices" peers 10.77.0.1 31116 "$key" "$ours" "$n" 0
stop "$ours"
before=$(date +%s%N)
start_ours
echo "phoenix   restart with these, until they can be reached: $((($(date +%s%N) - before) / 1000000)) ms"
if [ -n "$official" ]; then # it writes each device to its database before it answers
    stop "$hbbs"
    stop "$hbbr"
    rm -rf "$dir/official"
    start_official
    n=${PEERS_OFFICIAL:-20000}
    say official "memory, $((n / 1000))k devices" peers 10.77.0.2 32116 "$key" "$hbbs" "$n" 0
    echo "official  restart: none can be reached before it registers again, 15 s later at the latest"
fi
echo "# load at the end $(cut -d' ' -f1-3 /proc/loadavg)"
