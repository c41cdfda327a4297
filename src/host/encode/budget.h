/* src/host/encode/budget.h - how coarse a picture must be for the line
 *
 * Bytes come in at the line's rate, up to what it takes in PX_BUDGET_MS, and pictures spend them.
 * How many a picture will take is guessed from the last ones of its kind: bytes for a pixel halve
 * with twelve steps of the quantizer (H.264's scale, 0..51). Pure; no clock of its own. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_BUDGET_MS 250 /* so much of the line's time a picture may take */

enum px_budget_kind {
    PX_BUDGET_WHOLE, /* a key frame or a refinement: few of these follow each other */
    PX_BUDGET_CHANGE,
    PX_BUDGET_COARSE, /* a key frame of few numbers */
};

struct px_budget {
    int64_t credit_bytes, floor_bytes, last_ms;
    double bytes_per_pixel[3]; /* of each kind, at quantizer 0, smoothed; 0: no picture yet */
    bool started;
};

/* Time goes on to @now_ms, on a line of @rate_kbps. */
void px_budget_pass(struct px_budget *b, unsigned rate_kbps, int64_t now_ms);
/* The finest of @best..@worst that the credit pays for. */
int px_budget_quantizer(const struct px_budget *b, enum px_budget_kind kind, int64_t area, int best,
                        int worst);
void px_budget_spend(struct px_budget *b, enum px_budget_kind kind, size_t bytes, int64_t area,
                     int quantizer);
