#!/bin/bash
# packaging/bundle-host.sh PROGRAM DIRECTORY - phoenix-host with all it needs, for any Linux
#
# The program runs inside desktops, whose libraries are not the host's. DIRECTORY gets the program, each
# library it was linked with or opens when it needs it, and the loader that belongs to them; bound
# read-only into a desktop (at any path) it runs there whatever that desktop has, and one copy serves all
# desktops from one page cache. Drivers' libraries (NVENC's and CUDA's) come from the desktop, through its
# own ld.so cache.
#
#     DIRECTORY/phoenix-host      starts it
#     DIRECTORY/lib-HASH/         program, libraries, loader
#
# Running desktops have DIRECTORY bound: it stays the same directory, and what is new comes into it beside
# what is old, so that they start the new program from then on. The one before is kept for what is just
# starting.
set -eu
program=$1 to=$2
[ -x "$program" ] || { echo "bundle-host: no program '$program'" >&2; exit 1; }
mkdir -p "$to"
chmod 755 "$to"
exec 9<"$to"
flock 9
[ ! "$to/phoenix-host" -nt "$program" ] || exit 0 # made from this very program

tmp=$to/.new
trap 'rm -rf "$tmp"' EXIT
rm -rf "$tmp"
mkdir -p "$tmp/lib"

# "libx.so.1 => /path (0x..)" and "/lib64/ld-linux-x86-64.so.2 (0x..)"
copy_libraries() { # FILE
    ldd "$1" | while read -r name arrow path _; do
        case "$name $arrow" in
        linux-vdso*) ;;
        /*) cp -L "$name" "$tmp/lib/${name##*/}" ;;
        *"=> "* | *" =>")
            [ "$path" != not ] || { echo "bundle-host: $name is missing" >&2; exit 1; }
            cp -L "$path" "$tmp/lib/$name"
            ;;
        esac
    done
}
copy_libraries "$program"
# Those that it opens when it needs them.
"$program" libraries | while read -r path; do
    [[ $path == /* ]] || continue
    cp -L "$path" "$tmp/lib/${path##*/}"
    copy_libraries "$path"
done
cp "$program" "$tmp/lib/phoenix-host"
chmod -R a+rX,u+w,go-w "$tmp"
loader=$(cd "$tmp/lib" && echo ld-linux*)
[ -f "$tmp/lib/$loader" ] || { echo "bundle-host: no loader among the libraries" >&2; exit 1; }

hash=$(cd "$tmp/lib" && sha256sum -- * | sha256sum)
lib=lib-${hash:0:16}
before=$(sed -n 's,^exec "\$here/\(lib[^/]*\)/.*,\1,p' "$to/phoenix-host" 2>/dev/null || true)

cat >"$tmp/phoenix-host" <<END
#!/bin/sh
# Starts the program with the libraries that lie beside it.
here=\$(dirname "\$(readlink -f "\$0")")
exec "\$here/$lib/$loader" --argv0 phoenix-host --library-path "\$here/$lib" "\$here/$lib/phoenix-host" "\$@"
END
chmod 755 "$tmp/phoenix-host"
[ -d "$to/$lib" ] || mv "$tmp/lib" "$to/$lib"
mv "$tmp/phoenix-host" "$to/phoenix-host"
for old in "$to"/lib*; do
    case ${old##*/} in "$lib" | "$before") ;; *) rm -rf "$old" ;; esac
done
