/* src/desktop/container.h - a desktop as the backend sees it */
#pragma once
#include "desktop/fleet.h"

/* Fills in @d's container, port and mounts: all of it follows from record, image and host file. */
void px_desktop_describe(const struct px_host_spec *host, struct px_desktop *d);
