/* src/backend/lxc/helper.c - finding and hearing the program phoenix-lxc */
#include "backend/lxc/helper.h"
#include "base/program.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

int px_helper_find(char **ret, struct px_error *err) {
    static const char *const folders[] = {
        ".",           "../backend", "src/backend", "../src/backend", "../libexec/phoenix",
        PX_LIBEXECDIR, NULL};
    return px_program_find("phoenix-lxc", folders, ret, err);
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
