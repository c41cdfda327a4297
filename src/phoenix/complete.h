/* src/phoenix/complete.h - what may stand next on a command line
 *
 * The shells' completion scripts (packaging/completions) hand the words over to the hidden verb
 * `phoenix __complete -- WORD... CURRENT` and show what it prints: a candidate per line, with a TAB
 * and its explanation, and ":files" where a file name may stand. */
#pragma once
#include "base/buf.h"
#include "phoenix/verb.h"

struct px_complete_names {
    /* Adds names of desktops, images, recipes or checks, each with a newline. */
    void (*add)(void *data, enum px_completes what, struct px_buf *out);
    void *data;
};

/* @words: what stands behind the program's name; the last is the one being typed, perhaps "". Pure
 * but for names->add. */
void px_complete(const struct px_verb *program, char *const *words, size_t n_words,
                 const struct px_complete_names *names, struct px_buf *out);
