/* src/host/metrics.h - what the host counts, for whoever asks at a Unix socket
 *
 * The socket speaks enough HTTP for `curl --unix-socket PATH http://host/metrics`: any request gets
 * the whole of it in Prometheus' text form. Only the desktop's user may connect. It costs nothing
 * while nobody asks. Loop thread. */
#pragma once
#include "host/host.h"

/* NULL: there is no path to listen at, or it cannot be (which is logged; the host goes on). */
struct px_metrics *px_metrics_new(struct px_host *h);
void px_metrics_close(struct px_metrics *m); /* frees itself on the loop */
void px_metrics_print(const struct px_host *h, struct px_buf *out);
