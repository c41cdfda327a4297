/* src/host/files/reader.h - directories read on a worker thread
 *
 * A tree may be huge or its disk slow; the loop, and so every viewer, goes on meanwhile. What one
 * session asks is read one after the other and told in that order. Loop thread. */
#pragma once
#include "host/files/listing.h"
#include <uv.h>

#define PX_READS_MAX 64 /* that wait, of one session */

enum px_read_what { PX_READ_DIR, PX_READ_FILES, PX_READ_EMPTY_DIRS };

struct px_read {
    enum px_read_what what;
    bool hidden;
    int32_t id;      /* the client's */
    uint64_t serial; /* of the job it is for; 0: none */
    char *path;      /* owned; when told: the one that was read, for PX_READ_DIR without links */
    char *otherwise; /* owned; read where @path cannot be; NULL: nothing */
    char *asked;     /* owned; as the client wrote it; NULL: it did not */
    /* when told */
    int r; /* negative errno: err has the reason */
    struct px_listing list;
    struct px_error err;
};

/* @q is lent for the call. */
typedef void (*px_read_fn)(void *data, struct px_read *q);

struct px_reader;

struct px_reader *px_reader_new(uv_loop_t *loop, px_read_fn done, void *data);
/* What is being read is given up; nothing is told any more. NULL: nothing. */
void px_reader_free(struct px_reader *r);
/* Takes over what @q owns. -EAGAIN: too many wait. */
int px_reader_ask(struct px_reader *r, struct px_read *q);
/* What is for the job @serial is not told any more. */
void px_reader_drop(struct px_reader *r, uint64_t serial);
