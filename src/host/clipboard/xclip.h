/* src/host/clipboard/xclip.h - the X selection CLIPBOARD and the clients' clipboards
 *
 * What is copied on the desktop goes to all desktop sessions; what one client sends is offered on
 * the desktop and goes to the other clients. Nothing echoes. Loop thread. */
#pragma once
#include "host/xdisplay.h"
#include "proto/session.h"

struct px_host;
struct px_session;
struct px_xclip;

#define PX_CLIPBOARD_MAX_BYTES (64u * 1024 * 1024)

struct px_xclip *px_xclip_new(struct px_host *h);
void px_xclip_free(struct px_xclip *c);
/* The X server is there (or there again); takes ownership again of what it held. */
void px_xclip_start(struct px_xclip *c, struct px_xdisplay *d);
void px_xclip_stop(struct px_xclip *c); /* it is gone */
/* Whether the event was the clipboard's. */
bool px_xclip_event(struct px_xclip *c, const xcb_generic_event_t *e);
/* Files by copy and paste. */
void px_xclip_message(struct px_xclip *c, struct px_session *from, const Pxs__Cliprdr *m);
void px_xclip_left(struct px_xclip *c, const struct px_session *s); /* its session ends */
void px_xclip_from_client(struct px_xclip *c, struct px_session *from, Pxs__Clipboard *const *items,
                          size_t n);
