/* src/phoenix/fleet_cli.h - what the verbs about desktops share */
#pragma once
#include "desktop/event.h"
#include "desktop/life.h"
#include "desktop/status.h"
#include "phoenix/cli.h"

/* Opens the fleet of the host file. */
int px_cli_fleet(struct px_cli *cli, struct px_fleet **ret, struct px_error *err);

/* Names of the desktops that the verb's words match; at least one. -ENOENT: none. */
int px_cli_names(struct px_cli *cli, const struct px_fleet *fleet, char ***ret, size_t *ret_n,
                 struct px_error *err);
/* -ENOENT: the verb's words match no desktop, or there is none at all. */
int px_cli_no_match(const struct px_cli *cli, const struct px_fleet *fleet, struct px_error *err);

/* Events of long work, shown as progress; @progress is lent to the receiver. */
struct px_events px_cli_events(struct px_progress *progress);

/* Reads --wait, --timeout, --parallel where the verb has them, into *ret, and prepares for Ctrl-C.
 */
int px_cli_life_opts(struct px_cli *cli, struct px_progress *progress, struct px_life_opts *ret,
                     struct px_error *err);

/* One of px_start, px_stop, px_restart, px_rm over the desktops named, with progress. */
typedef int (*px_life_fn)(const struct px_fleet *fleet, char *const *names, size_t n_names,
                          const struct px_life_opts *opts, struct px_error *err);
int px_cli_life(struct px_cli *cli, px_life_fn work, struct px_error *err);

/* The same for a verb that takes either names or --boot, which is @boot over all desktops. */
typedef int (*px_boot_fn)(const struct px_fleet *fleet, const struct px_life_opts *opts,
                          struct px_error *err);
int px_cli_life_or_boot(struct px_cli *cli, px_life_fn work, px_boot_fn boot, struct px_error *err);

/* {"desktops": [...]} */
struct json_t *px_cli_status_json(const struct px_status *list, size_t n);
enum px_colour px_cli_state_colour(const struct px_status *s);
/* A line on stderr where desktops run another phoenix-host than installed. */
void px_cli_note_renewal(const struct px_cli *cli, const struct px_status *list, size_t n);

/* Loads a desktop file; every failure of that is the caller's: exit 2. */
int px_cli_desktop_file(struct px_cli *cli, const char *path, struct px_desktop_file **ret,
                        struct px_error *err);

/* Options that several verbs have. */
#define PX_OPTION_WAIT                                                                             \
    {                                                                                              \
        .name = "wait", .arg = "WHAT", .completes = PX_COMPLETE_WORDS,                             \
        .words = "nothing system desktop",                                                         \
        .doc = "until when to wait: nothing (init runs), system (systemd is up) or desktop (the "  \
               "session has painted and Jupyter answers; the default)"                             \
    }
#define PX_OPTION_TIMEOUT(what)                                                                    \
    { .name = "timeout", .arg = "SECONDS", .doc = what }
#define PX_OPTION_PARALLEL                                                                         \
    {                                                                                              \
        .name = "parallel", .letter = 'j', .arg = "N",                                             \
        .doc = "desktops to work on at once (default: 'parallel' of the host file, else the "      \
               "number of cores)"                                                                  \
    }
