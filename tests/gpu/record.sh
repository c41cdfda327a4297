#!/bin/bash
# tests/gpu/record.sh NVML_RECORD [LIBRARY] - writes down what src/gpu reads on a machine with cards
#
#     tests/gpu/record.sh build/tests/gpu/nvml-record >src/gpu/recorded/NAME
#
# Only looks. First what NVML answers (nvml_calls.h), then the files:
#
#     file PATH, then its lines behind "|"     link PATH TARGET     dir PATH
#     node PATH TYPE MAJOR:MINOR MODE          cache NAME PATH      an entry of ld.so.cache
#
# Libraries and programs are files without content, but for an ELF's first bytes: "|ELF". UUIDs are
# replaced by made ones of the same shape, in their order.
set -u
export LC_ALL=C
recorder=$1
library=${2:-$(ldconfig -p | awk '/libnvidia-ml.so.1 /{print $NF; exit}')}

text() { # PATH [LINES]
    [ -r "$1" ] && [ -f "$1" ] || return
    echo "file $1"
    head -n "${2:-200}" "$1" | sed 's/^/|/'
}
entry() { # a library, program or vendor file
    if [ -L "$1" ]; then
        echo "link $1 $(readlink "$1")"
    elif [ "${1##*.}" = json ] || [ "${1##*.}" = icd ]; then
        text "$1"
    elif [ -f "$1" ]; then
        echo "file $1"
        [ "$(head -c 4 "$1" | tail -c 3)" != ELF ] || echo '|ELF'
    fi
}
record() {
    local at dir module
    echo "# $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r), recorded $(date -u +%F)"
    "$recorder" "$library"
    text /proc/devices
    find /proc/driver/nvidia /proc/driver/nvidia-caps -type f 2>/dev/null | sort | while read -r at; do
        [ "${at##*/}" = mig-minors ] && text "$at" 30 || text "$at"
    done
    for module in /sys/module/nvidia*; do
        [ -d "$module" ] && echo "dir $module" && text "$module/version"
    done
    for dir in /sys/bus/pci/devices/*; do
        [ "$(cat "$dir/vendor")" = 0x10de ] || continue
        for at in vendor device class numa_node subsystem_vendor subsystem_device; do
            text "$dir/$at"
        done
        [ ! -L "$dir/driver" ] || echo "link $dir/driver $(readlink "$dir/driver")"
        for at in "$dir"/drm/*; do
            [ -d "$at" ] && echo "dir $at"
        done
    done
    find /dev/nvidia* /dev/dri -type c 2>/dev/null | sort | while read -r at; do
        stat -c 'node %n c %Hr:%Lr %a' "$at"
    done
    ldconfig -p | sed -n 's/^\t\(lib\(cuda\|nv\|GLX_nv\|EGL_nv\|GLESv[^ ]*_nv\|vdpau_nv\)[^ ]*\) (.*x86-64.*) => \(.*\)/cache \1 \3/p' | sort
    for at in /lib /lib64 /bin; do
        [ ! -L $at ] || echo "link $at $(readlink $at)"
    done
    for dir in /usr/lib/x86_64-linux-gnu/nvidia/current /usr/lib/x86_64-linux-gnu /usr/lib64 /usr/lib \
        /usr/local/nvidia/lib64 /usr/local/nvidia/lib /opt/nvidia/lib64; do
        for at in "$dir"/lib{cuda,nv,GLX_nvidia,EGL_nvidia,GLESv1_CM_nvidia,GLESv2_nvidia,vdpau_nvidia}*; do
            entry "$at"
        done
    done
    for at in /usr/bin/nvidia-* /usr/local/nvidia/bin/* /usr/lib/nvidia/current/nvidia-*; do
        entry "$at"
    done
    for dir in /usr/share /etc /usr/local/nvidia/share; do
        for at in "$dir"/{glvnd/egl_vendor.d,vulkan/icd.d,vulkan/implicit_layer.d,egl/egl_external_platform.d,OpenCL/vendors}/*nvidia*; do
            entry "$at"
        done
    done
    for at in {/usr/lib/firmware,/lib/firmware,/usr/local/nvidia/firmware}/nvidia/*/*.bin; do
        [ ! -f "$at" ] || echo "file $at"
    done
}

all=$(record 2>/dev/null)
n=0
while read -r uuid; do
    n=$((n + 1))
    all=${all//"$uuid"/$(printf '%s-00000000-0000-4000-8000-%012d' "${uuid%%-*}" $n)}
done < <(grep -oE '(GPU|MIG)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}' <<<"$all" | awk '!seen[$0]++')
echo "$all"
