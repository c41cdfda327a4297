/* src/phoenix/span.c - spans of time for people */
#include "phoenix/span.h"
#include "base/clock.h"
#include <stdio.h>

char *px_span_text(int64_t us, char out[PX_SPAN_TEXT_MAX]) {
    const int64_t s = us < 0 ? 0 : us / PX_US_PER_S;
    if (s < 60)
        snprintf(out, PX_SPAN_TEXT_MAX, "%d s", (int)s);
    else if (s < 3600)
        snprintf(out, PX_SPAN_TEXT_MAX, "%d min", (int)(s / 60));
    else if (s < 86400)
        snprintf(out, PX_SPAN_TEXT_MAX, "%d h %d min", (int)(s / 3600), (int)(s / 60 % 60));
    else
        snprintf(out, PX_SPAN_TEXT_MAX, "%lld d %d h", (long long)(s / 86400),
                 (int)(s / 3600 % 24));
    return out;
}

char *px_span_since_boot(int64_t us, char out[PX_SPAN_TEXT_MAX]) {
    struct timespec ts;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return px_span_text((int64_t)ts.tv_sec * PX_US_PER_S + ts.tv_nsec / 1000 - us, out);
}

char *px_span_since_epoch(int64_t s, char out[PX_SPAN_TEXT_MAX]) {
    return px_span_text(((int64_t)time(NULL) - s) * PX_US_PER_S, out);
}
