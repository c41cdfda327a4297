/* src/rendezvous/relays.h - which relay to propose next
 *
 * One entry is always used. Of several, those that answered a TCP connect at the last look (every
 * 3 s, by a thread of its own: names are resolved there too) take turns; if none answered, the
 * list stays as it was. Thread-safe. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/wire.h"

#define PX_RELAY_NAME_MAX 256 /* with its NUL */
#define PX_RELAYS_MAX 64

struct px_relays;
/* @list: "host[:port],...", may be empty. -EINVAL: too many or too long. */
int px_relays_new(const char *list, uint16_t default_port, struct px_relays **ret,
                  struct px_error *err);
struct px_relays *px_relays_free(struct px_relays *r);
PX_DEFINE_CLEANUP(struct px_relays *, px_relays_free)
int px_relays_set(struct px_relays *r, const char *list, struct px_error *err);
/* The next one's name into @ret, "" when there is none. */
void px_relays_next(struct px_relays *r, char ret[PX_RELAY_NAME_MAX]);
bool px_relays_has(struct px_relays *r, struct px_bytes name);
/* Calls @fn for each, with whether it is in use; the lock is held. */
void px_relays_each(struct px_relays *r, void (*fn)(const char *name, bool live, void *data),
                    void *data);
