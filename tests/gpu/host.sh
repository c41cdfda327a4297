# tests/gpu/host.sh - this machine made to look like one with NVIDIA cards. To be sourced, after lib.sh.
#
# fx_enter puts trees of files over /proc/driver, /proc/devices, /sys/bus/pci/devices, /sys/module,
# /dev, /usr and /etc, in a mount namespace of the test's own: the programs under test are the real
# ones and look where they always do. Device nodes have NVIDIA's numbers and no driver behind them:
# opening one says "No such device or address" where the cgroup allows it, and "Operation not
# permitted" where it does not.
#
#     fx_enter; fx_reset
#     fx_module 580.95.05 open; fx_driver runfile 580.95.05
#     fx_card 0000:01:00.0 0 GPU-... "NVIDIA GeForce RTX 5060 Ti"
fx=$pxt_dir/fx

fx_enter() {
    mkdir -p "$fx"/{proc,sys,full-proc,full-sys,pci,module,dev,usr,usr-work,etc,etc-work,driver}
    mount --make-rprivate /
    # Uncovered ones stay, else the kernel lets no container mount its own (mount_too_revealing).
    mount -t proc proc "$fx/full-proc"
    mount -t sysfs sys "$fx/full-sys"
    mount -t tmpfs -o mode=755 px-dev "$fx/dev"
    cp -a /dev/. "$fx/dev/" 2>/dev/null
    local sub
    for sub in pts shm mqueue hugepages; do
        mountpoint -q /dev/$sub && mount --rbind /dev/$sub "$fx/dev/$sub"
    done
    mount --rbind "$fx/dev" /dev
    mount -t overlay -o "lowerdir=/usr,upperdir=$fx/usr,workdir=$fx/usr-work" px-usr /usr &&
        mount -t overlay -o "lowerdir=/etc,upperdir=$fx/etc,workdir=$fx/etc-work" px-etc /etc &&
        mount -t tmpfs -o mode=755 px-driver /proc/driver &&
        mount -t tmpfs -o mode=755 px-module /sys/module &&
        mount -t tmpfs -o mode=755 px-pci /sys/bus/pci/devices &&
        cp /proc/devices "$fx/devices.before" && cp "$fx/devices.before" "$fx/devices" &&
        mount --bind "$fx/devices" /proc/devices
}

# As on a machine without a card.
fx_reset() {
    rm -rf /proc/driver/* /sys/module/* /sys/bus/pci/devices/* /dev/nvidia* /dev/dri
    cat "$fx/devices.before" >"$fx/devices"
    rm -rf /usr/lib/x86_64-linux-gnu/{nvidia,libcuda.so*,libnv*,lib*_nvidia.so*} /usr/local/nvidia /usr/share/px-test \
        /usr/bin/nvidia-{smi,debugdump} /usr/lib/nvidia /usr/share/glvnd/egl_vendor.d/10_nvidia.json \
        /usr/share/vulkan/icd.d/nvidia_icd.json /etc/OpenCL/vendors/nvidia.icd /usr/lib/firmware/nvidia \
        /etc/ld.so.conf.d/px-test.conf /etc/ld.so.cache
    mkdir -p /usr/share/px-test
    local m
    for m in "$fx"/full-sys/module/*; do
        ln -s "$m" "/sys/module/${m##*/}"
    done
    ldconfig 2>/dev/null
}

# fx_module VERSION [open]: nvidia.ko and nvidia-uvm.ko are loaded.
fx_module() {
    mkdir -p /sys/module/nvidia /sys/module/nvidia_uvm /proc/driver/nvidia/gpus
    echo "$1" >/sys/module/nvidia/version
    if [ "${2:-}" = open ]; then
        echo "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  $1  Release Build  (dvs@host)"
    else
        echo "NVRM version: NVIDIA UNIX x86_64 Kernel Module  $1  Thu Feb 22 01:44:30 UTC 2024"
    fi >/proc/driver/nvidia/version
    printf 'ModifyDeviceFiles: 1\nDeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 438\n' >/proc/driver/nvidia/params
    { sed '/^Block/,$d' "$fx/devices.before" | sed '/^$/d'
      printf '195 nvidia\n195 nvidiactl\n238 nvidia-uvm\n241 nvidia-caps\n\n'
      sed -n '/^Block/,$p' "$fx/devices.before"; } >"$fx/devices"
    echo "driver $1" >/usr/share/px-test/nvml
}

# fx_drm: nvidia-modeset.ko and nvidia-drm.ko are loaded too. The render nodes have numbers that open.
fx_drm() {
    mkdir -p /sys/module/nvidia_modeset /sys/module/nvidia_drm /dev/dri
    mknod -m 660 /dev/dri/renderD128 c 1 7
    mknod -m 660 /dev/dri/renderD129 c 1 5
    mknod -m 660 /dev/dri/card0 c 1 3
}

# fx_pci ADDRESS DRIVER: a display controller of NVIDIA's; "-": nothing drives it.
fx_pci() {
    local dir=/sys/bus/pci/devices/$1
    mkdir -p "$dir"
    echo 0x10de >"$dir/vendor"
    echo 0x030000 >"$dir/class"
    echo 0 >"$dir/numa_node"
    [ "$2" = - ] || ln -sfn "../../../bus/pci/drivers/$2" "$dir/driver"
}

# fx_card ADDRESS MINOR UUID NAME: one that nvidia drives; lines for NVML on stdin.
fx_card() {
    fx_pci "$1" nvidia
    mkdir -p "/proc/driver/nvidia/gpus/$1"
    printf 'Model: \t\t %s\nIRQ:   \t\t 41\nGPU UUID: \t %s\nBus Location: \t %s\nDevice Minor: \t %s\nGPU Excluded:\t No\n' \
        "$4" "$3" "$1" "$2" >"/proc/driver/nvidia/gpus/$1/information"
    mkdir -p "/sys/bus/pci/devices/$1/drm/card$2" "/sys/bus/pci/devices/$1/drm/renderD$((128 + $2))"
    { echo "gpu $3 0000$1 $2 $4"; cat; } >>/usr/share/px-test/nvml
}

# fx_library DIR NAME VERSION [FILE]: NAME.so.VERSION and the links that a package makes.
fx_library() {
    mkdir -p "$1"
    if [ -n "${4:-}" ]; then
        cp "$4" "$1/$2.so.$3"
    else
        echo "int ${2//-/_}(void); int ${2//-/_}(void) { return 1; }" |
            cc -shared -nostdlib -x c - -o "$1/$2.so.$3" "-Wl,-soname,$2.so.1"
    fi
    ln -sfn "$2.so.$3" "$1/$2.so.1"
}

# fx_driver LAYOUT VERSION: the user-space part, where LAYOUT puts it.
fx_driver() {
    local lib bin share=/usr/share v=$2
    case $1 in
    debian) lib=/usr/lib/x86_64-linux-gnu/nvidia/current bin=/usr/lib/nvidia/current ;;
    runfile | proxmox) lib=/usr/lib/x86_64-linux-gnu bin=/usr/bin ;;
    mounted) lib=/usr/local/nvidia/lib64 bin=/usr/local/nvidia/bin share=/usr/local/nvidia/share ;;
    esac
    fx_library $lib libcuda "$v" "$PX_BUILD/tests/gpu/px-test-cuda.so"
    fx_library $lib libnvidia-ml "$v" "$PX_BUILD/tests/gpu/px-test-nvml.so"
    fx_library $lib libnvidia-ptxjitcompiler "$v"
    fx_library $lib libnvidia-encode "$v"
    fx_library $lib libnvcuvid "$v"
    mkdir -p $bin $share/glvnd/egl_vendor.d $share/vulkan/icd.d /etc/OpenCL/vendors /usr/lib/firmware/nvidia/"$v"
    cp /bin/true $bin/nvidia-smi
    echo '{}' >$share/glvnd/egl_vendor.d/10_nvidia.json
    echo '{}' >$share/vulkan/icd.d/nvidia_icd.json
    echo libnvidia-opencl.so.1 >/etc/OpenCL/vendors/nvidia.icd
    echo gsp >/usr/lib/firmware/nvidia/"$v"/gsp_ga10x.bin
    case $1 in
    debian) # update-alternatives: the linker's directory has links to links
        local f
        for f in "$lib"/*.so.1; do
            ln -sfn "nvidia/current/${f##*/}" /usr/lib/x86_64-linux-gnu/"${f##*/}"
        done
        ln -sfn $bin/nvidia-smi /usr/bin/nvidia-smi ;;
    mounted) # as a read-only mount from elsewhere, which the host's packages know nothing of
        cp -a /usr/local/nvidia "$fx/mounted" && rm -rf /usr/local/nvidia/* &&
            mount --bind "$fx/mounted" /usr/local/nvidia && mount -o remount,bind,ro /usr/local/nvidia
        echo /usr/local/nvidia/lib64 >/etc/ld.so.conf.d/px-test.conf ;;
    esac
    ldconfig 2>/dev/null
}
fx_unmount_driver() {
    mountpoint -q /usr/local/nvidia && umount /usr/local/nvidia
    rm -rf "$fx/mounted"
}

A=GPU-3fe65279-559c-3edc-36de-33c82b2e173b
B=GPU-5d1f0c3a-1c2d-4444-8888-000000000002

# Two RTX 5060 Ti: 16 GB, one encoder each, no peer-to-peer, no MIG.
fx_two_5060() { # [LAYOUT]
    fx_unmount_driver
    fx_reset
    fx_module 580.95.05 open
    fx_driver "${1:-runfile}" 580.95.05
    fx_card 0000:01:00.0 0 $A "NVIDIA GeForce RTX 5060 Ti" <<'X'
memory 17094934528 402653184
compute 12 0
encoder 100
use 42 17 30 5 61 88000
persistence 0
X
    fx_card 0000:02:00.0 1 $B "NVIDIA GeForce RTX 5060 Ti" <<'X'
memory 17094934528 2097152
compute 12 0
encoder 100
use 0 0 0 0 35 9000
persistence 1
X
}
