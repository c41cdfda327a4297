#!/bin/bash
# tests/bundle.sh - phoenix-host as desktops get it: one folder, which stays the same one when phoenix is upgraded
. "$(dirname "$0")/lib.sh"

bundle=$pxt_dir/bundle
make_bundle() { # PROGRAM: one that is newer than all before
    cp "$1" "$pxt_dir/program.new"
    touch -d "@$((now += 10))" "$pxt_dir/program.new"
    mv "$pxt_dir/program.new" "$pxt_dir/program"
    "$PX_SOURCE/packaging/bundle-host.sh" "$pxt_dir/program" "$bundle" || return 1
    touch -d "@$((now += 10))" "$bundle/phoenix-host"
}
now=$(date +%s)
libs() { ls -d "$bundle"/lib* | wc -l; }

ok "phoenix-host runs from its bundle" make_bundle "$PX_BUILD/src/phoenix-host/phoenix-host"
ok "wherever it lies" "$bundle/phoenix-host" --version
has "and is what it was" "$out" "$("$PX_BUILD/src/phoenix-host/phoenix-host" --version)"
lib=$(echo "$bundle"/lib-*)
ok "it is listed what it loads" bash -c '"$0"/ld-linux* --library-path "$0" --list "$0/phoenix-host"' "$lib"
is "all of it lies there, too" "$(grep -v "vdso\|ld-linux\|=> $lib/" <<<"$out")" ""
ok "and what it opens later" "$bundle/phoenix-host" libraries
opened=$out
has "lies there" "$opened" "$lib/libavcodec.so."
fails 1 "what it could not say is no answer" bash -c '"$0" libraries >/dev/full' "$bundle/phoenix-host"
has "and no silence" "$out" "cannot write the output: No space left on device"
ok "with what that loads" bash -c '"$0"/ld-linux* --library-path "$0" --list "$1"' "$lib" "$opened"
is "all of which lies there, too" "$(grep -v "vdso\|ld-linux\|=> $lib/" <<<"$out")" ""

# A desktop that runs holds the folder: what it holds leads to the new program.
exec 7<"$bundle"
held=/proc/self/fd/7
before=$(stat -c %i "$bundle")
ok "a newer one takes its place" make_bundle "$(type -P echo)"
is "in the same folder" "$(stat -c %i "$bundle")" "$before"
is "which a desktop that runs sees" "$(cd "$held" && ./phoenix-host hello)" hello
is "beside the one before" "$(libs)" 2
ok "and another" make_bundle "$(type -P cat)"
is "takes the place of the oldest" "$(libs)" 2
is "and runs" "$(cd "$held" && ./phoenix-host <<<"hello again")" "hello again"

before=$(stat -c %Y "$bundle/phoenix-host")
ok "the same program once more" "$PX_SOURCE/packaging/bundle-host.sh" "$pxt_dir/program" "$bundle"
is "changes nothing" "$(stat -c %Y "$bundle/phoenix-host")" "$before"
fails 1 "a program that is not there is told" "$PX_SOURCE/packaging/bundle-host.sh" "$pxt_dir/none" "$bundle"
is "and leaves what there is" "$(ls -A "$bundle" | grep -c '^phoenix-host$\|^lib-')" 3
done_testing
