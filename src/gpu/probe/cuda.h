/* src/gpu/probe/cuda.h - our own declarations of the part of CUDA's driver API that the probe uses
 *
 * libcuda belongs to the host's kernel module and is opened at run time. Source: NVIDIA's CUDA
 * Driver API reference; these functions have kept their ABI since CUDA 11. */
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef int cu_device;
typedef struct cu_context *cu_context;
typedef struct cu_module *cu_module;
typedef struct cu_function *cu_function;
typedef struct cu_event *cu_event;
typedef struct cu_stream *cu_stream;
typedef uint64_t cu_pointer;
struct cu_uuid {
    uint8_t bytes[16];
};

enum { CU_OK = 0, CU_ATTACH_GLOBAL = 1, CU_ATTRIBUTE_CC_MAJOR = 75, CU_ATTRIBUTE_CC_MINOR = 76 };

struct cuda {
    void *handle;
    int (*init)(unsigned);
    int (*driver_version)(int *);
    int (*error_string)(int, const char **);
    int (*count)(int *);
    int (*get)(cu_device *, int);
    int (*uuid)(struct cu_uuid *, cu_device);
    int (*name)(char *, int, cu_device);
    int (*attribute)(int *, int, cu_device);
    int (*retain)(cu_context *, cu_device);
    int (*release)(cu_device);
    int (*set_current)(cu_context);
    int (*sync)(void);
    int (*mem_info)(size_t *, size_t *);
    int (*alloc)(cu_pointer *, size_t);
    int (*alloc_managed)(cu_pointer *, size_t, unsigned);
    int (*alloc_host)(void **, size_t);
    int (*free_)(cu_pointer);
    int (*free_host)(void *);
    int (*to_device)(cu_pointer, const void *, size_t);
    int (*to_host)(void *, cu_pointer, size_t);
    int (*on_device)(cu_pointer, cu_pointer, size_t);
    int (*to_peer)(cu_pointer, cu_context, cu_pointer, cu_context, size_t);
    int (*can_peer)(int *, cu_device, cu_device);
    int (*enable_peer)(cu_context, unsigned);
    int (*module_load)(cu_module *, const void *);
    int (*module_unload)(cu_module);
    int (*function)(cu_function *, cu_module, const char *);
    int (*launch)(cu_function, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                  cu_stream, void **, void **);
    int (*event_new)(cu_event *, unsigned);
    int (*event_free)(cu_event);
    int (*event_record)(cu_event, cu_stream);
    int (*event_sync)(cu_event);
    int (*event_ms)(float *, cu_event, cu_event);
};

/* 0, or -1 with the linker's reason or the missing function's name in *ret_why (static). */
int cuda_open(struct cuda *ret, const char **ret_why);
const char *cuda_why(const struct cuda *cu, int r);
