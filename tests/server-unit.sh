#!/bin/bash
# tests/server-unit.sh - the packaged units of phoenix-server under a systemd of their own
#
# A real systemd (tests/server/boot-systemd), the units and the program as they are packaged. Where a
# system call is not allowed the service is killed here instead of getting an error, so that none can
# hide.
. "$(dirname "$0")/lib.sh"
needs_root
[ -x /lib/systemd/systemd ] || skip_all "no systemd on this machine"
grep -qw cgroup2 /proc/mounts || skip_all "host: no cgroup2"
dir=$pxt_dir/box-$$
mkdir -p "$dir/units" "$dir/bin"
cp "$PX_SOURCE"/packaging/phoenix-{server,relay}.service "$dir/units"
cp "$PX_BUILD/src/phoenix-server/phoenix-server" "$dir/bin"
cat >"$dir/units/pxt.target" <<'END'
[Unit]
Requires=basic.target
After=basic.target
END

"$PX_SOURCE/tests/server/boot-systemd" "$dir" >"$dir/boot.log" 2>&1 </dev/null &
outer=$!
cgroup=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)/pxt-$(basename "$dir")
stop_box() {
    [ -z "${pid1:-}" ] || kill -9 "$pid1" 2>/dev/null
    kill "$outer" 2>/dev/null
    wait "$outer" 2>/dev/null
    for _ in $(seq 50); do
        find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
        [ -d "$cgroup" ] || break
        sleep 0.1
    done
    pxt_end
}
trap stop_box EXIT
box() { nsenter -t "$pid1" -a "$@" </dev/null; }
find_pid1() { pid1=$(pgrep -P "$outer") && [ "$(cat /proc/"$pid1"/comm)" = systemd ]; }
client() { box env PYTHONDONTWRITEBYTECODE=1 python3 "$PX_SOURCE/tests/server/unit_client.py" "$@"; }
show() { box systemctl show --value -p "$1" "${2:-phoenix-server}"; }
wait_for 60 find_pid1 && wait_for 60 box systemctl is-active pxt.target || {
    note <"$dir/boot.log"
    echo "Bail out! systemd does not boot"
    exit 1
}

has "verify has no complaint" "_$(box systemd-analyze verify --man=no /etc/systemd/system/phoenix-{server,relay}.service 2>&1)_" "__"
etc=/etc/systemd/system/phoenix-server.service.d
box sh -c "mkdir -p $etc /etc/phoenix; printf '[Service]\nSystemCallErrorNumber=kill\n' >$etc/test.conf
    cp -r $etc /etc/systemd/system/phoenix-relay.service.d
    echo 'metrics = 127.0.0.1:9116' >/etc/phoenix/server.conf; systemctl daemon-reload"
ok "the server starts and says so" box systemctl start phoenix-server
pid=$(show MainPID)
status=$(box cat "/proc/$pid/status")
is "it is not root" "$(awk '/^Uid:/ {print ($2 > 0 && $2 == $3 && $2 == $4)}' <<<"$status")" 1
is "it has no capability and gets none" "$(awk '/^Cap(Prm|Eff|Bnd|Amb)|^NoNewPrivs|^Seccomp:/ {printf "%s ", $2}' <<<"$status")" \
    "0000000000000000 0000000000000000 0000000000000000 0000000000000000 1 2 "
exposure=$(box systemd-analyze security phoenix-server --no-pager | awk '/Overall/ {print $(NF-2)}')
is "systemd's own rating of its exposure is below 2 (it is $exposure)" "$(awk -v e="$exposure" 'BEGIN {print (e != "" && e < 2)}')" 1
ok "ctl finds it" box phoenix-server ctl key
key=$(awk '$1 == "key" {print $2}' <<<"$out")
is "what clients import holds the same" "$(awk '$1 == "import" {print $2}' <<<"$out" | rev | tr -- -_ +/ | base64 -d 2>/dev/null |
    python3 -c 'import json,sys; d=json.loads(sys.stdin.read()); print(d["host"], d["key"], repr(d["relay"]))')" \
    "$(awk '$1 == "host" {print $2}' <<<"$out") $key ''"
ok "registration, online state, key exchange, WebSocket, HTTP, metrics" client id "$key"
ok "relay, spliced and converted" client relay "$key"
for words in status list "find 987654321" punches ip-changes sources usage relays bandwidth "bandwidth total 0" "listed 1.2.3.4" \
    always-use-relay "drop 987654321" help; do
    # shellcheck disable=SC2086
    ok "ctl $words" box phoenix-server ctl $words
done
box sh -c 'echo 192.0.2.7 >/var/lib/phoenix-server/blocklist.txt; chmod 644 /var/lib/phoenix-server/blocklist.txt'
ok "reload" box systemctl reload phoenix-server
listed() { box phoenix-server ctl listed 192.0.2.7 | grep -q 'blocked *yes'; }
ok "reads the list that root wrote" wait_for 20 listed
ok "restart" box systemctl restart phoenix-server
ok "the device is still its machine's" client bound "$key"
is "the key is the same" "$(box phoenix-server ctl key | awk '$1 == "key" {print $2}')" "$key"

box sh -c "echo WatchdogSec=6 >>$etc/test.conf; systemctl daemon-reload; systemctl restart phoenix-server"
pid=$(show MainPID)
box kill -STOP "$pid"
revived() { [ "$(show MainPID)" != "$pid" ] && [ "$(show ActiveState)" = active ]; }
ok "one that hangs is started anew" wait_for 90 revived
has "by the watchdog" "$(box journalctl -u phoenix-server --no-pager)" "Watchdog timeout"
ok "and serves" client bound "$key"
ok "stop" box systemctl stop phoenix-server
is "is a clean end" "$(show Result)" success

box python3 -c "
import sqlite3, os
os.mkdir('/root/old')
db = sqlite3.connect('/root/old/db_v2.sqlite3')
db.execute('create table peer (guid blob primary key not null, id varchar(100) not null, uuid blob not null, pk blob not null, created_at datetime not null default(current_timestamp), user blob, status tinyint, note varchar(300), info text not null) without rowid')
db.execute('insert into peer(guid,id,uuid,pk,info) values(?,?,?,?,?)', (os.urandom(16), '123456789', b'old', b'k' * 32, '{}'))
db.commit()
open('/root/old/id_ed25519', 'w').write('nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==')"
ok "import by root" box phoenix-server --import=/root/old
ok "start" box systemctl start phoenix-server
is "with the old key" "$(box phoenix-server ctl key | awk '$1 == "key" {print $2}')" "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
ok "and the old devices" client imported -
box sh -c "systemctl stop phoenix-server; rm -rf /var/lib/phoenix-server /var/lib/private/phoenix-server"
ok "import by root before the service ever ran" box phoenix-server --import=/root/old
ok "it starts" box systemctl start phoenix-server
is "with that key" "$(box phoenix-server ctl key | awk '$1 == "key" {print $2}')" "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
ok "and those devices" client imported -

box sh -c 'echo "key = relay-only" >>/etc/phoenix/server.conf'
ok "the relay alone starts" box systemctl start phoenix-relay
is "in place of the server" "$(show ActiveState)" inactive
ok "and pairs" client relay relay-only
ok "the relay stops" box systemctl stop phoenix-relay
is "well" "$(show Result phoenix-relay)" success
lacks "no system call was refused" "$(box journalctl --no-pager)" "status=31/SYS"
done_testing
