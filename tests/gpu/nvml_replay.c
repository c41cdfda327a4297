/* tests/gpu/nvml_replay.c - a libnvidia-ml that gives again what nvml_record.c wrote down
 *
 * The record is the file that PX_NVML_RECORD names. What was not recorded is answered with 999, an
 * unknown error. A function that the recorded library lacked is answered with "not found". */
#include "nvml_calls.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
enum { INSUFFICIENT_SIZE = 7, FUNCTION_NOT_FOUND = 13, UNKNOWN = 999 };

static char text[64 * 1024];
static char handles[NVML_CARDS_MAX];

static unsigned index_of(void *handle) {
    return (unsigned)((char *)handle - handles);
}

/* The code that was recorded for the call, and what stands behind it in *ret. */
__attribute__((format(printf, 2, 3))) static int answer(const char **ret, const char *fmt, ...) {
    char call[128];
    va_list ap;
    va_start(ap, fmt);
    const int n = vsnprintf(call, sizeof(call), fmt, ap);
    va_end(ap);
    const size_t name = strcspn(call, " ");
    for (char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, call, name) == 0 && strncmp(line + name, " absent", 7) == 0)
            return FUNCTION_NOT_FOUND;
        if (strncmp(line, call, (size_t)n) != 0 || strncmp(line + n, " = ", 3) != 0)
            continue;
        char *end = NULL;
        const int code = (int)strtol(line + n + 3, &end, 10);
        *ret = end + (*end == ' ');
        return code;
    }
    return UNKNOWN;
}

static int numbers(const char *from, int code, unsigned *const *ret, size_t n) {
    char *end = NULL;
    for (size_t i = 0; i < n && code == 0; i++, from = end)
        *ret[i] = (unsigned)strtoul(from, &end, 10);
    return code;
}

EXPORT int nvmlInit_v2(void) {
    const char *path = getenv("PX_NVML_RECORD"), *at = NULL;
    FILE *f = path ? fopen(path, "re") : NULL;
    text[f ? fread(text, 1, sizeof(text) - 1, f) : 0] = '\0';
    if (f)
        fclose(f);
    return answer(&at, "nvmlInit_v2");
}

EXPORT int nvmlShutdown(void) {
    return 0;
}

EXPORT const char *nvmlErrorString(int r) {
    return r == UNKNOWN ? "not recorded" : "a recorded error";
}

EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **ret) {
    const char *at = NULL;
    if (i >= NVML_CARDS_MAX)
        return UNKNOWN;
    *ret = &handles[i];
    return answer(&at, "nvmlDeviceGetHandleByIndex_v2 %u", i);
}

static int give_text(const char *at, int code, char *ret, unsigned size) {
    if (code == 0)
        snprintf(ret, size, "%.*s", (int)strcspn(at, "\n"), at);
    return code;
}

#define SYSTEM_TEXT(name, kind)                                                                    \
    EXPORT int name(char *ret, unsigned size) {                                                    \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name);                                                                \
        return give_text(at, r, ret, size);                                                        \
    }
#define SYSTEM_NUMBER(name, kind)                                                                  \
    EXPORT int name(unsigned *ret) {                                                               \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name);                                                                \
        return numbers(at, r, (unsigned *const[]){ret}, 1);                                        \
    }
#define TEXT(name, kind)                                                                           \
    EXPORT int name(void *d, char *ret, unsigned size) {                                           \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u", index_of(d));                                             \
        return give_text(at, r, ret, size);                                                        \
    }
#define NUMBER(name, kind)                                                                         \
    EXPORT int name(void *d, unsigned *ret) {                                                      \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u", index_of(d));                                             \
        return numbers(at, r, (unsigned *const[]){ret}, 1);                                        \
    }
#define PAIR(name, kind)                                                                           \
    EXPORT int name(void *d, unsigned *a, unsigned *b) {                                           \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u", index_of(d));                                             \
        return numbers(at, r, (unsigned *const[]){a, b}, 2);                                       \
    }
#define TRIPLE(name, kind)                                                                         \
    EXPORT int name(void *d, unsigned *a, unsigned *b, unsigned *c) {                              \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u", index_of(d));                                             \
        return numbers(at, r, (unsigned *const[]){a, b, c}, 3);                                    \
    }
#define BY_KIND(name, kind)                                                                        \
    EXPORT int name(void *d, int which, unsigned *ret) {                                           \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u %d", index_of(d), which);                                   \
        return numbers(at, r, (unsigned *const[]){ret}, 1);                                        \
    }
#define PROCESSES(name, kind)                                                                      \
    EXPORT int name(void *d, unsigned *n, struct nvml_process *ret) {                              \
        const char *at = NULL;                                                                     \
        int r = answer(&at, #name " %u", index_of(d));                                             \
        return give_processes(at, r, n, ret);                                                      \
    }
static int give_processes(const char *at, int code, unsigned *n, struct nvml_process *ret) {
    char *end = NULL;
    *n = code == 0 ? (unsigned)strtoul(at, &end, 10) : 0;
    for (unsigned i = 0; i < *n; i++) {
        ret[i] = (struct nvml_process){.pid = (unsigned)strtoul(end, &end, 10)};
        ret[i].used = strtoull(end, &end, 10);
    }
    return code;
}
NVML_SYSTEM_TEXTS(SYSTEM_TEXT)
NVML_SYSTEM_NUMBERS(SYSTEM_NUMBER)
NVML_TEXTS(TEXT)
NVML_NUMBERS(NUMBER)
NVML_PAIRS(PAIR)
NVML_TRIPLES(TRIPLE)
NVML_BY_KIND(BY_KIND)
NVML_PROCESSES(PROCESSES)

EXPORT int nvmlDeviceGetPciInfo_v3(void *d, struct nvml_pci *ret) {
    const char *at = NULL;
    int r = answer(&at, "nvmlDeviceGetPciInfo_v3 %u", index_of(d));
    return give_text(at, r, ret->bus_id, sizeof(ret->bus_id));
}

EXPORT int nvmlDeviceGetMemoryInfo(void *d, unsigned long long ret[3]) {
    const char *at = NULL;
    int r = answer(&at, "nvmlDeviceGetMemoryInfo %u", index_of(d));
    if (r == 0)
        sscanf(at, "%llu %llu %llu", &ret[0], &ret[1], &ret[2]);
    return r;
}

EXPORT int nvmlDeviceGetUtilizationRates(void *d, unsigned ret[2]) {
    const char *at = NULL;
    int r = answer(&at, "nvmlDeviceGetUtilizationRates %u", index_of(d));
    return numbers(at, r, (unsigned *const[]){&ret[0], &ret[1]}, 2);
}

EXPORT int nvmlDeviceGetProcessUtilization(void *d, struct nvml_process_use *ret, unsigned *n,
                                           unsigned long long since) {
    const char *at = NULL;
    char *end = NULL;
    int r = answer(&at, "nvmlDeviceGetProcessUtilization %u%s", index_of(d), ret ? "" : " room");
    if (!ret && r == INSUFFICIENT_SIZE)
        *n = (unsigned)strtoul(at, NULL, 10);
    if (!ret)
        return r;
    *n = r == 0 ? (unsigned)strtoul(at, &end, 10) : 0;
    for (unsigned i = 0; i < *n; i++) {
        ret[i] = (struct nvml_process_use){.pid = (unsigned)strtoul(end, &end, 10)};
        ret[i].gpu = (unsigned)strtoul(end, &end, 10);
        ret[i].memory = (unsigned)strtoul(end, &end, 10);
        ret[i].encoder = (unsigned)strtoul(end, &end, 10);
        ret[i].decoder = (unsigned)strtoul(end, &end, 10);
    }
    return r;
}

EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(void *d, unsigned i, void **ret) {
    const char *at = NULL;
    *ret = NULL;
    return answer(&at, "nvmlDeviceGetMigDeviceHandleByIndex %u %u", index_of(d), i);
}

EXPORT int nvmlDeviceGetTopologyCommonAncestor(void *a, void *b, unsigned *ret) {
    const char *at = NULL;
    int r = answer(&at, "nvmlDeviceGetTopologyCommonAncestor %u %u", index_of(a), index_of(b));
    return numbers(at, r, (unsigned *const[]){ret}, 1);
}

EXPORT int nvmlDeviceGetP2PStatus(void *a, void *b, int kind, unsigned *ret) {
    const char *at = NULL;
    int r = answer(&at, "nvmlDeviceGetP2PStatus %u %u %d", index_of(a), index_of(b), kind);
    return numbers(at, r, (unsigned *const[]){ret}, 1);
}
