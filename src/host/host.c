/* src/host/host.c - the host: what is started, and the X server coming and going */
#include "host/host.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/audio/audio.h"
#include "host/clipboard/xclip.h"
#include "host/discovery.h"
#include "host/focus.h"
#include "host/input/xtest.h"
#include "host/lock.h"
#include "host/measuring.h"
#include "host/metrics.h"
#include "host/rendezvous.h"
#include "host/session.h"
#include "host/terminal/terminal.h"
#include "proto/tls.h"
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <xcb/xfixes.h>

#define TICK_MS 250
#define X_RETRY_MS 500
#define POINTER_MS 33
#define BACKLOG 64

/* ---- the X server ---- */

static void try_x(struct px_host *h);

static void on_retry(uv_timer_t *t) {
    try_x(t->data);
}

static void on_x_closed(void *data) {
    free(data);
}

static void drop_x(struct px_host *h) {
    if (!h->x)
        return;
    h->input_ready = false;
    px_banner_forget(&h->banner);
    px_xclip_stop(h->clip);
    px_keymap_fini(&h->keyboard.map);
    px_cursor_fini(&h->cursor);
    h->x->data = h->x; /* the struct outlives the host's interest in it */
    px_xdisplay_close(h->x, on_x_closed);
    h->x = NULL;
    for (struct px_session *s = h->sessions; s; s = s->next) {
        s->held = (struct px_held){0};
        s->mark = (struct px_mark){0};
    }
}

static void on_x_lost(void *data) {
    struct px_host *h = data;
    drop_x(h);
    if (!h->closing)
        uv_timer_start(&h->x_retry, on_retry, X_RETRY_MS, 0);
}

static void read_cursor(struct px_host *h) {
    if (px_cursor_read(h->x, &h->cursor, NULL) <= 0)
        return;
    for (struct px_session *s = h->sessions; s; s = s->next)
        if (px_session_is_desktop(s))
            px_desk_send_cursor(s);
}

static void on_x_event(void *data, const xcb_generic_event_t *e) {
    struct px_host *h = data;
    if (px_cursor_is_event(h->x, e))
        read_cursor(h);
    else if (px_displays_is_event(h->x, e))
        px_desk_displays_changed(h);
    else if (px_focus_is_event(h->x, e))
        px_desk_focus_changed(h);
    else if (h->input_ready && px_xtest_is_mapping_event(h->x, e))
        px_xtest_reload(h->x, &h->keyboard);
    else if (!px_banner_event(h, e))
        px_xclip_event(h->clip, e);
}

static const struct px_xdisplay_ops x_ops = {.on_event = on_x_event, .on_lost = on_x_lost};

static void try_x(struct px_host *h) {
    struct px_error err = {0};
    struct px_xdisplay *d = px_new0(struct px_xdisplay, 1);
    if (px_xdisplay_open(d, h->loop, h->config->display, &x_ops, h, &err) < 0) {
        free(d);
        uv_timer_start(&h->x_retry, on_retry, X_RETRY_MS, 0);
        return;
    }
    h->x = d;
    if (px_xtest_start(d, &h->keyboard, &err) < 0)
        px_warning("input: off: %s", err.msg);
    else
        h->input_ready = true;
    if (px_cursor_start(d, &err) >= 0)
        read_cursor(h);
    px_xclip_start(h->clip, d);
    px_displays_watch(d);
    px_desk_displays_changed(h);
}

/* ---- the pointer's position, only while somebody wants to see it ---- */

bool px_host_wants_pointer(const struct px_host *h) {
    for (const struct px_session *s = h->sessions; s; s = s->next)
        if (px_session_is_desktop(s) && (s->options.show_cursor || s->options.follow_cursor))
            return true;
    return false;
}

static void on_pointer(uv_timer_t *t) {
    struct px_host *h = t->data;
    if (!px_host_wants_pointer(h)) {
        uv_timer_stop(t);
        return;
    }
    if (!h->x)
        return;
    xcb_query_pointer_reply_t *r =
        xcb_query_pointer_reply(h->x->x, xcb_query_pointer(h->x->x, h->x->root), NULL);
    if (!r)
        return;
    const bool moved = r->root_x != h->pointer_x || r->root_y != h->pointer_y;
    h->pointer_x = r->root_x;
    h->pointer_y = r->root_y;
    free(r);
    for (struct px_session *s = h->sessions; moved && s; s = s->next)
        if (px_session_is_desktop(s))
            px_desk_send_pointer(s);
}

void px_host_watch_pointer(struct px_host *h) {
    if (px_host_wants_pointer(h) && !uv_is_active((uv_handle_t *)&h->pointer_timer)) {
        h->pointer_x = h->pointer_y = -1; /* tells where it is at once */
        uv_timer_start(&h->pointer_timer, on_pointer, 0, POINTER_MS);
    }
}

/* ---- start and stop ---- */

static void on_tick(uv_timer_t *t) {
    struct px_host *h = t->data;
    const int64_t now = px_now_us();
    for (struct px_session *s = h->sessions, *next; s; s = next) {
        next = s->next;
        px_session_tick(s, now);
    }
    px_terminals_tick(h->terminals, now);
    px_measuring_tick(h->measuring, now);
    px_banner_update(h); /* also after the screen or the X server became another */
}

static void on_connection(uv_stream_t *listener, int status) {
    struct px_host *h = listener->data;
    struct px_error err = {0};
    if (status == 0 && !px_session_accept(h, listener, PX_WAY_DIRECT, &err))
        px_info("direct: %s", err.msg);
}

static int listen_on(struct px_host *h, const struct px_addr *a, struct px_error *err) {
    struct sockaddr_storage ss;
    char text[PX_ADDR_TEXT_MAX];
    uv_tcp_t *l = &h->listeners[h->n_listeners];
    uv_tcp_init(h->loop, l);
    l->data = h;
    h->n_listeners++;
    px_addr_to_sockaddr(a, !px_addr_is_v4(a), &ss);
    /* "::" is every IPv6 address, and opens no IPv4 port that nobody asked for. */
    int r = uv_tcp_bind(l, (struct sockaddr *)&ss, px_addr_is_v4(a) ? 0 : UV_TCP_IPV6ONLY);
    if (r == 0)
        r = uv_listen((uv_stream_t *)l, BACKLOG, on_connection);
    return r < 0 ? px_fail_sys(err, r, "cannot listen on %s", px_addr_text(a, text)) : 0;
}

int px_host_port(const struct px_host *h, size_t i) {
    struct sockaddr_storage ss;
    struct px_addr a = {0};
    int len = sizeof(ss);
    if (i < h->n_listeners &&
        uv_tcp_getsockname(&h->listeners[i], (struct sockaddr *)&ss, &len) == 0)
        (void)px_addr_from_sockaddr((struct sockaddr *)&ss, &a);
    return a.port;
}

static void find_names(struct px_host *h) {
    const struct passwd *pw = getpwuid(getuid());
    snprintf(h->user, sizeof(h->user), "%s", pw ? pw->pw_name : "user");
    if (gethostname(h->hostname, sizeof(h->hostname) - 1) < 0 || !h->hostname[0])
        snprintf(h->hostname, sizeof(h->hostname), "desktop");
}

static int open_audit(struct px_host *h, struct px_error *err) {
    h->audit.fd = -1;
    if (!h->config->audit_log)
        return 0;
    h->audit.fd = open(h->config->audit_log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    return h->audit.fd < 0 ? px_fail_sys(err, -errno, "cannot open '%s'", h->config->audit_log) : 0;
}

static int start_video(struct px_host *h, struct px_error *err) {
    const int r = h->encoders ? 0 : px_encoders_new(h->config->encoder, &h->encoders, err);
    if (r < 0)
        return r;
    h->measuring = px_measuring_new(h);
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const struct px_video_opts o = {.loop = h->loop,
                                    .display = h->config->display,
                                    .encoders = h->encoders,
                                    .threads = cores > 8   ? 4
                                               : cores > 1 ? 2
                                                           : 1,
                                    .ops = &px_viewer_video_ops,
                                    .data = h};
    return px_video_new(&o, &h->video, err);
}

/* Without it the desktop is there all the same. */
static void start_tls(struct px_host *h) {
    const struct px_host_config *c = h->config;
    struct px_error err = {0};
    if (c->tls_name && px_tls_server_new(c->tls_cert, c->tls_key, &h->tls, &err) < 0)
        px_warning("tunnel '%s': off: %s", c->tls_name, err.msg);
}

/* Without it the desktop is there all the same. */
void px_host_update_discovery(struct px_host *h) {
    struct px_error err = {0};
    if (h->config->discovery == (h->discovery != NULL))
        return;
    px_discovery_close(h->discovery);
    h->discovery = h->config->discovery ? px_discovery_new(h, &err) : NULL;
    if (h->config->discovery && !h->discovery)
        px_warning("discovery: off: %s", err.msg);
}

int px_host_start(struct px_host *h, struct px_error *err) {
    find_names(h);
    px_displays_init(&h->displays, 0, 0);
    int r = open_audit(h, err);
    if (r < 0)
        return r;
    h->credentials = px_credentials_new(h->config);
    uv_timer_init(h->loop, &h->tick);
    uv_timer_init(h->loop, &h->x_retry);
    uv_timer_init(h->loop, &h->pointer_timer);
    h->tick.data = h->x_retry.data = h->pointer_timer.data = h;
    h->clip = px_xclip_new(h);
    h->terminals = px_terminals_new(h);
    h->audio = h->config->permissions.audio ? px_audio_new(h) : NULL;
    start_tls(h);
    r = start_video(h, err);
    for (size_t i = 0; r >= 0 && i < h->config->n_direct; i++)
        r = listen_on(h, &h->config->direct[i], err);
    if (r < 0) {
        px_host_stop(h);
        return r;
    }
    try_x(h);
    if (h->config->server)
        h->rendezvous = px_rendezvous_new(h);
    px_host_update_discovery(h);
    h->metrics = px_metrics_new(h);
    uv_timer_start(&h->tick, on_tick, TICK_MS, TICK_MS);
    return 0;
}

void px_host_stop(struct px_host *h) {
    if (h->closing)
        return;
    h->closing = true;
    for (struct px_session *s = h->sessions, *next; s; s = next) {
        next = s->next;
        px_session_end(s, "Reset by the peer");
    }
    px_rendezvous_close(h->rendezvous);
    px_discovery_close(h->discovery);
    h->discovery = NULL;
    px_lock_close(h);
    px_metrics_close(h->metrics);
    h->metrics = NULL;
    px_terminals_close(h->terminals);
    h->terminals = NULL;
    px_audio_close(h->audio);
    h->audio = NULL;
    drop_x(h);
    px_xclip_free(h->clip);
    if (h->video)
        px_video_close(h->video, NULL);
    h->video = NULL;
    px_measuring_close(h->measuring);
    h->measuring = NULL;
    px_encoders_free(h->encoders);
    h->encoders = NULL;
    px_tls_server_free(h->tls);
    h->tls = NULL;
    for (size_t i = 0; i < h->n_listeners; i++)
        uv_close((uv_handle_t *)&h->listeners[i], NULL);
    uv_close((uv_handle_t *)&h->tick, NULL);
    uv_close((uv_handle_t *)&h->x_retry, NULL);
    uv_close((uv_handle_t *)&h->pointer_timer, NULL);
    px_credentials_free(h->credentials);
    h->credentials = NULL;
    if (h->audit.fd >= 0)
        close(h->audit.fd);
    h->audit.fd = -1;
}
