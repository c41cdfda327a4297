/* src/gpu/probe/look.c - nodes, versions and cards, as they are seen from here */
#include "base/cleanup.h"
#include "gpu/probe/probe.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define CARDS_MAX 32

static bool can_open(const char *path) {
    px_cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    return fd >= 0;
}

/* Minors of the cards that /proc shows here. */
static uint32_t shown_minors(size_t *ret_n) {
    uint32_t mask = 0;
    px_cleanup_closedir DIR *dir = opendir("/proc/driver/nvidia/gpus");
    const struct dirent *e;
    *ret_n = 0;
    while (dir && (e = readdir(dir))) {
        char path[320], line[256];
        unsigned minor;
        snprintf(path, sizeof(path), "/proc/driver/nvidia/gpus/%s/information", e->d_name);
        px_cleanup_fclose FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "re");
        while (f && fgets(line, sizeof(line), f))
            if (sscanf(line, "Device Minor: %u", &minor) == 1 && minor < CARDS_MAX) {
                mask |= 1u << minor;
                ++*ret_n;
            }
    }
    return mask;
}

/* A node of one's own making is the way round missing nodes: it must not open either. */
static bool can_forge(unsigned minor) {
    char path[64];
    snprintf(path, sizeof(path), "/tmp/.phoenix-gpu-probe-%d", (int)getpid());
    bool opened = mknod(path, S_IFCHR | 0600, makedev(195, minor)) == 0 && can_open(path);
    unlink(path);
    return opened;
}

void probe_nodes(struct probe *p) {
    static const char *const all[] = {"/dev/nvidiactl", "/dev/nvidia-uvm"};
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        if (can_open(all[i]))
            probe_note(p, PROBE_OK, "node", "%s opens", all[i]);
        else
            probe_note(p, PROBE_FAIL, "node", "%s: %s", all[i], strerror(errno));
    size_t n = 0, n_foreign = 0;
    const uint32_t shown = shown_minors(&n);
    for (unsigned i = 0; i < CARDS_MAX; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/dev/nvidia%u", i);
        const bool ours = shown & (1u << i), opens = can_open(path);
        if (ours && !opens)
            probe_note(p, PROBE_FAIL, "node", "%s: %s", path, strerror(errno));
        else if (ours)
            probe_note(p, PROBE_OK, "node", "%s opens", path);
        else if (opens || can_forge(i)) {
            n_foreign++;
            probe_note(p, PROBE_FAIL, "foreign", "%s opens, and is no card of ours", path);
        }
    }
    if (n_foreign == 0)
        probe_note(p, PROBE_OK, "foreign", "no other card can be opened, nor a node for one made");
    if (p->n_expected > 0 && n != p->n_expected)
        probe_note(p, PROBE_FAIL, "proc", "%zu cards in /proc/driver/nvidia/gpus, %zu granted", n,
                   p->n_expected);
}

void probe_versions(struct probe *p) {
    char line[512] = "", library[96] = "";
    px_cleanup_fclose FILE *f = fopen("/proc/driver/nvidia/version", "re");
    if (!f || !fgets(line, sizeof(line), f)) {
        probe_note(p, PROBE_FAIL, "version", "/proc/driver/nvidia/version cannot be read");
        return;
    }
    void *nvml = dlopen("libnvidia-ml.so.1", RTLD_NOW);
    if (!nvml) {
        probe_note(p, PROBE_FAIL, "version", "%s", dlerror());
        return;
    }
    int (*init)(void) = (int (*)(void))dlsym(nvml, "nvmlInit_v2");
    int (*version)(char *, unsigned) =
        (int (*)(char *, unsigned))dlsym(nvml, "nvmlSystemGetDriverVersion");
    const int r = init ? init() : -1;
    if (r == 18)
        probe_note(p, PROBE_FAIL, "version", "the libraries are not of the module's version");
    else if (r != 0 || !version || version(library, sizeof(library)) != 0)
        probe_note(p, PROBE_FAIL, "version", "NVML does not start (%d)", r);
    else if (!strstr(line, library))
        probe_note(p, PROBE_FAIL, "version", "module and NVML differ: %s", library);
    else
        probe_note(p, PROBE_OK, "version", "module and libraries are %s", library);
}

static void name_uuid(const struct cu_uuid *u, const char *prefix, char *ret, size_t size) {
    const uint8_t *b = u->bytes;
    snprintf(ret, size, "%s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             prefix, b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
             b[12], b[13], b[14], b[15]);
}

static bool is_expected(const struct probe *p, const char *uuid) {
    for (size_t i = 0; i < p->n_expected; i++)
        /* Behind "GPU-" or "MIG-", which CUDA does not tell apart. */
        if (strlen(p->expected[i]) > 4 && strcasecmp(p->expected[i] + 4, uuid + 4) == 0)
            return true;
    return false;
}

void probe_cards(struct probe *p) {
    int version = 0, n = 0;
    if (!probe_cuda(p, p->cu.init(0), "cuda", "cuInit") ||
        !probe_cuda(p, p->cu.count(&n), "cuda", "cuDeviceGetCount"))
        return;
    p->cu.driver_version(&version);
    probe_note(p, PROBE_OK, "cuda", "%d card%s, CUDA %d.%d", n, n == 1 ? "" : "s", version / 1000,
               version % 1000 / 10);
    if (p->n_expected > 0 && (size_t)n != p->n_expected)
        probe_note(p, PROBE_FAIL, "cuda", "%d cards, %zu were granted", n, p->n_expected);
    for (int i = 0; i < n && i < CARDS_MAX; i++) {
        struct card *c = &p->cards[p->n_cards];
        struct cu_uuid uuid;
        char name[96] = "";
        int major = 0, minor = 0;
        if (!probe_cuda(p, p->cu.get(&c->device, i), "card", "cuDeviceGet") ||
            !probe_cuda(p, p->cu.uuid(&uuid, c->device), "card", "cuDeviceGetUuid"))
            return;
        name_uuid(&uuid, "GPU", c->uuid, sizeof(c->uuid));
        p->cu.name(name, sizeof(name), c->device);
        p->cu.attribute(&major, CU_ATTRIBUTE_CC_MAJOR, c->device);
        p->cu.attribute(&minor, CU_ATTRIBUTE_CC_MINOR, c->device);
        if (p->n_expected > 0 && !is_expected(p, c->uuid))
            probe_note(p, PROBE_FAIL, "card", "%s is not one of the granted cards", c->uuid);
        else
            probe_note(p, PROBE_OK, "card", "%s, %s, compute %d.%d", c->uuid, name, major, minor);
        p->n_cards++;
    }
}
