/* src/host/encode/budget.h - how coarse a picture must be for the line
 *
 * Bytes come in at the line's rate, up to what it takes in PX_BUDGET_MS, and pictures spend them.
 * How many a picture will take is guessed from the last ones of its kind: bytes for a pixel halve
 * with twelve steps of the quantizer (H.264's scale, 0..51; it goes on to 79 for who has other ways
 * to be coarser still). Pure; no clock of its own. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_BUDGET_MS 250     /* so much of the line's time a picture may take */
#define PX_BUDGET_HARD_MS 80 /* a change that takes longer is coded coarser than anybody wants */
#define PX_BUDGET_PART_MS 16 /* what a part of a refinement takes: what changes waits behind it */
#define PX_BUDGET_QUANTIZER_MAX 79

enum px_budget_kind {
    PX_BUDGET_WHOLE,  /* a key frame or a refinement: few of these follow each other */
    PX_BUDGET_CHANGE, /* not known how much of it moved */
    PX_BUDGET_NEW,    /* what of a change is neither as it was nor moved */
    PX_BUDGET_COARSE, /* a key frame of few numbers */
    PX_BUDGET_PART,   /* of a refinement: goes only while the line has nothing else to do */
};
#define PX_BUDGET_N_KINDS 5

struct px_budget {
    int64_t credit_bytes, last_ms;
    unsigned rate_kbps;
    double bytes_per_pixel[PX_BUDGET_N_KINDS]; /* of each kind, at quantizer 0, smoothed; 0: no
                                                  picture yet */
    bool started;
};

/* Time goes on to @now_ms, on a line of @rate_kbps. */
void px_budget_pass(struct px_budget *b, unsigned rate_kbps, int64_t now_ms);
/* The finest of @best..@worst that the credit pays for. */
int px_budget_quantizer(const struct px_budget *b, enum px_budget_kind kind, int64_t area, int best,
                        int worst);
/* A change at @worst, which is what the user wants to see at most: coarser, up to @coarsest, where
 * it would take PX_BUDGET_HARD_MS. */
int px_budget_coarser(const struct px_budget *b, enum px_budget_kind kind, int64_t area, int worst,
                      int coarsest);
/* How many of the pixels that a refinement makes fine are a part on this line. */
int64_t px_budget_part(const struct px_budget *b, int quantizer);
void px_budget_spend(struct px_budget *b, enum px_budget_kind kind, size_t bytes, int64_t area,
                     int quantizer);
