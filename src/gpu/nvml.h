/* src/gpu/nvml.h - what NVIDIA's management library says, as plain values
 *
 * The library belongs to the loaded kernel module, so it is opened at run time and may be absent or
 * of another version than the module. Everything read is optional: 0, "" or -1 where the library
 * would not say. Not thread-safe (NVML is process-wide). Source: NVIDIA's NVML API reference; the
 * declarations in nvml.c are our own, of the functions that have been stable since driver 450. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PX_GPU_CARDS_MAX 32
#define PX_GPU_MIGS_MAX 8
#define PX_GPU_UUID_MAX 80
#define PX_GPU_ADDRESS_MAX 20
#define PX_GPU_PROCS_MAX 64

struct px_nvml_mig {
    char uuid[PX_GPU_UUID_MAX]; /* MIG-... */
    char name[96];
    unsigned gi, ci; /* GPU and compute instance */
    uint64_t memory_bytes;
};

struct px_nvml_proc {
    pid_t pid; /* in our pid namespace */
    uint64_t memory_bytes;
    int gpu_percent, encoder_percent, decoder_percent; /* over the last second; -1: not said */
};

struct px_nvml_card {
    char uuid[PX_GPU_UUID_MAX], name[96];
    char address[PX_GPU_ADDRESS_MAX]; /* 0000:01:00.0, as sysfs writes it */
    int minor;                        /* N of /dev/nvidiaN; -1: not said */
    uint64_t memory_bytes, used_bytes;
    unsigned cc_major, cc_minor; /* compute capability */
    int encoder;                 /* 1: has one, 0: has none, -1: not said */
    bool mig;                    /* MIG mode is on */
    bool mig_capable;
    struct px_nvml_mig migs[PX_GPU_MIGS_MAX];
    size_t n_migs;
    bool lost; /* has fallen off the bus, or needs a reset */
    char trouble[96];
    /* Of this moment; -1: not said. */
    int gpu_percent, memory_percent, encoder_percent, decoder_percent, temperature_c;
    int encoder_sessions;
    int64_t power_mw;
    struct px_nvml_proc procs[PX_GPU_PROCS_MAX];
    size_t n_procs;
};

enum px_gpu_link { /* between two cards, the nearest way; the words of `nvidia-smi topo` */
                   PX_GPU_LINK_UNKNOWN,
                   PX_GPU_LINK_SAME,   /* one board */
                   PX_GPU_LINK_SWITCH, /* one PCIe switch (PIX) */
                   PX_GPU_LINK_SWITCHES,
                   PX_GPU_LINK_HOST, /* through the PCIe host bridge (PHB) */
                   PX_GPU_LINK_NODE,
                   PX_GPU_LINK_SYSTEM, /* between NUMA nodes (SYS) */
};

struct px_nvml {
    int code; /* 0; or -ENOENT: no library; -EPROTO: library and module differ; -ENODEV: no module;
                 -EIO: anything else */
    char why[160];
    char library[32]; /* version of the user-space libraries */
    char module[32];  /* version that NVML reads from the module */
    int cuda;         /* highest CUDA version, 13000 is 13.0; 0: not said */
    struct px_nvml_card cards[PX_GPU_CARDS_MAX];
    size_t n_cards;
    enum px_gpu_link links[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX];
    bool peer[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX];   /* reads each other's memory */
    bool nvlink[PX_GPU_CARDS_MAX][PX_GPU_CARDS_MAX]; /* by NVLink */
};

/* Asks @library (a path; NULL: the linker's libnvidia-ml.so.1). Never fails: that there is no
 * library is a fact, too. */
void px_nvml_read(const char *library, struct px_nvml *ret);

/* Lets the driver keep every card initialised while nothing uses it, where it does not yet; how
 * many were changed. Root only. */
size_t px_nvml_persist(const char *library);

/* "0000:01:00.0" from "00000000:01:00.0" or "01:00.0", in lower case; pure. -EINVAL. */
int px_gpu_address(const char *text, char ret[PX_GPU_ADDRESS_MAX]);
/* Whether chips of that compute capability (A100: 8.0, H100: 9.0, B200: 10.0) have no NVENC; pure.
 * Source: NVIDIA's Video Encode and Decode Support Matrix. */
bool px_gpu_lacks_encoder(unsigned cc_major, unsigned cc_minor);
const char *px_gpu_link_word(enum px_gpu_link link);
