/* src/host/encode/av.c - libavcodec, opened by who needs it */
#include "host/encode/av.h"
#include "base/alloc.h"
#include <dlfcn.h>
#include <limits.h>

#define NAME "libavcodec.so." AV_STRINGIFY(LIBAVCODEC_VERSION_MAJOR)

/* Functions of libavutil are found as well, since it leans on that. */
static const char *find_functions(struct px_av *av) {
#define FIND(name)                                                                                 \
    av->name = (__typeof__(av->name))dlsym(av->handle, #name);                                     \
    if (!av->name)                                                                                 \
        return #name;
    PX_AV_FUNCTIONS(FIND)
#undef FIND
    return NULL;
}

int px_av_open(bool stay, struct px_av *ret, struct px_error *err) {
    const int flags = RTLD_LAZY | RTLD_LOCAL | (stay ? RTLD_NODELETE : 0);
    struct px_av av = {.handle = dlopen(NAME, flags)};
    if (!av.handle)
        return px_fail(err, -ENOTSUP, "%s", dlerror());
    const char *missing = find_functions(&av);
    if (missing) {
        px_av_close(&av);
        return px_fail(err, -ENOTSUP, "%s has no %s", NAME, missing);
    }
    *ret = av;
    return 0;
}

void px_av_close(struct px_av *av) {
    if (av->handle)
        dlclose(av->handle);
    *av = (struct px_av){0};
}

int px_av_find(char **ret, struct px_error *err) {
    struct px_av av;
    char dir[PATH_MAX] = "";
    const int r = px_av_open(false, &av, err);
    if (r < 0)
        return r;
    (void)dlinfo(av.handle, RTLD_DI_ORIGIN, dir);
    px_av_close(&av);
    *ret = px_asprintf("%s/%s", dir, NAME);
    return 0;
}

const char *px_av_reason(const struct px_av *av, int error, char ret[AV_ERROR_MAX_STRING_SIZE]) {
    av->av_strerror(error, ret, AV_ERROR_MAX_STRING_SIZE);
    return ret;
}
