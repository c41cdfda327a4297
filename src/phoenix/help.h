/* src/phoenix/help.h - `--help` from the table of verbs */
#pragma once
#include "base/buf.h"
#include "phoenix/term.h"
#include "phoenix/verb.h"

/* Adds the help of @verb, which lies in @program's tree. @width 0: 80. */
void px_help_render(const struct px_verb *program, const struct px_verb *verb, unsigned width,
                    bool colour, struct px_buf *out);
void px_help_print(const struct px_verb *program, const struct px_verb *verb,
                   const struct px_term *term);
/* "NAME...", "[FILE]", "-- CMD...": how @pos shows in a usage line. */
void px_help_positional(const struct px_positional *pos, struct px_buf *out);
/* "-f, --file FILE". */
void px_help_option(const struct px_option *option, struct px_buf *out);
