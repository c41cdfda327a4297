/* src/host/encode/grid.h - which cells of a picture are looked at, and how fine they shall be
 *
 * Of our own encoders. A cell is 16x16 pixels. How coarse each was coded is remembered, so that a
 * refinement takes only what is too coarse, and so much of it at a time that it is quick.
 * Pure; no threads of its own. */
#pragma once
#include "host/encode/budget.h"
#include "host/encode/encoder.h"

#define PX_GRID_SIDE 16

struct px_grid {
    int columns, rows, n;
    uint8_t *active;       /* cells to look at */
    uint8_t *quality;      /* the quantizer of each, on the budget's scale; the encoder sets it */
    int next;              /* the cell at which the next refinement goes on */
    int n_active, n_later; /* cells now; coarse ones that wait for the next part of a refinement */
};

void px_grid_init(struct px_grid *g, int width, int height);
void px_grid_fini(struct px_grid *g);
/* The budget's scale of the quality option. */
int px_grid_quantizer(unsigned quality);
/* Sets active and the counts. NULL @changed: everything. @refine_most: of what is coarser than
 * @best, so many; 0: no refinement, all of it. */
void px_grid_choose(struct px_grid *g, const struct px_region *changed, int refine_most, int best);
/* Of the cells that were looked at. */
int px_grid_coarsest(const struct px_grid *g);
/* For the active cells. @kind CHANGE, or WHOLE: a key frame, or with @refine a refinement. */
int px_grid_choose_quantizer(const struct px_grid *g, const struct px_budget *b,
                             enum px_budget_kind kind, bool refine, int best, int worst);
