#!/bin/bash
# packaging/install-deps.sh [build] [run] [test] [fuzz] - what phoenix needs, from Debian (12, 13)
#
# Without words: build and run. Installs only what is missing; a second call touches nothing and needs
# no network. Another distribution: it says what is missing by Debian's names and stops.
set -eu

# The compiler and the libraries' headers.
build="make gcc meson ninja-build pkg-config libc6-dev libcmocka-dev
    libjansson-dev libyaml-dev
    lxc-dev libseccomp-dev libcap-dev
    libnftables-dev libnl-3-dev libnl-route-3-dev
    libssl-dev libcurl4-openssl-dev
    libuv1-dev libsodium-dev libsqlite3-dev libprotobuf-c-dev protobuf-c-compiler
    libzstd-dev libpng-dev libqrencode-dev
    libvpx-dev libx264-dev libavcodec-dev libyuv-dev libopus-dev libpulse-dev
    libxcb1-dev libxcb-shm0-dev libxcb-damage0-dev libxcb-xfixes0-dev libxcb-xtest0-dev
    libxcb-randr0-dev libxcb-xkb-dev libffmpeg-nvenc-dev"

# What the program runs: mmdebstrap makes root trees, lxc has liblxc's hooks and seccomp profiles,
# e2fsprogs makes, checks and grows disks with a limit.
run="lxc e2fsprogs mmdebstrap debian-archive-keyring ca-certificates iproute2 zstd tar"

# Only for the tests.
test="systemd iproute2 nftables procps btrfs-progs python3 python3-jsonschema python3-yaml mandoc bash-completion clang-format socat jq
    xvfb xserver-xorg-core xserver-xorg-video-dummy xterm xclip x11-utils x11-xserver-utils pulseaudio pulseaudio-utils valgrind"
fuzz="clang llvm libclang-rt-dev"

missing() { # the packages of the list that are not installed; one question for all of them
    local there
    there=" $(dpkg-query -W -f '${db:Status-Status}:${Package} ' "$@" 2>/dev/null) "
    local name
    for name in "$@"; do
        case $there in *" installed:$name "*) ;; *) echo "$name" ;; esac
    done
}

wanted=""
for group in ${*:-build run}; do
    case $group in
    build) wanted="$wanted $build" ;;
    run) wanted="$wanted $run" ;;
    test) wanted="$wanted $test" ;;
    fuzz) wanted="$wanted $fuzz" ;;
    *)
        echo "install-deps: unknown group '$group' (hint: build, run, test or fuzz)" >&2
        exit 2
        ;;
    esac
done

if ! command -v dpkg-query >/dev/null; then
    echo "install-deps: this is no Debian; have these ready by their names here:" $wanted >&2
    exit 1
fi
# shellcheck disable=SC2086
list=$(missing $wanted)
[ -n "$list" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "install-deps: missing:" $list "(hint: sudo apt-get install" $list")" >&2
    exit 1
fi
echo "installing:" $list
export DEBIAN_FRONTEND=noninteractive
# The lists may be old or absent: ask for new ones only when the first try fails.
# lxc's own bridge is not ours to bring up.
# shellcheck disable=SC2086
apt-get install -qq -y --no-install-recommends $list >/dev/null 2>&1 || {
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends $list >/dev/null
}
