/* src/host/capture/screen.h - reads the X screen, and only what changed of it
 *
 * DAMAGE tells what changed, MIT-SHM brings it over (one round trip for all of it); without MIT-SHM
 * it comes through the socket. The pointer is not in the picture. One X connection of its own; one
 * thread. Source: damageproto, xfixes, MIT-SHM 1.2 (shared by fd), randr. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "host/capture/picture.h"
#include "host/capture/region.h"

struct px_screen;

/* @display "": $DISPLAY. -ECONNREFUSED: no server there; -ENOTSUP: it lacks DAMAGE or XFIXES, or
 * has pixels of another form than 32 bits B,G,R,x. */
int px_screen_open(const char *display, struct px_screen **ret, struct px_error *err);
void px_screen_close(struct px_screen *s);
PX_DEFINE_CLEANUP(struct px_screen *, px_screen_close)

int px_screen_fd(const struct px_screen *s); /* readable: call dispatch */
void px_screen_size(const struct px_screen *s, int *ret_width, int *ret_height);

/* Takes what events there are, never blocks. 0, or -EPIPE: the server is gone. */
int px_screen_dispatch(struct px_screen *s, struct px_error *err);
bool px_screen_changed(const struct px_screen *s); /* something is damaged: a grab finds it */

/* Brings the damaged parts (all of it when @everything) into the pictures of @pictures that are not
 * NULL, and adds them to *changed. The pictures have the screen's size. -EPIPE. -EAGAIN: the size
 * changed meanwhile; ask again for it. */
int px_screen_grab(struct px_screen *s, bool everything, struct px_picture *i420,
                   struct px_picture *i444, struct px_region *changed, struct px_error *err);
/* Nobody looks: gives back the memory that is shared with the server, until the next grab. */
void px_screen_rest(struct px_screen *s);
/* How much of the last grab's time went into converting. */
int64_t px_screen_convert_us(const struct px_screen *s);
