/* src/phoenix/qr.h - a QR code in letters, for a terminal
 *
 * Two modules per letter (half blocks), black on white by escape sequences, so that it reads on
 * dark and light terminals. Pure; any thread. */
#pragma once
#include "base/buf.h"
#include "base/error.h"

/* Adds it to @out, a line per two rows. -EMSGSIZE: @text is too long for one. */
int px_qr_print(const char *text, struct px_buf *out, struct px_error *err);
