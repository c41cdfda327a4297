/* src/desktop/excess.h - what a desktop file grants that this host does not have
 *
 * It is taken all the same: a desktop of 64 cores on a host of 16 has them all, a file may serve
 * several hosts. But it may be a slip, so people are told. Pure but for the looking; any thread. */
#pragma once
#include "spec/desktop.h"

struct px_excess_host {
    unsigned cores; /* online */
    uint64_t memory_bytes;
};

enum { PX_EXCESS_MAX = 2 }; /* cores, memory */

struct px_excess {
    char *lines[PX_EXCESS_MAX]; /* "FILE:LINE: desktop 'NAME': ... (hint: ...)", owned */
    size_t n;
};

void px_excess_look(struct px_excess_host *ret);
/* A line for each key: the first desktop that has too much of it, and how many others do. */
void px_excess_find(const struct px_desktop_file *file, const struct px_excess_host *host,
                    struct px_excess *ret);
void px_excess_fini(struct px_excess *e);
