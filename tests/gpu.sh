#!/bin/bash
# tests/gpu.sh - cards placed, refused, injected, attached: real containers on a host with cards of paper
#
# What the machine shows is made by gpu/host.sh; programs, containers, mounts and cgroups are real.
[ -n "${PX_GPU_NS:-}" ] || PX_GPU_NS=1 exec unshare --mount "$0" "$@" || exit
. "$(dirname "$0")/lib.sh"
needs_root
command -v cc >/dev/null || skip_all "needs a C compiler"
pxt_host gpu
needs_minimal
. "$(dirname "$0")/gpu/host.sh"
fx_enter || {
    echo "Bail out! cannot lay trees over this machine's own"
    exit 1
}

json() { python3 -c "import json,sys; d=json.load(sys.stdin); print($1)"; }
fact() { phoenix show --json "$1" | json "d['desktops'][0]$2"; }
inside() { local name=$1; shift; phoenix exec "$name" --user root -- "$@" </dev/null; }
opens() { # NAME NODE: what opening it inside says, as the ordinary user
    phoenix exec "$1" -- sh -c "exec 3<>$2" </dev/null 2>&1 | sed 's/.*: //'
}
allowed="No such device or address" denied="Operation not permitted"
file=$pxt_dir/lab.yaml
lab() { printf 'defaults: {image: minimal, memory: 1GiB, cores: 1}\ndesktops:\n' >"$file"; printf '  - %s\n' "$@" >>"$file"; }
# refused NAME WANTED DESKTOP...: plan ends with 2, says WANTED, and nothing has changed.
refused() {
    local name=$1 wanted=$2
    shift 2
    lab "$@"
    fails 2 "plan refuses $name" phoenix plan "$file"
    has "  and says why" "$out" "$wanted"
    is "  and has made nothing" "$(ls "$pxt_state/desktops" 2>/dev/null)" ""
}

# No card, and the ways in which cards fail.
fx_reset
ok "a host without a card" phoenix gpu ls
has "says so" "$out" "this host has no NVIDIA GPU"
ok "gpu ready has nothing to do there" phoenix gpu ready
refused "a wish without a card" "this host has no NVIDIA GPU" "{name: pxt-g1, gpus: 1}"
fx_pci 0000:01:00.0 nouveau
ok "nouveau" phoenix gpu ls
has "is named, with the way out" "$out" "install NVIDIA's driver"
fx_reset
fx_module 580.95.05 open
fx_pci 0000:01:00.0 vfio-pci
fx_driver runfile 580.95.05
ok "vfio" phoenix gpu ls
has "is named, with the way out" "$out" "driverctl unset-override 0000:01:00.0"
refused "a card that virtual machines have" "vfio-pci" "{name: pxt-g1, gpus: 1}"
fx_two_5060
fx_reset
fx_module 580.95.05 open
fx_driver runfile 570.86.10
fx_card 0000:01:00.0 0 $A "NVIDIA GeForce RTX 5060 Ti" <<<"fails 18"
ok "module and libraries that differ" phoenix gpu ls
has "are named instead of 'failed to initialize'" "$out" "module is 580.95.05, the installed libraries are 570.86.10"
refused "a desktop then" "upgraded without a reboot" "{name: pxt-g1, gpus: 1}"
fx_reset
fx_module 580.95.05
fx_driver runfile 580.95.05
fx_card 0000:01:00.0 0 $A "NVIDIA GeForce RTX 5060 Ti" <<<"memory 17094934528 0"
fx_card 0000:02:00.0 1 $B "NVIDIA GeForce RTX 5060 Ti" <<<"lost"
ok "a lost card" phoenix gpu ls --json
is "is the one with a problem" "$(json "[('problem' in c) for c in d['cards']]" <<<"$out")" "[False, True]"
has "that says what it is" "$out" "fallen off the bus"
refused "the lost card" "fallen off the bus" "{name: pxt-g1, gpus: [$B]}"
refused "more than still work" "2 GPUs are wanted, this host has 1" "{name: pxt-g1, gpus: 2}"

# Bad wishes.
fx_two_5060
refused "a UUID that is not there" "it has $A (0000:01:00.0), $B (0000:02:00.0)" "{name: pxt-g1, gpus: [GPU-00000000-0000-0000-0000-000000000000]}"
refused "an index out of range" "no GPU '2' on this host" "{name: pxt-g1, gpus: [2]}"
refused "more cards than there are" "3 GPUs are wanted, this host has 2" "{name: pxt-g1, gpus: 3}"
refused "a budget above the card" "is more than the 15.9 GiB" "{name: pxt-g1, gpus: {count: 1, mode: shared, memory: 17GiB}}"
refused "MIG on cards without" "no card of this host is in MIG mode" "{name: pxt-g1, gpus: [MIG-3fe65279-559c-3edc-36de-33c82b2e173b]}"
refused "one card twice" "are the same card" "{name: pxt-g1, gpus: [$A, 0000:01:00.0]}"
refused "one exclusive card for two desktops" "is the exclusive card of 'pxt-g1'" "{name: pxt-g1, gpus: [$A]}" "{name: pxt-g2, gpus: [$A]}"

# What doctor says of them.
phoenix doctor >"$pxt_dir/doctor" 2>&1 </dev/null
has "doctor knows a good card" "$(grep GPUs "$pxt_dir/doctor")" "0000:01:00.0: NVIDIA GeForce RTX 5060 Ti, 15.9 GiB, driver 580.95.05, NVENC"
has "and misses what a boot without a display leaves out" "$(cat "$pxt_dir/doctor")" "/dev/nvidia-uvm is missing"

# One card each, injected.
fx_two_5060
lab "{name: pxt-g1, gpus: [$A]}" "{name: pxt-g2, gpus: 1}"
fails 3 "plan places one card each" phoenix plan "$file"
has "names the one asked for" "$out" "$A at 0000:01:00.0: as named; exclusive"
has "and chooses the other" "$out" "$B at 0000:02:00.0: the least used (spread); exclusive"
rm -f /dev/nvidia* # as after a boot without a display
mknod /dev/nvidia-uvm c 99 0 # numbers of an earlier boot
ok "up" phoenix up "$file"
is "it made the nodes, with the numbers of this boot" "$(stat -c '%n %t:%T %a' /dev/nvidia{0,1,ctl,-uvm,-uvm-tools} | sed 's|/dev/||')" \
    "$(printf 'nvidia0 c3:0 666\nnvidia1 c3:1 666\nnvidiactl c3:ff 666\nnvidia-uvm ee:0 666\nnvidia-uvm-tools ee:1 666')"
is "each sees its own card only" "$(inside pxt-g1 sh -c 'echo /dev/nvidia[0-9]*') $(inside pxt-g2 sh -c 'echo /dev/nvidia[0-9]*')" "/dev/nvidia0 /dev/nvidia1"
for node in /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm; do
    is "its user may open $node" "$(opens pxt-g1 $node)" "$allowed"
done
pid=$(fact pxt-g1 '["init_pid"]')
# The host's root puts nodes where the cgroup alone stands before them.
host_in() { # PID COMMAND: as the host's root among its mounts. mount(8) inside is setuid to nobody of ours.
    setpriv --no-new-privs nsenter -m -t "$1" sh -c "$2"
}
host_in "$pid" 'mount -t tmpfs x /mnt && mknod -m 666 /mnt/own c 195 0 && mknod -m 666 /mnt/other c 195 1 &&
    mknod -m 666 /mnt/modeset c 195 254 && mknod -m 666 /mnt/uvm9 c 238 9'
is "another node of its card opens" "$(opens pxt-g1 /mnt/own)" "$allowed"
for node in other modeset uvm9; do
    is "no other number does: $node" "$(opens pxt-g1 /mnt/$node)" "$denied"
    is "not for root inside either: $node" "$(inside pxt-g1 sh -c "exec 3<>/mnt/$node" 2>&1 | sed 's/.*: //')" "$denied"
done
fails 1 "root inside cannot make a node" inside pxt-g1 mknod /root/n c 195 1

# The driver inside.
dir=/usr/lib/phoenix/nvidia
is "the linker of the image finds it" "$(inside pxt-g1 ldconfig -p | awk '/libcuda.so.1 /{print $NF}')" $dir/lib/libcuda.so.1
is "and maps the host's file" "$(inside pxt-g1 sha256sum $dir/lib/libcuda.so.1 | cut -c1-64)" "$(sha256sum /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05 | cut -c1-64)"
is "programs are on the user's path" "$(phoenix exec pxt-g1 -- sh -c 'command -v nvidia-smi && nvidia-smi && echo runs' </dev/null)" "$(printf '/usr/local/bin/nvidia-smi\nruns')"
for f in /etc/glvnd/egl_vendor.d/10_nvidia.json /etc/vulkan/icd.d/nvidia_icd.json /etc/OpenCL/vendors/nvidia.icd $dir/firmware/gsp_ga10x.bin; do
    ok "$f is there" inside pxt-g1 test -s "$f"
done
for f in lib/libcuda.so.580.95.05 lib/new bin/nvidia-smi; do
    fails 2 "root inside cannot write $f" inside pxt-g1 sh -c "echo x >>$dir/$f"
done
fails 1 "nor delete in it" inside pxt-g1 rm -rf $dir/lib/libcuda.so.1
fails 32 "nor mount it writable" inside pxt-g1 mount -o remount,rw,bind $dir/lib/libcuda.so.580.95.05
# /proc as the module would have it: this kernel has no place for it to be mounted on.
proc_inside() {
    local pid
    pid=$(fact "$1" '["init_pid"]')
    host_in "$pid" 'mount -t tmpfs -o mode=755 x /proc/driver' &&
        cp -r "$pxt_state/desktops/$1/gpu/proc" "/proc/$pid/root/proc/driver/nvidia" &&
        printf '0 %s\n1 %s\n' $A $B >"/proc/$pid/root/proc/driver/nvidia/px-test-uuids"
}
is "what it sees in proc are its cards" "$(ls "$pxt_state/desktops/pxt-g1/gpu/proc/gpus")" 0000:01:00.0
has "with nodes not to be made inside" "$(cat "$pxt_state/desktops/pxt-g1/gpu/proc/params")" "ModifyDeviceFiles: 0"

ok "the module's files, for the probe" proc_inside pxt-g1
phoenix exec pxt-g1 -- $dir/bin/phoenix-gpu-probe $A </dev/null >"$pxt_dir/probe" 2>&1
probe=$(cat "$pxt_dir/probe")
has "the probe loads the host's library, as the user" "$probe" "ok    version      module and libraries are 580.95.05"
has "counts the granted cards" "$probe" "1 card, CUDA 13.0"
has "knows them by UUID" "$probe" "ok    card         $A"
has "and cannot reach others" "$probe" "no other card can be opened"
# These nodes have no driver behind them, so not everything can be well.
fails 4 "verify runs it" phoenix verify --only gpu pxt-g1
has "passes on what is well" "$out" "1048576 sums in managed memory are right"
has "and what is not" "$out" "/dev/nvidiactl: No such device or address"
is "as JSON, too" "$(phoenix verify --only gpu --json pxt-g1 </dev/null | json "[f['subject'] for f in d['desktops'][0]['checks'][-1]['findings'] if f['verdict'] == 'ok' and 'kernel' in f['subject']]")" "['kernel']"

# The cgroup's rules stay when systemd inside writes its own.
ok "daemon-reload inside" inside pxt-g1 systemctl daemon-reload
ok "and a service with device rules of its own" inside pxt-g1 systemd-run --wait -p DevicePolicy=closed true
is "its card opens as before" "$(opens pxt-g1 /mnt/own)" "$allowed"
is "the other does not, as before" "$(opens pxt-g1 /mnt/other)" "$denied"

# Who uses them.
phoenix exec pxt-g1 -- sleep 300 </dev/null &
exec_pid=$!
wait_for 20 inside pxt-g1 pidof sleep
sleeper=$(grep -l "pxt-g1" /proc/[0-9]*/cgroup 2>/dev/null | while read -r f; do
    d=${f%/cgroup}; [ "$(cat "$d/comm")" = sleep ] && echo "${d#/proc/}"; done | head -n 1)
sed -i "/^gpu $A/a proc $sleeper 268435456 40 25 5" /usr/share/px-test/nvml
ok "gpu top" phoenix gpu top
has "shows load, memory and encoder" "$out" "42%"
has "and power and heat" "$out" "88 W"
has "and whose the process is" "$out" "pxt-g1"
is "for programs as well" "$(phoenix gpu top --json | json "d['cards'][0]['processes'][0]['desktop'], d['cards'][0]['encoder_percent'], d['cards'][1]['processes']")" "pxt-g1 30 []"
has "and what it takes of the card" "$(phoenix gpu top </dev/null | grep sleep | tr -s ' ')" "40% 256.0 MiB 25% 5% sleep"
has "and what its desktop takes in all" "$(phoenix gpu top </dev/null | tr -s ' ')" "pxt-g1 0 40% 256.0 MiB 25% 5% 1"
is "a desktop that does nothing has its card, too" "$(phoenix gpu top --json </dev/null | json "[(u['desktop'], u['cards'], u['processes'], u['memory_bytes']) for u in d['desktops'] if u['desktop'] == 'pxt-g2']")" "[('pxt-g2', [1], 0, 0)]"
is "as JSON, too" "$(phoenix gpu top --json </dev/null | json "[d['cards'][0]['processes'][0][k + '_percent'] for k in ('gpu', 'encoder', 'decoder')]")" "[40, 25, 5]"
phoenix gpu top --watch 1 >"$pxt_dir/watch" 2>&1 </dev/null &
watch=$!
ok "gpu top --watch goes on" wait_for 30 sh -c "[ \"\$(grep -c 'NAME' '$pxt_dir/watch')\" -ge 2 ]"
kill -TERM $watch
wait $watch
is "until it is interrupted" $? 0
kill $exec_pid 2>/dev/null
wait $exec_pid 2>/dev/null

# Three at once for the one card that is left.
ok "one lets go of its card" phoenix rm --yes pxt-g2
for i in 3 4 5; do
    printf 'defaults: {image: minimal, memory: 1GiB, cores: 1}\ndesktops: [{name: pxt-g%s, gpus: 1}]\n' $i >"$pxt_dir/at-once$i.yaml"
    { phoenix up "$pxt_dir/at-once$i.yaml" >"$pxt_dir/at-once$i.out" 2>&1 </dev/null; echo $? >"$pxt_dir/at-once$i.rc"; } &
done
wait
is "of three at once one gets it, two are refused" "$(cat "$pxt_dir"/at-once?.rc | sort | tr '\n' ' ')" "0 2 2 "
is "nobody else has it" "$(phoenix gpu ls --json | json "len(d['cards'][1]['desktops'])")" 1
ok "all of them go" phoenix rm --yes 'pxt-g[345]'

# Attach and detach, on a running desktop.
fails 1 "attach what is not there" phoenix gpu attach pxt-g1 GPU-00000000-0000-0000-0000-000000000000
has "lists what is" "$out" "$B"
fails 1 "attach what it has" phoenix gpu attach pxt-g1 0
is "before, the other is refused" "$(opens pxt-g1 /mnt/other)" "$denied"
ok "attach" phoenix gpu attach pxt-g1 1
is "its node opens for the user" "$(opens pxt-g1 /dev/nvidia1)" "$allowed"
is "it shows in proc" "$(ls "$pxt_state/desktops/pxt-g1/gpu/proc/gpus" | tr '\n' ' ')" "0000:01:00.0 0000:02:00.0 "
ok "daemon-reload" inside pxt-g1 systemctl daemon-reload
is "it still opens" "$(opens pxt-g1 /dev/nvidia1)" "$allowed"
lab "{name: pxt-g2, gpus: [$B]}"
fails 2 "nobody else gets it meanwhile" phoenix up "$file"
ok "detach" phoenix gpu detach pxt-g1 $B
is "its number is refused again" "$(opens pxt-g1 /mnt/other)" "$denied"
fails 1 "its node is gone" inside pxt-g1 test -e /dev/nvidia1
is "its own card works on" "$(opens pxt-g1 /dev/nvidia0)" "$allowed"
ok "detach its last card" phoenix gpu detach pxt-g1 0
is "whose number is refused then" "$(opens pxt-g1 /mnt/own)" "$denied"
ok "and attach it again: the driver is still there" phoenix gpu attach pxt-g1 0
is "it opens" "$(opens pxt-g1 /mnt/own)" "$allowed"
fails 1 "detach what it has not" phoenix gpu detach pxt-g1 $B
has "says what it has" "$out" "it has $A"

# Away again.
lab "{name: pxt-g1, gpus: none}"
ok "gpus: none" phoenix up "$file"
for f in /dev/nvidia0 /dev/nvidiactl /usr/local/bin/nvidia-smi /etc/vulkan/icd.d/nvidia_icd.json /etc/ld.so.conf.d/00-phoenix-nvidia.conf; do
    fails 1 "$f is gone" inside pxt-g1 test -e $f
done
is "the linker has forgotten it" "$(inside pxt-g1 ldconfig -p | grep -c libcuda)" 0

# Render nodes, when asked for. The host's are a group's that nobody inside is in.
fx_drm
lab "{name: pxt-g1, gpus: {ids: [$A], dri: true}}"
ok "dri: true" phoenix up "$file"
is "comes with the card's own render node" "$(inside pxt-g1 sh -c 'cd /dev/dri && echo *')" renderD128
is "which its user may open" "$(phoenix exec pxt-g1 -- sh -c 'head -c 1 /dev/dri/renderD128 | wc -c' </dev/null)" 1
is "and the node for display" "$(inside pxt-g1 ls /dev/nvidia-modeset)" /dev/nvidia-modeset
ok "attach the other" phoenix gpu attach pxt-g1 1
is "with its render node" "$(phoenix exec pxt-g1 -- sh -c 'head -c 1 /dev/dri/renderD129 | wc -c' </dev/null)" 1
ok "detach it" phoenix gpu detach pxt-g1 1
fails 1 "the render node is gone" inside pxt-g1 test -e /dev/dri/renderD129
is "the host's are as they were" "$(stat -c '%a %t:%T' /dev/dri/renderD129)" "660 1:5"
chmod 600 /dev/nvidia0 # NVreg_DeviceFileMode
ok "a host that keeps its nodes to itself" phoenix restart pxt-g1
is "is no hindrance" "$(opens pxt-g1 /dev/nvidia0)" "$allowed"
chmod 666 /dev/nvidia0
rm -rf /dev/dri
fails 1 "no render node on the host" phoenix restart pxt-g1
has "is named" "$out" "/dev/dri/renderD128"

# A CDI file as the source, as nvidia-ctk writes it.
lib=/usr/lib/x86_64-linux-gnu
cdi() { cat <<X
---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  deviceNodes: [{path: /dev/nvidiactl}, {path: /dev/nvidia-uvm}]
  env: [NVIDIA_VISIBLE_DEVICES=void]
  hooks:
  - {hookName: createContainer, path: /usr/bin/nvidia-cdi-hook, args: [nvidia-cdi-hook, update-ldcache]}
  mounts:
  - {hostPath: $lib/libcuda.so.580.95.05, containerPath: $lib/libcuda.so.580.95.05, options: [ro, bind]}
  - {hostPath: /usr/bin/nvidia-smi, containerPath: /usr/bin/nvidia-smi, options: [ro, bind]}
devices:
- {name: "0", containerEdits: {deviceNodes: [{path: /dev/nvidia0}]}}
- {name: "1", containerEdits: {deviceNodes: [{path: /dev/nvidia1}]}}
X
}
cdi >"$pxt_dir/nvidia.yaml"
echo "gpus: {cdi: $pxt_dir/nvidia.yaml}" >>"$PHOENIX_HOST_FILE"
lab "{name: pxt-g1, gpus: [$B]}"
ok "up by a CDI file" phoenix up "$file"
is "with its nodes" "$(inside pxt-g1 sh -c 'echo /dev/nvidia*')" "/dev/nvidia-uvm /dev/nvidia1 /dev/nvidiactl"
is "with its files, and the links beside them" "$(inside pxt-g1 sh -c "cd $dir/lib && echo *")" "libcuda.so.1 libcuda.so.580.95.05"
has "known to the linker" "$(inside pxt-g1 ldconfig -p | grep cuda)" "$dir/lib/libcuda.so.1"
ok "gpu check reads it" phoenix gpu check
cdi | sed 's/580.95.05/570.1.2/' >"$pxt_dir/nvidia.yaml"
fails 1 "a file of another driver" phoenix restart pxt-g1
has "is told, with the way out" "$out" "nvidia-ctk cdi generate"
fails 4 "by gpu check as well" phoenix gpu check
phoenix gpu cdi >"$pxt_dir/nvidia.yaml"
ok "gpu cdi's own file does, too" phoenix start pxt-g1
is "with everything" "$(inside pxt-g1 ls $dir/lib | grep -c nvidia-encode)" 2
sed -i '/^gpus: {cdi/d' "$PHOENIX_HOST_FILE"

# Persistence, set once, only where it is not.
ok "gpu ready" phoenix gpu ready
is "sets persistence on the card without" "$(cat /usr/share/px-test/nvml.set)" "persistence $A 1"
rm -f /usr/share/px-test/nvml.set
mkdir -p /run/nvidia-persistenced && mount -t tmpfs px-run /run/nvidia-persistenced && touch /run/nvidia-persistenced/socket
ok "gpu ready beside nvidia-persistenced" phoenix gpu ready
fails 1 "leaves it to that" test -e /usr/share/px-test/nvml.set
umount /run/nvidia-persistenced && rmdir /run/nvidia-persistenced 2>/dev/null
ok "rm" phoenix rm --yes pxt-g1

# Shared cards.
lab "{name: pxt-g1, gpus: {count: 1, mode: shared, memory: 6GiB}}" "{name: pxt-g2, gpus: {count: 1, mode: shared, memory: 6GiB}}" \
    "{name: pxt-g3, gpus: {count: 1, mode: shared, memory: 6GiB}}"
ok "three share two cards" phoenix up "$file"
is "two here, one there" "$(phoenix gpu ls --json | json "sorted(len(c['desktops']) for c in d['cards'])")" "[1, 2]"
lab "{name: pxt-g4, gpus: {ids: [0], mode: shared, memory: 12GiB}}"
fails 2 "no budget beyond the card" phoenix plan "$file"
ok "all of them go" phoenix rm --yes '*'

# MIG: the parts are given out, each with its capability nodes. Theirs are numbers that open here.
mig1=MIG-aaaaaaaa-0000-0000-0000-000000000001 mig2=MIG-aaaaaaaa-0000-0000-0000-000000000002
fx_reset
fx_module 580.95.05
fx_driver runfile 580.95.05
fx_card 0000:06:00.0 0 $A "NVIDIA H200" <<X
memory 150754820096 0
compute 9 0
mig $mig1 1 0 18253611008 NVIDIA H200 MIG 1g.18gb
mig $mig2 2 0 18253611008 NVIDIA H200 MIG 1g.18gb
X
devices=$(sed 's/^241 nvidia-caps/1 nvidia-caps/' "$fx/devices") # not sed -i: the file itself is mounted
echo "$devices" >"$fx/devices"
mkdir -p /proc/driver/nvidia-caps
printf 'config 1\nmonitor 2\ngpu0/gi1/access 5\ngpu0/gi1/ci0/access 7\ngpu0/gi2/access 8\ngpu0/gi2/ci0/access 9\n' >/proc/driver/nvidia-caps/mig-minors
lab "{name: pxt-g1, gpus: [$A]}"
fails 2 "a whole card in MIG mode" phoenix plan "$file"
has "is refused with its parts" "$out" "it has $mig1 (0000:06:00.0), $mig2"
lab "{name: pxt-g1, gpus: 1}"
ok "a MIG device" phoenix up "$file"
is "comes with its own two capabilities" "$(inside pxt-g1 sh -c 'echo /dev/nvidia-caps/*')" "/dev/nvidia-caps/nvidia-cap5 /dev/nvidia-caps/nvidia-cap7"
ok "attach the other" phoenix gpu attach pxt-g1 $mig2
is "adds its two" "$(inside pxt-g1 sh -c 'echo /dev/nvidia-caps/* | wc -w')" 4
phoenix exec pxt-g1 -- sh -c 'exec 3</dev/nvidia-caps/nvidia-cap8; exec sleep 301' </dev/null &
wait_for 20 inside pxt-g1 pidof sleep
fails 1 "detach while a process has it open" phoenix gpu detach pxt-g1 $mig2
has "names the process" "$out" "sleep ("
ok "--force does it all the same" phoenix gpu detach --force pxt-g1 $mig2
is "its nodes are gone, the others stay" "$(inside pxt-g1 sh -c 'echo /dev/nvidia[0-9] /dev/nvidia-caps/*')" "/dev/nvidia0 /dev/nvidia-caps/nvidia-cap5 /dev/nvidia-caps/nvidia-cap7"
inside pxt-g1 pkill sleep
wait
ok "rm" phoenix rm --yes pxt-g1

# The driver wherever the host has it.
for layout in debian mounted runfile; do
    fx_two_5060 $layout
    lab "{name: pxt-g1, gpus: 1}"
    ok "the driver laid out as $layout" phoenix up "$file"
    is "libcuda is the host's" "$(inside pxt-g1 sha256sum $dir/lib/libcuda.so.1 | cut -c1-64)" "$(sha256sum "$PX_BUILD/tests/gpu/px-test-cuda.so" | cut -c1-64)"
    has "the linker has it" "$(inside pxt-g1 ldconfig -p | grep nvidia)" "$dir/lib/libnvidia-encode.so.1"
    ok "nvidia-smi runs" phoenix exec pxt-g1 -- nvidia-smi
    ok "the vendor files are there" inside pxt-g1 test -s /etc/glvnd/egl_vendor.d/10_nvidia.json
    ok "stop" phoenix stop pxt-g1
done

# A driver upgrade: first the files, then the reboot.
ok "start, before an upgrade" phoenix start pxt-g1
ok "gpu check finds nothing" phoenix gpu check
rm -f /usr/lib/x86_64-linux-gnu/{libcuda,libnv}*
fx_driver runfile 580.105.08
fails 4 "gpu check after the files were replaced" phoenix gpu check
has "says that they differ" "$out" "module is 580.95.05, the installed libraries are 580.105.08"
has "and what that means" "$out" "runs with what it has; its next start would fail"
ok "what runs keeps its files" inside pxt-g1 sha256sum $dir/lib/libcuda.so.1
fails 1 "a restart is refused" phoenix restart pxt-g1
has "with the same words" "$out" "the driver was upgraded without a reboot"
cp -r /proc/driver/nvidia/gpus "$fx/gpus" && fx_module 580.105.08 open && cp -r "$fx/gpus" /proc/driver/nvidia/
fx_card 0000:01:00.0 0 $A "NVIDIA GeForce RTX 5060 Ti" <<<"memory 17094934528 0"
fx_card 0000:02:00.0 1 $B "NVIDIA GeForce RTX 5060 Ti" <<<"memory 17094934528 0"
ok "gpu check after the reboot" phoenix gpu check
ok "it starts" phoenix start pxt-g1
has "with the new driver" "$(inside pxt-g1 ls $dir/lib)" libcuda.so.580.105.08
lacks "and without the old" "$(inside pxt-g1 ls $dir/lib)" libcuda.so.580.95.05

# Traps, set by root inside where the host's root will write, mount or run something.
outside=$pxt_dir/outside
# Without what the host would make there: a directory for the driver, files for the linker.
mkdir -p "$outside/etc" && chmod -R 777 "$outside" && echo keep >"$outside/keep"
as_it_was() { find "$outside" -printf '%p %y %m %U %s %l\n' | sort; ls -lan /usr/local/bin /etc/OpenCL/vendors /etc/ld.so.conf.d; sha256sum /etc/ld.so.cache; }
before=$(as_it_was)
cuda=$(sha256sum /usr/lib/x86_64-linux-gnu/libcuda.so.1 | cut -c1-64)
# trapped NAME SAYS TRAP [told]: the trap is set, the desktop started again, which says SAYS, and nothing outside has
# changed. told: the desktop's own programs have left their ids in /ran, and nobody else has.
trapped() {
    ok "trap: $1" inside pxt-g1 sh -c "$3"
    phoenix restart pxt-g1 >"$pxt_dir/restart" 2>&1 </dev/null
    has "  says what becomes of it" "$(cat "$pxt_dir/restart")" "$2"
    [ "$2" != ": running" ] || is "  has the driver inside" "$(inside pxt-g1 sha256sum $dir/lib/libcuda.so.1 | cut -c1-64)" "$cuda"
    if [ "${4:-}" = told ]; then
        phoenix exec pxt-g1 --user root -- cat /ran >"$pxt_dir/ran" 2>&1 </dev/null
        has "  it would have told" "$(cat "$pxt_dir/ran")" " 65536"
        lacks "  nothing of it ran with the host's ids" "$(cat "$pxt_dir/ran")" 4294967295
        lacks "  nor before the desktop was one" "$(cat "$pxt_dir/ran")" "no proc"
    fi
    is "  leaves the host alone" "$(as_it_was)" "$before"
    lacks "  leaves no mount" "$(cat /proc/self/mountinfo)" "$outside"
    phoenix rm --yes pxt-g1 >/dev/null 2>&1 </dev/null
    phoenix up "$file" >/dev/null 2>&1 </dev/null
}
# CVE-2024-0132, CVE-2025-23359: the place of a mount is a link out of the container.
for to in "$outside" "../../../../../../../..$outside" "/proc/1/root$outside" "/proc/self/cwd$outside"; do
    trapped "the driver's directory is a link to $to" "cannot open directory '/usr/lib/phoenix' below the root" \
        "mv /usr/lib/phoenix /usr/lib/p2 && ln -s $to /usr/lib/phoenix"
done
trapped "it is a link to what is there inside, too" ": running" \
    "mkdir -p $outside && mv /usr/lib/phoenix /usr/lib/p2 && ln -s $outside /usr/lib/phoenix"
trapped "the linker's files are links" "cannot open directory '/etc/ld.so.conf.d' below the root" \
    "rm -rf /etc/ld.so.conf.d /etc/ld.so.cache && ln -s $outside/etc /etc/ld.so.conf.d && ln -s $outside/etc/cache /etc/ld.so.cache"
trapped "the linker's cache alone is a link" ": running" "ln -sfn $outside/etc/cache /etc/ld.so.cache"
trapped "the places of links are links" ": running" \
    "rm -rf /usr/local/bin /etc/OpenCL /etc/vulkan && ln -s $outside /usr/local/bin && ln -s $outside /etc/OpenCL && ln -s $outside/etc /etc/vulkan"
trapped "the linker's cache is a pipe" ": running" "rm -f /etc/ld.so.cache && mkfifo /etc/ld.so.cache"
# CVE-2025-23266: code of the image is run by the host. What runs tells which ids it has, the host's or the desktop's;
# before the desktop has a /proc, only the host can run anything in its root.
echo "#include <stdio.h>
__attribute__((constructor)) static void f(void) {
    char map[256] = \"no proc\";
    FILE *o = fopen(\"$outside/ran\", \"w\"), *in = fopen(\"/proc/self/uid_map\", \"r\"), *out = fopen(\"/ran\", \"a\");
    if (in && fgets(map, sizeof(map), in)) {}
    if (out) fputs(map, out);
    if (o) fclose(o);
    if (in) fclose(in);
    if (out) fclose(out);
}" | cc -shared -fPIC -x c - -o "$pxt_dir/trap.so"
phoenix exec pxt-g1 --user root -- sh -c 'cat >/usr/lib/trap.so' <"$pxt_dir/trap.so"
trapped "programs and libraries of the image that would tell" ": running" "for p in /sbin/ldconfig /usr/bin/nvidia-ctk /usr/bin/nvidia-cdi-hook; do
    printf '#!/bin/sh\ntouch $outside/ran\n' >\$p; chmod 755 \$p; done; : >/ran; chmod 666 /ran; echo /usr/lib/trap.so >/etc/ld.so.preload" told
# CVE-2026-24260: the place changes between the look and the use. Only attach meets a running owner.
lab "{name: pxt-g1, gpus: [$A]}"
ok "a desktop to race with" phoenix up "$file"
phoenix exec pxt-g1 --user root -- sh -c "while :; do ln -sfn $outside/keep /dev/nvidia1; rm -f /dev/nvidia1; : >/dev/nvidia1; rm -f /dev/nvidia1; done 2>/dev/null" </dev/null &
racer=$!
for i in $(seq 10); do
    phoenix gpu attach pxt-g1 $B >/dev/null 2>&1 </dev/null
    phoenix gpu detach pxt-g1 $B >/dev/null 2>&1 </dev/null
done
kill $racer 2>/dev/null
wait $racer 2>/dev/null
is "a racing owner reaches nothing outside" "$(as_it_was)" "$before"
is "and has no second card" "$(phoenix gpu ls --json | json "d['cards'][1]['desktops']")" "[]"
ok "all of them go" phoenix rm --yes '*'
is "no mount is left" "$(grep -c "$pxt_state" /proc/self/mountinfo)" 0
done_testing
