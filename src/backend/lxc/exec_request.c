/* src/backend/lxc/exec_request.c - reading a request to run a command */
#include "backend/lxc/exec.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <string.h>

/* The next string of the request; NULL: it ends here. */
static char *next(char **at, const char *end) {
    char *s = *at;
    if (s >= end)
        return NULL;
    *at = s + strlen(s) + 1; /* the last byte is a NUL, checked first */
    return s;
}

static bool next_number(char **at, const char *end, int64_t *ret) {
    const char *s = next(at, end);
    if (!s)
        return false;
    *ret = strtoll(s, NULL, 10);
    return true;
}

static void parse_groups(const char *text, struct px_exec_request *ret) {
    while (*text && ret->n_groups < PX_N_ELEMENTS(ret->groups)) {
        char *end;
        ret->groups[ret->n_groups++] = (gid_t)strtoul(text, &end, 10);
        text = *end == ',' ? end + 1 : "";
    }
}

/* All strings from @at on, or @n of them. */
static char **take(char **at, const char *end, size_t n) {
    size_t cap = 0, used = 0;
    char **list = NULL;
    char *s;
    while (used < n && (s = next(at, end))) {
        px_grow(list, &cap, used + 2);
        list[used++] = s;
    }
    if (!list)
        list = px_new0(char *, 1);
    list[used] = NULL;
    return list;
}

int px_exec_request_parse(char *text, size_t size, struct px_exec_request *ret,
                          struct px_error *err) {
    int64_t n[8] = {0};
    char *at = text;
    const char *end = text + size;
    *ret = (struct px_exec_request){0};
    if (size == 0 || text[size - 1] != '\0' || !next_number(&at, end, &n[0]) ||
        !next_number(&at, end, &n[1]))
        return px_fail(err, -EINVAL, "bad request");
    const char *groups = next(&at, end);
    ret->cwd = next(&at, end);
    for (size_t i = 2; i < 7; i++)
        if (!next_number(&at, end, &n[i]))
            return px_fail(err, -EINVAL, "bad request");
    ret->uid = (uid_t)n[0];
    ret->gid = (gid_t)n[1];
    parse_groups(groups, ret);
    ret->tty = n[2] != 0;
    ret->tty_uid = (uid_t)n[3];
    ret->tty_gid = (gid_t)n[4];
    ret->timeout_us = n[5];
    ret->env = take(&at, end, (size_t)n[6]);
    ret->argv = take(&at, end, SIZE_MAX);
    if (ret->argv[0])
        return 0;
    px_exec_request_fini(ret);
    return px_fail(err, -EINVAL, "no command");
}

void px_exec_request_fini(struct px_exec_request *request) {
    free(request->env);
    free(request->argv);
    request->env = request->argv = NULL;
}
