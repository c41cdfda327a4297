/* src/host/encode/budget.c - how coarse a picture must be for the line */
#include "host/encode/budget.h"

#define GUESS_BYTES_PER_PIXEL 0.6 /* of a desktop's first picture */
#define GUESS_COARSE 0.5
#define CHANGE_SHARE 8       /* a change is so much cheaper, as long as none has been seen */
#define SMALL_AREA (64 * 64) /* says nothing about the next picture */
#define FLOOR_MS 10          /* of the line's time: what any picture may take */
#define PARTS 4              /* of the credit, for a change: others follow */
#define HALVES 12            /* steps of the quantizer that halve a picture */

/* 2^(-quantizer / HALVES) */
static double scale(int quantizer) {
    static const double steps[HALVES] = {1,      0.9439, 0.8909, 0.8409, 0.7937, 0.7492,
                                         0.7071, 0.6674, 0.63,   0.5946, 0.5612, 0.5297};
    return steps[quantizer % HALVES] / (double)(1 << quantizer / HALVES);
}

void px_budget_pass(struct px_budget *b, unsigned rate_kbps, int64_t now_ms) {
    const int64_t full = (int64_t)rate_kbps * PX_BUDGET_MS / 8;
    if (!b->started)
        b->credit_bytes = full / 2; /* the first picture shall come soon, whatever the line */
    else if (now_ms > b->last_ms)
        b->credit_bytes += (int64_t)rate_kbps * (now_ms - b->last_ms) / 8;
    if (b->credit_bytes > full)
        b->credit_bytes = full;
    if (b->credit_bytes < -full)
        b->credit_bytes = -full;
    b->rate_kbps = rate_kbps;
    b->last_ms = now_ms;
    b->started = true;
}

/* What the line takes in so long. */
static int64_t bytes_in(const struct px_budget *b, int ms) {
    return (int64_t)b->rate_kbps * ms / 8;
}

static double expected(const struct px_budget *b, enum px_budget_kind kind) {
    if (b->bytes_per_pixel[kind] > 0)
        return b->bytes_per_pixel[kind];
    if (kind == PX_BUDGET_CHANGE)
        return expected(b, PX_BUDGET_WHOLE) / CHANGE_SHARE;
    if (kind == PX_BUDGET_PART || kind == PX_BUDGET_NEW)
        return expected(b, PX_BUDGET_WHOLE);
    return kind == PX_BUDGET_COARSE ? GUESS_COARSE : GUESS_BYTES_PER_PIXEL;
}

static bool is_change(enum px_budget_kind kind) {
    return kind == PX_BUDGET_CHANGE || kind == PX_BUDGET_NEW;
}

int px_budget_quantizer(const struct px_budget *b, enum px_budget_kind kind, int64_t area, int best,
                        int worst) {
    const double each = expected(b, kind) * (double)area;
    const int64_t share = b->credit_bytes / (is_change(kind) ? PARTS : 1);
    const int64_t floor = bytes_in(b, FLOOR_MS);
    const double room = (double)(share > floor ? share : floor);
    int q = best;
    while (q < worst && each * scale(q) > room)
        q++;
    return q;
}

int px_budget_coarser(const struct px_budget *b, enum px_budget_kind kind, int64_t area, int worst,
                      int coarsest) {
    const double all = expected(b, kind) * (double)area;
    const double room = (double)bytes_in(b, PX_BUDGET_HARD_MS);
    int q = worst;
    while (q < coarsest && all * scale(q) > room)
        q++;
    return q;
}

int64_t px_budget_part(const struct px_budget *b, int quantizer) {
    const double each = expected(b, PX_BUDGET_PART) * scale(quantizer);
    return (int64_t)((double)bytes_in(b, PX_BUDGET_PART_MS) / each);
}

void px_budget_spend(struct px_budget *b, enum px_budget_kind kind, size_t bytes, int64_t area,
                     int quantizer) {
    if (kind != PX_BUDGET_PART)
        b->credit_bytes -= (int64_t)bytes;
    if (area < SMALL_AREA)
        return;
    const double now = (double)bytes / (double)area / scale(quantizer);
    double *each = &b->bytes_per_pixel[kind];
    *each = *each > 0 ? *each + (now - *each) / 4 : now;
}
