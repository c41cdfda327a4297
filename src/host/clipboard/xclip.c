/* src/host/clipboard/xclip.c - the X selection CLIPBOARD and the clients' clipboards */
#include "host/clipboard/xclip.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/clipboard/content.h"
#include "host/session.h"
#include <string.h>
#include <xcb/xfixes.h>

#define CHUNK_BYTES (192 * 1024) /* of one property; more goes by INCR */
#define SENDING_MAX 16

enum atom {
    CLIPBOARD,
    TARGETS,
    INCR,
    PROPERTY,
    UTF8,
    TEXT_PLAIN,
    HTML,
    RTF,
    RTF_APP,
    PNG,
    SVG,
    STRING,
    N_ATOMS
};

static const char *const atom_names[N_ATOMS] = {
    "CLIPBOARD",         "TARGETS",       "INCR",
    "PHOENIX_CLIPBOARD", "UTF8_STRING",   "text/plain;charset=utf-8",
    "text/html",         "text/rtf",      "application/rtf",
    "image/png",         "image/svg+xml", "STRING"};

/* Which target brings or gets which form; the first that an owner offers is asked for. */
static const struct {
    enum atom atom;
    enum px_content_form form;
} targets[] = {{UTF8, PX_FORM_TEXT}, {TEXT_PLAIN, PX_FORM_TEXT}, {HTML, PX_FORM_HTML},
               {RTF, PX_FORM_RTF},   {RTF_APP, PX_FORM_RTF},     {PNG, PX_FORM_PNG},
               {SVG, PX_FORM_SVG}};

/* One program that takes a large content piece by piece. */
struct sending {
    xcb_window_t to;
    xcb_atom_t property, target;
    struct px_buf data;
    size_t at;
};

struct px_xclip {
    struct px_host *host;
    struct px_xdisplay *d; /* NULL: no server */
    xcb_window_t window;
    xcb_atom_t atoms[N_ATOMS];
    struct px_content ours; /* what we offer */
    bool owner;
    /* being read from another program */
    struct px_content theirs;
    unsigned wanted; /* a bit per form still to be asked for */
    enum px_content_form reading;
    xcb_atom_t targets_of[PX_N_FORMS];
    bool busy, incremental;
    struct sending sending[SENDING_MAX];
};

struct px_xclip *px_xclip_new(struct px_host *h) {
    struct px_xclip *c = px_new0(struct px_xclip, 1);
    c->host = h;
    return c;
}

static void end_sending(struct sending *s) {
    px_buf_fini(&s->data);
    *s = (struct sending){0};
}

static void forget_reading(struct px_xclip *c) {
    px_content_fini(&c->theirs);
    c->busy = c->incremental = false;
    c->wanted = 0;
}

void px_xclip_stop(struct px_xclip *c) {
    forget_reading(c);
    for (int i = 0; i < SENDING_MAX; i++)
        end_sending(&c->sending[i]);
    c->d = NULL;
}

void px_xclip_free(struct px_xclip *c) {
    if (!c)
        return;
    px_xclip_stop(c);
    px_content_fini(&c->ours);
    free(c);
}

static void own(struct px_xclip *c) {
    if (c->d && c->owner)
        xcb_set_selection_owner(c->d->x, c->window, c->atoms[CLIPBOARD], XCB_CURRENT_TIME);
}

void px_xclip_start(struct px_xclip *c, struct px_xdisplay *d) {
    if (!d->xfixes_event)
        return;
    c->d = d;
    for (int i = 0; i < N_ATOMS; i++)
        c->atoms[i] = px_xdisplay_atom(d, atom_names[i]);
    c->window = xcb_generate_id(d->x);
    const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_create_window(d->x, 0, c->window, d->root, -1, -1, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_ONLY, 0,
                      XCB_CW_EVENT_MASK, &mask);
    xcb_xfixes_select_selection_input(d->x, c->window, c->atoms[CLIPBOARD],
                                      XCB_XFIXES_SELECTION_EVENT_MASK_SET_SELECTION_OWNER);
    own(c);
}

/* ---- to clients ---- */

static bool takes_clipboard(const struct px_session *s) {
    const struct px_permissions *p = &s->host->config->permissions;
    return px_session_is_desktop(s) && p->clipboard && p->keyboard && !s->options.no_clipboard;
}

/* Clients that know only one form at a time. */
static bool only_text(const struct px_session *s) {
    return s->version < 1003000 || strcmp(s->platform, "iOS") == 0 ||
           (strcmp(s->platform, "Android") == 0 && s->version < 1003030);
}

static void distribute(struct px_xclip *c, const struct px_content *what,
                       const struct px_session *except) {
    px_cleanup(px_buf_fini) struct px_buf all = {0}, text = {0};
    const bool has_text = px_content_print(what, true, &text);
    const bool has_all = px_content_print(what, false, &all);
    for (struct px_session *s = c->host->sessions; s; s = s->next) {
        if (s == except || !takes_clipboard(s))
            continue;
        if (only_text(s) ? has_text : has_all) {
            const struct px_buf *b = only_text(s) ? &text : &all;
            px_conn_send(s->conn, b->data, b->size);
        }
    }
}

static bool anybody_takes(const struct px_xclip *c) {
    for (const struct px_session *s = c->host->sessions; s; s = s->next)
        if (takes_clipboard(s))
            return true;
    return false;
}

/* ---- from clients ---- */

void px_xclip_from_client(struct px_xclip *c, struct px_session *from, Pxs__Clipboard *const *items,
                          size_t n) {
    struct px_content fresh = {0};
    if (!takes_clipboard(from))
        return;
    for (size_t i = 0; i < n && i < 16; i++)
        px_content_take(&fresh, items[i], PX_CLIPBOARD_MAX_BYTES);
    if (px_content_is_empty(&fresh))
        return;
    px_content_fini(&c->ours);
    c->ours = fresh;
    c->owner = true;
    forget_reading(c);
    own(c);
    distribute(c, &c->ours, from);
}

/* ---- reading what another program holds ---- */

static void ask(struct px_xclip *c, xcb_atom_t target) {
    xcb_delete_property(c->d->x, c->window, c->atoms[PROPERTY]);
    xcb_convert_selection(c->d->x, c->window, c->atoms[CLIPBOARD], target, c->atoms[PROPERTY],
                          XCB_CURRENT_TIME);
}

static void ask_next(struct px_xclip *c) {
    for (int i = 0; i < PX_N_FORMS; i++)
        if (c->wanted & 1u << i) {
            c->wanted &= ~(1u << i);
            c->reading = (enum px_content_form)i;
            c->incremental = false;
            ask(c, c->targets_of[i]);
            return;
        }
    c->busy = false;
    if (!px_content_is_empty(&c->theirs))
        distribute(c, &c->theirs, NULL);
    px_content_fini(&c->theirs);
}

/* The whole property, deleted on the way; NULL: none. The caller frees the reply. */
static xcb_get_property_reply_t *take_property(struct px_xclip *c) {
    return xcb_get_property_reply(c->d->x,
                                  xcb_get_property(c->d->x, 1, c->window, c->atoms[PROPERTY],
                                                   XCB_GET_PROPERTY_TYPE_ANY, 0,
                                                   PX_CLIPBOARD_MAX_BYTES / 4),
                                  NULL);
}

static void take_targets(struct px_xclip *c, const xcb_get_property_reply_t *r) {
    const xcb_atom_t *list = xcb_get_property_value(r);
    const size_t n = (size_t)xcb_get_property_value_length(r) / sizeof(*list);
    for (size_t t = PX_N_ELEMENTS(targets); t-- > 0;)
        for (size_t i = 0; r->format == 32 && i < n; i++)
            if (list[i] == c->atoms[targets[t].atom]) {
                c->wanted |= 1u << targets[t].form;
                c->targets_of[targets[t].form] = list[i];
            }
    ask_next(c);
}

static void add_piece(struct px_xclip *c, const xcb_get_property_reply_t *r) {
    struct px_buf *b = &c->theirs.forms[c->reading];
    const size_t n = (size_t)xcb_get_property_value_length(r);
    if (b->size + n <= PX_CLIPBOARD_MAX_BYTES)
        px_buf_add(b, xcb_get_property_value(r), n);
    else
        px_buf_fini(b); /* too large: this form is left out */
}

static void on_selection(struct px_xclip *c, const xcb_selection_notify_event_t *e) {
    if (!c->busy || e->requestor != c->window)
        return;
    xcb_get_property_reply_t *r = e->property ? take_property(c) : NULL;
    if (e->target == c->atoms[TARGETS]) {
        if (r)
            take_targets(c, r);
        else { /* an owner too simple to list what it has */
            c->wanted = 1u << PX_FORM_TEXT;
            c->targets_of[PX_FORM_TEXT] = c->atoms[UTF8];
            ask_next(c);
        }
    } else if (r && r->type == c->atoms[INCR])
        c->incremental = true; /* deleting the property asked for the first piece */
    else {
        if (r)
            add_piece(c, r);
        ask_next(c);
    }
    free(r);
}

static void on_piece(struct px_xclip *c) {
    xcb_get_property_reply_t *r = take_property(c);
    if (!r)
        return;
    if (xcb_get_property_value_length(r) == 0) {
        c->incremental = false;
        ask_next(c);
    } else
        add_piece(c, r);
    free(r);
}

static void on_owner(struct px_xclip *c, const xcb_xfixes_selection_notify_event_t *e) {
    if (e->owner == c->window)
        return;
    if (e->owner == XCB_NONE) /* whoever held it is gone; what we know stays with the clients */
        return;
    c->owner = false;
    forget_reading(c);
    if (!anybody_takes(c))
        return;
    c->busy = true;
    ask(c, c->atoms[TARGETS]);
}

/* ---- serving what clients brought ---- */

static void notify(struct px_xclip *c, const xcb_selection_request_event_t *q,
                   xcb_atom_t property) {
    xcb_selection_notify_event_t e = {.response_type = XCB_SELECTION_NOTIFY,
                                      .time = q->time,
                                      .requestor = q->requestor,
                                      .selection = q->selection,
                                      .target = q->target,
                                      .property = property};
    char padded[32] = {0};
    memcpy(padded, &e, sizeof(e));
    xcb_send_event(c->d->x, 0, q->requestor, XCB_EVENT_MASK_NO_EVENT, padded);
}

static void serve_targets(struct px_xclip *c, const xcb_selection_request_event_t *q,
                          xcb_atom_t property) {
    xcb_atom_t list[PX_N_ELEMENTS(targets) + 2];
    uint32_t n = 0;
    list[n++] = c->atoms[TARGETS];
    for (size_t t = 0; t < PX_N_ELEMENTS(targets); t++)
        if (c->ours.forms[targets[t].form].size)
            list[n++] = c->atoms[targets[t].atom];
    if (c->ours.forms[PX_FORM_TEXT].size)
        list[n++] = c->atoms[STRING];
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property, XCB_ATOM_ATOM, 32,
                        n, list);
}

static bool start_sending(struct px_xclip *c, const xcb_selection_request_event_t *q,
                          xcb_atom_t property, const struct px_buf *b) {
    struct sending *s = NULL;
    for (int i = 0; i < SENDING_MAX && !s; i++)
        if (!c->sending[i].to)
            s = &c->sending[i];
    if (!s)
        return false;
    *s = (struct sending){.to = q->requestor, .property = property, .target = q->target};
    px_buf_add(&s->data, b->data, b->size);
    const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE, size = (uint32_t)b->size;
    xcb_change_window_attributes(c->d->x, q->requestor, XCB_CW_EVENT_MASK, &mask);
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property, c->atoms[INCR], 32,
                        1, &size);
    return true;
}

static void send_piece(struct px_xclip *c, struct sending *s) {
    const size_t left = s->data.size - s->at, n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, s->to, s->property, s->target, 8,
                        (uint32_t)n, s->data.data + s->at);
    s->at += n;
    if (n == 0) { /* the empty piece was the end */
        const uint32_t none = 0;
        xcb_change_window_attributes(c->d->x, s->to, XCB_CW_EVENT_MASK, &none);
        end_sending(s);
    }
}

static const struct px_buf *form_for(const struct px_xclip *c, xcb_atom_t target) {
    if (target == c->atoms[STRING])
        return &c->ours.forms[PX_FORM_TEXT];
    for (size_t t = 0; t < PX_N_ELEMENTS(targets); t++)
        if (target == c->atoms[targets[t].atom])
            return &c->ours.forms[targets[t].form];
    return NULL;
}

static void on_request(struct px_xclip *c, const xcb_selection_request_event_t *q) {
    const xcb_atom_t property = q->property ? q->property : q->target; /* ICCCM 2.2 */
    const struct px_buf *b = form_for(c, q->target);
    bool ok = true;
    if (q->target == c->atoms[TARGETS])
        serve_targets(c, q, property);
    else if (!b || !b->size)
        ok = false;
    else if (b->size > CHUNK_BYTES)
        ok = start_sending(c, q, property, b);
    else
        xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property, q->target, 8,
                            (uint32_t)b->size, b->data);
    notify(c, q, ok ? property : XCB_NONE);
}

static void on_property(struct px_xclip *c, const xcb_property_notify_event_t *e) {
    if (e->window == c->window) {
        if (c->busy && c->incremental && e->state == XCB_PROPERTY_NEW_VALUE &&
            e->atom == c->atoms[PROPERTY])
            on_piece(c);
        return;
    }
    for (int i = 0; i < SENDING_MAX; i++)
        if (c->sending[i].to == e->window && c->sending[i].property == e->atom &&
            e->state == XCB_PROPERTY_DELETE)
            send_piece(c, &c->sending[i]);
}

bool px_xclip_event(struct px_xclip *c, const xcb_generic_event_t *e) {
    const void *event = e;
    const uint8_t type = e->response_type & 0x7f;
    if (!c->d)
        return false;
    if (type == c->d->xfixes_event + XCB_XFIXES_SELECTION_NOTIFY)
        on_owner(c, event);
    else if (type == XCB_SELECTION_NOTIFY)
        on_selection(c, event);
    else if (type == XCB_SELECTION_REQUEST)
        on_request(c, event);
    else if (type == XCB_PROPERTY_NOTIFY)
        on_property(c, event);
    else
        return false;
    return true;
}
