/* src/backend/lxc/host.h - what this host offers a container, read each time */
#pragma once
#include "backend/backend.h"
#include "backend/lxc/config.h"

/* Fills in *ret but for the cores (see cpus.h). */
int px_lxc_host_read(struct px_lxc_host *ret, struct px_error *err);
/* Whether this process has capability @cap (a number, see capabilities(7)) in effect. */
bool px_lxc_have_cap(int cap);
