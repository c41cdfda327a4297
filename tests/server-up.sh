#!/bin/bash
# tests/server-up.sh - up keeps a phoenix-server for its desktops, as a user of its own
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host misc3
sed -i 's/^server: .*/server: {port: 28216}/' "$PHOENIX_HOST_FILE"
needs_minimal
file=$pxt_dir/one.yaml
printf 'desktops:\n  - {name: pxt-s, image: minimal, memory: 256MiB}\n' >"$file"
ctl() { "$PX_BUILD/src/phoenix-server/phoenix-server" ctl --data-dir="$pxt_state/server" "$@"; }

ok "up" phoenix up "$file"
ok "the server answers" ctl status
pid=$(cat "$pxt_run/server.pid")
first=$(sed -n "s/^ids: {first: \([0-9]*\),.*/\1/p" "$PHOENIX_HOST_FILE")
is "it runs as the last id of the span, which nobody else has" "$(stat -c %u /proc/"$pid")" $((first + 6553600 - 1))
is "its secret key is nobody else's to read" "$(stat -c %a "$pxt_state/server/id_ed25519")" 600
etc=$pxt_state/desktops/pxt-s/etc
is "the desktop has an ID of 9 digits" "$(grep -cE '^[1-9][0-9]{8}$' "$etc/rustdesk-id")" 1
is "and a password of 130 bits" "$(grep -cE '^[a-z2-7]{26}$' "$etc/host-password")" 1
first=$(sed -n 's/^ids: {first: \([0-9]*\),.*/\1/p' "$PHOENIX_HOST_FILE")
is "which only its user can read" "$(stat -c '%u %a' "$etc/host-password")" "$((first + 1000)) 400"
lacks "no secret is in its configuration" "$(cat "$etc/host.json")" "$(cat "$etc/host-password")"
before=$(cat "$etc/rustdesk-id" "$etc/host-password" "$etc/host-identity" | sha256sum)
inside() { phoenix exec pxt-s --user root -- "$@" </dev/null; }
ok "the desktop reaches the ID server" inside bash -c "exec 3<>/dev/tcp/$pxt_gateway/28216"
ok "and the relay" inside bash -c "exec 3<>/dev/tcp/$pxt_gateway/28217"
fails 1 "but no port beside them" inside timeout 2 bash -c "exec 3<>/dev/tcp/$pxt_gateway/28218"
died=$(pgrep -P "$pid")
another() { pgrep -P "$pid" | grep -qvx "$died" && ctl status; }
kill -9 "$died"
ok "a server that dies is started again" wait_for 60 another
has "which its log says" "$(cat "$pxt_state/server/server.log")" "server: died of signal 9 (Killed): starting again in 1 s"
is "by the same process" "$(cat "$pxt_run/server.pid")" "$pid"
dead() { ! ctl status; }
end() { # for good: with the process that would start it again
    kill -9 "$(cat "$pxt_run/server.pid")"
    wait_for 30 dead || note <<<"the server answers without its keeper"
}
end
exec 8>"$pxt_dir/lock" # of a script that calls us
ok "after its death up starts it again" phoenix up "$file"
exec 8>&-
ok "it answers" ctl status
lacks "it has nothing of what its caller had open" "$(readlink /proc/"$(cat "$pxt_run/server.pid")"/fd/*)" "$pxt_dir/lock"
ok "a real-time process restarts a desktop" chrt -f 1 phoenix restart pxt-s
ok "and enters it" chrt -f 1 phoenix exec pxt-s -- true
for i in 1 2 3 4 5; do # a server that has not come to its exec yet is not dead
    end
    ok "death and up, time $i" phoenix up --wait nothing "$file"
    lacks "up has nothing to complain of, time $i" "$out" "no remote access"
done

# Somebody else has one of its ports.
end
wait_for 10 bash -c '! (exec 3<>/dev/tcp/127.0.0.1/28217)' || note <<<"the dead relay's port stays"
socat TCP-LISTEN:28217,fork,reuseaddr /dev/null &
other=$!
wait_for 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/28217' || note <<<"socat does not listen"
fails 1 "up with a port that is taken does not end well" phoenix up --wait nothing "$file"
has "it says which" "$out" "28217: Address already in use"
has "and what to do, once" "$(tail -n 1 <<<"$out" | grep -o 'hint:.*')" "hint: another ID server on this host? set server.port"
has "the desktop is there all the same" "$out" "pxt-s    running"
fails 1 "a probe says who does not run" phoenix probe pxt-s
has "and how it is started" "$out" "does not run (hint: \`phoenix start pxt-s\` starts it, or says why not)"
fails 4 "doctor looks at the ports" phoenix doctor --quiet
has "and names the one" "$out" "TCP port 28217 is taken by another program"
kill $other
wait $other 2>/dev/null
ok "restart" phoenix restart pxt-s
ok "starts a dead server, too" ctl status
is "ID, password and identity stay" "$(cat "$etc/rustdesk-id" "$etc/host-password" "$etc/host-identity" | sha256sum)" "$before"
pid=$(cat "$pxt_run/server.pid")
ok "stop" phoenix stop pxt-s
fails 1 "a probe of a stopped desktop does not wait" phoenix probe pxt-s
has "and says why" "$out" "desktop 'pxt-s' is not running (hint: \`phoenix start pxt-s\` starts it)"
mine=$(grep '^server:' "$PHOENIX_HOST_FILE")
sed -i 's|^server: .*|server: {run: false, address: "wss://rd.example.com:8443/", key: abc}|' "$PHOENIX_HOST_FILE"
ok "start with a server elsewhere, behind a proxy" phoenix start --wait nothing pxt-s
is "the desktop is told of it" "$(jq -c .server "$etc/host.json")" '{"address":"wss://rd.example.com:8443","key":"abc","relay":""}'
sed -i "s|^server: .*|$mine|" "$PHOENIX_HOST_FILE"
ok "rm" phoenix rm --yes pxt-s
server=$(pgrep -P "$pid")
ok "net down" phoenix net down
ok "stops the server" test ! -e /proc/"$pid"
ok "and nobody starts it again" test ! -e /proc/"$server"
done_testing
