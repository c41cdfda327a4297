#!/bin/bash
# tests/server.sh [PROGRAM [ITEM...]] - phoenix-server on the wire, in a network namespace of its own
#
# Takes about a minute. TAP. Needs root (for the namespace and raw sockets) and python3; nothing leaves
# this machine and nothing stays behind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
program=${1:-${PX_BUILD:-$here/../build}/src/phoenix-server/phoenix-server}
[ $# -gt 0 ] && shift
for tool in python3 ip unshare; do
    command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "1..0 # SKIP needs root"; exit 0; }
[ -x "$program" ] || { echo "1..0 # SKIP '$program' is not built"; exit 0; }
ulimit -n 20000 2>/dev/null || true
# In a PID namespace too: servers end with the test, however it ends.
exec unshare --net --pid --fork --kill-child --mount-proc bash -c '
    ip link set lo up
    ip route add local 10.77.0.0/16 dev lo
    ip addr add 10.78.0.1/24 dev lo
    ip -6 addr add fd77::1/128 dev lo nodad 2>/dev/null || true
    PYTHONDONTWRITEBYTECODE=1 exec timeout 600 python3 "$@"' \
    sh "$here/server/conformance.py" "$program" "$@"
