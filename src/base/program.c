/* src/base/program.c - finding our other programs */
#include "base/program.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <limits.h>
#include <stdbool.h>
#include <string.h>

int px_program_find(const char *name, const char *const *folders, char **ret,
                    struct px_error *err) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    const int here = slash ? (int)(slash - self) : 0;
    for (; *folders; folders++) {
        const bool absolute = **folders == '/';
        px_cleanup_free char *path = px_asprintf("%.*s%s%s/%s", absolute ? 0 : here, self,
                                                 absolute ? "" : "/", *folders, name);
        if (access(path, X_OK) == 0) {
            *ret = px_take_ptr(path);
            return 0;
        }
    }
    px_fail(err, -ENOENT, "cannot find the program '%s'", name);
    return px_hint(err, -ENOENT, "`make install` puts it in its place");
}
