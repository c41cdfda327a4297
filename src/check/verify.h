/* src/check/verify.h - proof that desktops are reachable, alive and of use
 *
 * A table of checks (verify.c) is run over each desktop, each check in a process of its own
 * (runner.h). To add one: write `void px_verify_NAME(const void *desk, struct px_findings *ret)` in
 * a file src/check/verify_*.c, declare it in verify_desk.h, and give it a line in the table:
 *
 *     {"dns", "name servers answer from inside", 15 * PX_US_PER_S, px_verify_dns},
 *
 * It is given a struct px_verify_desk (verify_desk.h), adds one finding or more (px_found_ok,
 * _warn, _fail, _skip, then px_findings_value for a figure), and may use what verify_desk.h offers,
 * such as px_desk_run() for a command inside. What does not apply to a desktop is a skip that says
 * why. What a desktop answers is a stranger's: read it by a pure parser, in bounds. */
#pragma once
#include "check/runner.h"
#include "desktop/fleet.h"

/* The table, in the order in which checks are run; ends at .name NULL. */
extern const struct px_check px_verify_checks[];

struct px_verify_opts {
    const char *const *only; /* names of checks; n_only 0: all */
    size_t n_only;
    int64_t timeout_us; /* of each check; 0: its own */
    unsigned parallel;  /* desktops at once; 0: the host file's, else the number of cores */
    bool stopped_fails; /* a desktop that is stopped on purpose counts as a failure, too */
    const struct px_check_watch *watch; /* may be NULL */
};

struct px_verify_result { /* of one desktop */
    char *name;
    struct px_check_outcome *outcomes; /* those that were run */
    size_t n;
};

/* The desktops @names in their order. -EINVAL: no check is called like one of @only. -EINTR. */
int px_verify(const struct px_fleet *fleet, char *const *names, size_t n,
              const struct px_verify_opts *opts, struct px_verify_result **ret,
              struct px_error *err);
void px_verify_free(struct px_verify_result *results, size_t n);
size_t px_verify_count(const struct px_verify_result *results, size_t n, enum px_verdict verdict);

struct json_t;
/* {"ok": bool, "desktops": [{"name", "ok", "checks": [{"check", "elapsed_ms", "findings":
 * [..]}]}]}; the reference is the caller's. */
struct json_t *px_verify_to_json(const struct px_verify_result *results, size_t n);
