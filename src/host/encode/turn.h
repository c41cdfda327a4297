/* src/host/encode/turn.h - what every picture of our own encoders goes through
 *
 * Before it is coded: whether it is a key frame, and which kind; which cells, and how fine. After
 * it: what it cost, and what is told of it. One of these belongs to one encoder. */
#pragma once
#include "base/buf.h"
#include "host/encode/grid.h"

struct px_turn { /* zeroed: no picture yet */
    struct px_budget budget;
    int64_t last_pts_ms, last_large_ms;
    bool started;
    int64_t last_new_ms;
    int n_new_ones, n_tight; /* pictures with much new, one after the other; and for how many more
                                a film is reckoned with */
    /* the picture at hand; threads only read these */
    bool key, refine;
    bool coarse; /* a key frame of means only */
    bool lone;   /* coded aside, for those who wait (struct px_packet) */
    int n_new;   /* active cells that are coded anew, about */
    int target;  /* of a refinement: how fine its cells become */
    int qp;      /* of the active cells, on the budget's scale */
    int keep;    /* so many numbers of each part of 4x4 (lanes.h) */
    bool film;   /* much is new in each picture, and the line is tight: moves are worth a search */
    int quality; /* what cells are that are coded so: qp, or worse where numbers were left out */
};

/* What px_encoder_ops.push() is given. @most cells of a refinement at a time. */
void px_turn_begin(struct px_turn *t, struct px_grid *g, const struct px_encoder_opts *o,
                   const struct px_picture *pic, const struct px_region *changed, int64_t pts_ms,
                   bool key, bool refine, int most);
/* How fine. @m: what moved; NULL: nothing was looked for. */
void px_turn_choose(struct px_turn *t, const struct px_grid *g, const struct px_encoder_opts *o,
                    const struct px_moved *m);
/* @out: the picture as it was coded, lent to @ret. */
void px_turn_end(struct px_turn *t, const struct px_grid *g, const struct px_encoder_opts *o,
                 const struct px_buf *out, struct px_packet *ret);
