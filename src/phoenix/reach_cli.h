/* src/phoenix/reach_cli.h - how to reach desktops, said after `phoenix up` */
#pragma once
#include "desktop/remote.h"
#include "desktop/status.h"
#include "phoenix/cli.h"

/* Tables: state and address, what to type into RustDesk clients, Jupyter. With --json the desktops
 * as `phoenix ls` has them. */
int px_cli_print_reach(struct px_cli *cli, const struct px_fleet *fleet, const char *const *names,
                       size_t n_names, struct px_error *err);
/* The lines of a client's network settings. */
void px_cli_remote_server(struct px_cli *cli, const struct px_remote *remote);
