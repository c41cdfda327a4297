#!/bin/bash
# tests/backend.sh - the backend's operations on real containers: life, walls, limits, and what remains
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host backend
needs_minimal

tool=$PX_BUILD/src/backend/backend-tool probe=$PX_BUILD/src/backend/backend-probe
run=$pxt_run host_dir=$pxt_dir/host
mapfile -t layers < <(phoenix image show minimal --json | python3 -c '
import json, sys
for layer in json.load(sys.stdin)["layers"]: print("--layer", layer, sep="\n")')
first=1900000000
mkdir -p "$run" "$host_dir/ro" "$host_dir/rw" "$pxt_dir/bin"
chmod 711 "$run"
cp "$probe" "$pxt_dir/bin/probe"
common=(--run "$run" "${layers[@]}" --mount "$pxt_dir/bin:/opt/bin:ro")
# Each desktop with its own directory and ids; options first, then the operation.
t() { # NAME ...
    local name=pxt-$1 n
    n=$(printf %d "'${1: -1}")
    mkdir -p "$pxt_dir/$name"
    shift
    "$tool" "${common[@]}" --dir "$pxt_dir/$name" --name "$name" --first $((first + n * 65536)) "$@"
}
a() { t a "$@"; }
fact() { t "$1" info | sed -n "s/^$2=//p"; }
call() { a exec /opt/bin/probe call "$1" 2>&1; }

# What a container that does not run must not leave anywhere.
leftovers() { # NAME
    grep -E "/pxt-$1\b|/$1/" /proc/self/mountinfo
    find /sys/fs/cgroup -type d -name "pxt-$1*" 2>/dev/null
    ps -eo pid,stat,args | grep -E "(lxc monitor|phoenix-lxc).* pxt-$1( |\$)" | grep -vE 'grep|^ *[0-9]+ Z'
    losetup -l -n -O BACK-FILE 2>/dev/null | grep "$pxt_dir/pxt-$1/"
    ls "$run/containers/" 2>/dev/null | grep -x "pxt-$1"
    [ "${2:-}" != destroyed ] || find /run/lxc/lock -name ".pxt-$1" -path "*$run/*" 2>/dev/null
    ls "$run/cpus/" 2>/dev/null | grep -x "pxt-$1"
}
end_all() {
    for dir in "$pxt_dir"/pxt-?; do
        [ ! -d "$dir" ] || t "${dir: -1}" destroy
    done
    ! mountpoint -q "$pxt_dir/btrfs" || umount -l "$pxt_dir/btrfs"
    rm -rf "$run"
    pxt_end
}
trap end_all EXIT

# --- life
fails 1 "what was never made does not start" a start
has "and says so" "$out" "not created"
is "and is absent" "$(fact a state)" absent
ok "create" a --prepare pxt=prepared create
is "then it is stopped" "$(fact a state)" stopped
ok "create once more" a create
fails 1 "exec says that it does not run" a exec true
has "in words" "$out" "not running"
ok "start" a --prepare pxt=prepared start
is "then it runs" "$(fact a state)" running
ok "systemd says when it is up" a wait
is "and agrees when asked" "$(a exec systemctl is-system-running; a exec systemctl --failed --no-legend)" running
fails 1 "a second start refuses" a start
has "because it runs" "$out" "runs already"
is "prepare wrote into the root" "$(a exec cat /etc/pxt)" prepared
is "as root inside" "$(a exec stat -c %u:%g /etc/pxt)" 0:0
is "init is where info says" "$(cat /proc/"$(fact a init)"/comm)" systemd

# --- exec
fails 3 "exec passes the exit status on" a exec sh -c 'exit 3'
fails 137 "128 and the signal" a exec sh -c 'kill -9 $$'
fails 127 "127 where there is no program" a exec pxt-no-such
fails 126 "126 where it is none" a exec /etc/passwd
is "it runs as the user" "$(a --user ai exec id -un)" ai
is "with the user's groups only" "$(a --user ai exec id -G)" "$(a exec id -G ai)"
a exec sh -c 'mkdir -p /home/ai && chown ai: /home/ai'
is "in the user's home" "$(a --user ai exec pwd)" "$(a exec sh -c 'eval echo ~ai')"
is "or where it is told" "$(a --cwd /var exec pwd)" /var
is "our environment stays here" "$(PXT_SECRET=1 a exec env | grep -c PXT_SECRET)" 0
is "three descriptors, no more" "$(a exec /opt/bin/probe fds 7</dev/null 8</dev/null)" "0 1 2 "
fails 1 "a user that is not there" a --user pxt-nobody exec true
has "is named" "$out" "no user 'pxt-nobody'"
begin=$(date +%s%N)
fails 1 "a time limit ends it" a --timeout 300 exec sleep 60
ok "in time" test $((($(date +%s%N) - begin) / 1000000)) -lt 30000
a --timeout 300 exec sh -c 'sleep 61 & sleep 61' 2>/dev/null
ok "with all it started" wait_for 60 sh -c "! ps -eo args | grep -qx 'sleep 61'"
group=$(a exec cat /proc/self/cgroup)
has "it runs in the container's cgroup" "$(a exec sh -c 'cat /proc/1/cgroup >/dev/null; sleep 3 & echo $!' >/dev/null; cat /proc/"$(fact a init)"/cgroup)" "/phoenix/pxt-a"
lacks "which it sees as the root" "$group" phoenix
tty=$(script -qec "stty rows 33 cols 77; $(printf '%q ' "$tool" "${common[@]}" --dir "$pxt_dir/pxt-a" \
    --name pxt-a --first $((first + 97 * 65536)) --user ai --tty 1) exec sh -c 'tty; stty size; test -O \$(tty) && echo own; exit 5'" /dev/null </dev/null; echo "status $?")
has "a terminal is one inside" "$tty" "/dev/pts/"
has "of the same size" "$tty" "33 77"
has "and the user's own" "$tty" own
has "the status comes through it" "$tty" "status 5"
"$tool" "${common[@]}" --dir "$pxt_dir/pxt-a" --name pxt-a --first $((first + 97 * 65536)) exec sleep 62 &
caller=$!
wait_for 30 a exec pgrep -x sleep
kill -9 $caller
ok "a command ends with whoever asked for it" wait_for 30 sh -c "! ps -eo args | grep -qx 'sleep 62'"
wait $caller 2>/dev/null

# --- walls
is "ids inside are the block" "$(tr -s ' ' </proc/"$(fact a init)"/uid_map)" " 0 $((first + 97 * 65536)) 65536"
for name in keyctl add_key io_uring_setup; do
    is "$name is not there" "$(call $name)" ENOSYS
done
for name in bpf userfaultfd perf_event_open finit_module init_module kexec_load open_by_handle_at syslog \
    swapon clock_settime tiocsti mknod; do
    is "$name is refused" "$(call $name)" EPERM
done
for name in unshare_user seccomp memfd_create pidfd_open ptrace; do
    is "$name works" "$(call $name)" ok
done
is "capabilities that reach the host are gone" "$(a exec sh -c 'grep CapBnd /proc/self/status' |
    python3 -c 'import sys; v = int(sys.stdin.read().split()[1], 16); print([b for b in (16, 17, 25, 32, 33, 30) if v >> b & 1])')" "[]"
fails 2 "sysrq cannot be pressed" a exec sh -c 'echo h >/proc/sysrq-trigger'
fails 2 "the kernel's settings cannot be written" a exec sh -c 'echo 1 >/proc/sys/kernel/panic'
fails 1 "nor sysfs" a exec sh -c 'echo 0 >/sys/kernel/mm/ksm/run || echo mem >/sys/power/state || false'
fails 1 "nor its own limits" a exec sh -c 'for f in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do [ ! -e $f ] || echo 1g >$f; done; false'
is "process 1 is its own" "$(a exec cat /proc/1/comm)" systemd
ok "of the host's processes none is seen" test "$(a exec sh -c 'ls -d /proc/[0-9]* | wc -l')" -lt "$(ls -d /proc/[0-9]* | wc -l)"
is "devices are these" "$(a exec sh -c 'for f in /dev/* /dev/pts/ptmx; do if [ ! -L $f ] && { [ -b $f ] || [ -c $f ]; }; then echo $f; fi; done' | grep -v '^/dev/pts/[0-9]' | sort | tr '\n' ' ')" \
    "/dev/console /dev/full /dev/null /dev/ptmx /dev/pts/ptmx /dev/random /dev/tty /dev/urandom /dev/zero "
if [ -e /sys/fs/cgroup/devices/phoenix/pxt-a/devices.list ]; then
    is "and the kernel allows no others" "$(sort /sys/fs/cgroup/devices/phoenix/pxt-a/devices.list | tr '\n' ';')" \
        "c 136:* rwm;c 1:3 rwm;c 1:5 rwm;c 1:7 rwm;c 1:8 rwm;c 1:9 rwm;c 5:0 rwm;c 5:1 rwm;c 5:2 rwm;"
else
    skip "and the kernel allows no others" "host: device rules of cgroup v2 cannot be listed"
fi
ok "stop" a --timeout 10000 stop
is "leaves nothing" "$(leftovers a)" ""
is "but what was written" "$(a cat /etc/pxt)" prepared

# --- one that starts and one that goes: the cgroups that both are in
parent=$(awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts | head -n 1)/phoenix
exec 8>>/run/phoenix-lxc.lock
a start
flock -s 8
a --timeout 700 stop
ok "the parents of its cgroups stay while another starts" test -d "$parent"
flock -u 8
flock -x 8
t a start 8>&- &
start=$!
ok "one that starts waits for them to be gone" wait_for 30 grep -qE -- "-> FLOCK .*:$(stat -c %i /run/phoenix-lxc.lock) " /proc/locks
is "and has not begun" "$(find "$parent" -maxdepth 1 -name 'pxt-a*')" ""
flock -u 8
wait $start
is "then starts" $? 0
exec 8>&-
a --timeout 700 stop

# --- mounts
echo secret >"$host_dir/ro/root-only"
chmod 600 "$host_dir/ro/root-only"
echo shared >"$host_dir/rw/file"
chown 1000:1000 "$host_dir/rw" "$host_dir/rw/file"
mounts=(--mount "$host_dir/ro:/srv/ro:ro" --mount "$host_dir/rw:/srv/rw:idmap" --mount "$host_dir/rw/file:/run/pxt/file:ro"
    --mount "$host_dir/ro:/opt/trap/ro:ro")
a exec true 2>/dev/null
ok "its owner can lay a trap" a lay-symlink "$host_dir" /opt/trap
fails 1 "which leads nowhere, and keeps it from starting" a "${mounts[@]}" start
has "with the place" "$out" "/opt/trap"
a start
a exec mkdir -p "$host_dir"
a stop
ok "it starts with mounts" a "${mounts[@]}" --fuse 1 start
is "the trap leads nowhere on the host" "$(ls "$host_dir")" "$(printf 'ro\nrw')"
fails 1 "a file of the host's root stays closed" a exec cat /srv/ro/root-only
fails 1 "what is read-only stays it" a exec sh -c 'touch /srv/ro/x'
fails 32 "even by mounting it again" a exec mount -o remount,bind,rw /srv/ro
fails 32 "and it cannot be taken away" a exec umount /srv/ro
is "owners are the same inside" "$(a --user ai exec stat -c %u /srv/rw/file)" 1000
ok "the user writes there" a --user ai exec touch /srv/rw/mine
is "as himself on the host" "$(stat -c %u "$host_dir/rw/mine")" 1000
fails 1 "root inside does not become the host's" a exec touch /srv/rw/roots
is "a file can be mounted, below /run too" "$(a exec cat /run/pxt/file)" shared
ok "fuse can be asked for" a exec sh -c 'exec 3<>/dev/fuse'
ok "the mounts go with it" a stop
is "nothing is left of them" "$(leftovers a)" ""

# --- an end from anywhere
ok "it starts again" a start
a wait
before=$(fact a init)
a exec reboot 2>/dev/null
ok "reboot from inside starts another init" wait_for 60 sh -c "[ \$($(printf '%q ' "$tool" "${common[@]}" --dir "$pxt_dir/pxt-a" --name pxt-a --first $first) info | sed -n 's/^init=//p') -gt 0 ] && ! kill -0 $before 2>/dev/null"
ok "which comes up" a wait
is "with all that was there" "$(a exec cat /etc/pxt)" prepared
is "and is another one" "$([ "$(fact a init)" != "$before" ] && echo another)" another
a exec poweroff 2>/dev/null
ok "poweroff from inside ends it" wait_for 60 sh -c "$(printf '%q ' "$tool" "${common[@]}" --dir "$pxt_dir/pxt-a" --name pxt-a --first $first) info | grep -qx state=stopped"
wait_for 30 sh -c "! pgrep -f 'lxc monitor.* pxt-a\$'"
ok "stop of what has stopped" a stop
is "leaves nothing either" "$(leftovers a)" ""
a start
a wait
kill -9 "$(awk '{print $4}' /proc/"$(fact a init)"/stat)"
ok "with its monitor killed it ends" wait_for 30 sh -c "! ps -eo args | grep -q '[l]xc monitor.* pxt-a\$'"
ok "and starts again over what that left" a start
ok "and comes up" a wait
ok "stop kills when the time is up" a exec sh -c 'printf "[Service]\nExecStart=/bin/sleep inf\nExecStop=/bin/sleep 60\n" >/run/systemd/system/pxt-slow.service; systemctl start pxt-slow'
begin=$(date +%s%N)
ok "also what does not want to" a --timeout 700 stop
ok "at once" test $((($(date +%s%N) - begin) / 1000000)) -lt 30000
is "and leaves nothing" "$(leftovers a)" ""
while read -r hierarchy; do
    mkdir -p "$hierarchy/phoenix/pxt-a/inner" "$hierarchy/phoenix/pxt-a.monitor"
done < <(awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts)
ok "cgroups of a crash do not keep it from starting" a start
ok "destroy stops, too" a destroy
is "nothing is left of it" "$(leftovers a destroyed; ls -A "$pxt_dir/pxt-a")" ""
ok "destroy of what is not there" a destroy

# --- killed at each step
steps() { t k "$@" 2>&1 | sed -n 's/.*step \([a-z.-]*\).*/\1/p' | awk '!seen[$0]++'; }
for op in create start reset destroy; do
    t k --disk 80M create 2>/dev/null
    [ $op != create ] || t k destroy
    t k stop
    step_list=$(PHOENIX_LOG=debug steps --disk 80M $op)
    ok "$op goes through steps" test -n "$step_list"
    t k destroy
    for step in $step_list; do
        for how in KILL ERROR; do
            [ $op = create ] || t k --disk 80M create
            fails_somehow=0
            PHOENIX_TEST_STEP=$step=$how t k --disk 80M $op >/dev/null 2>&1 || fails_somehow=1
            ok "$op, $how at $step: does not pass for done" test $fails_somehow = 1
            again=$op
            [ "$step" != lxc.start.running ] || [ $how = ERROR ] || again=info # it runs already
            ok "$op, $how at $step: again" t k --disk 80M $again
            case $op in
            create | reset) ok "$op, $how at $step: it is whole" sh -c "$(printf '%q ' "$tool" "${common[@]}" --dir "$pxt_dir/pxt-k" --name pxt-k --first $((first + 107 * 65536)) --disk 80M) create && $(printf '%q ' "$tool" "${common[@]}" --dir "$pxt_dir/pxt-k" --name pxt-k --first $((first + 107 * 65536)) --disk 80M) cat /etc/passwd" ;;
            start) ok "$op, $how at $step: it runs" t k exec true ;;
            esac
            ok "$op, $how at $step: destroy" t k destroy
            is "$op, $how at $step: nothing is left" "$(leftovers k; ls -A "$pxt_dir/pxt-k")" ""
        done
    done
done
t k --disk 80M create
PHOENIX_TEST_STEP=lxc.tree.overlay=STOP "$tool" "${common[@]}" --dir "$pxt_dir/pxt-k" --name pxt-k --first $((first + 107 * 65536)) --disk 80M start >/dev/null 2>&1 &
caller=$!
wait_for 30 sh -c "ps -o stat= --ppid $caller | grep -q T"
kill -9 $caller
wait $caller 2>/dev/null
ok "killed from outside while its child mounts: nothing is left" wait_for 30 sh -c "! losetup -l -n -O BACK-FILE | grep -q '$pxt_dir/pxt-k/'"
ok "it starts after that" t k --disk 80M start
t k destroy

# --- limits
big=(--memory 200M --cores 1 --pids 120 --shm 64M --disk 100M)
ok "a small one is made" t l "${big[@]}" create
ok "and started" t l "${big[@]}" start
t l wait
is "nproc says its cores" "$(t l exec nproc)" 1
is "and sysfs" "$(t l exec getconf _NPROCESSORS_ONLN)" 1
got=$(t l exec /opt/bin/probe burn 4 1500)
ok "four programs get one core ($got ms in 1500)" test "$got" -lt 1900
fails 137 "more memory than it has is deadly, inside" t l exec /opt/bin/probe eat 400
is "less is not" "$(t l exec /opt/bin/probe eat 100)" full
got=$(t l exec /opt/bin/probe fork 1000)
ok "a fork bomb ends at its limit ($got)" test "$got" -lt 120
fails 1 "the disk is full where it should be" t l exec dd if=/dev/zero of=/root/fill bs=1M count=300
got=$(t l exec stat -c %s /root/fill)
ok "not before ($got)" test "$got" -gt 50000000
ok "and not after" test "$got" -lt 105000000
fails 1 "home counts as well" t l --user ai exec dd if=/dev/zero of=/home/ai/fill bs=1M count=100
used=$(fact l disk)
ok "info says so ($used)" test "$used" -gt 50000000
t l exec rm -f /root/fill /home/ai/fill
is "/dev/shm has its size" "$(t l exec df --output=size -k /dev/shm | tail -1 | tr -d ' ')" 65536
ok "it lives on after all that" t l exec true
mem=$(fact l memory)
ok "memory is its own only ($mem)" test "$mem" -lt 60000000
ok "and there is some" test "$mem" -gt 1000000
ok "cpu time passes" test "$(fact l cpu_us)" -gt 100000
more=(--memory 400M --cores 2 --pids 300 --shm 96M --disk 100M)
[ "$(nproc)" -gt 1 ] || more[3]=1
is "more of all while it runs" "$(t l "${more[@]}" update)" live
is "memory" "$(t l exec /opt/bin/probe eat 300)" full
is "cores" "$(t l exec nproc)" "${more[3]}"
got=$(t l exec /opt/bin/probe fork 1000)
ok "processes ($got)" test "$got" -gt 120
is "/dev/shm" "$(t l exec df --output=size -k /dev/shm | tail -1 | tr -d ' ')" 98304
is "what cannot change live says so" "$(t l "${more[@]}" --fuse 1 update)" restart
is "and again, as long as it runs" "$(t l "${more[@]}" --fuse 1 update)" restart
fails 1 "a disk does not shrink" t l --disk 90M update
has "and says what it can" "$out" "grow"
ok "it grows" t l "${more[@]}" --disk 200M update
t l stop
ok "at the next start at the latest" t l "${more[@]}" --disk 200M start
got=$(t l exec df --output=size -BM /home | tail -1 | tr -dc 0-9)
ok "all of it is there ($got MB)" test "$got" -gt 150
ok "reset needs it stopped" test -n "$(t l reset 2>&1 | grep running)"
t l exec sh -c 'echo r >/opt/mine; echo h >/home/mine'
t l stop
ok "reset" t l --disk 200M reset
ok "a new root is made" t l --disk 200M create
ok "and starts" t l --disk 200M start
fails 1 "what was in the root is gone" t l exec cat /opt/mine
is "what was at home is not" "$(t l exec cat /home/mine)" h
is "two at a time have different cores" "$(
    t m --cores 1 create && t m --cores 1 start && t l --cores 1 --disk 200M update >/dev/null
    [ "$(nproc)" = 1 ] || [ "$(cat "$run/cpus/pxt-l")" != "$(cat "$run/cpus/pxt-m")" ] && echo different
)" different
ok "destroy" t l destroy
t m destroy
is "nothing is left" "$(leftovers l; leftovers m; ls -A "$pxt_dir/pxt-l")" ""

# --- more layers than one mount option holds: one by one, since Linux 6.7
many=()
for i in $(seq 100); do
    mkdir -p "$pxt_dir/many/$i"
    many+=(--layer "$pxt_dir/many/$i")
done
n() { "$tool" "${common[@]}" "${many[@]}" --dir "$pxt_dir/pxt-n" --name pxt-n --first 1940000000 "$@"; }
mkdir -p "$pxt_dir/pxt-n"
echo lowest >"$pxt_dir/many/1/which"
echo highest >"$pxt_dir/many/100/which"
if printf '6.7\n%s\n' "$(uname -r)" | sort -CV; then
    ok "with a hundred layers more: create" n create
    ok "start" n start
    is "the last one is on top" "$(n exec cat /which)" highest
    ok "destroy" n destroy
else
    skip "a hundred layers" "host: this kernel's overlay takes some sixty"
fi

# --- a limit by btrfs quotas, where the state directory has them
btrfs_dir=$pxt_dir/btrfs
mkdir -p "$btrfs_dir"
truncate -s 600M "$pxt_dir/btrfs.img"
mkfs.btrfs -q "$pxt_dir/btrfs.img" >/dev/null 2>&1
if mount -o loop "$pxt_dir/btrfs.img" "$btrfs_dir" 2>/dev/null && btrfs quota enable "$btrfs_dir" 2>/dev/null; then
    b() { "$tool" "${common[@]}" --dir "$btrfs_dir/b" --name pxt-b --first 1950000000 "$@"; }
    mkdir "$btrfs_dir/b"
    ok "btrfs: create" b --disk 60M create
    has "btrfs: by a subvolume" "$(cat "$btrfs_dir/b/lxc/disk.json")" btrfs
    ok "btrfs: start" b --disk 60M start
    fails 1 "btrfs: the limit holds" b exec dd if=/dev/zero of=/root/fill bs=1M count=100
    b exec sync
    used=$(b info | sed -n 's/^disk=//p')
    ok "btrfs: info says so ($used)" test "$used" -gt 30000000 -a "$used" -le 63000000
    is "btrfs: more while it runs" "$(b --disk 120M update)" live
    b exec rm -f /root/fill
    ok "btrfs: is there" b exec dd if=/dev/zero of=/root/fill bs=1M count=90
    ok "btrfs: destroy" b destroy
    is "btrfs: nothing is left" "$(leftovers b; ls -A "$btrfs_dir/b"; btrfs subvolume list "$btrfs_dir")" ""
else
    skip "btrfs" "host: no btrfs with quotas"
fi
mountpoint -q "$btrfs_dir" && umount "$btrfs_dir"
rm -f "$pxt_dir/btrfs.img"
ok "no cgroup of ours is left" test -z "$(find /sys/fs/cgroup -maxdepth 3 -type d -path '*/phoenix/pxt-[alkmn]*')"
done_testing
