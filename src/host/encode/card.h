/* src/host/encode/card.h - the card that encodes: NVIDIA's libraries and a context on it
 *
 * A context takes 0.1 to 0.5 s to make and 100 MB and more of the card's memory to keep, so all
 * encoders of a process share one: it is made when the first of them opens, stays while they come
 * and go, and is given back when nobody watches (px_cards_rest). Thread-safe. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct px_cards;
struct px_card; /* card_private.h */

struct px_cards *px_cards_new(void); /* opens nothing yet */
void px_cards_free(struct px_cards *c);

/* *ret: lent until px_cards_put(). With @hurry, what takes long is left to a thread, and the answer
 * is -EAGAIN until it is done. -ENODEV: no card with an encoder, or no driver. -ENOSYS: the driver
 * is too old. -EBUSY: no session or no memory is free. -EIO: it fails. */
int px_cards_get(struct px_cards *c, bool hurry, struct px_card **ret, struct px_error *err);
/* @lost: the card has failed; the next one begins anew, perhaps on another card. */
void px_cards_put(struct px_cards *c, bool lost);
/* As px_cards_get() in a hurry, but takes nothing: 0, there is one, and a session is free. */
int px_cards_warm(struct px_cards *c, struct px_error *err);
void px_cards_rest(struct px_cards *c); /* nobody watches: as soon as none is lent, nothing stays */
