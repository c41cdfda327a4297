#!/bin/bash
# tests/image.sh - building images: same digest twice, layers kept, killed and failed builds, full disk
. "$(dirname "$0")/lib.sh"
needs_root

recipes=$pxt_dir/recipes
mkdir -p "$recipes/up/files/sub"
cp -r "$PX_SOURCE/recipes/minimal" "$recipes/minimal"
echo text >"$recipes/up/files/sub/one"
echo '#!/bin/sh' >"$recipes/up/files/tool"
chmod 775 "$recipes/up/files/tool"
ln -s one "$recipes/up/files/sub/link"

write_up() { # LAST COMMAND
    cat >"$recipes/up/recipe.yaml" <<END
from: minimal
packages: [nano]
files:
  - {path: /opt/pxt, source: files}
  - {path: /home/ai/note, content: "hello\n", owner: ai, mode: "0600"}
commands:
  - "$1"
END
}

# Chooses the state directory; images are not shared with other tests here.
state() {
    state=$pxt_dir/$1
    mkdir -p "$state"
    printf 'state_dir: %s\nrun_dir: %s/run\nrecipes_dir: %s\n' "$state" "$state" "$recipes" \
        >"$pxt_dir/$1.yaml"
    export PHOENIX_HOST_FILE=$pxt_dir/$1.yaml
}

digest() { phoenix image show "$1" --json | sed -n 's/.*"digest": *"\(sha256:[0-9a-f]*\)".*/\1/p' | head -n 1; }
layer_times() { stat -c '%n %Y %Z' "$state"/images/layers/*; }
last_log() { ls -t "$state"/images/logs/* | head -n 1; }

# What a dead build must not leave: mounts in any namespace, processes.
leftovers() {
    grep -l " $state/images/" /proc/[0-9]*/mountinfo 2>/dev/null
    for p in /proc/[0-9]*; do
        [[ $(readlink "$p/root" "$p/cwd" 2>/dev/null) != *"$state"* ]] || echo "$p"
    done
    pgrep -f -- "$state/images/tmp"
}
no_leftovers() { [ -z "$(leftovers)" ]; }

pxt_umount() { umount -l "$pxt_dir/small" "$pxt_dir/tight" 2>/dev/null; }
trap 'pxt_umount; pxt_end' EXIT

# --- from a lock, twice
state a
fails 1 "without a lock, --locked refuses" phoenix image build --locked minimal
has "and says how to make one" "$out" "phoenix image lock minimal"
ok "lock is written" phoenix image lock minimal
ok "it names packages by version and hash" grep -q '"name": "systemd", "version": ".*"sha256": ' \
    "$recipes/minimal/recipe.lock"
lacks "and no address" "$(cat "$recipes/minimal/recipe.lock")" "://"
ok "minimal is built from it" phoenix image build --locked minimal
a=$(digest minimal)
before=$(layer_times)
ok "built again, everything is there already" phoenix image build --locked minimal
is "no layer was touched" "$(layer_times)" "$before"

state b
mkdir -p "$state/images"
cp -al "$pxt_dir/a/images/pool" "$state/images/pool"
phoenix image build --locked minimal >"$pxt_dir/killed" 2>&1 </dev/null &
pid=$!
ok "a build elsewhere has come to unpacking" wait_for 120 sh -c "grep -q '^Unpacking' '$state'/images/logs/*"
kill -KILL $pid
wait $pid 2>/dev/null
ok "killed in the middle: no process, no mount" wait_for 30 no_leftovers
fails 1 "and no image" phoenix image show minimal
is "and no layer" "$(ls "$state/images/layers")" ""
ok "the next build finishes" phoenix image build --locked minimal
is "the same digest, built elsewhere" "$(digest minimal)" "$a"
is "nothing was downloaded again" "$(grep -c '^Get:.* http' "$(last_log)")" 0
is "nothing is left in tmp" "$(ls "$state/images/tmp")" ""

# --- what is in the tree
tree=$(printf '%s\n' "$state"/images/layers/*/tree/etc/os-release | head -n 1)
tree=${tree%/etc/os-release}
is "machine-id is empty" "$(cat "$tree/etc/machine-id")" ""
is "resolv.conf is empty" "$(cat "$tree/etc/resolv.conf")" ""
is "no package lists, caches or logs" "$(find "$tree"/var/lib/apt/lists "$tree"/var/cache/apt \
    "$tree"/var/log -type f -size +0 | head)" ""
is "nobody's mirror" "$(grep -rl "copy:\|$state" "$tree/etc" | head)" ""
is "no time is after the lock's" "$(find "$state"/images/layers/*/tree -newermt \
    "@$(sed -n 's/.*"source_date_epoch": \([0-9]*\).*/\1/p' "$recipes/minimal/recipe.lock")" | head)" ""
is "other users cannot get at setuid programs" "$(stat -c %a "$state/images")" 700

# --- layers on top: only what changed is built
state a
write_up 'echo one >/etc/pxt'
ok "a recipe on top of minimal is built" phoenix image build up
before=$(layer_times)
up=$(digest up)
write_up 'echo two >/etc/pxt'
ok "with another last command it is built again" phoenix image build up
is "the layers below were not" "$(layer_times | grep -F "$(echo "$before" | cut -d' ' -f1)" | grep -cxF "$before")" \
    "$(echo "$before" | wc -l)"
is "one layer was made" "$(($(layer_times | wc -l) - $(echo "$before" | wc -l)))" 1
is "nothing was installed" "$(grep -c '^Unpacking' "$(last_log)")" 0
is "it is another image" "$([ "$(digest up)" != "$up" ] && echo other)" other
write_up 'echo one >/etc/pxt'
ok "back to the first" phoenix image build up
is "it is the first image again" "$(digest up)" "$up"
ok "what was just built is locked" phoenix image lock up
ok "and built from that lock" phoenix image build --locked up
is "with the layers that are there" "$(grep -c '^Unpacking' "$(last_log)") $(digest up)" "0 $up"
rm -f "$recipes/up/recipe.lock"
top=$(ls -td "$state"/images/layers/*/tree/opt/pxt | head -n 1)
is "files are root's, executable where they were" "$(stat -c '%U %a' "$top/tool" "$top/sub/one" | xargs)" \
    "root 755 root 644"
is "links stay links" "$(readlink "$top/sub/link")" one
is "and the user's are the user's" "$(stat -c '%u %a' "${top%/opt/pxt}/home/ai/note" "${top%/opt/pxt}/home/ai" | xargs)" \
    "1000 600 1000 750"

# --- killed at each step
steps=$(write_up 'echo steps >/etc/pxt'; phoenix -v -v image build up 2>&1 </dev/null |
    sed -n 's/.*step \(image\.[a-z]*\).*/\1/p' | awk '!seen[$0]++')
ok "a build goes through steps" test "$(echo "$steps" | wc -l)" -ge 6
exec 3>&2 2>/dev/null # bash tells of each process that was killed
for step in $steps; do
    write_up "echo $step $RANDOM >/etc/pxt"
    sed -i "s/nano/nano, less/" "$recipes/up/recipe.yaml"
    rm -f "$state"/images/cache/* # or there would be nothing to do; the root is not made again:
    cp -a "$pxt_dir/cache/." "$state/images/cache/" 2>/dev/null
    [ -d "$pxt_dir/cache" ] || { phoenix image build minimal >/dev/null 2>&1 </dev/null; cp -a "$state/images/cache" "$pxt_dir/cache"; }
    before=$(digest up)
    PHOENIX_TEST_STEP=$step=KILL phoenix image build up >"$pxt_dir/out" 2>&1 </dev/null
    is "killed at $step" $? 137
    ok "killed at $step: no process, no mount" wait_for 30 no_leftovers
    is "killed at $step: the old image stays" "$(digest up)" "$before"
    ok "killed at $step: the next build finishes" phoenix image build up
    is "killed at $step: nothing is left in tmp" "$(ls "$state/images/tmp")" ""
done
exec 2>&3 3>&-
write_up 'sleep 60 & sleep 61'
phoenix image build up >"$pxt_dir/killed" 2>&1 </dev/null &
pid=$!
ok "a build has come to a command" wait_for 60 pgrep -f '^sleep 61$'
kill -TERM $pid
wait $pid
is "SIGTERM in a command ends it" $? 143
ok "with all that the command started" wait_for 30 no_leftovers
is "and nothing in tmp" "$(ls "$state/images/tmp")" ""

# --- failing
write_up 'echo oops >&2; exit 3'
fails 1 "a failing command fails the build" phoenix image build up
has "and says which, and why" "$out" "commands[0]: '/bin/sh' ended with status 3: oops"
write_up 'wget -q -O- http://192.0.2.1/ || cat </dev/tcp/192.0.2.1/80 || ip route get 192.0.2.1'
fails 1 "commands have no network" phoenix image build up
write_up 'true'
sed -i 's/nano/no-such-package-pxt/' "$recipes/up/recipe.yaml"
fails 1 "an unknown package fails the build" phoenix image build up
has "and is named" "$out" "Unable to locate package no-such-package-pxt"
write_up 'true'
sed -i 's/\("version": "\)[^"]*\(.*"sha256"\)/\1999:1\2/; s/\("sha256": "\)[0-9a-f]\{8\}/\100000000/' \
    "$recipes/minimal/recipe.lock"
fails 1 "a lock that Debian has no packages for fails" phoenix image build --locked minimal
has "and says what is gone" "$out" "no longer has package"
has "and what to do" "$out" "phoenix image lock"
echo '{' >"$recipes/minimal/recipe.lock"
fails 2 "a broken lock fails" phoenix image build --locked minimal
has "and is named" "$out" "recipe.lock:"
rm "$recipes/minimal/recipe.lock"

# --- thrown away
ok "rm takes an image away" phoenix image rm up --yes
fails 1 "it is gone" phoenix image show up
ok "minimal is still whole" phoenix image show minimal
ok "gc runs" phoenix image gc
is "only layers of images are left" "$(ls "$state/images/layers" | wc -l)" "3"

# --- a full disk
mkdir -p "$pxt_dir/small" "$pxt_dir/tight"
mount -t tmpfs -o size=80m,mode=755 pxt "$pxt_dir/small"
state small
fails 1 "too small a disk is told before anything is fetched" phoenix image build minimal
has "with what it needs" "$out" "needs about"
is "nothing was fetched" "$(ls "$state/images/pool/deb" 2>/dev/null)" ""
mount -t tmpfs -o size=420m,mode=755 pxt "$pxt_dir/tight"
state tight
PHOENIX_TEST_STEP=image.fetch=KILL phoenix image build minimal >"$pxt_dir/out" 2>&1 </dev/null
is "killed before the download" $? 137
ok "nothing is left of it" no_leftovers
# Stopped after it looked for room. What is left then is too little for apt, or ends within a package.
for left in 20 100; do
    PHOENIX_TEST_STEP=image.unpack=STOP phoenix image build minimal >"$pxt_dir/full" 2>&1 </dev/null &
    pid=$!
    ok "a build on a tight disk has come to unpacking" wait_for 300 grep -q '^State:.*T' /proc/$pid/status
    free_mib=$(($(stat -f -c '%a * %S' "$state") >> 20))
    dd if=/dev/zero of="$state/filler" bs=1M count=$((free_mib - left)) 2>/dev/null
    kill -CONT $pid
    wait $pid
    is "with $left MiB left it fails" $? 1
    has "and says that the disk is full" "$(cat "$pxt_dir/full")" "no space left in '$state/images'"
    fails 1 "there is no half image" phoenix image show minimal
    is "no half layer" "$(ls "$state/images/layers")" ""
    is "nothing in tmp" "$(ls "$state/images/tmp")" ""
    ok "no process, no mount" wait_for 30 no_leftovers
    rm "$state/filler"
done
done_testing
