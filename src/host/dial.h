/* src/host/dial.h - names to addresses, without blocking. Loop thread. */
#pragma once
#include "base/error.h"
#include "proto/addr.h"
#include <uv.h>

/* Looks up "host", "host:port" or an address literal; calls @done once, from the loop, with the
 * first address or (NULL and) a negative errno. What @data points to must live until then. */
void px_dial(uv_loop_t *loop, const char *name, uint16_t default_port,
             void (*done)(void *data, const struct px_addr *to, int status), void *data);
