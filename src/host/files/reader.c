/* src/host/files/reader.c - directories read on a worker thread */
#include "host/files/reader.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    uv_work_t work;
    struct px_reader *reader; /* NULL: gone meanwhile */
    atomic_bool stop;
    struct px_read q;
};

struct px_reader {
    uv_loop_t *loop;
    px_read_fn done;
    void *data;
    struct reading *now; /* on the worker */
    struct px_read waiting[PX_READS_MAX];
    size_t n_waiting;
};

static void fini(struct px_read *q) {
    free(q->path);
    free(q->otherwise);
    free(q->asked);
    px_listing_fini(&q->list);
}

/* ---- on the worker ---- */

static int read_path(struct px_read *q, const atomic_bool *stop) {
    if (q->what == PX_READ_FILES)
        return px_listing_files(q->path, q->hidden, stop, &q->list, &q->err);
    if (q->what == PX_READ_EMPTY_DIRS)
        return px_listing_empty_dirs(q->path, q->hidden, stop, &q->list, &q->err);
    char *real = realpath(q->path, NULL);
    if (!real)
        return px_fail_sys(&q->err, -errno, "cannot list '%s'", q->path);
    free(q->path);
    q->path = real;
    return px_listing_dir(real, q->hidden, stop, &q->list, &q->err);
}

static void on_work(uv_work_t *w) {
    struct reading *g = px_container_of(w, struct reading, work);
    struct px_read *q = &g->q;
    q->r = read_path(q, &g->stop);
    if (q->r < 0 && q->otherwise) {
        free(q->path);
        q->path = px_take_ptr(q->otherwise);
        q->r = read_path(q, &g->stop);
    }
}

/* ---- on the loop ---- */

static void start(struct px_reader *r);

static void on_done(uv_work_t *w, int status) {
    struct reading *g = px_container_of(w, struct reading, work);
    if (status < 0)
        g->q.r = px_fail(&g->q.err, status, "the desktop ends");
    if (g->reader && !g->stop)
        g->reader->done(g->reader->data, &g->q);
    if (g->reader) { /* still: it may have been freed by what it told */
        g->reader->now = NULL;
        start(g->reader);
    }
    fini(&g->q);
    free(g);
}

static void start(struct px_reader *r) {
    if (r->now || r->n_waiting == 0)
        return;
    struct reading *g = px_new0(struct reading, 1);
    g->reader = r;
    g->q = r->waiting[0];
    memmove(r->waiting, r->waiting + 1, --r->n_waiting * sizeof(*r->waiting));
    r->now = g;
    if (uv_queue_work(r->loop, &g->work, on_work, on_done) < 0)
        on_done(&g->work, UV_ECANCELED);
}

int px_reader_ask(struct px_reader *r, struct px_read *q) {
    if (r->n_waiting == PX_READS_MAX) {
        fini(q);
        return -EAGAIN;
    }
    r->waiting[r->n_waiting++] = *q;
    start(r);
    return 0;
}

void px_reader_drop(struct px_reader *r, uint64_t serial) {
    size_t n = 0;
    if (r->now && r->now->q.serial == serial)
        r->now->stop = true;
    for (size_t i = 0; i < r->n_waiting; i++)
        if (r->waiting[i].serial == serial)
            fini(&r->waiting[i]);
        else
            r->waiting[n++] = r->waiting[i];
    r->n_waiting = n;
}

struct px_reader *px_reader_new(uv_loop_t *loop, px_read_fn done, void *data) {
    struct px_reader *r = px_new0(struct px_reader, 1);
    r->loop = loop;
    r->done = done;
    r->data = data;
    return r;
}

void px_reader_free(struct px_reader *r) {
    if (!r)
        return;
    if (r->now) {
        r->now->stop = true;
        r->now->reader = NULL;
    }
    for (size_t i = 0; i < r->n_waiting; i++)
        fini(&r->waiting[i]);
    free(r);
}
