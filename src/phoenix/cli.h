/* src/phoenix/cli.h - one run of the program: what a verb is given
 *
 * stdout is the result (a table, or JSON), stderr all else. Verbs print nothing about their own
 * failure: they return it, and main prints the one line. */
#pragma once
#include "phoenix/args.h"
#include "phoenix/progress.h"
#include "phoenix/table.h"
#include "phoenix/term.h"
#include "spec/host.h"

struct json_t;

struct px_cli {
    struct px_args args;
    struct px_term out, err;
    bool json, quiet, yes;
    bool bad_input;            /* the failure is the caller's words or file: exit 2 */
    int out_error;             /* of @out */
    struct px_host_spec *host; /* see px_cli_host() */
};

/* Shorthands for options of this verb. */
bool px_cli_flag(const struct px_cli *cli, const char *name);
const char *px_cli_value(const struct px_cli *cli, const char *name);

/* The host file (--host-file, $PHOENIX_HOST_FILE, the default), loaded at first use; lent. */
int px_cli_host(struct px_cli *cli, const struct px_host_spec **ret, struct px_error *err);

/* Wrong usage, or a mistake in a file that was given: returns @r (a failure) and makes the exit
 * code 2. */
int px_cli_bad_input(struct px_cli *cli, int r);

/* Number of an option's value between @min and @max; @fallback where it was not given. */
int px_cli_number(struct px_cli *cli, const char *name, long min, long max, long fallback,
                  long *ret, struct px_error *err);

/* Prints to stdout. What cannot be written makes px_cli_main() fail. */
void px_cli_puts(const struct px_cli *cli, const char *text);
void px_cli_printf(const struct px_cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints @json, indented, and drops the reference. */
void px_cli_json(const struct px_cli *cli, struct json_t *json);
/* "key         value", for what is shown of one thing. The value is cleaned for the terminal. */
void px_cli_fact(const struct px_cli *cli, const char *key, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A line on stderr for people; not with --quiet. */
void px_cli_note(const struct px_cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Asks "QUESTION [y/N]" on the terminal. 0: yes (or --yes was given). -ECANCELED: no.
 * -EINVAL: nobody there to ask; the hint names --yes. */
int px_cli_confirm(struct px_cli *cli, struct px_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* "phoenix: what (hint: advice)" as one line on @fd, in colour where the terminal has it. */
void px_cli_print_error(const struct px_term *term, const struct px_error *err);

/* Runs the program; its exit code. */
int px_cli_main(const struct px_verb *program, int argc, char *const *argv);
