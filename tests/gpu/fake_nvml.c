/* tests/gpu/fake_nvml.c - a libnvidia-ml that answers from a text file, for machines without a card
 *
 *     driver 580.95.05
 *     fails 18                     nvmlInit's answer; without it 0
 *     gpu GPU-... 00000000:01:00.0 0 NVIDIA GeForce RTX 5060 Ti     UUID, PCI, minor, name
 *     memory 17094934528 402653184                                  total, used
 *     compute 12 0
 *     encoder 100                  capacity; without it: not supported
 *     use 42 17 30 5 61 88000      GPU, memory, encoder, decoder (percent), temperature, milliwatts
 *     proc 4711 268435456 40 25 5                                   memory; card, encoder, decoder
 *     mig MIG-... 1 0 18253611008 NVIDIA H200 MIG 1g.18gb           UUID, GI, CI, memory, name
 *     lost                         this card has fallen off the bus: no handle for it
 *     persistence 0
 *
 * Lines below "gpu" are that card's. Shapes as in NVIDIA's NVML API reference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS "/usr/share/px-test/nvml"
#define CARDS 8
#define MIGS 8
#define PROCS 8
#define EXPORT __attribute__((visibility("default")))

enum { OK = 0, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, LOST = 15 };

struct part {
    char uuid[96], name[96];
    unsigned gi, ci;
    unsigned long long memory;
};
struct card {
    char uuid[96], pci[32], name[96];
    unsigned minor;
    unsigned long long total, used;
    int major_cc, minor_cc, encoder, lost, persistence;
    unsigned use[6];
    int have_use;
    struct part migs[MIGS];
    unsigned n_migs;
    struct {
        unsigned pid;
        unsigned long long used;
        unsigned card, encoder, decoder;
    } procs[PROCS];
    unsigned n_procs;
};

static struct card cards[CARDS];
static unsigned n_cards;
static int fails;
static char driver[64];

static void read_line(const char *line) {
    struct card *c = n_cards ? &cards[n_cards - 1] : NULL;
    struct part *m = c && c->n_migs < MIGS ? &c->migs[c->n_migs] : NULL;
    if (strncmp(line, "gpu ", 4) == 0 && n_cards < CARDS) {
        c = &cards[n_cards++];
        *c = (struct card){.encoder = -1, .persistence = -1};
        sscanf(line, "gpu %95s %31s %u %95[^\n]", c->uuid, c->pci, &c->minor, c->name);
    } else if (sscanf(line, "driver %63s", driver) == 1 || sscanf(line, "fails %d", &fails) == 1 ||
               !c) {
        return;
    } else if (strncmp(line, "lost", 4) == 0) {
        c->lost = 1;
    } else if (m && sscanf(line, "mig %95s %u %u %llu %95[^\n]", m->uuid, &m->gi, &m->ci,
                           &m->memory, m->name) == 5) {
        c->n_migs++;
    } else if (c->n_procs < PROCS &&
               sscanf(line, "proc %u %llu %u %u %u", &c->procs[c->n_procs].pid,
                      &c->procs[c->n_procs].used, &c->procs[c->n_procs].card,
                      &c->procs[c->n_procs].encoder, &c->procs[c->n_procs].decoder) >= 2) {
        c->n_procs++;
    } else if (sscanf(line, "use %u %u %u %u %u %u", &c->use[0], &c->use[1], &c->use[2], &c->use[3],
                      &c->use[4], &c->use[5]) == 6) {
        c->have_use = 1;
    } else if (sscanf(line, "memory %llu %llu", &c->total, &c->used) != 2 &&
               sscanf(line, "compute %d %d", &c->major_cc, &c->minor_cc) != 2 &&
               sscanf(line, "encoder %d", &c->encoder) != 1) {
        sscanf(line, "persistence %d", &c->persistence);
    }
}

/* Inside a desktop there are no recorded answers: only the module's version, as the real one. */
static void read_version(void) {
    char line[256] = "";
    FILE *f = fopen("/proc/driver/nvidia/version", "re");
    if (f && fgets(line, sizeof(line), f)) {
        const char *at = strstr(line, "x86_64  ");
        sscanf(at ? at + 8 : "", "%63s", driver);
    }
    if (f)
        fclose(f);
}

EXPORT int nvmlInit_v2(void) {
    char line[256];
    FILE *f = fopen(ANSWERS, "re");
    n_cards = 0;
    fails = 0;
    driver[0] = '\0';
    while (f && fgets(line, sizeof(line), f))
        read_line(line);
    if (f)
        fclose(f);
    else
        read_version();
    return fails;
}

EXPORT int nvmlShutdown(void) {
    return OK;
}

EXPORT const char *nvmlErrorString(int r) {
    return r == 18     ? "Driver/library version mismatch"
           : r == LOST ? "GPU is lost"
                       : "something else";
}

EXPORT int nvmlSystemGetDriverVersion(char *ret, unsigned size) {
    snprintf(ret, size, "%s", driver);
    return OK;
}

EXPORT int nvmlSystemGetCudaDriverVersion_v2(int *ret) {
    *ret = 13000;
    return OK;
}

EXPORT int nvmlDeviceGetCount_v2(unsigned *ret) {
    *ret = n_cards;
    return OK;
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret) {
    if (i >= n_cards)
        return NOT_FOUND;
    *ret = &cards[i];
    return cards[i].lost ? LOST : OK;
}

/* A handle is a card's, or that of one of a card's parts. */
static struct part *part_of(void *handle) {
    const char *at = handle, *first = (const char *)cards;
    const size_t card = (size_t)(at - first) / sizeof(cards[0]);
    return at == (const char *)&cards[card] ? NULL : handle;
}

EXPORT int nvmlDeviceGetUUID(void *handle, char *ret, unsigned size) {
    const struct part *m = part_of(handle);
    snprintf(ret, size, "%s", m ? m->uuid : ((struct card *)handle)->uuid);
    return OK;
}

EXPORT int nvmlDeviceGetName(void *handle, char *ret, unsigned size) {
    const struct part *m = part_of(handle);
    snprintf(ret, size, "%s", m ? m->name : ((struct card *)handle)->name);
    return OK;
}

EXPORT int nvmlDeviceGetPciInfo_v3(void *handle, char *ret) {
    snprintf(ret + 16 + 5 * sizeof(unsigned), 32, "%s", ((struct card *)handle)->pci);
    return OK;
}

EXPORT int nvmlDeviceGetMinorNumber(void *handle, unsigned *ret) {
    *ret = ((struct card *)handle)->minor;
    return OK;
}

EXPORT int nvmlDeviceGetMemoryInfo(void *handle, unsigned long long ret[3]) {
    const struct part *m = part_of(handle);
    const struct card *c = handle;
    ret[0] = m ? m->memory : c->total;
    ret[2] = m ? 0 : c->used;
    ret[1] = ret[0] - ret[2];
    return OK;
}

EXPORT int nvmlDeviceGetCudaComputeCapability(void *handle, int *major, int *minor) {
    *major = ((struct card *)handle)->major_cc;
    *minor = ((struct card *)handle)->minor_cc;
    return OK;
}

EXPORT int nvmlDeviceGetEncoderCapacity(void *handle, int codec, unsigned *ret) {
    const struct card *c = handle;
    *ret = (unsigned)(c->encoder > 0 ? c->encoder : 0);
    return c->encoder < 0 ? NOT_SUPPORTED : OK;
}

EXPORT int nvmlDeviceGetMigMode(void *handle, unsigned *now, unsigned *pending) {
    *now = *pending = ((struct card *)handle)->n_migs > 0;
    return *now ? OK : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned i, void **ret) {
    struct card *c = handle;
    *ret = i < c->n_migs ? &c->migs[i] : NULL;
    return *ret ? OK : NOT_FOUND;
}

EXPORT int nvmlDeviceGetGpuInstanceId(void *handle, unsigned *ret) {
    *ret = part_of(handle)->gi;
    return OK;
}

EXPORT int nvmlDeviceGetComputeInstanceId(void *handle, unsigned *ret) {
    *ret = part_of(handle)->ci;
    return OK;
}

static int use_of(void *handle, int i, unsigned *ret) {
    *ret = ((struct card *)handle)->use[i];
    return ((struct card *)handle)->have_use ? OK : NOT_SUPPORTED;
}

EXPORT int nvmlDeviceGetUtilizationRates(void *handle, unsigned ret[2]) {
    return use_of(handle, 1, &ret[1]), use_of(handle, 0, &ret[0]);
}

EXPORT int nvmlDeviceGetEncoderUtilization(void *handle, unsigned *ret, unsigned *period) {
    *period = 0;
    return use_of(handle, 2, ret);
}

EXPORT int nvmlDeviceGetDecoderUtilization(void *handle, unsigned *ret, unsigned *period) {
    *period = 0;
    return use_of(handle, 3, ret);
}

EXPORT int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *ret) {
    return use_of(handle, 4, ret);
}

EXPORT int nvmlDeviceGetPowerUsage(void *handle, unsigned *ret) {
    return use_of(handle, 5, ret);
}

struct process {
    unsigned pid;
    unsigned long long used;
    unsigned gi, ci;
};
EXPORT int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *n, struct process *ret) {
    const struct card *c = handle;
    for (*n = 0; *n < c->n_procs; ++*n)
        ret[*n] = (struct process){c->procs[*n].pid, c->procs[*n].used, 0, 0};
    return OK;
}

struct process_use {
    unsigned pid;
    unsigned long long time_us;
    unsigned card, memory, encoder, decoder;
};
EXPORT int nvmlDeviceGetProcessUtilization(void *handle, struct process_use *ret, unsigned *n,
                                           unsigned long long since) {
    const struct card *c = handle;
    if (!ret ||
        *n < PROCS) { /* as the real one: room for all that it keeps, not for what there is */
        *n = PROCS;
        return INSUFFICIENT_SIZE;
    }
    *n = 0;
    for (unsigned i = 0; i < c->n_procs; i++)
        if (c->procs[i].card + c->procs[i].encoder + c->procs[i].decoder > 0)
            ret[(*n)++] =
                (struct process_use){c->procs[i].pid,     since + 1,          c->procs[i].card, 0,
                                     c->procs[i].encoder, c->procs[i].decoder};
    return *n ? OK : NOT_FOUND;
}

EXPORT int nvmlDeviceGetTopologyCommonAncestor(void *a, void *b, int *ret) {
    *ret = 30; /* one host bridge */
    return OK;
}

EXPORT int nvmlDeviceGetP2PStatus(void *a, void *b, int kind, int *ret) {
    *ret = 1; /* the chipset does not allow it */
    return OK;
}

/* What was asked for, where a test can see it. */
EXPORT int nvmlDeviceGetPersistenceMode(void *handle, int *ret) {
    *ret = ((struct card *)handle)->persistence;
    return *ret < 0 ? NOT_SUPPORTED : OK;
}

EXPORT int nvmlDeviceSetPersistenceMode(void *handle, int on) {
    FILE *f = fopen(ANSWERS ".set", "ae");
    if (!f)
        return NOT_SUPPORTED;
    fprintf(f, "persistence %s %d\n", ((struct card *)handle)->uuid, on);
    fclose(f);
    return OK;
}
