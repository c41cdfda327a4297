/* src/host/clipboard/offer.h - files that were copied on the desktop, for clients to read
 *
 * What was copied and everything below it, as it was when a client first asked; symbolic links
 * inside are left out. Reads as the desktop's user, who runs this program. Blocks on the disk. */
#pragma once
#include "base/cleanup.h"
#include "host/clipboard/descriptor.h"
#include "host/clipboard/uris.h"
#include <sys/types.h>

struct px_offer;

/* -ENOENT: nothing there that can be told; -E2BIG: more than PX_DESCRIPTORS_MAX. */
int px_offer_new(const struct px_paths *paths, struct px_offer **ret, struct px_error *err);
void px_offer_free(struct px_offer *o);
PX_DEFINE_CLEANUP(struct px_offer *, px_offer_free)
const struct px_descriptors *px_offer_list(const struct px_offer *o);
/* Up to @cap bytes of file @index; how many (fewer only at its end). -EINVAL: no such file. */
ssize_t px_offer_read(struct px_offer *o, size_t index, uint64_t offset, void *to, size_t cap);
