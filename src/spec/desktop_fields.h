/* src/spec/desktop_fields.h - the tables of the desktop file
 *
 * For spec/desktop.c, spec/diff.c and spec/mounts.c only. */
#pragma once
#include "spec/desktop.h"
#include "spec/schema.h"

struct px_desktop_entry {        /* one entry of desktops: */
    struct px_desktop_spec spec; /* first, so that the tables' offsets are those of the spec too */
    unsigned count;              /* 0: not given */
};

struct px_desktop_file_obj {      /* the file */
    struct px_desktop_entry base; /* defaults: */
    struct px_desktop_entry *entries;
    size_t n_entries;
};

/* shm where the file says nothing of it. */
uint64_t px_desktop_default_shm(uint64_t memory_bytes);

extern const struct px_field px_desktop_file_fields[]; /* of struct px_desktop_file_obj */
extern const struct px_field px_desktop_fields[];      /* of struct px_desktop_entry */
