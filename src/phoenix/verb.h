/* src/phoenix/verb.h - the table of verbs: parser, help, completion and man page come from it
 *
 * A verb is one file, src/phoenix/verb_NAME.c, holding one `const struct px_verb`; verbs.c lists
 * them in the order in which help shows them. A group ("image") has sub-verbs instead of a
 * function. Plain constant data, lent for the life of the program. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>

struct px_cli;

/* Exit codes of the program. A signal that stopped the work: 128 + its number. */
enum px_exit {
    PX_EXIT_DONE = 0,
    PX_EXIT_FAILED = 1,
    PX_EXIT_USAGE = 2,    /* wrong usage, or a file that is not right; nothing was changed */
    PX_EXIT_DIFFERS = 3,  /* plan: something would change */
    PX_EXIT_FINDINGS = 4, /* doctor, verify, audit: something is wrong */
};

/* What can stand in an argument's place, for completion. */
enum px_completes {
    PX_COMPLETE_NOTHING,
    PX_COMPLETE_FILE,
    PX_COMPLETE_DESKTOP,
    PX_COMPLETE_IMAGE,
    PX_COMPLETE_RECIPE,
    PX_COMPLETE_CHECKS, /* of `phoenix verify`, several with commas between */
    PX_COMPLETE_WORDS,  /* those of .words */
};

struct px_option {
    const char *name; /* long name, without dashes */
    char letter;      /* short name, 0: none */
    const char *arg;  /* name of its argument in help; NULL: takes none */
    const char *doc;  /* one line, no full stop */
    enum px_completes completes;
    const char *words; /* blank-separated: the only values it takes */
    bool hidden;
};

struct px_positional {
    const char *name; /* in help: NAME, FILE */
    const char *doc;
    bool optional;
    bool many;     /* the last one may repeat: NAME... */
    bool verbatim; /* the last one takes all that follows as it stands, options included */
    enum px_completes completes;
    const char *words;
};

struct px_example {
    const char *command;
    const char *doc;
};

#define PX_VERB_OPTIONS_MAX 16
#define PX_VERB_POSITIONALS_MAX 4
#define PX_VERB_EXAMPLES_MAX 5

struct px_verb {
    const char *name;
    const char *summary;                           /* one line, lower case, no full stop */
    const char *description;                       /* paragraphs, separated by an empty line */
    struct px_option options[PX_VERB_OPTIONS_MAX]; /* ends at .name NULL, like the others */
    struct px_positional positionals[PX_VERB_POSITIONALS_MAX];
    struct px_example examples[PX_VERB_EXAMPLES_MAX];
    const char *exits; /* what the exit codes mean here, where 0, 1 and 2 do not say it all */
    const struct px_verb *const *subs; /* a group: its sub-verbs, NULL behind the last */
    bool needs_root;
    bool hidden; /* not in help: for scripts of ours */
    /* Returns an exit code, or less than 0 with @err filled in. NULL for a group. */
    int (*run)(struct px_cli *cli, struct px_error *err);
};

/* The program as a verb: global options and all verbs. */
extern const struct px_verb px_program;

/* Number of entries until the end. */
size_t px_verb_n_options(const struct px_verb *verb);
size_t px_verb_n_positionals(const struct px_verb *verb);
size_t px_verb_n_subs(const struct px_verb *verb);
/* The sub-verb of that name, hidden ones included; NULL: none. */
const struct px_verb *px_verb_find(const struct px_verb *group, const char *name);
/* "phoenix image build", the caller's: the way from @program to @verb, which lies in its tree. */
char *px_verb_path(const struct px_verb *program, const struct px_verb *verb);
