/* src/host/metrics.c - what the host counts, for whoever asks at a Unix socket */
#include "host/metrics.h"
#include "base/alloc.h"
#include "base/log.h"
#include "host/session.h"
#include <string.h>
#include <sys/stat.h>

#define BACKLOG 4
#define ASKERS_MAX 16
#define ASK_LIMIT_MS 2000

struct px_metrics {
    struct px_host *host;
    uv_pipe_t listener;
    struct asker *askers;
    unsigned n_askers;
};

struct asker {
    struct asker *next;
    struct px_metrics *metrics; /* NULL: closed before it */
    uv_pipe_t pipe;
    uv_timer_t limit;
    uv_write_t write;
    struct px_buf answer;
    char in[1024]; /* read, not looked at */
    bool answered, closing;
    int n_open;
};

static void gauge(struct px_buf *out, const char *name, const char *help, unsigned value) {
    px_buf_printf(out,
                  "# HELP phoenix_host_%s %s\n# TYPE phoenix_host_%s gauge\nphoenix_host_%s %u\n",
                  name, help, name, name, value);
}

static void print_times(const struct px_figures *f, const char *what,
                        const uint32_t us[PX_N_SCENES], struct px_buf *out) {
    for (int c = 0; c < PX_N_SCENES; c++)
        px_buf_printf(out,
                      "phoenix_host_encoder_seconds{encoder=\"%s\",codec=\"%s\",what=\"%s\","
                      "content=\"%s\",measured=\"%d\"} %.6f\n",
                      f->name, px_codec_name(f->codec), what, px_scene_names[c], !f->assumed,
                      us[c] / 1e6);
}

static void print_measured(const struct px_host *h, struct px_buf *out) {
    px_buf_printf(out,
                  "# HELP phoenix_host_encoder_seconds What the choice of codecs goes by: a "
                  "picture of %dx%d, one core.\n# TYPE phoenix_host_encoder_seconds gauge\n",
                  PX_MEASURE_WIDTH, PX_MEASURE_HEIGHT);
    for (int i = 0; i < h->measured.n; i++) {
        print_times(&h->measured.list[i], "encode", h->measured.list[i].encode_us, out);
        print_times(&h->measured.list[i], "decode", h->measured.list[i].decode_us, out);
    }
}

static void print_choices(const struct px_host *h, struct px_buf *out) {
    px_buf_printf(out, "# HELP phoenix_host_viewer_codec The codec of each viewer, and why.\n"
                       "# TYPE phoenix_host_viewer_codec gauge\n");
    unsigned n = 0;
    for (const struct px_session *s = h->sessions; s; s = s->next, n++)
        for (int i = 0; i < PX_DISPLAYS_MAX; i++)
            if (s->viewers[i].share)
                px_buf_printf(out,
                              "phoenix_host_viewer_codec{viewer=\"%u\",display=\"%d\","
                              "codec=\"%s\",why=\"%s\"} 1\n",
                              n, i, px_codec_name(s->viewers[i].choice.codec),
                              s->viewers[i].choice.why);
}

void px_metrics_print(const struct px_host *h, struct px_buf *out) {
    unsigned n_desktops = 0;
    for (const struct px_session *s = h->sessions; s; s = s->next)
        n_desktops += px_session_is_desktop(s);
    gauge(out, "sessions", "Connections of any kind.", h->n_sessions);
    gauge(out, "viewers", "Sessions that see the desktop.", n_desktops);
    gauge(out, "streams", "Encodes that they share.", px_viewer_n_streams(h));
    gauge(out, "hardware_encoders", "Encoders open on cards.", px_encoders_n_hardware(h->encoders));
    gauge(out, "encoder_failures", "Encoders that gave up in mid-session.",
          px_encoders_n_failed(h->encoders));
    if (*px_encoders_note(h->encoders))
        px_buf_printf(out,
                      "# HELP phoenix_host_card_unused Why cards encode nothing, or not all.\n"
                      "# TYPE phoenix_host_card_unused gauge\n"
                      "phoenix_host_card_unused{why=\"%s\"} 1\n",
                      px_encoders_note(h->encoders));
    gauge(out, "codec_switches", "Codecs changed in mid-session, for speed.", h->n_switches);
    print_choices(h, out);
    print_measured(h, out);
    px_stats_print(&h->stats, out);
}

static void on_asker_closed(uv_handle_t *handle) {
    struct asker *a = handle->data;
    if (--a->n_open > 0)
        return;
    px_buf_fini(&a->answer);
    free(a);
}

static void close_asker(struct asker *a) {
    if (a->closing)
        return;
    a->closing = true;
    if (a->metrics) {
        struct asker **at = &a->metrics->askers;
        while (*at != a)
            at = &(*at)->next;
        *at = a->next;
        a->metrics->n_askers--;
    }
    uv_close((uv_handle_t *)&a->pipe, on_asker_closed);
    uv_close((uv_handle_t *)&a->limit, on_asker_closed);
}

static void on_limit(uv_timer_t *t) {
    close_asker(t->data);
}

static void on_written(uv_write_t *w, int status) {
    close_asker(px_container_of(w, struct asker, write));
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    struct asker *a = handle->data;
    *buf = uv_buf_init(a->in, sizeof(a->in));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    struct asker *a = stream->data;
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    if (n < 0)
        close_asker(a);
    if (n <= 0 || a->answered)
        return;
    a->answered = true;
    px_metrics_print(a->metrics->host, &text);
    px_buf_printf(&a->answer,
                  "HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                  "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                  text.size);
    px_buf_add(&a->answer, text.data, text.size);
    uv_buf_t out = uv_buf_init(a->answer.data, (unsigned)a->answer.size);
    if (uv_write(&a->write, stream, &out, 1, on_written) < 0)
        close_asker(a);
}

static void on_connection(uv_stream_t *listener, int status) {
    struct px_metrics *m = listener->data;
    if (status < 0)
        return;
    struct asker *a = px_new0(struct asker, 1);
    a->metrics = m;
    a->next = m->askers;
    m->askers = a;
    m->n_askers++;
    a->n_open = 2;
    uv_pipe_init(m->host->loop, &a->pipe, 0);
    uv_timer_init(m->host->loop, &a->limit);
    a->pipe.data = a->limit.data = a;
    if (uv_accept(listener, (uv_stream_t *)&a->pipe) < 0 || m->n_askers > ASKERS_MAX ||
        uv_read_start((uv_stream_t *)&a->pipe, on_alloc, on_read) < 0) {
        close_asker(a);
        return;
    }
    uv_timer_start(&a->limit, on_limit, ASK_LIMIT_MS, 0);
}

static void on_listener_closed(uv_handle_t *handle) {
    free(handle->data);
}

/* What another host left there is in the way. */
static void remove_old(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        unlink(path);
}

struct px_metrics *px_metrics_new(struct px_host *h) {
    const char *path = h->config->metrics_socket;
    if (!path)
        return NULL;
    struct px_metrics *m = px_new0(struct px_metrics, 1);
    m->host = h;
    uv_pipe_init(h->loop, &m->listener, 0);
    m->listener.data = m;
    remove_old(path);
    const mode_t before = umask(0177);
    int r = uv_pipe_bind(&m->listener, path);
    umask(before);
    if (r == 0)
        r = uv_listen((uv_stream_t *)&m->listener, BACKLOG, on_connection);
    if (r == 0)
        return m;
    px_warning("metrics: cannot listen at '%s': %s", path, uv_strerror(r));
    uv_close((uv_handle_t *)&m->listener, on_listener_closed);
    return NULL;
}

void px_metrics_close(struct px_metrics *m) {
    if (!m)
        return;
    while (m->askers)
        close_asker(m->askers);
    uv_close((uv_handle_t *)&m->listener, on_listener_closed); /* libuv removes the socket */
}
