/* src/host/measuring.c - when the encoders are measured, and where the figures are kept */
#include "host/measuring.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "host/encode/av.h"
#include "host/encode/measure.h"
#include "host/session.h"
#include <inttypes.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>

#define FILE_NAME "encoders"
#define FILE_MAX (64 * 1024)
#define WATCHED_US (5 * PX_US_PER_S) /* first pictures are not kept waiting */
#define PICTURES 5
#define FAST_KBPS 100000
#define FINE 11 /* the quality that clients ask for most often */
#define NICE 10 /* lower, and who waits for the thread's end on a busy machine waits for long */

struct px_measuring {
    struct px_host *host;
    pthread_t thread;
    bool runs, done;
    uv_async_t async;
    atomic_bool stop;
    /* the thread's, until it has sent async */
    struct px_encoders *encoders;
    struct px_measured found;
    bool blind; /* nothing is there to decode with: another start may find it */
};

static void say(const struct px_measured *m, const char *how) {
    for (int i = 0; i < m->n; i++) {
        const struct px_figures *f = &m->list[i];
        px_info("encoder %s: %s: typing %" PRIu32 ", drag %" PRIu32 ", scroll %" PRIu32
                ", video %" PRIu32 ", key %" PRIu32 " us at %dx%d",
                f->name, f->assumed ? "not measured" : how, f->encode_us[PX_SCENE_TYPING],
                f->encode_us[PX_SCENE_DRAG], f->encode_us[PX_SCENE_SCROLL],
                f->encode_us[PX_SCENE_VIDEO], f->key_us, PX_MEASURE_WIDTH, PX_MEASURE_HEIGHT);
    }
}

/* ---- the file ---- */

static bool load(struct px_host *h) {
    px_cleanup(px_buf_fini) struct px_buf key = {0};
    px_cleanup_free char *text = NULL;
    px_cleanup_free char *path = px_asprintf("%s/%s", h->config->state_dir, FILE_NAME);
    px_measured_assume(h->encoders, &h->measured);
    px_measured_key(h->encoders, &key);
    const bool known = px_file_read(AT_FDCWD, path, FILE_MAX, &text, NULL, NULL) >= 0 &&
                       px_measured_parse(text, key.data, &h->measured);
    if (known)
        say(&h->measured, "measured before");
    px_measured_rank(&h->measured, h->encoders);
    return known;
}

static void save(const struct px_host *h) {
    px_cleanup(px_buf_fini) struct px_buf key = {0}, text = {0};
    px_cleanup_free char *path = px_asprintf("%s/%s", h->config->state_dir, FILE_NAME);
    struct px_error err = {0};
    px_measured_key(h->encoders, &key);
    px_measured_print(&h->measured, key.data, &text);
    int r = px_mkdir_p(AT_FDCWD, h->config->state_dir, 0700, &err);
    if (r >= 0)
        r = px_file_replace(AT_FDCWD, path, text.data, text.size, 0600, &err);
    if (r < 0)
        px_debug("encoders: cannot keep the figures in '%s': %s", path, err.msg);
}

/* ---- the thread ---- */

static bool is_stopped(void *data) {
    const struct px_measuring *m = data;
    return m->stop;
}

/* One that stands behind another of its kind opens only where that one does not. */
static bool stands_behind(const struct px_measuring *m, const struct px_encoder_ops *ops,
                          size_t i) {
    for (size_t k = 0; k < i; k++) {
        const struct px_encoder_ops *o = px_encoders_at(m->encoders, k);
        if (o->codec == ops->codec && o->hardware == ops->hardware)
            return true;
    }
    return false;
}

static void *run(void *arg) {
    struct px_measuring *m = arg;
    const struct px_measure_opts o = {.width = PX_MEASURE_WIDTH,
                                      .height = PX_MEASURE_HEIGHT,
                                      .n_pictures = PICTURES,
                                      .threads = 1,
                                      .min_quality = FINE,
                                      .rate_kbps = FAST_KBPS,
                                      .stop = is_stopped,
                                      .data = m};
    const struct px_encoder_ops *ops;
    pthread_setname_np(pthread_self(), "measuring");
    const struct sched_param none = {
        0}; /* of this thread alone, also where the host is real-time */
    (void)sched_setscheduler(gettid(), SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICE);
    struct px_av lib = {0}; /* kept open from one encoder to the next */
    struct px_error why = {0};
    m->blind = px_av_open(false, &lib, &why) < 0;
    if (m->blind)
        px_warning("encoders cannot be measured: %s", why.msg);
    for (size_t i = 0; !m->blind && (ops = px_encoders_at(m->encoders, i)) && !m->stop; i++) {
        struct px_error err = {0};
        if (stands_behind(m, ops, i))
            continue;
        const int r = px_measure(m->encoders, i, &o, &m->found.list[i], &err);
        if (r < 0 && r != -ECANCELED)
            px_warning("encoder %s: cannot be measured: %s", ops->name, err.msg);
    }
    px_av_close(&lib);
    malloc_trim(0);
    uv_async_send(&m->async);
    return NULL;
}

static void on_measured(uv_async_t *async) {
    struct px_measuring *m = px_container_of(async, struct px_measuring, async);
    struct px_host *h = m->host;
    if (!m->runs || m->stop)
        return;
    pthread_join(m->thread, NULL);
    m->runs = false;
    m->done = true;
    px_measured_assume(h->encoders, &h->measured);
    for (int i = 0; i < h->measured.n; i++)
        if (m->found.list[i].name[0])
            h->measured.list[i] = m->found.list[i];
    say(&h->measured, "measured");
    px_measured_rank(&h->measured, h->encoders);
    px_encoders_rest(h->encoders); /* unless a viewer's encoder is on the card */
    if (!m->blind)
        save(h);
}

/* ---- life ---- */

struct px_measuring *px_measuring_new(struct px_host *h) {
    struct px_measuring *m = px_new0(struct px_measuring, 1);
    m->host = h;
    m->encoders = h->encoders;
    uv_async_init(h->loop, &m->async, on_measured);
    m->done = load(h) || h->measured.n < 2;
    return m;
}

static bool is_watched(const struct px_host *h, int64_t now) {
    for (const struct px_session *s = h->sessions; s; s = s->next)
        if (px_session_is_desktop(s) && now - s->began_us > WATCHED_US && px_viewer_packets(s) > 0)
            return true;
    return false;
}

void px_measuring_tick(struct px_measuring *m, int64_t now_us) {
    /* Where one has failed, what it takes is not the question. */
    if (!m || m->done || m->runs || !is_watched(m->host, now_us) ||
        px_encoders_n_failed(m->encoders) > 0)
        return;
    m->runs = pthread_create(&m->thread, NULL, run, m) == 0;
    m->done = !m->runs;
}

static void on_closed(uv_handle_t *handle) {
    free(px_container_of((uv_async_t *)handle, struct px_measuring, async));
}

void px_measuring_close(struct px_measuring *m) {
    if (!m)
        return;
    m->stop = true;
    if (m->runs)
        pthread_join(m->thread, NULL);
    uv_close((uv_handle_t *)&m->async, on_closed);
}
