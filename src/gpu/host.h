/* src/gpu/host.h - the NVIDIA cards of this host: which there are, what they can do, what ails them
 *
 * Facts come from sysfs and /proc/driver/nvidia, which need neither library nor privilege, and,
 * where it answers, from NVML (memory, compute capability, MIG, encoders). A host without a card or
 * without a driver is a fact, not an error. Plain values; any thread, except that NVML is
 * process-wide. Source: the README of NVIDIA's Linux driver, "proc interface". */
#pragma once
#include "gpu/nvml.h"

struct px_gpu_mig {
    char uuid[PX_GPU_UUID_MAX], name[96];
    unsigned gi, ci;
    uint64_t memory_bytes;
    int gi_minor, ci_minor; /* of /dev/nvidia-caps/nvidia-capN; -1: not found */
};

struct px_gpu_card {
    char address[PX_GPU_ADDRESS_MAX]; /* 0000:01:00.0 */
    char uuid[PX_GPU_UUID_MAX];       /* "" where nothing drives it */
    char name[96];
    char driver[32]; /* kernel driver bound to it; "" for none */
    int minor;       /* N of /dev/nvidiaN; -1: none */
    int numa_node;   /* -1: none */
    uint64_t memory_bytes;
    unsigned cc_major, cc_minor;
    int encoder; /* 1, 0 or -1: not known */
    bool mig, mig_capable;
    struct px_gpu_mig migs[PX_GPU_MIGS_MAX];
    size_t n_migs;
    char render[16];             /* "renderD128" in /dev/dri; "": none */
    char trouble[256], fix[256]; /* why desktops cannot have it; "": they can */
};

enum px_gpu_state {
    PX_GPU_NO_CARD,      /* no NVIDIA card on the bus */
    PX_GPU_NO_MODULE,    /* cards, but nvidia.ko is not loaded */
    PX_GPU_NO_LIBRARIES, /* module loaded, its user-space libraries are not on this host */
    PX_GPU_MISMATCH,     /* libraries of another version than the module */
    PX_GPU_READY,
};

struct px_gpu_host {
    enum px_gpu_state state;
    char why[256], fix[256]; /* for all states but READY; "" */
    char module[32];         /* version of the loaded module, "580.95.05"; "": none */
    bool open_module;
    char libraries[32]; /* version of the libraries; "": none found */
    int cuda;           /* 13000 is 13.0; 0: not known */
    char nvml_why[160]; /* why NVML does not answer; "": it does, or was not asked */
    struct px_gpu_card cards[PX_GPU_CARDS_MAX]; /* by PCI address */
    size_t n_cards;
    enum px_gpu_link links[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX];
    bool peer[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX], nvlink[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX];
    uint32_t uvm_major, caps_major; /* of this boot, from /proc/devices; 0: not registered */
    int device_mode;                /* mode the driver gives its nodes, 0666; -1: not said */
};

/* @root: "/", or a tree that looks like a host. @nvml: asked before (px_nvml_read); NULL: none. */
void px_gpu_look(const char *root, const struct px_nvml *nvml, struct px_gpu_host *ret);
/* The same with NVML of this host asked. The caller's. */
struct px_gpu_host *px_gpu_look_here(void);

const char *px_gpu_state_word(enum px_gpu_state state); /* "ready", "no card", ... */
/* The card of that UUID; NULL: none. */
const struct px_gpu_card *px_gpu_by_uuid(const struct px_gpu_host *host, const char *uuid);
/* The card that the MIG device is part of, the part in *ret; NULL: none. */
const struct px_gpu_card *px_gpu_by_mig(const struct px_gpu_host *host, const char *uuid,
                                        const struct px_gpu_mig **ret);

/* Parsers of the driver's texts; pure. */
/* "580.95.05" from /proc/driver/nvidia/version. */
void px_gpu_parse_version(const char *text, char *ret, size_t size, bool *ret_open);
/* Major of character device @name in /proc/devices; 0: none. */
uint32_t px_gpu_parse_major(const char *text, const char *name);
/* Minor of "gpu0/gi1/ci0/access" in /proc/driver/nvidia-caps/mig-minors; -1: none. */
int px_gpu_parse_mig_minor(const char *text, const char *path);
