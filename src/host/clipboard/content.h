/* src/host/clipboard/content.h - what a clipboard holds: several forms of one thing
 *
 * Between messages (compressed perhaps, images as pixels perhaps) and X targets (plain, PNG).
 * Bounded: unpacking stops at the limit. Pure, any thread. */
#pragma once
#include "base/buf.h"
#include "proto/session.h"
#include <stdbool.h>

enum px_content_form {
    PX_FORM_TEXT,
    PX_FORM_HTML,
    PX_FORM_RTF,
    PX_FORM_PNG,
    PX_FORM_SVG,
    PX_FORM_FILES, /* URIs; in no message of this kind, see cliprdr.h */
};
#define PX_N_MESSAGE_FORMS 5
#define PX_N_FORMS 6

struct px_content {
    struct px_buf forms[PX_N_FORMS]; /* empty: not there */
};

void px_content_fini(struct px_content *c);
bool px_content_is_empty(const struct px_content *c);
/* Adds what the message's entry holds; entries that are broken, empty, too large or private are
 * left out. @max_bytes: of each form, unpacked. */
void px_content_take(struct px_content *c, const Pxs__Clipboard *item, size_t max_bytes);
/* Adds an encoded Message to @out: all forms as multi_clipboards, or only the text as clipboard.
 * false: there is nothing to send (to a client that takes only text). */
bool px_content_print(const struct px_content *c, bool only_text, struct px_buf *out);
