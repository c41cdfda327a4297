/* tests/nvenc/played_cuda.c - a libcuda of cards that do nothing but have contexts
 *
 * For NVENC's clients, which want a context and little else. Control: "cards" (1), "context_ms" (0:
 * how long a context takes), "no_context" (its creation fails). It proves nothing about CUDA. */
#include "played.h"
#include <ffnvcodec/dynlink_cuda.h>
#include <pthread.h>
#include <time.h>

/* Numbers of CUDA's reference that the header has no names for. */
enum {
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    NOT_SUPPORTED = 801,
};

#define CARDS 4
#define CONTEXTS 64

struct CUctx_st {
    int card; /* 1..; 0: free */
};

static struct CUctx_st contexts[CONTEXTS];
static struct {
    CUcontext context;
    int users;
} primary[CARDS];
static __thread CUcontext stack[8];
static __thread int depth;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int initialized;

static int n_cards(void) {
    return (int)played_control("cards", 1);
}

EXPORT int px_played_card_of(CUcontext c) { /* for played_nvenc.c; -1: no live context */
    return c >= contexts && c < contexts + CONTEXTS && c->card ? c->card - 1 : -1;
}

EXPORT CUresult cuInit(unsigned flags) {
    initialized = 1;
    return n_cards() > 0 ? CUDA_SUCCESS : (CUresult)NO_DEVICE;
}

EXPORT CUresult cuDeviceGetCount(int *ret) {
    if (!initialized)
        return (CUresult)NOT_INITIALIZED;
    *ret = n_cards();
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGet(CUdevice *ret, int i) {
    if (i < 0 || i >= n_cards())
        return (CUresult)INVALID_DEVICE;
    *ret = i;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceGetName(char *ret, int size, CUdevice device) {
    snprintf(ret, (size_t)size, "Played card %d", device);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    *major = 12;
    *minor = 0;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorName(CUresult r, const char **ret) {
    *ret = "PLAYED_ERROR";
    return CUDA_SUCCESS;
}

EXPORT CUresult cuGetErrorString(CUresult r, const char **ret) {
    *ret = "a played error";
    return CUDA_SUCCESS;
}

static CUresult make(CUcontext *ret, CUdevice device) {
    const long ms = played_control("context_ms", 0);
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
    if (played_control("no_context", 0))
        return (CUresult)OUT_OF_MEMORY;
    for (int i = 0; i < CONTEXTS; i++)
        if (!contexts[i].card) {
            contexts[i].card = device + 1;
            *ret = &contexts[i];
            played_log("context made on card %d", device);
            return CUDA_SUCCESS;
        }
    return (CUresult)OUT_OF_MEMORY;
}

static void unmake(CUcontext c) {
    played_log("context gone from card %d", c->card - 1);
    c->card = 0;
}

EXPORT CUresult cuCtxCreate_v2(CUcontext *ret, unsigned flags, CUdevice device) {
    pthread_mutex_lock(&lock);
    const CUresult r = make(ret, device);
    pthread_mutex_unlock(&lock);
    if (r == CUDA_SUCCESS)
        stack[depth++] = *ret;
    return r;
}

EXPORT CUresult cuCtxDestroy_v2(CUcontext c) {
    pthread_mutex_lock(&lock);
    unmake(c);
    pthread_mutex_unlock(&lock);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext *ret, CUdevice device) {
    CUresult r = CUDA_SUCCESS;
    pthread_mutex_lock(&lock);
    if (!primary[device].users)
        r = make(&primary[device].context, device);
    if (r == CUDA_SUCCESS) {
        primary[device].users++;
        *ret = primary[device].context;
    }
    pthread_mutex_unlock(&lock);
    return r;
}

EXPORT CUresult cuDevicePrimaryCtxRelease(CUdevice device) {
    pthread_mutex_lock(&lock);
    if (primary[device].users == 0)
        played_log("violation: a primary context released too often");
    else if (--primary[device].users == 0)
        unmake(primary[device].context);
    pthread_mutex_unlock(&lock);
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxPushCurrent_v2(CUcontext c) {
    if (px_played_card_of(c) < 0 || depth == 8)
        return (CUresult)INVALID_CONTEXT;
    stack[depth++] = c;
    return CUDA_SUCCESS;
}

EXPORT CUresult cuCtxPopCurrent_v2(CUcontext *ret) {
    if (depth == 0)
        return (CUresult)INVALID_CONTEXT;
    *ret = stack[--depth];
    return CUDA_SUCCESS;
}

/* What libavcodec looks for, and does not call to encode pictures in memory. */
static CUresult unused(void) {
    played_log("violation: a function of CUDA that is not played");
    return (CUresult)NOT_SUPPORTED;
}

#define UNUSED(NAME)                                                                               \
    EXPORT CUresult NAME(void);                                                                    \
    CUresult NAME(void) {                                                                          \
        return unused();                                                                           \
    }
UNUSED(cuDeviceGetAttribute)
UNUSED(cuCtxSetLimit)
UNUSED(cuCtxGetDevice)
UNUSED(cuMemAlloc_v2)
UNUSED(cuMemAllocPitch_v2)
UNUSED(cuMemAllocManaged)
UNUSED(cuMemsetD8Async)
UNUSED(cuMemFree_v2)
UNUSED(cuMemcpy)
UNUSED(cuMemcpyAsync)
UNUSED(cuMemcpy2D_v2)
UNUSED(cuMemcpy2DAsync_v2)
UNUSED(cuMemcpyHtoD_v2)
UNUSED(cuMemcpyHtoDAsync_v2)
UNUSED(cuMemcpyDtoH_v2)
UNUSED(cuMemcpyDtoHAsync_v2)
UNUSED(cuMemcpyDtoD_v2)
UNUSED(cuMemcpyDtoDAsync_v2)
UNUSED(cuDevicePrimaryCtxSetFlags)
UNUSED(cuDevicePrimaryCtxGetState)
UNUSED(cuDevicePrimaryCtxReset)
UNUSED(cuStreamCreate)
UNUSED(cuStreamQuery)
UNUSED(cuStreamSynchronize)
UNUSED(cuStreamDestroy_v2)
UNUSED(cuStreamAddCallback)
UNUSED(cuEventCreate)
UNUSED(cuEventDestroy_v2)
UNUSED(cuEventSynchronize)
UNUSED(cuEventQuery)
UNUSED(cuEventRecord)
UNUSED(cuLaunchKernel)
UNUSED(cuLinkCreate)
UNUSED(cuLinkAddData)
UNUSED(cuLinkComplete)
UNUSED(cuLinkDestroy)
UNUSED(cuModuleLoadData)
UNUSED(cuModuleUnload)
UNUSED(cuModuleGetFunction)
UNUSED(cuModuleGetGlobal)
UNUSED(cuTexObjectCreate)
UNUSED(cuTexObjectDestroy)
UNUSED(cuGLGetDevices_v2)
UNUSED(cuGraphicsGLRegisterImage)
UNUSED(cuGraphicsUnregisterResource)
UNUSED(cuGraphicsMapResources)
UNUSED(cuGraphicsUnmapResources)
UNUSED(cuGraphicsSubResourceGetMappedArray)
UNUSED(cuGraphicsResourceGetMappedPointer_v2)
UNUSED(cuArray3DCreate_v2)
UNUSED(cuArrayDestroy)
