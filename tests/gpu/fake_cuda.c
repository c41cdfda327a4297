/* tests/gpu/fake_cuda.c - a libcuda of one or two cards that computes on the processor
 *
 * For the way of phoenix-gpu-probe into a desktop and of its results back out, on machines without
 * a card: which cards there are follows from the device nodes that can be reached, memory is the
 * host's, and the kernel is the sum that the probe's PTX makes. It proves nothing about CUDA. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define CARDS 4
enum { OK = 0, OUT_OF_MEMORY = 2, NO_DEVICE = 100 };

static int minors[CARDS], n_cards;
static char uuids[CARDS][64];

/* ENXIO: the cgroup lets us, there is only no driver behind it. */
static int reaches(int minor) {
    char path[32];
    snprintf(path, sizeof(path), "/dev/nvidia%d", minor);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || errno == ENXIO;
}

static void read_uuid(int minor, char *ret) {
    char line[256];
    FILE *f = fopen("/proc/driver/nvidia/px-test-uuids", "re");
    int m;
    char uuid[64];
    ret[0] = '\0';
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "%d %63s", &m, uuid) == 2 && m == minor)
            memcpy(ret, uuid, sizeof(uuid));
    if (f)
        fclose(f);
}

EXPORT int cuInit(unsigned flags) {
    n_cards = 0;
    for (int i = 0; i < CARDS; i++)
        if (reaches(i)) {
            read_uuid(i, uuids[n_cards]);
            minors[n_cards++] = i;
        }
    return n_cards ? OK : NO_DEVICE;
}

EXPORT int cuDriverGetVersion(int *ret) {
    *ret = 13000;
    return OK;
}

EXPORT int cuGetErrorString(int r, const char **ret) {
    *ret = r == NO_DEVICE ? "no CUDA-capable device is detected" : "an error";
    return OK;
}

EXPORT int cuDeviceGetCount(int *ret) {
    *ret = n_cards;
    return OK;
}

EXPORT int cuDeviceGet(int *ret, int i) {
    *ret = i;
    return OK;
}

EXPORT int cuDeviceGetUuid_v2(uint8_t ret[16], int device) {
    const char *p = uuids[device] + (uuids[device][0] ? 4 : 0);
    memset(ret, minors[device], 16);
    for (int i = 0; i < 16 && *p; i++, p += 2) {
        p += *p == '-';
        unsigned byte = 0;
        sscanf(p, "%2x", &byte);
        ret[i] = (uint8_t)byte;
    }
    return OK;
}

EXPORT int cuDeviceGetName(char *ret, int size, int device) {
    snprintf(ret, (size_t)size, "Processor %d", device);
    return OK;
}

EXPORT int cuDeviceGetAttribute(int *ret, int what, int device) {
    *ret = what == 75 ? 12 : 0;
    return OK;
}

EXPORT int cuDevicePrimaryCtxRetain(void **ret, int device) {
    *ret = &minors[device];
    return OK;
}

EXPORT int cuDevicePrimaryCtxRelease_v2(int device) {
    return OK;
}

EXPORT int cuCtxSetCurrent(void *context) {
    return OK;
}

EXPORT int cuCtxSynchronize(void) {
    return OK;
}

EXPORT int cuMemGetInfo_v2(size_t *ret_free, size_t *ret_total) {
    *ret_free = *ret_total = (size_t)256 << 20;
    return OK;
}

static int allocate(void **ret, size_t size) {
    *ret = size <= (size_t)512 << 20 ? calloc(1, size) : NULL;
    return *ret ? OK : OUT_OF_MEMORY;
}

EXPORT int cuMemAlloc_v2(void **ret, size_t size) {
    return allocate(ret, size);
}

EXPORT int cuMemAllocManaged(void **ret, size_t size, unsigned flags) {
    return allocate(ret, size);
}

EXPORT int cuMemAllocHost_v2(void **ret, size_t size) {
    return allocate(ret, size);
}

EXPORT int cuMemFree_v2(void *p) {
    free(p);
    return OK;
}

EXPORT int cuMemFreeHost(void *p) {
    free(p);
    return OK;
}

static int copy(void *to, const void *from, size_t size) {
    memmove(to, from, size);
    return OK;
}

EXPORT int cuMemcpyHtoD_v2(void *to, const void *from, size_t size) {
    return copy(to, from, size);
}

EXPORT int cuMemcpyDtoH_v2(void *to, const void *from, size_t size) {
    return copy(to, from, size);
}

EXPORT int cuMemcpyDtoD_v2(void *to, const void *from, size_t size) {
    return copy(to, from, size);
}

EXPORT int cuMemcpyPeer(void *to, void *to_context, const void *from, void *from_context,
                        size_t size) {
    return copy(to, from, size);
}

EXPORT int cuDeviceCanAccessPeer(int *ret, int a, int b) {
    *ret = 0;
    return OK;
}

EXPORT int cuCtxEnablePeerAccess(void *context, unsigned flags) {
    return OK;
}

EXPORT int cuModuleLoadData(void **ret, const void *image) {
    *ret = &n_cards;
    return OK;
}

EXPORT int cuModuleUnload(void *module) {
    return OK;
}

EXPORT int cuModuleGetFunction(void **ret, void *module, const char *name) {
    *ret = &n_cards;
    return OK;
}

EXPORT int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                          unsigned by, unsigned bz, unsigned shared, void *stream, void **args,
                          void **extra) {
    const float *a = *(float **)args[0], *b = *(float **)args[1];
    float *c = *(float **)args[2];
    const uint32_t n = *(uint32_t *)args[3];
    for (uint32_t i = 0; i < n; i++)
        c[i] = a[i] + b[i];
    return OK;
}

EXPORT int cuEventCreate(struct timespec **ret, unsigned flags) {
    *ret = calloc(1, sizeof(**ret));
    return *ret ? OK : OUT_OF_MEMORY;
}

EXPORT int cuEventDestroy_v2(struct timespec *event) {
    free(event);
    return OK;
}

EXPORT int cuEventRecord(struct timespec *event, void *stream) {
    clock_gettime(CLOCK_MONOTONIC, event);
    return OK;
}

EXPORT int cuEventSynchronize(struct timespec *event) {
    return OK;
}

EXPORT int cuEventElapsedTime(float *ret, const struct timespec *begin,
                              const struct timespec *end) {
    *ret = (float)((end->tv_sec - begin->tv_sec) * 1000.0 +
                   (double)(end->tv_nsec - begin->tv_nsec) / 1e6);
    return OK;
}
