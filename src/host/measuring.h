/* src/host/measuring.h - when the encoders are measured, and where the figures are kept
 *
 * Once on a machine: figures are read from the state folder (file "encoders") at the start; where
 * there are none for this processor and these encoders, they are assumed, and measured by a thread
 * of low priority when somebody has been watching for a while. Loop thread. */
#pragma once
#include "host/host.h"

/* Fills in @h->measured. */
struct px_measuring *px_measuring_new(struct px_host *h);
void px_measuring_tick(struct px_measuring *m, int64_t now_us); /* NULL: nothing */
void px_measuring_close(struct px_measuring *m);                /* waits for the thread */
