/* src/backend/lxc/exec.h - what exec.c asks of the helper
 *
 * The request is a sequence of strings, each with its NUL: uid, gid, groups ("27,44"), cwd, tty
 * ("0" or "1"), tty_uid, tty_gid (host ids for the terminal's node), timeout_us, number of
 * environment strings, these, then the argument vector. Both ends are the same build. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct px_exec_request {
    uid_t uid, tty_uid;
    gid_t gid, tty_gid;
    gid_t groups[64];
    size_t n_groups;
    const char *cwd;
    bool tty;
    int64_t timeout_us;
    char **env, **argv; /* NULL-terminated; the strings lie in the request's text */
};

/* @text must live as long as *ret. -EINVAL: not a request. */
int px_exec_request_parse(char *text, size_t size, struct px_exec_request *ret,
                          struct px_error *err);
void px_exec_request_fini(struct px_exec_request *request);
