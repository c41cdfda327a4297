/* src/host/lock.c - locking the screen, as clients ask for it */
#include "host/lock.h"
#include "base/alloc.h"
#include "base/log.h"
#include "host/session.h"
#include <signal.h>
#include <string.h>

#define SAID_MAX 200

struct px_lock_run {
    struct px_lock_run *next;
    struct px_host *host;
    struct px_session *session; /* who is told; NULL: nobody, or gone */
    uv_process_t process;
    uv_pipe_t out;
    int n_open;     /* handles */
    bool check;     /* only whether it could be */
    int64_t status; /* of the program */
    char said[SAID_MAX];
    size_t n_said;
};

/* Who may only look must not shut others out. */
static bool may_lock(const struct px_session *s) {
    return s->host->config->permissions.keyboard && !s->options.no_input;
}

/* A dialog with OK in the client; other kinds than "custom" make it close the connection. */
static void tell(struct px_session *s, const char *what, const char *why) {
    px_cleanup_free char *text = px_asprintf("%s: %s.", what, why);
    Pxs__MessageBox box = PXS__MESSAGE_BOX__INIT;
    box.msgtype = (char *)"custom-nocancel";
    box.title = (char *)"Lock screen";
    box.text = text;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_MESSAGE_BOX;
    m.message_box = &box;
    px_session_send(s, &m);
}

/* The first line, in what every client can show. */
static const char *reason(struct px_lock_run *run) {
    run->said[run->n_said] = '\0';
    run->said[strcspn(run->said, "\r\n")] = '\0';
    for (char *p = run->said; *p; p++)
        if (*p < 0x20 || *p > 0x7e)
            *p = '?';
    return *run->said ? run->said : "this desktop has no screen lock";
}

static void report(struct px_lock_run *run, const char *why) {
    struct px_session *s = run->session;
    if (why && !run->check)
        px_info("lock: the screen was not locked: %s", why);
    else if (!run->check)
        px_host_audit(run->host, "the screen is locked");
    if (!s)
        return;
    s->lock_run = NULL;
    if (why && !s->ended)
        tell(s,
             run->check ? "The screen will not be locked when you leave"
                        : "The screen was not locked",
             why);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct px_lock_run *run = handle->data;
    if (--run->n_open > 0)
        return;
    struct px_lock_run **at = &run->host->lock_runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    report(run, run->status == 0 ? NULL : reason(run));
    free(run);
}

static void on_end(uv_process_t *process, int64_t status, int signal) {
    struct px_lock_run *run = process->data;
    run->status = status ? status : signal;
    uv_close((uv_handle_t *)process, on_handle_closed);
}

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *ret) {
    static char rest[256]; /* more than fits is read and dropped */
    struct px_lock_run *run = handle->data;
    const size_t left = SAID_MAX - 1 - run->n_said;
    *ret = left ? uv_buf_init(run->said + run->n_said, (unsigned)left)
                : uv_buf_init(rest, sizeof(rest));
}

static void on_said(uv_stream_t *out, ssize_t n, const uv_buf_t *buf) {
    struct px_lock_run *run = out->data;
    if (n > 0 && buf->base == run->said + run->n_said)
        run->n_said += (size_t)n;
    else if (n < 0 && !uv_is_closing((uv_handle_t *)out))
        uv_close((uv_handle_t *)out, on_handle_closed);
}

static void start(struct px_lock_run *run) {
    char *args[] = {run->host->config->lock_command, run->check ? (char *)"--check" : NULL, NULL};
    uv_stdio_container_t io[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&run->out},
        {.flags = UV_INHERIT_FD, .data.fd = 2}};
    const uv_process_options_t o = {.exit_cb = on_end,
                                    .file = args[0],
                                    .args = args,
                                    .stdio = io,
                                    .stdio_count = PX_N_ELEMENTS(io)};
    uv_pipe_init(run->host->loop, &run->out, 0);
    run->out.data = run->process.data = run;
    run->n_open = 2;
    if (uv_spawn(run->host->loop, &run->process, &o) < 0) { /* such as: there is no such program */
        run->status = 1;
        uv_close((uv_handle_t *)&run->process, on_handle_closed);
        uv_close((uv_handle_t *)&run->out, on_handle_closed);
        return;
    }
    uv_read_start((uv_stream_t *)&run->out, give_room, on_said);
}

static void begin(struct px_host *h, struct px_session *s, bool check) {
    if (h->closing || !h->config->lock_command) {
        if (s && !h->closing)
            tell(s, "The screen is not locked", "this desktop has no screen lock");
        return;
    }
    struct px_lock_run *run = px_new0(struct px_lock_run, 1);
    run->host = h;
    run->session = s;
    run->check = check;
    run->next = h->lock_runs;
    h->lock_runs = run;
    if (s)
        s->lock_run = run;
    start(run);
}

void px_lock_now(struct px_session *s) {
    char id[PX_PEER_TEXT_MAX];
    if (s->lock_run || !may_lock(s))
        return;
    px_host_audit(s->host, "session %s locks the screen", px_peer_text(s->my_id, id));
    begin(s->host, s, false);
}

void px_lock_check(struct px_session *s) {
    if (s->lock_checked || s->lock_run || !may_lock(s))
        return;
    s->lock_checked = true;
    begin(s->host, s, true);
}

void px_lock_left(struct px_session *s, bool last) {
    struct px_host *h = s->host;
    if (s->lock_run)
        s->lock_run->session = NULL;
    s->lock_run = NULL;
    h->lock_due |= s->options.lock_at_end && may_lock(s);
    if (!last || !h->lock_due)
        return;
    h->lock_due = false;
    begin(h, NULL, false);
}

void px_lock_close(struct px_host *h) {
    for (struct px_lock_run *run = h->lock_runs; run; run = run->next) {
        run->session = NULL;
        if (!uv_is_closing((uv_handle_t *)&run->process))
            uv_process_kill(&run->process, SIGTERM);
        if (!uv_is_closing((uv_handle_t *)&run->out)) /* a locker may hold the other end */
            uv_close((uv_handle_t *)&run->out, on_handle_closed);
    }
}
