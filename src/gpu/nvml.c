/* src/gpu/nvml.c - asks NVIDIA's management library */
#include "gpu/nvml.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <ctype.h>
#include <dlfcn.h>
#include <string.h>
#include <time.h>

#define SAMPLE_US 1000000 /* what a process did is looked at over so long */
#define SAMPLES_MAX 65536

/* Our own declarations of NVML's ABI. */
typedef void *nvml_device;
enum {
    NVML_OK = 0,
    NVML_NOT_SUPPORTED = 3,
    NVML_NO_PERMISSION = 4,
    NVML_NOT_FOUND = 6,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_DRIVER_NOT_LOADED = 9,
    NVML_GPU_IS_LOST = 15,
    NVML_RESET_REQUIRED = 16,
    NVML_VERSION_MISMATCH = 18,
};
struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
};
struct nvml_memory {
    unsigned long long total, free, used;
};
struct nvml_utilization {
    unsigned gpu, memory;
};
struct nvml_process { /* version 3 */
    unsigned pid;
    unsigned long long used;
    unsigned gi, ci;
};
struct nvml_process_use { /* one per process that did something, percent */
    unsigned pid;
    unsigned long long time_us;
    unsigned gpu, memory, encoder, decoder;
};

struct api {
    void *handle;
    int (*init)(void);
    int (*shutdown)(void);
    const char *(*error_string)(int);
    int (*driver_version)(char *, unsigned);
    int (*nvml_version)(char *, unsigned);
    int (*cuda_version)(int *);
    int (*count)(unsigned *);
    int (*by_index)(unsigned, nvml_device *);
    int (*uuid)(nvml_device, char *, unsigned);
    int (*name)(nvml_device, char *, unsigned);
    int (*pci)(nvml_device, struct nvml_pci *);
    int (*minor)(nvml_device, unsigned *);
    int (*memory)(nvml_device, struct nvml_memory *);
    int (*capability)(nvml_device, int *, int *);
    int (*encoder_capacity)(nvml_device, int, unsigned *);
    int (*mig_mode)(nvml_device, unsigned *, unsigned *);
    int (*mig_by_index)(nvml_device, unsigned, nvml_device *);
    int (*gi)(nvml_device, unsigned *);
    int (*ci)(nvml_device, unsigned *);
    int (*utilization)(nvml_device, struct nvml_utilization *);
    int (*encoder)(nvml_device, unsigned *, unsigned *);
    int (*decoder)(nvml_device, unsigned *, unsigned *);
    int (*encoder_stats)(nvml_device, unsigned *, unsigned *, unsigned *);
    int (*temperature)(nvml_device, int, unsigned *);
    int (*power)(nvml_device, unsigned *);
    int (*processes)(nvml_device, unsigned *, struct nvml_process *);
    int (*graphics)(nvml_device, unsigned *, struct nvml_process *);
    int (*process_use)(nvml_device, struct nvml_process_use *, unsigned *, unsigned long long);
    int (*ancestor)(nvml_device, nvml_device, int *);
    int (*p2p)(nvml_device, nvml_device, int, int *);
    int (*persistence)(nvml_device, int *);
    int (*set_persistence)(nvml_device, int);
};

static void load(struct api *a) {
    const struct {
        const char *name;
        void **slot;
    } table[] = {
        {"nvmlInit_v2", (void **)&a->init},
        {"nvmlShutdown", (void **)&a->shutdown},
        {"nvmlErrorString", (void **)&a->error_string},
        {"nvmlSystemGetDriverVersion", (void **)&a->driver_version},
        {"nvmlSystemGetNVMLVersion", (void **)&a->nvml_version},
        {"nvmlSystemGetCudaDriverVersion_v2", (void **)&a->cuda_version},
        {"nvmlDeviceGetCount_v2", (void **)&a->count},
        {"nvmlDeviceGetHandleByIndex_v2", (void **)&a->by_index},
        {"nvmlDeviceGetUUID", (void **)&a->uuid},
        {"nvmlDeviceGetName", (void **)&a->name},
        {"nvmlDeviceGetPciInfo_v3", (void **)&a->pci},
        {"nvmlDeviceGetMinorNumber", (void **)&a->minor},
        {"nvmlDeviceGetMemoryInfo", (void **)&a->memory},
        {"nvmlDeviceGetCudaComputeCapability", (void **)&a->capability},
        {"nvmlDeviceGetEncoderCapacity", (void **)&a->encoder_capacity},
        {"nvmlDeviceGetMigMode", (void **)&a->mig_mode},
        {"nvmlDeviceGetMigDeviceHandleByIndex", (void **)&a->mig_by_index},
        {"nvmlDeviceGetGpuInstanceId", (void **)&a->gi},
        {"nvmlDeviceGetComputeInstanceId", (void **)&a->ci},
        {"nvmlDeviceGetUtilizationRates", (void **)&a->utilization},
        {"nvmlDeviceGetEncoderUtilization", (void **)&a->encoder},
        {"nvmlDeviceGetDecoderUtilization", (void **)&a->decoder},
        {"nvmlDeviceGetEncoderStats", (void **)&a->encoder_stats},
        {"nvmlDeviceGetTemperature", (void **)&a->temperature},
        {"nvmlDeviceGetPowerUsage", (void **)&a->power},
        {"nvmlDeviceGetComputeRunningProcesses_v3", (void **)&a->processes},
        {"nvmlDeviceGetGraphicsRunningProcesses_v3", (void **)&a->graphics},
        {"nvmlDeviceGetProcessUtilization", (void **)&a->process_use},
        {"nvmlDeviceGetTopologyCommonAncestor", (void **)&a->ancestor},
        {"nvmlDeviceGetP2PStatus", (void **)&a->p2p},
        {"nvmlDeviceGetPersistenceMode", (void **)&a->persistence},
        {"nvmlDeviceSetPersistenceMode", (void **)&a->set_persistence},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(table); i++)
        *table[i].slot = dlsym(a->handle, table[i].name);
}

/* A slot that this driver lacks is like one that says "not supported". */
#define ASK(api, slot, ...) ((api)->slot ? (api)->slot(__VA_ARGS__) : NVML_NOT_SUPPORTED)

int px_gpu_address(const char *text, char ret[PX_GPU_ADDRESS_MAX]) {
    unsigned domain = 0, bus = 0, device = 0, function = 0;
    int end = 0;
    if (sscanf(text, "%8x:%2x:%2x.%1x%n", &domain, &bus, &device, &function, &end) != 4 &&
        (domain = 0, sscanf(text, "%2x:%2x.%1x%n", &bus, &device, &function, &end) != 3))
        return -EINVAL;
    if (text[end] != '\0' || function > 7)
        return -EINVAL;
    snprintf(ret, PX_GPU_ADDRESS_MAX, "%04x:%02x:%02x.%x", domain, bus & 0xff, device & 0xff,
             function);
    return 0;
}

const char *px_gpu_link_word(enum px_gpu_link link) {
    switch (link) {
    case PX_GPU_LINK_UNKNOWN:
        break;
    case PX_GPU_LINK_SAME:
        return "one board";
    case PX_GPU_LINK_SWITCH:
        return "one PCIe switch";
    case PX_GPU_LINK_SWITCHES:
        return "several PCIe switches";
    case PX_GPU_LINK_HOST:
        return "one PCIe host bridge";
    case PX_GPU_LINK_NODE:
        return "one NUMA node";
    case PX_GPU_LINK_SYSTEM:
        return "between NUMA nodes";
    }
    return "unknown";
}

bool px_gpu_lacks_encoder(unsigned cc_major, unsigned cc_minor) {
    return (cc_major == 8 && cc_minor == 0) || cc_major == 9 || cc_major == 10;
}

static void read_migs(const struct api *a, nvml_device dev, struct px_nvml_card *c) {
    unsigned mode = 0, pending = 0;
    int r = ASK(a, mig_mode, dev, &mode, &pending);
    c->mig_capable = r == NVML_OK;
    c->mig = r == NVML_OK && mode == 1;
    for (unsigned i = 0; c->mig && i < PX_GPU_MIGS_MAX; i++) {
        nvml_device part = NULL;
        struct px_nvml_mig *m = &c->migs[c->n_migs];
        struct nvml_memory memory = {0};
        if (ASK(a, mig_by_index, dev, i, &part) != NVML_OK ||
            ASK(a, uuid, part, m->uuid, sizeof(m->uuid)) != NVML_OK)
            continue;
        ASK(a, name, part, m->name, sizeof(m->name));
        ASK(a, gi, part, &m->gi);
        ASK(a, ci, part, &m->ci);
        if (ASK(a, memory, part, &memory) == NVML_OK)
            m->memory_bytes = memory.total;
        c->n_migs++;
    }
}

static void add_procs(struct px_nvml_card *c, const struct nvml_process *list, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        size_t k = 0;
        while (k < c->n_procs && c->procs[k].pid != (pid_t)list[i].pid)
            k++;
        if (k < c->n_procs || k == PX_GPU_PROCS_MAX)
            continue; /* a process that computes and draws is in both lists */
        /* All ones: the driver cannot tell. */
        const uint64_t used = list[i].used == ~0ull ? 0 : list[i].used;
        c->procs[c->n_procs++] = (struct px_nvml_proc){(pid_t)list[i].pid, used, -1, -1, -1};
    }
}

/* The library wants room for all samples that it keeps, and says how much. Who did nothing is in
 * none of them, and where nobody did, that is an error of its own. */
static void read_process_use(const struct api *a, nvml_device dev, struct px_nvml_card *c) {
    struct timespec now;
    unsigned n = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    const unsigned long long since = (unsigned long long)now.tv_sec * 1000000 +
                                     (unsigned long long)now.tv_nsec / 1000 - SAMPLE_US;
    int r = c->n_procs == 0 ? NVML_NOT_SUPPORTED : ASK(a, process_use, dev, NULL, &n, since);
    if (r == NVML_INSUFFICIENT_SIZE && n > SAMPLES_MAX)
        return;
    px_cleanup_free struct nvml_process_use *list = px_new0(struct nvml_process_use, n + 1);
    if (r == NVML_INSUFFICIENT_SIZE)
        r = ASK(a, process_use, dev, list, &n, since);
    else
        n = 0;
    for (size_t k = 0; k < c->n_procs && (r == NVML_OK || r == NVML_NOT_FOUND); k++) {
        struct px_nvml_proc *p = &c->procs[k];
        p->gpu_percent = p->encoder_percent = p->decoder_percent = 0;
        unsigned long long latest = 0;
        for (unsigned i = 0; i < n && r == NVML_OK; i++)
            if ((pid_t)list[i].pid == p->pid && list[i].time_us >= latest) {
                latest = list[i].time_us;
                p->gpu_percent = (int)list[i].gpu;
                p->encoder_percent = (int)list[i].encoder;
                p->decoder_percent = (int)list[i].decoder;
            }
    }
}

static void read_use(const struct api *a, nvml_device dev, struct px_nvml_card *c) {
    struct nvml_utilization use;
    unsigned value = 0, period = 0, fps = 0, latency = 0;
    if (ASK(a, utilization, dev, &use) == NVML_OK) {
        c->gpu_percent = (int)use.gpu;
        c->memory_percent = (int)use.memory;
    }
    if (ASK(a, encoder, dev, &value, &period) == NVML_OK)
        c->encoder_percent = (int)value;
    if (ASK(a, decoder, dev, &value, &period) == NVML_OK)
        c->decoder_percent = (int)value;
    if (ASK(a, encoder_stats, dev, &value, &fps, &latency) == NVML_OK)
        c->encoder_sessions = (int)value;
    if (ASK(a, temperature, dev, 0, &value) == NVML_OK)
        c->temperature_c = (int)value;
    if (ASK(a, power, dev, &value) == NVML_OK)
        c->power_mw = value;
    struct nvml_process procs[PX_GPU_PROCS_MAX];
    unsigned n = PX_GPU_PROCS_MAX;
    if (ASK(a, processes, dev, &n, procs) == NVML_OK)
        add_procs(c, procs, n);
    n = PX_GPU_PROCS_MAX;
    if (ASK(a, graphics, dev, &n, procs) == NVML_OK)
        add_procs(c, procs, n);
    read_process_use(a, dev, c);
}

static void read_card(const struct api *a, nvml_device dev, struct px_nvml_card *c) {
    struct nvml_pci pci = {0};
    struct nvml_memory memory = {0};
    unsigned minor = 0, capacity = 0;
    int major = 0, minor_cc = 0;
    int r = ASK(a, uuid, dev, c->uuid, sizeof(c->uuid));
    ASK(a, name, dev, c->name, sizeof(c->name));
    if (ASK(a, pci, dev, &pci) == NVML_OK)
        (void)px_gpu_address(pci.bus_id, c->address);
    if (ASK(a, minor, dev, &minor) == NVML_OK)
        c->minor = (int)minor;
    int asked = ASK(a, memory, dev, &memory);
    if (asked == NVML_OK) {
        c->memory_bytes = memory.total;
        c->used_bytes = memory.used;
    }
    c->lost = r == NVML_GPU_IS_LOST || asked == NVML_GPU_IS_LOST || asked == NVML_RESET_REQUIRED;
    if (ASK(a, capability, dev, &major, &minor_cc) == NVML_OK) {
        c->cc_major = (unsigned)major;
        c->cc_minor = (unsigned)minor_cc;
    }
    r = ASK(a, encoder_capacity, dev, 0, &capacity);
    c->encoder = r == NVML_OK ? capacity > 0 : r == NVML_NOT_SUPPORTED ? 0 : -1;
    /* An H200 was seen to claim full capacity. The large data centre chips have no NVENC. */
    if (px_gpu_lacks_encoder(c->cc_major, c->cc_minor))
        c->encoder = 0;
    read_migs(a, dev, c);
    read_use(a, dev, c);
}

static enum px_gpu_link to_link(int level) {
    return level == 0    ? PX_GPU_LINK_SAME
           : level == 10 ? PX_GPU_LINK_SWITCH
           : level == 20 ? PX_GPU_LINK_SWITCHES
           : level == 30 ? PX_GPU_LINK_HOST
           : level == 40 ? PX_GPU_LINK_NODE
           : level == 50 ? PX_GPU_LINK_SYSTEM
                         : PX_GPU_LINK_UNKNOWN;
}

static void read_links(const struct api *a, nvml_device *devs, struct px_nvml *ret) {
    for (size_t i = 0; i < ret->n_cards; i++)
        for (size_t k = 0; k < ret->n_cards; k++) {
            int level = -1, status = -1;
            if (i == k || !devs[i] || !devs[k])
                continue;
            if (ASK(a, ancestor, devs[i], devs[k], &level) == NVML_OK)
                ret->links[i][k] = to_link(level);
            ret->peer[i][k] = ASK(a, p2p, devs[i], devs[k], 0, &status) == NVML_OK && status == 0;
            ret->nvlink[i][k] = ASK(a, p2p, devs[i], devs[k], 2, &status) == NVML_OK && status == 0;
        }
}

static int note(struct px_nvml *ret, const struct api *a, int r) {
    ret->code = r == NVML_VERSION_MISMATCH    ? -EPROTO
                : r == NVML_DRIVER_NOT_LOADED ? -ENODEV
                : r == NVML_NO_PERMISSION     ? -EACCES
                                              : -EIO;
    const char *text = a->error_string ? a->error_string(r) : NULL;
    snprintf(ret->why, sizeof(ret->why), "%s", text ? text : "NVML gives no reason");
    return ret->code;
}

static void read_all(const struct api *a, struct px_nvml *ret) {
    nvml_device devs[PX_GPU_CARDS_MAX] = {0};
    unsigned n = 0;
    ASK(a, driver_version, ret->module, sizeof(ret->module));
    ASK(a, nvml_version, ret->library, sizeof(ret->library));
    ASK(a, cuda_version, &ret->cuda);
    if (ASK(a, count, &n) != NVML_OK)
        return;
    for (unsigned i = 0; i < n && i < PX_GPU_CARDS_MAX; i++) {
        struct px_nvml_card *c = &ret->cards[ret->n_cards++];
        *c = (struct px_nvml_card){.minor = -1,
                                   .encoder = -1,
                                   .gpu_percent = -1,
                                   .memory_percent = -1,
                                   .encoder_percent = -1,
                                   .decoder_percent = -1,
                                   .temperature_c = -1,
                                   .encoder_sessions = -1,
                                   .power_mw = -1};
        int r = ASK(a, by_index, i, &devs[i]);
        if (r == NVML_OK) {
            read_card(a, devs[i], c);
            continue;
        }
        devs[i] = NULL;
        c->lost = r == NVML_GPU_IS_LOST || r == NVML_RESET_REQUIRED;
        snprintf(c->trouble, sizeof(c->trouble), "%s", a->error_string ? a->error_string(r) : "");
    }
    read_links(a, devs, ret);
}

void px_nvml_read(const char *library, struct px_nvml *ret) {
    *ret = (struct px_nvml){0};
    struct api a = {.handle = dlopen(library ? library : "libnvidia-ml.so.1", RTLD_NOW)};
    if (!a.handle) {
        ret->code = -ENOENT;
        snprintf(ret->why, sizeof(ret->why), "%s", dlerror());
        return;
    }
    load(&a);
    int r = ASK(&a, init);
    if (r != NVML_OK) {
        note(ret, &a, r);
    } else {
        read_all(&a, ret);
        ASK(&a, shutdown);
    }
    dlclose(a.handle);
}

size_t px_nvml_persist(const char *library) {
    struct api a = {.handle = dlopen(library ? library : "libnvidia-ml.so.1", RTLD_NOW)};
    unsigned n = 0;
    size_t n_set = 0;
    if (!a.handle)
        return 0;
    load(&a);
    if (ASK(&a, init) == NVML_OK) {
        ASK(&a, count, &n);
        for (unsigned i = 0; i < n; i++) {
            nvml_device dev = NULL;
            int on = 1;
            if (ASK(&a, by_index, i, &dev) == NVML_OK &&
                ASK(&a, persistence, dev, &on) == NVML_OK && !on &&
                ASK(&a, set_persistence, dev, 1) == NVML_OK)
                n_set++;
        }
        ASK(&a, shutdown);
    }
    dlclose(a.handle);
    return n_set;
}
