/* src/host/clipboard/serve.c - the X selection CLIPBOARD: what clients brought, to programs that
 * paste */
#include "base/cleanup.h"
#include "host/clipboard/xclip_private.h"
#include <string.h>

#define CHUNK_BYTES (192 * 1024) /* of one property; more goes by INCR */

void px_xclip_end_sending(struct px_xclip_sending *s) {
    px_buf_fini(&s->data);
    *s = (struct px_xclip_sending){0};
}

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
    xcb_atom_t list[PX_XCLIP_N_TARGETS + 2];
    uint32_t n = 0;
    list[n++] = c->atoms[PX_ATOM_TARGETS];
    for (size_t t = 0; t < PX_XCLIP_N_TARGETS; t++)
        if (px_xclip_targets[t].form == PX_FORM_FILES
                ? c->offers_files
                : c->ours.forms[px_xclip_targets[t].form].size > 0)
            list[n++] = c->atoms[px_xclip_targets[t].atom];
    if (c->ours.forms[PX_FORM_TEXT].size)
        list[n++] = c->atoms[PX_ATOM_STRING];
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property, XCB_ATOM_ATOM, 32,
                        n, list);
}

static void start_sending(struct px_xclip *c, const xcb_selection_request_event_t *q,
                          xcb_atom_t property, const struct px_buf *b) {
    struct px_xclip_sending *s = NULL;
    for (int i = 0; i < PX_XCLIP_SENDING_MAX && !s; i++)
        if (!c->sending[i].to)
            s = &c->sending[i];
    if (!s) { /* programs that went away in the middle: the oldest is the likeliest */
        s = &c->sending[c->oldest_sending++ % PX_XCLIP_SENDING_MAX];
        px_xclip_end_sending(s);
    }
    *s = (struct px_xclip_sending){.to = q->requestor, .property = property, .target = q->target};
    px_buf_add(&s->data, b->data, b->size);
    const uint32_t mask = XCB_EVENT_MASK_PROPERTY_CHANGE, size = (uint32_t)b->size;
    xcb_change_window_attributes(c->d->x, q->requestor, XCB_CW_EVENT_MASK, &mask);
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property,
                        c->atoms[PX_ATOM_INCR], 32, 1, &size);
}

static void send_piece(struct px_xclip *c, struct px_xclip_sending *s) {
    const size_t left = s->data.size - s->at, n = left < CHUNK_BYTES ? left : CHUNK_BYTES;
    xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, s->to, s->property, s->target, 8,
                        (uint32_t)n, s->data.data + s->at);
    s->at += n;
    if (n == 0) { /* the empty piece was the end */
        const uint32_t none = 0;
        xcb_change_window_attributes(c->d->x, s->to, XCB_CW_EVENT_MASK, &none);
        px_xclip_end_sending(s);
    }
}

static const struct px_buf *form_for(const struct px_xclip *c, xcb_atom_t target) {
    if (target == c->atoms[PX_ATOM_STRING])
        return &c->ours.forms[PX_FORM_TEXT];
    for (size_t t = 0; t < PX_XCLIP_N_TARGETS; t++)
        if (target == c->atoms[px_xclip_targets[t].atom])
            return &c->ours.forms[px_xclip_targets[t].form];
    return NULL;
}

static bool wants_files(const struct px_xclip *c, xcb_atom_t target) {
    return target == c->atoms[PX_ATOM_URI_LIST] || target == c->atoms[PX_ATOM_GNOME_FILES];
}

/* 1: *ret is what to give; 0: not yet, the program waits; -ENOENT: never. */
static int content_for(struct px_xclip *c, const xcb_selection_request_event_t *q, bool fetch,
                       struct px_buf *files, const struct px_buf **ret) {
    const struct px_paths *paths = NULL;
    *ret = files;
    if (!c->offers_files) {
        *ret = form_for(c, q->target);
        return *ret && (*ret)->size ? 1 : -ENOENT;
    }
    if (!wants_files(c, q->target))
        return -ENOENT;
    const int r = px_cliprdr_get(c->files, fetch, &paths);
    if (r == 1)
        px_uris_print(paths, q->target == c->atoms[PX_ATOM_GNOME_FILES], files);
    return r;
}

static void give(struct px_xclip *c, const xcb_selection_request_event_t *q,
                 const struct px_buf *b) {
    const xcb_atom_t property = q->property ? q->property : q->target; /* ICCCM 2.2 */
    if (b->size > CHUNK_BYTES)
        start_sending(c, q, property, b);
    else
        xcb_change_property(c->d->x, XCB_PROP_MODE_REPLACE, q->requestor, property, q->target, 8,
                            (uint32_t)b->size, b->data);
    notify(c, q, property);
}

void px_xclip_on_request(struct px_xclip *c, const xcb_selection_request_event_t *q) {
    px_cleanup(px_buf_fini) struct px_buf files = {0};
    const struct px_buf *b = NULL;
    if (q->target == c->atoms[PX_ATOM_TARGETS]) {
        const xcb_atom_t property = q->property ? q->property : q->target;
        serve_targets(c, q, property);
        notify(c, q, property);
        return;
    }
    const int r = content_for(c, q, true, &files, &b);
    if (r == 0 && c->n_waiting < PX_XCLIP_WAITING_MAX)
        c->waiting[c->n_waiting++] = *q;
    else if (r == 1)
        give(c, q, b);
    else
        notify(c, q, XCB_NONE);
}

void px_xclip_answer_waiting(struct px_xclip *c) {
    xcb_selection_request_event_t list[PX_XCLIP_WAITING_MAX];
    const size_t n = c->n_waiting;
    memcpy(list, c->waiting, n * sizeof(list[0]));
    c->n_waiting = 0;
    for (size_t i = 0; c->d && i < n; i++) {
        px_cleanup(px_buf_fini) struct px_buf files = {0};
        const struct px_buf *b = NULL;
        if (content_for(c, &list[i], false, &files, &b) == 1)
            give(c, &list[i], b);
        else
            notify(c, &list[i], XCB_NONE);
    }
}

void px_xclip_on_taken(struct px_xclip *c, const xcb_property_notify_event_t *e) {
    for (int i = 0; i < PX_XCLIP_SENDING_MAX; i++)
        if (c->sending[i].to == e->window && c->sending[i].property == e->atom &&
            e->state == XCB_PROPERTY_DELETE)
            send_piece(c, &c->sending[i]);
}
