# tests/lib.sh - what the integration tests share: TAP, a host of their own, clean-up. To be sourced.
#
#     . "$(dirname "$0")/lib.sh"
#     needs_root; pxt_host net
#     ok "bridge appears" phoenix net up
#     is "it has the first address" "$(addr)" "10.199.1.1/24"
#     done_testing
#
# A port that a program of a test listens on lies below 32768: those above are the kernel's, who gives them to
# clients, and one of a connection that ended a minute ago cannot be listened on.
#
# $PX_BUILD: the programs. $PX_TEST_ROOM: a directory for this run, made by tests/run, removed after.
# Every test works with a host file of its own (state, run directory, bridge, ids, range); images are
# shared over the run, built by the first test that needs one.
set -u
: "${PX_SOURCE:=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}"
: "${PX_BUILD:=$PX_SOURCE/build}"
export PATH="$PX_BUILD/src/phoenix:$PATH:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8 NO_COLOR=1
if [ -z "${PX_TEST_ROOM:-}" ]; then
    PX_TEST_ROOM=$(mktemp -d /var/tmp/pxt-XXXXXX)
    pxt_own_room=1
    echo "$$ $(cut -d ' ' -f 22 /proc/$$/stat)" >"$PX_TEST_ROOM/owner" # see tests/run
fi
pxt_name=$(basename "$0" .sh)
pxt_dir=$PX_TEST_ROOM/$pxt_name
mkdir -p "$pxt_dir"
pxt_n=0 pxt_bad=0 pxt_done=0

note() { sed 's/^/# /'; }

pxt_report() { # STATUS NAME
    pxt_n=$((pxt_n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $pxt_n - $2"
    else
        echo "not ok $pxt_n - $2"
        pxt_bad=$((pxt_bad + 1))
        [ ! -s "$pxt_dir/out" ] || head -c 4000 "$pxt_dir/out" | note
    fi
}

# ok NAME COMMAND...: it succeeds. Its output is in $out.
ok() {
    local name=$1 status=0
    shift
    "$@" >"$pxt_dir/out" 2>&1 </dev/null || status=$?
    out=$(cat "$pxt_dir/out")
    pxt_report $status "$name"
    return $status
}

# fails CODE NAME COMMAND...: it ends with that exit code.
fails() {
    local code=$1 name=$2 status=0
    shift 2
    "$@" >"$pxt_dir/out" 2>&1 </dev/null || status=$?
    out=$(cat "$pxt_dir/out")
    [ $status = "$code" ] || echo "# exit code $status, expected $code"
    [ $status = "$code" ]
    pxt_report $? "$name"
}

# is NAME FOUND WANTED
is() {
    : >"$pxt_dir/out"
    [ "$2" = "$3" ]
    local status=$?
    [ $status = 0 ] || printf 'found:  %s\nwanted: %s\n' "$2" "$3" | note
    pxt_report $status "$1"
}

# has NAME TEXT PART
has() {
    : >"$pxt_dir/out"
    local status=0
    [[ "$2" == *"$3"* ]] || status=1
    [ $status = 0 ] || printf "'%s' is not in:\n%s\n" "$3" "$2" | note
    pxt_report $status "$1"
}

# lacks NAME TEXT PART
lacks() {
    : >"$pxt_dir/out"
    local status=0
    [[ "$2" != *"$3"* ]] || status=1
    [ $status = 0 ] || printf "'%s' is in:\n%s\n" "$3" "$2" | note
    pxt_report $status "$1"
}

# skip NAME REASON. Reasons that begin with "host:" are allowed in CI.
skip() {
    pxt_n=$((pxt_n + 1))
    echo "ok $pxt_n - $1 # SKIP $2"
}

# skip_all REASON: nothing of this file can run.
skip_all() {
    echo "1..0 # SKIP $1"
    pxt_done=1
    exit 0
}

needs_root() {
    [ "$(id -u)" = 0 ] || skip_all "needs root"
}

done_testing() {
    echo "1..$pxt_n"
    pxt_done=1
    exit $((pxt_bad > 0))
}

# wait_for SECONDS COMMAND...: until it succeeds. A minute at least: what has to come is late on a busy machine.
wait_for() {
    local until=$(($(date +%s) + ($1 > 60 ? $1 : 60)))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $until ] || return 1
        sleep 0.1
    done
}

# pxt_host TAG [YAML LINES]: makes a host file and exports PHOENIX_HOST_FILE. Bridge, range and ids
# follow from TAG's place in this list, so that two tests never share one.
pxt_host() {
    local tags=(life net backend image up kill boot limits audit misc1 misc2 misc3 desktop gpu verify) i n=99
    for i in "${!tags[@]}"; do
        [ "${tags[$i]}" != "$1" ] || n=$i
    done
    pxt_bridge=pxt$n pxt_range=10.199.$n.0/24 pxt_gateway=10.199.$n.1
    pxt_state=$pxt_dir/$1-state pxt_run=/run/pxt-$$-$1
    mkdir -p "$pxt_state" "$PX_TEST_ROOM/images"
    chmod 711 "$PX_TEST_ROOM" "$pxt_dir"
    [ -e "$pxt_state/images" ] || ln -s "$PX_TEST_ROOM/images" "$pxt_state/images"
    cat >"$pxt_dir/$1.yaml" <<END
state_dir: $pxt_state
run_dir: $pxt_run
recipes_dir: $PX_SOURCE/recipes
ids: {first: $((1500000000 + n * 10000000)), count: 6553600, reserve: false}
network: {bridge: $pxt_bridge, range: $pxt_range}
server: {run: false}
${2:-}
END
    export PHOENIX_HOST_FILE=$pxt_dir/$1.yaml
    echo "$PHOENIX_HOST_FILE" >>"$PX_TEST_ROOM/hosts"
}

# The image for tests, built once per run.
needs_minimal() {
    phoenix image show minimal >/dev/null 2>&1 && return
    phoenix image build minimal >"$pxt_dir/build.log" 2>&1 </dev/null && return
    tail -n 40 "$pxt_dir/build.log" | note
    echo "Bail out! the image 'minimal' cannot be built"
    exit 1
}

# Takes away whatever the hosts of this test still have.
pxt_clean() {
    local host
    [ -f "$PX_TEST_ROOM/hosts" ] || return 0
    while read -r host; do
        [[ $host == $pxt_dir/* ]] || continue
        phoenix --host-file "$host" rm '*' --yes --quiet >/dev/null 2>&1 </dev/null
        phoenix --host-file "$host" net down --quiet >/dev/null 2>&1 </dev/null
        rm -rf "$(sed -n 's/^run_dir: //p' "$host")"
    done <"$PX_TEST_ROOM/hosts"
}

# What a test has mounted in its room, the last first: rm would go into it, or stop there.
pxt_unmount() {
    local at
    cut -d ' ' -f 5 /proc/self/mountinfo | grep -F "$PX_TEST_ROOM/" | tac | while read -r at; do
        umount -l "$at"
    done
}

pxt_end() {
    local status=$?
    pxt_clean
    if [ -n "${pxt_own_room:-}" ]; then
        pxt_unmount
        rm -rf --one-file-system "$PX_TEST_ROOM"
    fi
    if [ $pxt_done = 0 ]; then
        echo "Bail out! $0 ended early"
        [ $status != 0 ] || status=1
    fi
    exit $status
}
trap pxt_end EXIT
trap 'exit 143' TERM INT HUP
