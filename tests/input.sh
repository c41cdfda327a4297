#!/bin/bash
# tests/input.sh - desktop files that are none: one clear line, exit code 2, nothing changed
. "$(dirname "$0")/lib.sh"
pxt_host misc1
bad=$pxt_dir/bad
mkdir -p "$bad/dir"
: >"$bad/empty"
head -c 104857600 /dev/zero | tr '\0' 'a' >"$bad/100mb"
{
    echo 'a: &a [x,x,x,x,x,x,x,x,x]'
    for i in b c d e f g h i; do
        p=$(printf %b "\\x$(printf %x $(($(printf %d "'$i") - 1)))")
        echo "$i: &$i [*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p,*$p]"
    done
} >"$bad/bomb"
printf 'desktops:\n\t- name: a\n' >"$bad/tabs"
head -c 4096 /dev/urandom >"$bad/binary"
printf 'desktops:\n  - {name: A_B, image: x}\n' >"$bad/name"
printf 'desktops:\n  - {name: a, image: x}\n  - {name: a, image: x}\n' >"$bad/twice"
printf 'desktops:\n  - {name: a, image: x, memroy: 4GiB}\n' >"$bad/slip"
printf 'desktops:\n  - {name: a, image: x, memory: lots}\n' >"$bad/size"
printf 'desktops:\n  - {name: a, image: x, gpus: -1}\n' >"$bad/gpus"

for name in empty 100mb bomb tabs binary name twice slip size gpus dir missing; do
    fails 2 "$name is refused" timeout 20 phoenix up "$bad/$name"
    is "$name takes one line" "$(printf '%s\n' "$out" | wc -l)" 1
    has "$name is named in it" "$out" "$bad/$name"
done
fails 2 "a slip is refused" phoenix plan "$bad/slip"
has "with line" "$out" "slip:2"
has "and suggestion" "$out" "memory"
printf 'desktops:\r\n  - {name: a, image: nosuch}\r\n' >"$bad/crlf"
for verb in plan up; do
    fails 2 "CRLF is no mistake for $verb, the image is what is missing" phoenix $verb "$bad/crlf"
    has "which it names, with the place" "$out" "crlf:2: desktop 'a': image"
    is "and that is all it says" "$(printf '%s\n' "$out" | wc -l)" 1
done
if [ "$(id -u)" = 0 ] && [ ! -d /proc/driver/nvidia/gpus ]; then
    printf 'desktops:\n  - {name: a, image: minimal, gpus: 1}\n' >"$bad/nogpu"
    fails 2 "a GPU where there is none is refused" phoenix plan "$bad/nogpu"
fi
ok "nothing was made" test -z "$(ls "$pxt_state/desktops" 2>/dev/null)"
done_testing
