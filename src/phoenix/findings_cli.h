/* src/phoenix/findings_cli.h - findings of doctor (and its likes) on the screen */
#pragma once
#include "check/findings.h"
#include "phoenix/cli.h"

struct px_verify_result; /* check/verify.h */

/* One line each, the fix below it; with --quiet only what is not well; with --json as JSON.
 * Returns PX_EXIT_DONE, or PX_EXIT_FINDINGS when one is a failure. */
int px_cli_print_findings(struct px_cli *cli, const struct px_findings *list);
/* The same for what verify found, the desktop's name in front of each line. */
int px_cli_print_verify(struct px_cli *cli, const struct px_verify_result *results, size_t n);
