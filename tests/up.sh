#!/bin/bash
# tests/up.sh - plan, up and the life of desktops, on real containers
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host up
needs_minimal

file=$pxt_dir/lab.yaml
cat >"$file" <<'END'
defaults: {image: minimal, memory: 256MiB, cores: 1}
desktops:
  - name: pxt-a
  - {name: pxt-b, user: bea}
END
state() { phoenix ls --json "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["desktops"][0]["state"])'; }
fact() { phoenix show --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin)['desktops'][0]; print(d$2)"; }
inside() { local name=$1; shift; phoenix exec "$name" --user root -- "$@" </dev/null; }

fails 3 "plan says that something would change" phoenix plan "$file"
has "plan names what it would create" "$out" "create pxt-a"
has "with all that its file says" "$out" "create pxt-b: is new
      image: minimal
      cores: 1
      memory: 256MiB
      user: bea"
ok "plan has changed nothing" test ! -e "$pxt_state/desktops/pxt-a"
fails 3 "plan --json ends the same way" phoenix plan --json "$file"
ok "plan --json is JSON" python3 -c 'import json,sys; json.loads(sys.argv[1])["desktops"]' "$out"

ok "up makes and starts both" phoenix up "$file"
is "the first runs" "$(state pxt-a)" running
is "the second runs" "$(state pxt-b)" running
ok "plan finds nothing more to do" phoenix plan "$file"
pid=$(fact pxt-a '["init_pid"]')
ok "a second up changes nothing" phoenix up "$file"
is "it runs on, untouched" "$(fact pxt-a '["init_pid"]')" "$pid"

sed 's/cores: 1/cores: 4096, memory: 999TiB/; s/memory: 256MiB, //' "$file" >"$file.big"
fails 3 "plan takes more than this host has" phoenix plan "$file.big"
has "and says so, with the place" "$out" "lab.yaml.big:3: desktop 'pxt-a' and 1 other: cores: 4096, but this host has $(getconf _NPROCESSORS_ONLN),"
has "for memory, too" "$out" "desktop 'pxt-a' and 1 other: memory: 999TiB, but this host has"

# Unprivileged, each with ids of its own.
first_a=$(fact pxt-a '["ids"]["first"]') first_b=$(fact pxt-b '["ids"]["first"]')
is "root inside is nobody outside" "$(awk 'NR==1 {print $1, $2, $3}' /proc/"$pid"/uid_map)" "0 $first_a 65536"
is "the next desktop has other ids" "$((first_b - first_a))" 65536
is "systemd is up" "$(inside pxt-a systemctl is-system-running)" running
is "hostname is the name" "$(inside pxt-a hostname)" pxt-a
is "machine-ids differ" "$([ "$(inside pxt-a cat /etc/machine-id)" != "$(inside pxt-b cat /etc/machine-id)" ] && echo yes)" yes

# Users.
is "exec runs as the image's user" "$(phoenix exec pxt-a -- id -un </dev/null)" ai
is "or as the one the file names" "$(phoenix exec pxt-b -- id -un </dev/null)" bea
is "who has a home" "$(phoenix exec pxt-b -- sh -c 'cd && pwd && stat -c %U .' </dev/null)" "$(printf '/home/bea\nbea')"
fails 7 "exec passes the exit code on" phoenix exec pxt-a -- sh -c 'exit 7'
fails 1 "exec in a desktop that is not there" phoenix exec pxt-x -- true
has "suggests a name that is" "$out" "pxt-"

# Walls.
addr_b=$(fact pxt-b '["address"]')
ok "the gateway answers" inside pxt-a ping -c 1 -W 20 "$pxt_gateway"
fails 1 "the neighbour does not" inside pxt-a ping -c 1 -W 1 "$addr_b"
has "though the host reaches it" "$(bash -c "exec 3<>/dev/tcp/$addr_b/9" 2>&1)" "Connection refused"

# Changes.
ok "a file is left in home and one in root" inside pxt-a sh -c 'echo h >/home/ai/keep && echo r >/opt/keep'
sed -i 's/memory: 256MiB/memory: 300MiB/' "$file"
fails 3 "plan shows the changed limit" phoenix plan "$file"
has "with both values" "$out" "256MiB -> 300MiB"
ok "up changes it" phoenix up "$file"
is "while it runs" "$(fact pxt-a '["init_pid"]')" "$pid"
limit=$(cat /sys/fs/cgroup/memory/lxc*/*/memory.limit_in_bytes /sys/fs/cgroup/memory/*/*/memory.limit_in_bytes \
    /sys/fs/cgroup/*/*/memory.max 2>/dev/null | grep -c '^314572800$')
ok "and the kernel has it" test "$limit" -ge 1

sed -i 's/user: bea/user: eva/; s/name: pxt-a$/name: pxt-a\n    user: ann/' "$file"
fails 1 "what needs a new root is refused" phoenix up "$file"
has "with the way to do it" "$out" "--replace"
is "and left as it was" "$(inside pxt-a cat /opt/keep)" r
ok "up --replace does it" phoenix up --replace "$file"
is "home is kept" "$(inside pxt-a cat /home/ai/keep)" h
fails 1 "the rest of the root is new" inside pxt-a test -e /opt/keep
is "with the new user" "$(phoenix exec pxt-a -- id -un </dev/null)" ann

# Stop and start.
ok "a file is written" inside pxt-a sh -c 'echo stays >/opt/stays'
ok "stop" phoenix stop pxt-a
is "it is stopped" "$(state pxt-a)" stopped
fails 1 "exec says that it is not running" phoenix exec pxt-a -- true
has "and how to start it" "$out" "phoenix start pxt-a"
ok "start, by glob" phoenix start 'pxt-?'
is "what was written is there" "$(inside pxt-a cat /opt/stays)" stays
ok "restart" phoenix restart pxt-a
ok "poweroff from inside" inside pxt-b systemctl poweroff
ok "is noticed" wait_for 60 sh -c "phoenix ls pxt-b | grep -q stopped"
ok "up starts it again" phoenix up "$file"
ok "an init that ends at once" inside pxt-b ln -sf /bin/false /usr/sbin/init
for i in 1 2 3; do # its end is seen at one point or another
    fails 1 "is a failure to start, time $i" phoenix restart --wait system pxt-b
    has "and said to be that" "$out" "its init ended while it was starting (hint: \`phoenix logs pxt-b\` shows"
done
rm "$pxt_state/desktops/pxt-b/data/upper/usr/sbin/init"
ok "with its own init it starts" phoenix start pxt-b
is "it runs" "$(state pxt-b)" running

# Taking away.
sed -i '/pxt-b/d' "$file"
fails 3 "plan --prune would remove what the file no longer names" phoenix plan --prune "$file"
ok "up only reports it" phoenix up "$file"
is "it runs on" "$(state pxt-b)" running
ok "up --prune --yes removes it" phoenix up --prune --yes "$file"
fails 1 "it is gone" phoenix show pxt-b
pid=$(fact pxt-a '["init_pid"]')
fails 2 "rm without a terminal wants --yes" phoenix rm pxt-a
is "and has done nothing" "$(state pxt-a)" running
ok "rm --yes" phoenix rm --yes pxt-a
ok "its init is gone" test ! -e /proc/"$pid"
ok "its directory is gone" test ! -e "$pxt_state/desktops/pxt-a"
is "no mount is left" "$(grep -c "$pxt_state" /proc/self/mountinfo)" 0
is "no interface is left" "$(ip -o link show master "$pxt_bridge" | wc -l)" 0
is "no cgroup is left" "$(find /sys/fs/cgroup -maxdepth 4 -type d -name "*$pxt_bridge-*" | wc -l)" 0
ok "net down" phoenix net down
fails 1 "the bridge is gone" ip link show "$pxt_bridge"
done_testing
