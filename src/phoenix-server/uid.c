/* src/phoenix-server/uid.c - from root to a user of no name */
#include "phoenix-server/server.h"
#include <grp.h>
#include <sys/prctl.h>
#include <unistd.h>

int server_become(const struct px_config *c, struct px_error *err) {
    const uid_t uid = (uid_t)c->uid;
    if (uid == 0 || geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return px_fail_sys(err, -errno, "cannot become user %u", uid);
    /* The change made /proc/self root's. */
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    return 0;
}
