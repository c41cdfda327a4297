/* src/gpu/probe/cuda.c - opens libcuda */
#include "gpu/probe/cuda.h"
#include <dlfcn.h>

int cuda_open(struct cuda *c, const char **ret_why) {
    c->handle = dlopen("libcuda.so.1", RTLD_NOW);
    if (!c->handle) {
        *ret_why = dlerror();
        return -1;
    }
    const struct {
        const char *name;
        void **slot;
    } table[] = {
        {"cuInit", (void **)&c->init},
        {"cuDriverGetVersion", (void **)&c->driver_version},
        {"cuGetErrorString", (void **)&c->error_string},
        {"cuDeviceGetCount", (void **)&c->count},
        {"cuDeviceGet", (void **)&c->get},
        {"cuDeviceGetUuid_v2", (void **)&c->uuid},
        {"cuDeviceGetName", (void **)&c->name},
        {"cuDeviceGetAttribute", (void **)&c->attribute},
        {"cuDevicePrimaryCtxRetain", (void **)&c->retain},
        {"cuDevicePrimaryCtxRelease_v2", (void **)&c->release},
        {"cuCtxSetCurrent", (void **)&c->set_current},
        {"cuCtxSynchronize", (void **)&c->sync},
        {"cuMemGetInfo_v2", (void **)&c->mem_info},
        {"cuMemAlloc_v2", (void **)&c->alloc},
        {"cuMemAllocManaged", (void **)&c->alloc_managed},
        {"cuMemAllocHost_v2", (void **)&c->alloc_host},
        {"cuMemFree_v2", (void **)&c->free_},
        {"cuMemFreeHost", (void **)&c->free_host},
        {"cuMemcpyHtoD_v2", (void **)&c->to_device},
        {"cuMemcpyDtoH_v2", (void **)&c->to_host},
        {"cuMemcpyDtoD_v2", (void **)&c->on_device},
        {"cuMemcpyPeer", (void **)&c->to_peer},
        {"cuDeviceCanAccessPeer", (void **)&c->can_peer},
        {"cuCtxEnablePeerAccess", (void **)&c->enable_peer},
        {"cuModuleLoadData", (void **)&c->module_load},
        {"cuModuleUnload", (void **)&c->module_unload},
        {"cuModuleGetFunction", (void **)&c->function},
        {"cuLaunchKernel", (void **)&c->launch},
        {"cuEventCreate", (void **)&c->event_new},
        {"cuEventDestroy_v2", (void **)&c->event_free},
        {"cuEventRecord", (void **)&c->event_record},
        {"cuEventSynchronize", (void **)&c->event_sync},
        {"cuEventElapsedTime", (void **)&c->event_ms},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        *table[i].slot = dlsym(c->handle, table[i].name);
        if (!*table[i].slot) {
            *ret_why = table[i].name;
            return -1;
        }
    }
    return 0;
}

const char *cuda_why(const struct cuda *cu, int r) {
    const char *text = NULL;
    cu->error_string(r, &text);
    return text ? text : "unknown error";
}
