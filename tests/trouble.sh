#!/bin/bash
# tests/trouble.sh - a full disk, a bridge and ids of somebody else: said clearly, nothing half done
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host misc2
needs_minimal
file=$pxt_dir/one.yaml
printf 'desktops:\n  - {name: pxt-t, image: minimal, memory: 256MiB}\n' >"$file"

# The bridge's name is taken.
ip link add "$pxt_bridge" type bridge
fails 1 "up refuses a bridge that is not ours" phoenix up "$file"
has "and names it" "$out" "$pxt_bridge"
ok "the bridge is untouched" test -z "$(ip -o addr show dev "$pxt_bridge")"
ip link del "$pxt_bridge"
ok "with the name free up works" phoenix up "$file"
ok "rm" phoenix rm --yes pxt-t
ok "net down" phoenix net down

# The ids are somebody else's; in a mount namespace, so that this host's files stay as they are.
rm -f "$pxt_state/ids.json"
first=$(sed -n 's/^ids: {first: \([0-9]*\),.*/\1/p' "$PHOENIX_HOST_FILE")
echo "somebody:$((first + 70000)):65536" >"$pxt_dir/subuid"
fails 1 "up refuses ids of another user" unshare -m sh -c \
    'touch /etc/subuid && mount --bind "$0" /etc/subuid && exec phoenix up "$1"' "$pxt_dir/subuid" "$file"
has "and says whose they are" "$out" "'somebody'"
ok "what was begun is taken away" phoenix rm --yes pxt-t
ok "net down again" phoenix net down

# The disk fills up at each point on the way.
small=$pxt_dir/small
mkdir -p "$small"
for kib in 8 24 48 96 192; do
    mount -t tmpfs -o size=${kib}k,mode=711 pxt-small "$small"
    ln -s "$PX_TEST_ROOM/images" "$small/images"
    sed "s|^state_dir: .*|state_dir: $small|" "$PHOENIX_HOST_FILE" >"$pxt_dir/small.yaml"
    status=0
    phoenix --host-file "$pxt_dir/small.yaml" up --wait nothing "$file" >"$pxt_dir/small.out" 2>&1 </dev/null || status=$?
    if [ $status != 0 ]; then
        has "at $kib KiB up says that there is no room" "$(cat "$pxt_dir/small.out")" "No space left"
        mount -o remount,size=64m "$small"
        ok "with room again up finishes (it had $kib KiB)" phoenix --host-file "$pxt_dir/small.yaml" up "$file"
    fi
    ok "rm cleans (it had $kib KiB)" phoenix --host-file "$pxt_dir/small.yaml" rm --yes pxt-t
    is "and leaves nothing (it had $kib KiB)" "$(ls "$small/desktops")" ""
    phoenix --host-file "$pxt_dir/small.yaml" net down --quiet
    umount "$small"
done
ok "the smallest of these disks was too small" grep -q . "$pxt_dir/small.out"

# It fills up while a desktop runs: what makes room works.
mount -t tmpfs -o size=8m,mode=711 pxt-small "$small"
ln -s "$PX_TEST_ROOM/images" "$small/images"
on_small() { phoenix --host-file "$pxt_dir/small.yaml" "$@"; }
ok "up" on_small up "$file"
mount -o remount,nr_inodes=$(($(df --output=iused "$small" | tail -n 1) + 200)) "$small"
for i in {1..200}; do : >"$small/filler-$i"; done 2>/dev/null
fails 4 "verify sees a disk without inodes" on_small verify pxt-t --only disk
has "and says so" "$out" "takes no more files: "
rm "$small"/filler-*
mount -o remount,nr_inodes=100000 "$small"
cat /dev/zero >"$small/filler" 2>/dev/null
fails 4 "verify sees a full disk" on_small verify pxt-t --only disk
has "and says so" "$out" "is full"
fails 1 "stop says what it could not write" on_small stop pxt-t
has "and stops" "$out" "it is stopped, but will start at boot: cannot write 'desktop.json': No space left on device"
is "indeed" "$(on_small ls pxt-t --json | jq -r '.desktops[0].state')" stopped
ok "rm needs no room" on_small rm --yes pxt-t
is "and leaves nothing" "$(ls "$small/desktops")" ""
on_small net down --quiet
umount "$small"
done_testing
