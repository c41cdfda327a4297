/* src/session/clipboard.h - the clipboard, the client's side. Blocking. */
#pragma once
#include "session/client.h"

#define PX_CLIP_MAX_BYTES (16u * 1024 * 1024)

int px_client_copy(struct px_client *c, const char *utf8, struct px_error *err);
/* The text that @m carries, if it is a clipboard; the caller's, NULL: none, or none that can be
 * read. At most PX_CLIP_MAX_BYTES, ends at its first NUL. Pure. */
char *px_clipboard_text(const Pxs__Message *m);
/* Waits for @utf8 to arrive. 1: it has; 0: not until @until_us. */
int px_client_await_copy(struct px_client *c, const char *utf8, int64_t until_us,
                         struct px_error *err);
