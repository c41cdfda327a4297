#!/bin/bash
# tests/boot.sh - installed on a machine with systemd: units, reboot, power failure, and who comes back
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host boot
needs_minimal
[ -x /lib/systemd/systemd ] || skip_all "needs systemd"

room=$pxt_dir/room
machine_pid= boots=0
cgroups() { findmnt -rn -t cgroup,cgroup2 -o TARGET; }
systemd_pid() { pgrep -P "$machine_pid" | head -n 1; }
in_machine() { nsenter -t "$(systemd_pid)" --all -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "$@" </dev/null; }
is_up() { in_machine systemctl is-system-running | grep -qE 'running|degraded'; }
power_on() {
    boots=$((boots + 1))
    clear_cgroups
    "$PX_SOURCE/tests/boot/machine" "$room" >"$pxt_dir/machine.$boots" 2>&1 </dev/null &
    machine_pid=$!
    wait_for 120 is_up
}
power_off() { # what a failure of power does
    kill -KILL "$machine_pid"
    wait "$machine_pid" 2>/dev/null
    machine_pid=
}
clear_cgroups() { # a machine's go with its power
    local dir
    for dir in $(cgroups); do
        [ ! -d "$dir/pxt-boot" ] || wait_for 20 sh -c "find '$dir/pxt-boot' -depth -type d -exec rmdir {} + 2>/dev/null; [ ! -d '$dir/pxt-boot' ]"
    done
}
end_machine() {
    [ $pxt_bad = 0 ] || tail -n 40 "$room/console" | note
    [ $pxt_bad = 0 ] || in_machine journalctl -b --no-pager -o cat -n 80 2>&1 | note
    [ -z "$machine_pid" ] || power_off
    clear_cgroups
    umount -l "$room" 2>/dev/null
    pxt_end
}
trap end_machine EXIT
state() { in_machine phoenix ls --json "$1" | jq -r '.desktops[0].state'; }
fact() { in_machine phoenix show --json "$1" | jq -r ".desktops[0]$2"; }

mkdir -p "$room"
mount -t tmpfs -o mode=755 pxt-boot "$room"
mkdir -p "$room/upper" "$room/work" "$room/root" "$pxt_dir/data/images"
ln -s "$pxt_dir/data" "$room/state"
ln -s "$PX_TEST_ROOM/images" "$room/images"

# --- the units
ok "it installs" env DESTDIR="$room/upper" meson install -C "$PX_BUILD" --no-rebuild --quiet
for unit in phoenix-desktops phoenix-gpu phoenix-server phoenix-relay; do
    ok "$unit.service is there" test -f "$room/upper/usr/lib/systemd/system/$unit.service"
done
ok "the machine starts" power_on
is "under systemd" "$(in_machine cat /proc/1/comm)" systemd
ok "which finds nothing wrong with the units" in_machine systemd-analyze verify --man=no \
    phoenix-desktops.service phoenix-gpu.service phoenix-server.service phoenix-relay.service
is "and says nothing" "$out" ""
ok "they can be enabled" in_machine systemctl enable --now phoenix-desktops.service
is "the one for cards comes along" "$(in_machine systemctl is-enabled phoenix-gpu.service)" enabled

# --- the first desktops
cat >"$room/upper/lab.yaml.new" <<'END'
defaults: {image: minimal, memory: 256MiB}
desktops:
  - name: pxt-on
  - name: pxt-off
  - {name: pxt-manual, autostart: false}
END
in_machine mv /lab.yaml.new /root/lab.yaml
ok "up makes desktops" in_machine phoenix up /root/lab.yaml
is "the server is a unit" "$(in_machine systemctl is-active phoenix-server-phoenix0.service)" active
lacks "and up has nothing to complain of" "$out" "no remote access"
pid=$(in_machine systemctl show -P MainPID phoenix-server-phoenix0.service)
is "not root's" "$(in_machine awk '/^Uid|^CapPrm|^CapEff|^NoNewPrivs/ {print $2}' "/proc/$pid/status" | xargs)" \
    "$(in_machine stat -c %u /var/lib/phoenix/server) 0000000000000000 0000000000000000 1"
ok "one is stopped" in_machine phoenix stop pxt-off
ok "somebody works in the other" in_machine phoenix exec pxt-on --user root -- sh -c 'echo kept >/root/kept
    printf "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=touch /root/clean\n" >/etc/systemd/system/pxt.service
    systemctl start pxt.service'

# From a clone in a closed folder, as a first try goes.
in_machine sh -c "install -d -m 700 /root/clone && cp '$PX_BUILD/src/phoenix/phoenix' '$PX_BUILD/src/phoenix-server/phoenix-server' /root/clone &&
    printf 'state_dir: /root/clone/state\nrun_dir: /run/pxt-clone\nserver: {port: 31116}\nnetwork: {bridge: pxtc, range: 10.199.99.0/24}\nids: {first: 1500000000, count: 655360, reserve: false}\n' >/root/clone/host.yaml &&
    echo 'desktops: []' >/root/clone/none.yaml"
ok "up out of a closed folder" in_machine /root/clone/phoenix --host-file /root/clone/host.yaml up /root/clone/none.yaml
lacks "has nothing to complain of" "$out" "no remote access"
is "its server runs" "$(in_machine systemctl is-active phoenix-server-pxtc.service)" active
ok "net down ends it" in_machine /root/clone/phoenix --host-file /root/clone/host.yaml net down
is "so it does" "$(in_machine systemctl is-active phoenix-server-pxtc.service)" inactive

# --- whatever comes to an end around them
init=$(fact pxt-on .init_pid)
printf '[Service]\nType=oneshot\nExecStart=/usr/sbin/phoenix start pxt-off\n' >"$pxt_dir/caller"
in_machine sh -c "cat '$pxt_dir/caller' >/etc/systemd/system/pxt-caller.service && systemctl daemon-reload"
ok "a desktop is started by some service" in_machine systemctl start pxt-caller.service
is "which it outlives" "$(state pxt-off)" running
in_machine systemctl daemon-reexec
in_machine systemctl restart phoenix-server-phoenix0.service
is "and systemd itself, started anew" "$(fact pxt-on .init_pid)" "$init"
ok "one is stopped" in_machine phoenix stop pxt-off

# --- a reboot
down() { # HOW: the exit status of what was PID 1
    in_machine systemctl "$1" 2>/dev/null
    local status=0
    timeout 100 tail -s 0.2 --pid="$machine_pid" -f /dev/null # a machine that hangs fails, and is ended
    kill -KILL "$machine_pid" 2>/dev/null
    wait "$machine_pid" || status=$?
    machine_pid=
    echo $status
}
began=$SECONDS
down reboot >"$pxt_dir/status"
is "the machine goes down for a reboot" "$(cat "$pxt_dir/status")" 129
ok "without waiting for what nobody stops" test $((SECONDS - began)) -lt 60
ok "it comes up again" power_on
came_back() {
    ok "the units have started" in_machine systemctl is-active phoenix-desktops.service phoenix-gpu.service
    is "who ran, runs" "$(state pxt-on)" running
    is "who was stopped, is stopped" "$(state pxt-off)" stopped
    is "and who is not to start by itself" "$(state pxt-manual)" stopped
    is "all that was written is there" "$(in_machine phoenix exec pxt-on --user root -- cat /root/kept)" kept
    ok "the network is there" in_machine phoenix exec pxt-on --user root -- ping -c 1 -W 5 10.88.0.1
    ok "and who shows the way" in_machine systemctl is-active phoenix-server-phoenix0.service
}
came_back
is "it was asked to stop, and had the time" "$(in_machine phoenix exec pxt-on --user root -- ls /root/clean)" /root/clean

# --- a failure of power
ok "who is not to start by itself, starts by hand" in_machine phoenix start pxt-manual
power_off
ok "after a failure of power it comes up again" power_on
came_back
ok "up brings the rest" in_machine phoenix up /root/lab.yaml
is "all run" "$(in_machine phoenix ls --json | jq -r '[.desktops[].state] | unique | join(" ")')" running
ok "stopping the unit stops all" in_machine systemctl stop phoenix-desktops.service
is "none runs" "$(in_machine phoenix ls --json | jq -r '[.desktops[].state] | unique | join(" ")')" stopped
ok "starting it" in_machine systemctl start phoenix-desktops.service
is "starts who ran" "$(state pxt-on) $(state pxt-manual)" "running stopped"
ok "rm" in_machine phoenix rm --yes '*'
ok "net down" in_machine phoenix net down
down poweroff >"$pxt_dir/status"
is "the machine switches off" "$(cat "$pxt_dir/status")" 130
done_testing
