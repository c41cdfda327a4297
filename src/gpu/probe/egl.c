/* src/gpu/probe/egl.c - the driver's EGL devices, for drawing without a screen */
#include "gpu/probe/probe.h"
#include <dlfcn.h>
#include <string.h>

#define EGL_EXTENSIONS 0x3055
#define DEVICES_MAX 32

typedef void *(*get_proc)(const char *name);

/* glvnd's library belongs to the image; a minimal one has none. */
void probe_egl(struct probe *p) {
    void *lib = dlopen("libEGL.so.1", RTLD_NOW);
    get_proc get = lib ? (get_proc)dlsym(lib, "eglGetProcAddress") : NULL;
    unsigned (*query)(int, void **, int *) =
        get ? (unsigned (*)(int, void **, int *))get("eglQueryDevicesEXT") : NULL;
    const char *(*string)(void *, int) =
        get ? (const char *(*)(void *, int))get("eglQueryDeviceStringEXT") : NULL;
    void *devices[DEVICES_MAX];
    int n = 0, ours = 0;
    if (!query || !string) {
        probe_note(p, PROBE_SKIP, "egl", "the image has no libEGL");
        return;
    }
    if (!query(DEVICES_MAX, devices, &n)) {
        probe_note(p, PROBE_FAIL, "egl", "eglQueryDevicesEXT fails");
        return;
    }
    for (int i = 0; i < n; i++) {
        const char *extensions = string(devices[i], EGL_EXTENSIONS);
        ours += extensions && strstr(extensions, "EGL_NV_device_cuda") != NULL;
    }
    if (ours == 0)
        probe_note(p, PROBE_FAIL, "egl", "%d EGL devices, none of them NVIDIA's", n);
    else
        probe_note(p, PROBE_OK, "egl", "%d of %d EGL devices are NVIDIA's", ours, n);
}
