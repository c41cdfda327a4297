/* src/host/terminal/terminal.c - shells for terminal sessions */
#include "host/terminal/terminal.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include "host/terminal/answers.h"
#include "host/terminal/shell.h"
#include "proto/unpack.h"
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/wait.h>

#define TERMINALS_MAX 32 /* of a service */
#define SERVICES_MAX 16
#define RING_BYTES (64 * 1024) /* of output kept for whoever comes back */
#define REPLAY_BYTES (8 * 1024)
#define QUEUE_MAX_BYTES (256 * 1024) /* unsent: then the shell waits */
#define INPUT_MAX_BYTES (1024 * 1024)
#define READ_BYTES 16384
#define PATIENCE_US (3 * PX_US_PER_S) /* from hang-up to kill */

struct service;

struct terminal {
    struct terminal *next;
    struct service *service;
    int32_t id;
    pid_t pid;
    int fd;
    uv_poll_t poll;
    bool reading, gone;
    struct px_buf ring;  /* the last output */
    struct px_buf input; /* not taken by the shell yet */
    struct px_buf cut;   /* the beginning of a character whose rest is still to come */
};

struct service {
    struct service *next;
    struct px_terminals *all;
    char id[40], owner[64];
    bool persistent;
    struct px_session *session; /* NULL: nobody is attached */
    struct terminal *terminals;
    unsigned n_terminals;
};

/* A shell that was told to go, until it has gone. */
struct leaver {
    pid_t pid;
    int64_t since_us;
};

struct px_terminals {
    struct px_host *host;
    struct service *services;
    struct leaver *leavers;
    size_t n_leavers, cap_leavers;
};

struct px_terminals *px_terminals_new(struct px_host *h) {
    struct px_terminals *t = px_new0(struct px_terminals, 1);
    t->host = h;
    return t;
}

/* ---- a shell ---- */

static void on_poll_closed(uv_handle_t *h) {
    struct terminal *t = px_container_of((uv_poll_t *)h, struct terminal, poll);
    close(t->fd);
    px_buf_fini(&t->ring);
    px_buf_fini(&t->input);
    px_buf_fini(&t->cut);
    free(t);
}

/* Takes it out of its service and ends the shell. */
static void drop(struct terminal *t, bool kill_it) {
    struct terminal **at = &t->service->terminals;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    t->service->n_terminals--;
    t->gone = true;
    if (kill_it) {
        struct px_terminals *all = t->service->all;
        kill(-t->pid, SIGHUP);
        px_grow(all->leavers, &all->cap_leavers, all->n_leavers + 1);
        all->leavers[all->n_leavers++] = (struct leaver){t->pid, px_now_us()};
    }
    uv_close((uv_handle_t *)&t->poll, on_poll_closed);
}

static void drop_service(struct service *v) {
    struct service **at = &v->all->services;
    while (v->terminals)
        drop(v->terminals, true);
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    free(v);
}

static void keep(struct terminal *t, const char *data, size_t size) {
    px_buf_add(&t->ring, data, size);
    if (t->ring.size > 2 * RING_BYTES)
        px_buf_drop(&t->ring, t->ring.size - RING_BYTES);
}

static void on_end(struct terminal *t) {
    int status = 0;
    struct service *v = t->service;
    /* The terminal's end and the shell's come together, but not in a fixed order. */
    bool reaped = false;
    for (int i = 0; i < 20 && !reaped; i++) {
        reaped = waitpid(t->pid, &status, WNOHANG) != 0;
        if (!reaped)
            px_sleep_us(PX_US_PER_MS);
    }
    const int code = !reaped ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (v->session)
        px_terminal_say_closed(v->session, t->id, code);
    drop(t, !reaped);
    if (!v->session && !v->terminals)
        drop_service(v);
}

static void watch(struct terminal *t);

/* Clients decode each message by itself: characters must not be cut in two. */
static void show(struct terminal *t, const char *data, size_t size) {
    px_buf_add(&t->cut, data, size);
    const size_t n = px_utf8_whole(t->cut.data, t->cut.size);
    keep(t, t->cut.data, n);
    if (t->service->session && n > 0)
        px_terminal_say_data(t->service->session, t->id, (uint8_t *)t->cut.data, n);
    px_buf_drop(&t->cut, n);
}

static void write_input(struct terminal *t) {
    while (t->input.size > 0) {
        const ssize_t n = write(t->fd, t->input.data, t->input.size);
        if (n <= 0)
            break;
        px_buf_drop(&t->input, (size_t)n);
    }
}

static void on_poll(uv_poll_t *p, int status, int events) {
    struct terminal *t = px_container_of(p, struct terminal, poll);
    char buf[READ_BYTES];
    if (events & UV_WRITABLE)
        write_input(t);
    if (events & UV_READABLE || status < 0) {
        const ssize_t n = read(t->fd, buf, sizeof(buf));
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            on_end(t); /* EIO: the last holder of the terminal is gone */
            return;
        }
        if (n > 0)
            show(t, buf, (size_t)n);
    }
    watch(t);
}

/* Reads while the client keeps up (or nobody is there: then only the ring fills). */
static void watch(struct terminal *t) {
    const struct px_session *s = t->service->session;
    int events = t->input.size ? UV_WRITABLE : 0;
    if (!s || px_conn_queued_bytes(s->conn) < QUEUE_MAX_BYTES)
        events |= UV_READABLE;
    if (events)
        uv_poll_start(&t->poll, events, on_poll);
    else
        uv_poll_stop(&t->poll);
}

static struct terminal *find(const struct service *v, int32_t id) {
    struct terminal *t = v->terminals;
    while (t && t->id != id)
        t = t->next;
    return t;
}

static void send_opened(const struct terminal *t, bool replay) {
    const struct service *v = t->service;
    int32_t others[TERMINALS_MAX];
    Pxs__TerminalOpened o = PXS__TERMINAL_OPENED__INIT;
    for (const struct terminal *i = v->terminals; i; i = i->next)
        if (replay && i != t && o.n_persistent_sessions < TERMINALS_MAX)
            others[o.n_persistent_sessions++] = i->id;
    o.persistent_sessions = others;
    o.terminal_id = t->id;
    o.success = true;
    o.pid = (uint32_t)t->pid;
    o.service_id = (char *)v->id;
    o.replay_terminal_output = replay;
    px_terminal_say_opened(v->session, &o);
}

static void reattach(struct terminal *t, const Pxs__TerminalOpen *o) {
    const size_t n = t->ring.size < REPLAY_BYTES ? t->ring.size : REPLAY_BYTES;
    send_opened(t, true);
    if (n > 0)
        px_terminal_say_data(t->service->session, t->id, (uint8_t *)t->ring.data + t->ring.size - n,
                             n);
    /* Twice, and differently: full-screen programs draw themselves again. */
    px_shell_set_size(t->fd, o->rows > 1 ? o->rows - 1 : o->rows, o->cols);
    px_shell_set_size(t->fd, o->rows, o->cols);
    watch(t);
}

static void open_terminal(struct service *v, const Pxs__TerminalOpen *o) {
    struct px_error err = {0};
    struct terminal *t = find(v, o->terminal_id);
    if (t) {
        reattach(t, o);
        return;
    }
    int fd = -1;
    const pid_t pid = v->n_terminals >= TERMINALS_MAX ? px_fail(&err, -EMFILE, "too many terminals")
                                                      : px_shell_start(o->rows, o->cols, &fd, &err);
    if (pid < 0) {
        px_terminal_say_error(v->session, o->terminal_id, err.msg);
        return;
    }
    t = px_new0(struct terminal, 1);
    t->service = v;
    t->id = o->terminal_id;
    t->pid = pid;
    t->fd = fd;
    uv_poll_init(v->all->host->loop, &t->poll, fd);
    t->next = v->terminals;
    v->terminals = t;
    v->n_terminals++;
    send_opened(t, false);
    watch(t);
}

static void take_input(struct service *v, const Pxs__TerminalData *d) {
    struct terminal *t = find(v, d->terminal_id);
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    const void *data = d->data.data;
    size_t size = d->data.len;
    if (!t)
        return;
    if (d->compressed) {
        if (px_unpack(data, size, INPUT_MAX_BYTES, &plain, NULL) < 0)
            return;
        data = plain.data;
        size = plain.size;
    }
    if (t->input.size + size > INPUT_MAX_BYTES)
        return; /* the shell does not read; more would only pile up */
    px_buf_add(&t->input, data, size);
    write_input(t);
    watch(t);
}

/* ---- sessions ---- */

static struct service *service_of(const struct px_terminals *all, const struct px_session *s) {
    struct service *v = all->services;
    while (v && v->session != s)
        v = v->next;
    return v;
}

void px_terminals_attach(struct px_terminals *all, struct px_session *s) {
    unsigned n = 0;
    /* The id is a bearer token; it opens only for the client that got it. */
    for (struct service *v = all->services; v; v = v->next, n++)
        if (*s->service_id && !v->session && strcmp(v->owner, s->my_id) == 0 &&
            strlen(v->id) == strlen(s->service_id) &&
            sodium_memcmp(v->id, s->service_id, strlen(v->id)) == 0) {
            v->session = s;
            return;
        }
    if (n >= SERVICES_MAX) {
        px_session_end(s, "Connection failed: too many terminals");
        return;
    }
    uint8_t random[16];
    struct service *v = px_new0(struct service, 1);
    randombytes_buf(random, sizeof(random));
    memcpy(v->id, "ts_", 3);
    sodium_bin2hex(v->id + 3, sizeof(v->id) - 3, random, sizeof(random));
    snprintf(v->owner, sizeof(v->owner), "%s", s->my_id);
    v->all = all;
    v->session = s;
    v->persistent = s->options.terminal_persistent;
    v->next = all->services;
    all->services = v;
}

void px_terminals_message(struct px_terminals *all, struct px_session *s, const Pxs__Message *m) {
    struct service *v = service_of(all, s);
    if (!v)
        return;
    if (m->item_case == PXS__MESSAGE__ITEM_MISC && m->misc->item_case == PXS__MISC__ITEM_OPTION) {
        px_options_merge(&s->options, m->misc->option);
        v->persistent = s->options.terminal_persistent;
        return;
    }
    if (m->item_case != PXS__MESSAGE__ITEM_TERMINAL_ACTION)
        return;
    const Pxs__TerminalAction *a = m->terminal_action;
    struct terminal *t;
    switch (a->action_case) {
    case PXS__TERMINAL_ACTION__ACTION_OPEN:
        open_terminal(v, a->open);
        break;
    case PXS__TERMINAL_ACTION__ACTION_DATA:
        take_input(v, a->data);
        break;
    case PXS__TERMINAL_ACTION__ACTION_RESIZE:
        t = find(v, a->resize->terminal_id);
        if (t)
            px_shell_set_size(t->fd, a->resize->rows, a->resize->cols);
        break;
    case PXS__TERMINAL_ACTION__ACTION_CLOSE:
        t = find(v, a->close->terminal_id);
        if (t) {
            drop(t, true);
            px_terminal_say_closed(s, a->close->terminal_id, 0);
        }
        break;
    case PXS__TERMINAL_ACTION__ACTION__NOT_SET:
    default:
        break;
    }
}

void px_terminals_dry(struct px_terminals *all, struct px_session *s) {
    const struct service *v = service_of(all, s);
    for (struct terminal *t = v ? v->terminals : NULL; t; t = t->next)
        watch(t);
}

void px_terminals_detach(struct px_terminals *all, struct px_session *s) {
    struct service *v = all ? service_of(all, s) : NULL;
    if (!v)
        return;
    v->session = NULL;
    if (!v->persistent || !v->terminals) {
        drop_service(v);
        return;
    }
    for (struct terminal *t = v->terminals; t; t = t->next)
        watch(t);
}

void px_terminals_tick(struct px_terminals *all, int64_t now_us) {
    for (size_t i = 0; i < all->n_leavers;) {
        const struct leaver *l = &all->leavers[i];
        if (waitpid(l->pid, NULL, WNOHANG) != 0)
            all->leavers[i] = all->leavers[--all->n_leavers];
        else {
            if (now_us - l->since_us > PATIENCE_US)
                kill(l->pid, SIGKILL);
            i++;
        }
    }
}

void px_terminals_close(struct px_terminals *all) {
    if (!all)
        return;
    while (all->services)
        drop_service(all->services);
    free(all->leavers);
    free(all);
}
