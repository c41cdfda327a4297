#!/bin/bash
# tests/kill.sh - SIGKILL, SIGINT and SIGTERM at each named step of up, SIGKILL at those of rm: the rerun finishes, nothing is left over
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host kill
needs_minimal

file=$pxt_dir/one.yaml
printf 'desktops:\n  - {name: pxt-k, image: minimal, memory: 256MiB}\n' >"$file"

leftovers() { # what a removed desktop must not leave
    grep "$pxt_state/desktops" /proc/self/mountinfo
    ip -o link show master "$pxt_bridge" 2>/dev/null
    find /sys/fs/cgroup -maxdepth 4 -type d -name "*$pxt_bridge-*"
    ls "$pxt_state/desktops"
    ps -eo args | grep -F "$pxt_bridge-pxt-k" | grep -v grep
}

# The names of the steps are what a run goes through: none is forgotten here when one is added.
steps_of() { phoenix -v -v "$@" 2>&1 </dev/null | sed -n 's/.*step \([a-z.-]*\).*/\1/p' | awk '!seen[$0]++'; }
up_steps=$(steps_of up "$file")
rm_steps=$(steps_of rm --yes pxt-k)
ok "up goes through steps" test "$(echo "$up_steps" | wc -l)" -ge 10
ok "rm goes through steps" test "$(echo "$rm_steps" | wc -l)" -ge 5
is "a plain run leaves nothing" "$(leftovers)" ""

# up_at SIGNAL STEP: up, which gets the signal at that step. Succeeds if that ended it, or if it did not come to net.noted:
# it does not while somebody else on this machine wants routing.
up_at() {
    ! PHOENIX_TEST_STEP=$2=$1 env --default-signal=INT phoenix -v -v up "$file" >"$pxt_dir/killed" 2>&1 </dev/null ||
        { [ "$2" = net.noted ] && ! grep -q "step $2\$" "$pxt_dir/killed"; }
}

for step in $up_steps; do
    phoenix net down --quiet # or its steps have nothing to do
    ok "killed at $step: up says so" up_at KILL "$step"
    ok "killed at $step: the next up finishes" phoenix up "$file"
    ok "killed at $step: it runs" phoenix exec pxt-k -- true
    ok "killed at $step: rm cleans" phoenix rm --yes pxt-k
    is "killed at $step: nothing is left" "$(leftovers)" ""
done
for step in up.allocate up.create start.run; do
    PHOENIX_TEST_STEP=$step=KILL phoenix up "$file" >/dev/null 2>&1 </dev/null
    ok "killed at $step: rm without another up cleans" phoenix rm --yes pxt-k
    is "killed at $step: nothing is left after rm" "$(leftovers)" ""
done
# (A shell's background ignores SIGINT, and who is started so goes on ignoring it.) Ctrl-C there, and SIGTERM in the up that is to finish it (where it still comes to that step).
for step in $up_steps; do
    phoenix net down --quiet
    ok "SIGINT at $step ends it" up_at INT "$step"
    PHOENIX_TEST_STEP=$step=TERM phoenix up "$file" >"$pxt_dir/out2" 2>&1 </dev/null
    ok "both at $step: the next up finishes" phoenix up "$file"
    ok "both at $step: rm cleans" phoenix rm --yes pxt-k
    is "both at $step: nothing is left" "$(leftovers)" ""
done
for step in $rm_steps; do
    ok "up before rm is killed at $step" phoenix up "$file"
    PHOENIX_TEST_STEP=$step=KILL phoenix rm --yes pxt-k >/dev/null 2>&1 </dev/null
    if [ -e "$pxt_state/desktops/pxt-k" ]; then
        ok "rm killed at $step: rm again finishes" phoenix rm --yes pxt-k
    fi
    is "rm killed at $step: nothing is left" "$(leftovers)" ""
done

# Two at once: one waits for the other, both are content.
PHOENIX_TEST_STEP=up.plan=STOP phoenix up "$file" >"$pxt_dir/first" 2>&1 </dev/null &
first=$!
ok "the first up has come to its step" wait_for 60 sh -c "grep -q T /proc/$first/stat"
phoenix up "$file" >"$pxt_dir/second" 2>&1 </dev/null &
second=$!
ok "the second says who holds the lock" wait_for 60 grep -qF "locked by another process ($first " "$pxt_dir/second"
phoenix image rm minimal >"$pxt_dir/third" 2>&1 </dev/null &
third=$!
ok "and so does who wants to remove its image" wait_for 60 grep -qF "locked by another process ($first " "$pxt_dir/third"
kill -CONT $first
ok "the first finishes" wait $first
ok "and then the second" wait $second
wait $third
is "and the image stays: a desktop has come to use it" "$? $(grep -c 'in use by a desktop' "$pxt_dir/third")" "1 1"
done_testing
