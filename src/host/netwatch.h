/* src/host/netwatch.h - tells that addresses or routes of this machine changed
 *
 * Several changes within a second are told once, a second after the last. Loop thread.
 * Source: rtnetlink(7). */
#pragma once
#include <uv.h>

struct px_netwatch;

/* NULL: the kernel does not tell; then nothing is ever told. */
struct px_netwatch *px_netwatch_new(uv_loop_t *loop, void (*changed)(void *data), void *data);
void px_netwatch_close(struct px_netwatch *w); /* takes NULL */
