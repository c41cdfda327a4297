/* src/backend/lxc/helper.c - finding and hearing the program phoenix-lxc */
#include "backend/lxc/helper.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <limits.h>
#include <string.h>

int px_helper_find(char **ret, struct px_error *err) {
    static const char *const places[] = {"phoenix-lxc", "../backend/phoenix-lxc",
                                         "src/backend/phoenix-lxc", "../src/backend/phoenix-lxc",
                                         "../libexec/phoenix/phoenix-lxc"};
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    for (size_t i = 0; slash && i < PX_N_ELEMENTS(places); i++) {
        px_cleanup_free char *path = px_asprintf("%.*s/%s", (int)(slash - self), self, places[i]);
        if (access(path, X_OK) == 0) {
            *ret = px_take_ptr(path);
            return 0;
        }
    }
    if (access(PX_LIBEXECDIR "/phoenix-lxc", X_OK) < 0)
        return px_fail_sys(err, -ENOENT, "cannot find the program 'phoenix-lxc'");
    *ret = px_strdup(PX_LIBEXECDIR "/phoenix-lxc");
    return 0;
}

int px_helper_status_read(int fd, struct px_helper_status *ret, struct px_error *err) {
    size_t got = 0;
    while (got < sizeof(*ret)) {
        ssize_t n = read(fd, (char *)ret + got, sizeof(*ret) - got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return px_fail(err, -EIO, "the process that does it died");
        got += (size_t)n;
    }
    ret->err.msg[PX_ERROR_MSG_MAX - 1] = ret->err.hint[PX_ERROR_HINT_MAX - 1] = '\0';
    if (ret->err.code < 0 && err)
        *err = ret->err;
    return ret->err.code;
}
