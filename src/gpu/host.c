/* src/gpu/host.c - the NVIDIA cards of this host */
#include "gpu/host.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "gpu/driver.h"
#include <stdarg.h>
#include <string.h>

#define TEXT_MAX_BYTES (1024 * 1024)
#define NVIDIA_VENDOR 0x10de
#define UNINITIALIZED_UUID                                                                         \
    "GPU-????????" /* as proc says before the first program opens the card                         \
                    */

/* The file's text below @root_fd, the caller's; "" where it cannot be read. */
__attribute__((format(printf, 2, 3))) static char *text_at(int root_fd, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    px_cleanup_free char *path = px_vasprintf(fmt, ap);
    va_end(ap);
    char *text = NULL;
    px_cleanup_close int fd = px_open_in_root(root_fd, path, O_RDONLY, 0, NULL);
    if (fd < 0 || px_fd_read_all(fd, TEXT_MAX_BYTES, &text, NULL, NULL) < 0)
        return px_strdup("");
    return text;
}

static void first_line(const char *text, char *ret, size_t size) {
    snprintf(ret, size, "%.*s", (int)strcspn(text, "\n"), text);
}

void px_gpu_parse_version(const char *text, char *ret, size_t size, bool *ret_open) {
    /* NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (...)
     * NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  Thu Feb 22 01:44:30 UTC 2024 */
    snprintf(ret, size, "%s", "");
    const size_t end = strcspn(text, "\n");
    const char *module = strstr(text, "Kernel Module");
    *ret_open = module && module >= text + 5 && strncmp(module - 5, "Open ", 5) == 0;
    for (const char *p = module; p && p < text + end; p += strcspn(p, " \n"), p += strspn(p, " ")) {
        const size_t n = strspn(p, "0123456789.");
        if (n >= 5 && memchr(p, '.', n) && strchr(" \n", p[n])) {
            snprintf(ret, size, "%.*s", (int)n, p);
            return;
        }
        if (*p == '\n')
            return;
    }
}

uint32_t px_gpu_parse_major(const char *text, const char *name) {
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, "Block", 5) == 0)
            return 0;
        char *end = NULL;
        const unsigned long major = strtoul(line, &end, 10);
        const size_t n = strlen(name);
        if (end > line && *end == ' ' && strncmp(end + 1, name, n) == 0 &&
            (end[1 + n] == '\n' || end[1 + n] == '\0') && major <= UINT32_MAX)
            return (uint32_t)major;
    }
    return 0;
}

int px_gpu_parse_mig_minor(const char *text, const char *path) {
    const size_t n = strlen(path);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, path, n) == 0 && line[n] == ' ')
            return atoi(line + n + 1);
    return -1;
}

static void read_driver(int root_fd, struct px_gpu_card *c) {
    px_cleanup_free char *path = px_asprintf("/sys/bus/pci/devices/%s", c->address);
    px_cleanup_close int dir = px_open_in_root(root_fd, path, O_PATH | O_DIRECTORY, 0, NULL);
    char target[256] = "";
    ssize_t n = dir < 0 ? -1 : readlinkat(dir, "driver", target, sizeof(target) - 1);
    const char *slash = n > 0 ? strrchr(target, '/') : NULL;
    snprintf(c->driver, sizeof(c->driver), "%.31s", slash ? slash + 1 : "");
}

static void read_render(int root_fd, struct px_gpu_card *c) {
    px_cleanup_free char *path = px_asprintf("/sys/bus/pci/devices/%s/drm", c->address);
    int fd = px_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY, 0, NULL);
    px_cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (strncmp(e->d_name, "renderD", 7) == 0)
            snprintf(c->render, sizeof(c->render), "%.15s", e->d_name);
}

static int read_card(int root_fd, const char *address, struct px_gpu_card *c) {
    px_cleanup_free char *vendor = text_at(root_fd, "/sys/bus/pci/devices/%s/vendor", address);
    px_cleanup_free char *class = text_at(root_fd, "/sys/bus/pci/devices/%s/class", address);
    /* Display controllers, class 03: VGA and 3D. The card's sound function is none. */
    if (strtoul(vendor, NULL, 16) != NVIDIA_VENDOR || strtoul(class, NULL, 16) >> 16 != 0x03)
        return -ENOENT;
    *c = (struct px_gpu_card){.minor = -1, .numa_node = -1, .encoder = -1};
    if (px_gpu_address(address, c->address) < 0)
        return -ENOENT;
    read_driver(root_fd, c);
    read_render(root_fd, c);
    px_cleanup_free char *node = text_at(root_fd, "/sys/bus/pci/devices/%s/numa_node", address);
    if (node[0])
        c->numa_node = atoi(node);
    px_cleanup_free char *info =
        text_at(root_fd, "/proc/driver/nvidia/gpus/%s/information", address);
    char minor[16], excluded[16];
    px_text_field(info, "Model", c->name, sizeof(c->name));
    px_text_field(info, "GPU UUID", c->uuid, sizeof(c->uuid));
    px_text_field(info, "Device Minor", minor, sizeof(minor));
    px_text_field(info, "GPU Excluded", excluded, sizeof(excluded));
    if (strncmp(c->uuid, UNINITIALIZED_UUID, strlen(UNINITIALIZED_UUID)) == 0)
        c->uuid[0] = '\0';
    if (minor[0])
        c->minor = atoi(minor);
    if (strcmp(excluded, "Yes") == 0)
        snprintf(c->trouble, sizeof(c->trouble), "the driver excludes it (ExcludedGpus)");
    return 0;
}

static int by_address(const void *a, const void *b) {
    return strcmp(((const struct px_gpu_card *)a)->address,
                  ((const struct px_gpu_card *)b)->address);
}

static void read_cards(int root_fd, struct px_gpu_host *host) {
    int fd = px_open_in_root(root_fd, "/sys/bus/pci/devices", O_RDONLY | O_DIRECTORY, 0, NULL);
    px_cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *e;
    while (dir && (e = readdir(dir)) && host->n_cards < PX_GPU_CARDS_MAX)
        if (e->d_name[0] != '.' && read_card(root_fd, e->d_name, &host->cards[host->n_cards]) == 0)
            host->n_cards++;
    qsort(host->cards, host->n_cards, sizeof(host->cards[0]), by_address);
}

static void add_migs(const struct px_nvml_card *from, const char *minors, struct px_gpu_card *c) {
    c->mig = from->mig;
    c->mig_capable = from->mig_capable;
    for (size_t i = 0; i < from->n_migs; i++) {
        const struct px_nvml_mig *m = &from->migs[i];
        char gi[64], ci[64];
        snprintf(gi, sizeof(gi), "gpu%d/gi%u/access", c->minor, m->gi);
        snprintf(ci, sizeof(ci), "gpu%d/gi%u/ci%u/access", c->minor, m->gi, m->ci);
        struct px_gpu_mig *to = &c->migs[c->n_migs++];
        *to = (struct px_gpu_mig){.gi = m->gi,
                                  .ci = m->ci,
                                  .memory_bytes = m->memory_bytes,
                                  .gi_minor = px_gpu_parse_mig_minor(minors, gi),
                                  .ci_minor = px_gpu_parse_mig_minor(minors, ci)};
        memcpy(to->uuid, m->uuid, sizeof(to->uuid));
        memcpy(to->name, m->name, sizeof(to->name));
    }
}

static void mark_lost(struct px_gpu_card *c, const char *why) {
    snprintf(c->trouble, sizeof(c->trouble), "it has fallen off the bus, or needs a reset%s%s",
             why[0] ? ": " : "", why);
    snprintf(c->fix, sizeof(c->fix),
             "look for 'NVRM: Xid' in the kernel log (dmesg), then reboot or reset the card");
}

static void merge_card(const struct px_nvml_card *from, const char *minors, struct px_gpu_card *c) {
    if (from->uuid[0])
        memcpy(c->uuid, from->uuid, sizeof(c->uuid));
    if (from->name[0])
        memcpy(c->name, from->name, sizeof(c->name));
    if (from->minor >= 0)
        c->minor = from->minor;
    c->memory_bytes = from->memory_bytes;
    c->cc_major = from->cc_major;
    c->cc_minor = from->cc_minor;
    c->encoder = from->encoder;
    add_migs(from, minors, c);
    if (from->lost)
        mark_lost(c, from->trouble);
}

/* A card that is lost may have no handle in NVML, and so no address: it is the one that nvidia
 * drives and NVML does not speak of. */
static void find_lost(const struct px_nvml *nvml, const bool *spoken_of, struct px_gpu_host *host) {
    const char *why = "the driver does not list it any more";
    for (size_t i = 0; i < nvml->n_cards; i++)
        if (!nvml->cards[i].address[0] && nvml->cards[i].trouble[0])
            why = nvml->cards[i].trouble;
    for (size_t k = 0; k < host->n_cards && nvml->code == 0 && nvml->n_cards > 0; k++)
        if (!spoken_of[k] && strcmp(host->cards[k].driver, "nvidia") == 0 &&
            !host->cards[k].trouble[0])
            mark_lost(&host->cards[k], why);
}

static void merge_nvml(int root_fd, const struct px_nvml *nvml, struct px_gpu_host *host) {
    px_cleanup_free char *minors = text_at(root_fd, "/proc/driver/nvidia-caps/mig-minors");
    size_t ours[PX_GPU_CARDS_MAX];
    bool spoken_of[PX_GPU_CARDS_MAX] = {false};
    host->cuda = nvml->cuda;
    snprintf(host->nvml_why, sizeof(host->nvml_why), "%s", nvml->why);
    for (size_t i = 0; i < nvml->n_cards; i++) {
        ours[i] = PX_GPU_CARDS_MAX;
        for (size_t k = 0; k < host->n_cards; k++)
            if (strcmp(host->cards[k].address, nvml->cards[i].address) == 0) {
                merge_card(&nvml->cards[i], minors, &host->cards[k]);
                ours[i] = k;
                spoken_of[k] = true;
            }
    }
    find_lost(nvml, spoken_of, host);
    for (size_t i = 0; i < nvml->n_cards; i++)
        for (size_t k = 0; k < nvml->n_cards; k++) {
            if (ours[i] == PX_GPU_CARDS_MAX || ours[k] == PX_GPU_CARDS_MAX)
                continue;
            host->links[ours[i]][ours[k]] = nvml->links[i][k];
            host->peer[ours[i]][ours[k]] = nvml->peer[i][k];
            host->nvlink[ours[i]][ours[k]] = nvml->nvlink[i][k];
        }
}

static void judge_card(const struct px_gpu_host *host, struct px_gpu_card *c) {
    if (c->trouble[0])
        return;
    if (strcmp(c->driver, "vfio-pci") == 0) {
        snprintf(c->trouble, sizeof(c->trouble), "it is set aside for virtual machines (vfio-pci)");
        snprintf(c->fix, sizeof(c->fix),
                 "stop the machine that has it and bind the card to nvidia "
                 "again (driverctl unset-override %s)",
                 c->address);
    } else if (strcmp(c->driver, "nvidia") != 0) {
        snprintf(c->trouble, sizeof(c->trouble), "it is driven by %s, not by nvidia",
                 c->driver[0] ? c->driver : "nothing");
        snprintf(c->fix, sizeof(c->fix), "%s",
                 strcmp(c->driver, "nouveau") == 0
                     ? "install NVIDIA's driver, which blacklists nouveau, then reboot"
                 : host->module[0]
                     ? "look for 'NVRM' in the kernel log (dmesg): the module may not "
                       "know this card, or be of the wrong kind (open or proprietary)"
                     : "modprobe nvidia");
    } else if (!c->uuid[0] || c->minor < 0) {
        snprintf(c->trouble, sizeof(c->trouble), "the driver does not tell its UUID%s%s",
                 host->nvml_why[0] ? ", nor does NVML: " : "", host->nvml_why);
        snprintf(c->fix, sizeof(c->fix), "look for 'NVRM: Xid' in the kernel log (dmesg)");
    }
}

static void judge(struct px_gpu_host *host) {
    if (host->n_cards == 0 && !host->module[0]) {
        host->state = PX_GPU_NO_CARD;
        snprintf(host->why, sizeof(host->why), "this host has no NVIDIA GPU");
        snprintf(host->fix, sizeof(host->fix), "leave gpus out");
    } else if (!host->module[0]) {
        host->state = PX_GPU_NO_MODULE;
        snprintf(host->why, sizeof(host->why), "NVIDIA's kernel module is not loaded");
        snprintf(host->fix, sizeof(host->fix),
                 host->libraries[0] ? "modprobe nvidia; when it does not exist for this kernel, "
                                      "install the kernel's headers and run dkms autoinstall"
                                    : "install NVIDIA's driver, then reboot");
    } else if (!host->libraries[0]) {
        host->state = PX_GPU_NO_LIBRARIES;
        snprintf(host->why, sizeof(host->why),
                 "module %s is loaded, but its libraries (libcuda.so.%s) are not on this host",
                 host->module, host->module);
        snprintf(host->fix, sizeof(host->fix),
                 "install the driver's user-space part of version %s (Debian: libcuda1 nvidia-smi)",
                 host->module);
    } else if (strcmp(host->module, host->libraries) != 0) {
        host->state = PX_GPU_MISMATCH;
        snprintf(host->why, sizeof(host->why),
                 "the loaded kernel module is %s, the installed libraries are %s: the driver was "
                 "upgraded without a reboot",
                 host->module, host->libraries);
        snprintf(host->fix, sizeof(host->fix),
                 "reboot; or stop everything that uses the cards and reload the module (phoenix "
                 "stop '*'; rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia; modprobe nvidia)");
    } else {
        host->state = PX_GPU_READY;
    }
    for (size_t i = 0; i < host->n_cards; i++)
        judge_card(host, &host->cards[i]);
}

void px_gpu_look(const char *root, const struct px_nvml *nvml, struct px_gpu_host *ret) {
    *ret = (struct px_gpu_host){.device_mode = -1};
    px_cleanup_close int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    px_cleanup_free char *version = text_at(fd, "/proc/driver/nvidia/version");
    px_cleanup_free char *sys = text_at(fd, "/sys/module/nvidia/version");
    px_cleanup_free char *devices = text_at(fd, "/proc/devices");
    px_cleanup_free char *params = text_at(fd, "/proc/driver/nvidia/params");
    char mode[16];
    px_gpu_parse_version(version, ret->module, sizeof(ret->module), &ret->open_module);
    if (!ret->module[0])
        first_line(sys, ret->module, sizeof(ret->module));
    ret->uvm_major = px_gpu_parse_major(devices, "nvidia-uvm");
    ret->caps_major = px_gpu_parse_major(devices, "nvidia-caps");
    px_text_field(params, "DeviceFileMode", mode, sizeof(mode));
    if (mode[0])
        ret->device_mode = atoi(mode);
    read_cards(fd, ret);
    if (nvml)
        merge_nvml(fd, nvml, ret);
    px_driver_version(fd, ret->module, ret->libraries, sizeof(ret->libraries));
    judge(ret);
}

struct px_gpu_host *px_gpu_look_here(void) {
    struct px_gpu_host *host = px_new0(struct px_gpu_host, 1);
    px_gpu_look("/", NULL, host);
    if (host->state != PX_GPU_READY && host->state != PX_GPU_MISMATCH)
        return host;
    px_cleanup_free struct px_nvml *nvml = px_new0(struct px_nvml, 1);
    px_cleanup_free char *library = px_driver_library("/", host->libraries, "libnvidia-ml.so.1");
    px_nvml_read(library, nvml);
    px_gpu_look("/", nvml, host);
    return host;
}

const char *px_gpu_state_word(enum px_gpu_state state) {
    switch (state) {
    case PX_GPU_NO_CARD:
        return "no card";
    case PX_GPU_NO_MODULE:
        return "no module";
    case PX_GPU_NO_LIBRARIES:
        return "no libraries";
    case PX_GPU_MISMATCH:
        return "mismatch";
    case PX_GPU_READY:
        return "ready";
    }
    return "";
}

const struct px_gpu_card *px_gpu_by_uuid(const struct px_gpu_host *host, const char *uuid) {
    for (size_t i = 0; i < host->n_cards; i++)
        if (host->cards[i].uuid[0] && strcasecmp(host->cards[i].uuid, uuid) == 0)
            return &host->cards[i];
    return NULL;
}

const struct px_gpu_card *px_gpu_by_mig(const struct px_gpu_host *host, const char *uuid,
                                        const struct px_gpu_mig **ret) {
    for (size_t i = 0; i < host->n_cards; i++)
        for (size_t k = 0; k < host->cards[i].n_migs; k++)
            if (strcasecmp(host->cards[i].migs[k].uuid, uuid) == 0) {
                *ret = &host->cards[i].migs[k];
                return &host->cards[i];
            }
    return NULL;
}
