/* src/base/cleanup.h - release by scope, and handing over
 *
 *     px_cleanup_free char *path = NULL;
 *     px_cleanup_close int fd = -1;
 *     px_cleanup(px_idmap_freep) struct px_idmap *map = NULL;
 *
 * Source: gcc's "cleanup" variable attribute. */
#pragma once
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* "unused": some are there only to be released at the end, which clang would mind. */
#define px_cleanup(func) __attribute__((cleanup(func), unused))

/* Defines funcp(T *) for use with px_cleanup; @func takes NULL (or calls are skipped for it). */
#define PX_DEFINE_CLEANUP(type, func)                                                              \
    static inline __attribute__((unused)) void func##p(type *p) {                                  \
        if (*p)                                                                                    \
            func(*p);                                                                              \
    }

static inline void px_freep(void *p) {
    free(*(void **)p);
}

/* Keeps errno: a close on the way out must not hide why we leave. */
static inline void px_closep(const int *fd) {
    if (*fd >= 0) {
        int saved = errno;
        close(*fd);
        errno = saved;
    }
}

PX_DEFINE_CLEANUP(FILE *, fclose)
PX_DEFINE_CLEANUP(DIR *, closedir)

#define px_cleanup_free px_cleanup(px_freep)
#define px_cleanup_close px_cleanup(px_closep)
#define px_cleanup_fclose px_cleanup(fclosep)
#define px_cleanup_closedir px_cleanup(closedirp)

/* Hands the fd or pointer over: the variable is left empty. */
static inline int px_take_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}
#define px_take_ptr(p)                                                                             \
    __extension__({                                                                                \
        __typeof__(p) px_taken_ = (p);                                                             \
        (p) = NULL;                                                                                \
        px_taken_;                                                                                 \
    })

#define px_container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define PX_N_ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
