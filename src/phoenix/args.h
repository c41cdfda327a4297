/* src/phoenix/args.h - from argv to a verb, its options and its words
 *
 * GNU style: --name VALUE, --name=VALUE, -n VALUE, -nVALUE, -ab, options before or after words,
 * "--" ends them. Global options may stand anywhere. Pure: looks at nothing but argv and the table.
 */
#pragma once
#include "base/cleanup.h"
#include "phoenix/verb.h"

struct px_args_given {
    const struct px_option *option; /* lent by the table */
    const char *value;              /* lent by argv; NULL for a flag */
};

struct px_args {
    const struct px_verb *verb;  /* the verb that was asked for, lent */
    const struct px_verb *group; /* the group it is in; NULL: none */
    struct px_args_given *given; /* in the order of argv */
    size_t n_given, cap_given;
    const char **words; /* positional arguments, lent by argv */
    size_t n_words, cap_words;
    bool help, version; /* asked for; then nothing else is checked */
};

/* -EINVAL: wrong usage, the message names the wrong word and the hint what may have been meant.
 * Even then ret->verb is what was recognized so far. Zero *ret before; px_args_fini in any case. */
int px_args_parse(const struct px_verb *program, int argc, char *const *argv, struct px_args *ret,
                  struct px_error *err);
void px_args_fini(struct px_args *args);

/* How often an option was given; and its last value, NULL: not given. @name is one of the verb's or
 * the program's. */
unsigned px_args_count(const struct px_args *args, const char *name);
const char *px_args_value(const struct px_args *args, const char *name);
