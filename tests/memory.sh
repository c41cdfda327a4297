#!/bin/bash
# tests/memory.sh - the image's page cache is not charged to the first desktop
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host misc1
needs_minimal
file=$pxt_dir/two.yaml
printf 'desktops:\n  - {name: pxt-m, image: minimal, memory: 256MiB}\n' >"$file"

layers=$PX_TEST_ROOM/images/layers
list=$PX_TEST_ROOM/images/warm/$(phoenix image show minimal --json | jq -r .digest | tr : -)
# forget [look]: puts the image's files out of the cache; prints how many bytes of it are left there.
forget() {
    python3 - "$layers" <<'END'
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
left = 0
for folder, _, names in os.walk(sys.argv[1]):
    for path in (os.path.join(folder, n) for n in names):
        if os.path.islink(path) or not os.path.isfile(path) or not os.path.getsize(path):
            continue
        fd, size = os.open(path, os.O_RDONLY), os.path.getsize(path)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        at, pages = libc.mmap(None, size, 1, 1, fd, 0), ctypes.create_string_buffer((size + 4095) // 4096)
        libc.mincore(at, size, pages)
        left += 4096 * sum(b & 1 for b in pages.raw[:(size + 4095) // 4096])
        libc.munmap(at, size)
        os.close(fd)
print(left)
END
}
# Bytes of files that the desktop is charged for, without its tmpfs.
charged() {
    local dir
    dir=$(find /sys/fs/cgroup -maxdepth 4 -type d -path "*phoenix/$pxt_bridge-pxt-m" -exec test -f '{}/memory.stat' \; -print | head -n 1)
    awk '/^(total_cache|file) / {n = $2} /^(total_shmem|shmem) / {m = $2} END {print n - m}' "$dir/memory.stat"
}

if [ "$(forget)" -gt 1000000 ]; then
    skip_all "host: this file system does not let go of its cache"
fi
rm -f "$list"
ok "up with a cold cache" phoenix up "$file"
without=$(charged)
ok "the first desktop pays for what it reads ($without bytes)" test "$without" -gt 10000000
ok "which is noted" wait_for 120 test -s "$list"
ok "rm" phoenix rm --yes pxt-m
ok "the cache is cold again" test "$(forget)" -lt 1000000
ok "up" phoenix up "$file"
with=$(charged)
ok "what was noted costs it nothing ($with bytes)" test "$with" -lt $((without / 5))
before=$(stat -c %Y "$list")
ok "rm again" phoenix rm --yes pxt-m
ok "a third start" phoenix up "$file"
is "the note stays" "$(stat -c %Y "$list")" "$before"
ok "rm a third time" phoenix rm --yes pxt-m
ok "net down" phoenix net down
done_testing
