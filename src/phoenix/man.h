/* src/phoenix/man.h - the man page from the table of verbs
 *
 * man/phoenix.1.in holds the prose in mdoc; lines that say @OPTIONS@ and @COMMANDS@ are replaced.
 * Source: mdoc(7). */
#pragma once
#include "base/buf.h"
#include "phoenix/verb.h"

void px_man_render(const struct px_verb *program, const char *template_text, struct px_buf *out);
