/* src/host/clipboard/xclip.c - the X selection CLIPBOARD and the clients' clipboards */
#include "host/clipboard/xclip.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/clipboard/xclip_private.h"
#include "host/session.h"
#include <string.h>
#include <xcb/xfixes.h>

static const char *const atom_names[PX_N_ATOMS] = {
    "CLIPBOARD",
    "TARGETS",
    "INCR",
    "PHOENIX_CLIPBOARD",
    "UTF8_STRING",
    "text/plain;charset=utf-8",
    "text/html",
    "text/rtf",
    "application/rtf",
    "image/png",
    "image/svg+xml",
    "STRING",
    "text/uri-list",
    "x-special/gnome-copied-files",
};

const struct px_xclip_target px_xclip_targets[PX_XCLIP_N_TARGETS] = {
    {PX_ATOM_UTF8, PX_FORM_TEXT},        {PX_ATOM_TEXT_PLAIN, PX_FORM_TEXT},
    {PX_ATOM_HTML, PX_FORM_HTML},        {PX_ATOM_RTF, PX_FORM_RTF},
    {PX_ATOM_RTF_APP, PX_FORM_RTF},      {PX_ATOM_PNG, PX_FORM_PNG},
    {PX_ATOM_SVG, PX_FORM_SVG},          {PX_ATOM_URI_LIST, PX_FORM_FILES},
    {PX_ATOM_GNOME_FILES, PX_FORM_FILES}};

static void own(struct px_xclip *c);
static void forget_reading(struct px_xclip *c);

/* ---- files of clients ---- */

static void on_offered(void *data) {
    struct px_xclip *c = data;
    px_content_fini(&c->ours);
    c->owner = c->offers_files = true;
    forget_reading(c);
    own(c);
}

static void on_withdrawn(void *data) {
    struct px_xclip *c = data;
    if (!c->offers_files)
        return;
    c->owner = c->offers_files = false;
    if (c->d)
        xcb_set_selection_owner(c->d->x, XCB_NONE, c->atoms[PX_ATOM_CLIPBOARD], XCB_CURRENT_TIME);
}

static void on_fetched(void *data) {
    px_xclip_answer_waiting(data);
}

static const struct px_cliprdr_ops files_ops = {
    .offered = on_offered, .withdrawn = on_withdrawn, .fetched = on_fetched};

/* The clipboard holds something else: who still waits for files gets none. */
static void forget_files(struct px_xclip *c) {
    c->offers_files = false;
    px_cliprdr_forget(c->files);
    px_xclip_answer_waiting(c);
}

void px_xclip_message(struct px_xclip *c, struct px_session *from, const Pxs__Cliprdr *m) {
    px_cliprdr_message(c->files, from, m);
}

void px_xclip_left(struct px_xclip *c, const struct px_session *s) {
    px_cliprdr_left(c->files, s);
}

struct px_xclip *px_xclip_new(struct px_host *h) {
    struct px_xclip *c = px_new0(struct px_xclip, 1);
    c->host = h;
    c->files = px_cliprdr_new(h, &files_ops, c);
    return c;
}

static void forget_reading(struct px_xclip *c) {
    px_content_fini(&c->theirs);
    c->busy = c->incremental = false;
    c->wanted = 0;
}

void px_xclip_stop(struct px_xclip *c) {
    forget_reading(c);
    for (int i = 0; i < PX_XCLIP_SENDING_MAX; i++)
        px_xclip_end_sending(&c->sending[i]);
    c->n_waiting = 0;
    c->d = NULL;
}

void px_xclip_free(struct px_xclip *c) {
    if (!c)
        return;
    px_xclip_stop(c);
    px_content_fini(&c->ours);
    px_cliprdr_free(c->files);
    free(c);
}

static void own(struct px_xclip *c) {
    if (c->d && c->owner)
        xcb_set_selection_owner(c->d->x, c->window, c->atoms[PX_ATOM_CLIPBOARD], XCB_CURRENT_TIME);
}

void px_xclip_start(struct px_xclip *c, struct px_xdisplay *d) {
    if (!d->xfixes_event)
        return;
    c->d = d;
    for (int i = 0; i < PX_N_ATOMS; i++)
        c->atoms[i] = px_xdisplay_atom(d, atom_names[i]);
    c->window = xcb_generate_id(d->x);
    const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_create_window(d->x, 0, c->window, d->root, -1, -1, 1, 1, 0, XCB_WINDOW_CLASS_INPUT_ONLY, 0,
                      XCB_CW_EVENT_MASK, &mask);
    xcb_xfixes_select_selection_input(d->x, c->window, c->atoms[PX_ATOM_CLIPBOARD],
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

/* @files: who takes files has been told of them, and needs no names as text. */
static void distribute(struct px_xclip *c, const struct px_content *what,
                       const struct px_session *except, bool files) {
    px_cleanup(px_buf_fini) struct px_buf all = {0}, text = {0};
    const bool has_text = px_content_print(what, true, &text);
    const bool has_all = px_content_print(what, false, &all);
    for (struct px_session *s = c->host->sessions; s; s = s->next) {
        if (s == except || !takes_clipboard(s) || (files && px_cliprdr_takes(s)))
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
    forget_files(c);
    px_content_fini(&c->ours);
    c->ours = fresh;
    c->owner = true;
    forget_reading(c);
    own(c);
    distribute(c, &c->ours, from, false);
}

/* ---- reading what another program holds ---- */

static void ask(struct px_xclip *c, xcb_atom_t target) {
    xcb_delete_property(c->d->x, c->window, c->atoms[PX_ATOM_PROPERTY]);
    xcb_convert_selection(c->d->x, c->window, c->atoms[PX_ATOM_CLIPBOARD], target,
                          c->atoms[PX_ATOM_PROPERTY], XCB_CURRENT_TIME);
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
    struct px_paths paths = {0};
    const struct px_buf *uris = &c->theirs.forms[PX_FORM_FILES];
    if (uris->size)
        px_uris_parse(uris->data, uris->size, &paths);
    const bool files = paths.n > 0;
    if (files)
        px_cliprdr_copied(c->files, &paths);
    if (!px_content_is_empty(&c->theirs))
        distribute(c, &c->theirs, NULL, files);
    px_paths_fini(&paths);
    px_content_fini(&c->theirs);
}

/* The whole property, deleted on the way; NULL: none. The caller frees the reply. */
static xcb_get_property_reply_t *take_property(struct px_xclip *c) {
    return xcb_get_property_reply(
        c->d->x,
        xcb_get_property(c->d->x, 1, c->window, c->atoms[PX_ATOM_PROPERTY],
                         XCB_GET_PROPERTY_TYPE_ANY, 0, PX_CLIPBOARD_MAX_BYTES / 4),
        NULL);
}

static void take_targets(struct px_xclip *c, const xcb_get_property_reply_t *r) {
    const xcb_atom_t *list = xcb_get_property_value(r);
    const size_t n = (size_t)xcb_get_property_value_length(r) / sizeof(*list);
    for (size_t t = PX_XCLIP_N_TARGETS; t-- > 0;)
        for (size_t i = 0; r->format == 32 && i < n; i++)
            if (list[i] == c->atoms[px_xclip_targets[t].atom]) {
                c->wanted |= 1u << px_xclip_targets[t].form;
                c->targets_of[px_xclip_targets[t].form] = list[i];
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
    if (e->target == c->atoms[PX_ATOM_TARGETS]) {
        if (r)
            take_targets(c, r);
        else { /* an owner too simple to list what it has */
            c->wanted = 1u << PX_FORM_TEXT;
            c->targets_of[PX_FORM_TEXT] = c->atoms[PX_ATOM_UTF8];
            ask_next(c);
        }
    } else if (r && r->type == c->atoms[PX_ATOM_INCR])
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
    forget_files(c);
    forget_reading(c);
    if (!anybody_takes(c))
        return;
    c->busy = true;
    ask(c, c->atoms[PX_ATOM_TARGETS]);
}

static void on_property(struct px_xclip *c, const xcb_property_notify_event_t *e) {
    if (e->window != c->window)
        px_xclip_on_taken(c, e);
    else if (c->busy && c->incremental && e->state == XCB_PROPERTY_NEW_VALUE &&
             e->atom == c->atoms[PX_ATOM_PROPERTY])
        on_piece(c);
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
        px_xclip_on_request(c, event);
    else if (type == XCB_PROPERTY_NOTIFY)
        on_property(c, event);
    else
        return false;
    return true;
}
