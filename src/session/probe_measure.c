/* src/session/probe_measure.c - how long from a press to the picture that shows it */
#include "base/alloc.h"
#include "base/clock.h"
#include "session/probe_parts.h"
#include <stdlib.h>
#include <string.h>

#define SETTLE_US (150 * PX_US_PER_MS)    /* a screen that rests that long does rest */
#define SETTLE_LIMIT_US (1 * PX_US_PER_S) /* one that never rests is measured as it is */
#define PRESS_LIMIT_US (4 * PX_US_PER_S)  /* later answers do not count */
#define IN_VAIN_MAX 3 /* after so many in a row the rest would be in vain, too */
#define KEY_BACKSPACE 2
#define COLOUR_STEP 64 /* between black and white there is room for any codec's error */

static int compare(const void *a, const void *b) {
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void px_probe_spread(int64_t *us, unsigned n, int64_t *ret_p50, int64_t *ret_p95,
                     int64_t *ret_max) {
    qsort(us, n, sizeof(*us), compare);
    *ret_p50 = us[n / 2];
    *ret_p95 = us[(uint64_t)n * 95 / 100];
    *ret_max = us[n - 1];
}

/* Waits until no picture comes for a while. */
static int settle(struct px_probe *p, struct px_error *err) {
    const int64_t limit = px_now_us() + SETTLE_LIMIT_US;
    int r = 1;
    while (r > 0 && px_now_us() < limit)
        r = px_probe_watch(p, px_now_us() + SETTLE_US, true, err);
    return r < 0 ? r : 0;
}

static bool differs(uint32_t a, uint32_t b) {
    for (int shift = 0; shift < 24; shift += 8)
        if (abs((int)(a >> shift & 255) - (int)(b >> shift & 255)) > COLOUR_STEP)
            return true;
    return false;
}

/* A key has no place on the screen: the next picture is its answer. */
static int press_key(struct px_probe *p, unsigned i, struct px_error *err) {
    return i % 2 ? px_client_control_key(p->client, KEY_BACKSPACE, err)
                 : px_client_type(p->client, "x", err);
}

static int press_target(struct px_probe *p, struct px_error *err) {
    const int x = p->opts->target_x, y = p->opts->target_y;
    const int left = PX_BUTTON_LEFT << 3;
    const int r = px_client_mouse(p->client, left | PX_MOUSE_DOWN, x, y, err);
    return r < 0 ? r : px_client_mouse(p->client, left | PX_MOUSE_UP, x, y, err);
}

/* 1: the picture answered; 0: not in time. */
static int one_press(struct px_probe *p, unsigned i, int64_t *ret_us, struct px_error *err) {
    const struct px_probe_opts *o = p->opts;
    const bool key = o->target_x < 0;
    const uint32_t before = px_decoder_pixel(p->decoder, o->target_x, o->target_y);
    const int64_t t0 = px_now_us();
    int r = key ? press_key(p, i, err) : press_target(p, err);
    while (r >= 0) {
        r = px_probe_watch(p, t0 + PRESS_LIMIT_US, true, err);
        if (r <= 0)
            return r;
        if (key || differs(before, px_decoder_pixel(p->decoder, o->target_x, o->target_y)))
            break;
    }
    *ret_us = px_now_us() - t0;
    return r < 0 ? r : 1;
}

static void take_note(struct px_probe *p, unsigned in_vain) {
    const bool key = p->opts->target_x < 0;
    struct px_probe_result *r = p->result;
    if (in_vain == IN_VAIN_MAX)
        snprintf(r->latency_note, sizeof(r->latency_note),
                 key ? "the picture does not change when keys are pressed: no window has the focus"
                     : "the picture does not change where it is clicked");
    else if (r->n_latency < r->n_asked)
        snprintf(r->latency_note, sizeof(r->latency_note), "%u took longer than %d s",
                 r->n_asked - r->n_latency, (int)(PRESS_LIMIT_US / PX_US_PER_S));
}

int px_probe_measure(struct px_probe *p, struct px_error *err) {
    const struct px_probe_opts *o = p->opts;
    const unsigned want = o->n_latency < PX_PROBE_LATENCY_MAX ? o->n_latency : PX_PROBE_LATENCY_MAX;
    px_cleanup_free int64_t *us = px_new0(int64_t, PX_PROBE_LATENCY_MAX);
    struct px_probe_result *result = p->result;
    unsigned in_vain = 0;
    int r = want > 0 && o->target_x >= 0
                ? px_client_mouse(p->client, PX_MOUSE_MOVE, o->target_x, o->target_y, err)
                : 0;
    for (unsigned i = 0; r >= 0 && i < want && in_vain < IN_VAIN_MAX; i++) {
        r = settle(p, err);
        if (r >= 0)
            r = one_press(p, i, &us[result->n_latency], err);
        if (r < 0)
            break;
        result->n_asked++;
        result->n_latency += (unsigned)r;
        in_vain = r > 0 ? 0 : in_vain + 1;
    }
    if (result->n_latency > 0)
        px_probe_spread(us, result->n_latency, &result->latency_p50_us, &result->latency_p95_us,
                        &result->latency_max_us);
    take_note(p, in_vain);
    return r < 0 ? r : 0;
}
