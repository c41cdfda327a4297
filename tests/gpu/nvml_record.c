/* tests/gpu/nvml_record.c LIBRARY - writes down what a real libnvidia-ml answers, for nvml_replay.c
 *
 * It asks what src/gpu/nvml.c asks and changes nothing. See nvml_calls.h for the form, record.sh
 * for the rest of a machine. */
#include "nvml_calls.h"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

typedef void *device;
static void *library;

/* NULL, and a line about it, where the library lacks @name. */
static void *find(const char *name) {
    void *f = dlsym(library, name);
    if (!f)
        printf("%s absent\n", name);
    return f;
}

static void put(const char *name, const char *args, int code, const unsigned *values, size_t n) {
    printf("%s%s = %d", name, args, code);
    for (size_t i = 0; i < n && code == 0; i++)
        printf(" %u", values[i]);
    putchar('\n');
}

static void put_text(const char *name, const char *args, int code, const char *text) {
    printf("%s%s = %d%s%s\n", name, args, code, code == 0 ? " " : "", code == 0 ? text : "");
}

static void record_system(unsigned *ret_n) {
#define TEXT(name, kind)                                                                           \
    {                                                                                              \
        char text[128] = "";                                                                       \
        int (*f)(char *, unsigned) = (int (*)(char *, unsigned))find(#name);                       \
        if (f)                                                                                     \
            put_text(#name, "", f(text, sizeof(text)), text);                                      \
    }
#define NUMBER(name, kind)                                                                         \
    {                                                                                              \
        unsigned value = 0;                                                                        \
        int (*f)(unsigned *) = (int (*)(unsigned *))find(#name);                                   \
        if (f) {                                                                                   \
            put(#name, "", f(&value), &value, 1);                                                  \
            *ret_n = value; /* the count is asked for last */                                      \
        }                                                                                          \
    }
    NVML_SYSTEM_TEXTS(TEXT)
    NVML_SYSTEM_NUMBERS(NUMBER)
#undef TEXT
#undef NUMBER
}

static void record_structs(device d, const char *args) {
    struct nvml_pci pci = {0};
    unsigned long long memory[3] = {0};
    unsigned rates[2] = {0};
    device part = NULL;
    int (*get_pci)(device, struct nvml_pci *) =
        (int (*)(device, struct nvml_pci *))find("nvmlDeviceGetPciInfo_v3");
    int (*get_memory)(device, unsigned long long *) =
        (int (*)(device, unsigned long long *))find("nvmlDeviceGetMemoryInfo");
    int (*get_rates)(device, unsigned *) =
        (int (*)(device, unsigned *))find("nvmlDeviceGetUtilizationRates");
    int (*get_part)(device, unsigned, device *) =
        (int (*)(device, unsigned, device *))find("nvmlDeviceGetMigDeviceHandleByIndex");
    if (get_pci)
        put_text("nvmlDeviceGetPciInfo_v3", args, get_pci(d, &pci), pci.bus_id);
    if (get_memory) {
        int r = get_memory(d, memory);
        printf("nvmlDeviceGetMemoryInfo%s = %d", args, r);
        if (r == 0)
            printf(" %llu %llu %llu", memory[0], memory[1], memory[2]);
        putchar('\n');
    }
    if (get_rates)
        put("nvmlDeviceGetUtilizationRates", args, get_rates(d, rates), rates, 2);
    char of_part[64];
    snprintf(of_part, sizeof(of_part), "%s 0", args);
    if (get_part)
        put("nvmlDeviceGetMigDeviceHandleByIndex", of_part, get_part(d, 0, &part), NULL, 0);
}

static void record_processes(device d, const char *args, const char *name) {
    static struct nvml_process list[NVML_PROCESSES_MAX];
    unsigned n = NVML_PROCESSES_MAX;
    int (*f)(device, unsigned *, struct nvml_process *) =
        (int (*)(device, unsigned *, struct nvml_process *))find(name);
    if (!f)
        return;
    int r = f(d, &n, list);
    printf("%s%s = %d", name, args, r);
    if (r == 0)
        printf(" %u", n);
    for (unsigned i = 0; i < n && r == 0; i++)
        printf(" %u %llu", list[i].pid, list[i].used);
    putchar('\n');
}

static void record_process_use(device d, const char *args) {
    static struct nvml_process_use list[4096];
    static const char name[] = "nvmlDeviceGetProcessUtilization";
    unsigned n = 0;
    int (*f)(device, struct nvml_process_use *, unsigned *, unsigned long long) =
        (int (*)(device, struct nvml_process_use *, unsigned *, unsigned long long))find(name);
    if (!f)
        return;
    const unsigned long long since = (unsigned long long)(time(NULL) - 1) * 1000000;
    int r = f(d, NULL, &n, since);
    printf("%s%s room = %d", name, args, r);
    if (r == 7) /* too small */
        printf(" %u", n);
    putchar('\n');
    n = sizeof(list) / sizeof(list[0]);
    r = f(d, list, &n, since);
    printf("%s%s = %d", name, args, r);
    if (r == 0)
        printf(" %u", n);
    for (unsigned i = 0; i < n && r == 0; i++)
        printf(" %u %u %u %u %u", list[i].pid, list[i].gpu, list[i].memory, list[i].encoder,
               list[i].decoder);
    putchar('\n');
}

static void record_card(device d, const char *args) {
#define TEXT(name, kind)                                                                           \
    {                                                                                              \
        char text[128] = "";                                                                       \
        int (*f)(device, char *, unsigned) = (int (*)(device, char *, unsigned))find(#name);       \
        if (f)                                                                                     \
            put_text(#name, args, f(d, text, sizeof(text)), text);                                 \
    }
#define NUMBER(name, kind)                                                                         \
    {                                                                                              \
        unsigned v = 0;                                                                            \
        int (*f)(device, unsigned *) = (int (*)(device, unsigned *))find(#name);                   \
        if (f)                                                                                     \
            put(#name, args, f(d, &v), &v, 1);                                                     \
    }
#define PAIR(name, kind)                                                                           \
    {                                                                                              \
        unsigned v[2] = {0};                                                                       \
        int (*f)(device, unsigned *, unsigned *) =                                                 \
            (int (*)(device, unsigned *, unsigned *))find(#name);                                  \
        if (f)                                                                                     \
            put(#name, args, f(d, &v[0], &v[1]), v, 2);                                            \
    }
#define TRIPLE(name, kind)                                                                         \
    {                                                                                              \
        unsigned v[3] = {0};                                                                       \
        int (*f)(device, unsigned *, unsigned *, unsigned *) =                                     \
            (int (*)(device, unsigned *, unsigned *, unsigned *))find(#name);                      \
        if (f)                                                                                     \
            put(#name, args, f(d, &v[0], &v[1], &v[2]), v, 3);                                     \
    }
#define BY_KIND(name, kind)                                                                        \
    {                                                                                              \
        unsigned v = 0;                                                                            \
        char with_kind[64];                                                                        \
        int (*f)(device, int, unsigned *) = (int (*)(device, int, unsigned *))find(#name);         \
        snprintf(with_kind, sizeof(with_kind), "%s %d", args, kind);                               \
        if (f)                                                                                     \
            put(#name, with_kind, f(d, kind, &v), &v, 1);                                          \
    }
#define PROCESSES(name, kind) record_processes(d, args, #name);
    NVML_TEXTS(TEXT)
    NVML_NUMBERS(NUMBER)
    NVML_PAIRS(PAIR)
    NVML_TRIPLES(TRIPLE)
    NVML_BY_KIND(BY_KIND)
    NVML_PROCESSES(PROCESSES)
    record_process_use(d, args);
    record_structs(d, args);
}

static void record_link(device a, device b, unsigned i, unsigned k) {
    static const int kinds[] = {0, 2};
    char args[64];
    int value = 0;
    int (*ancestor)(device, device, int *) =
        (int (*)(device, device, int *))find("nvmlDeviceGetTopologyCommonAncestor");
    int (*p2p)(device, device, int, int *) =
        (int (*)(device, device, int, int *))find("nvmlDeviceGetP2PStatus");
    snprintf(args, sizeof(args), " %u %u", i, k);
    if (ancestor) {
        int r = ancestor(a, b, &value);
        put("nvmlDeviceGetTopologyCommonAncestor", args, r, (unsigned *)&value, 1);
    }
    for (size_t n = 0; n < 2 && p2p; n++) {
        snprintf(args, sizeof(args), " %u %u %d", i, k, kinds[n]);
        int r = p2p(a, b, kinds[n], &value);
        put("nvmlDeviceGetP2PStatus", args, r, (unsigned *)&value, 1);
    }
}

int main(int argc, char **argv) {
    device cards[NVML_CARDS_MAX] = {0};
    unsigned n = 0;
    library = dlopen(argc > 1 ? argv[1] : "libnvidia-ml.so.1", RTLD_NOW);
    int (*init)(void) = library ? (int (*)(void))dlsym(library, "nvmlInit_v2") : NULL;
    if (!init) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    int r = init();
    put("nvmlInit_v2", "", r, NULL, 0);
    int (*by_index)(unsigned, device *) =
        (int (*)(unsigned, device *))find("nvmlDeviceGetHandleByIndex_v2");
    if (r != 0 || !by_index)
        return r != 0;
    record_system(&n);
    for (unsigned i = 0; i < n && i < NVML_CARDS_MAX; i++) {
        char args[16];
        snprintf(args, sizeof(args), " %u", i);
        r = by_index(i, &cards[i]);
        put("nvmlDeviceGetHandleByIndex_v2", args, r, NULL, 0);
        if (r == 0)
            record_card(cards[i], args);
        else
            cards[i] = NULL;
    }
    for (unsigned i = 0; i < n && i < NVML_CARDS_MAX; i++)
        for (unsigned k = 0; k < n && k < NVML_CARDS_MAX; k++)
            if (i != k && cards[i] && cards[k])
                record_link(cards[i], cards[k], i, k);
    return 0;
}
