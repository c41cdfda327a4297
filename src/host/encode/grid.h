/* src/host/encode/grid.h - which cells of a picture are looked at, and how fine they shall be
 *
 * Of our own encoders. A cell is 16x16 pixels. How coarse each was coded is remembered, so that a
 * refinement takes only what is too coarse, and so much of it at a time that it is quick.
 * Pure; no threads of its own. */
#pragma once
#include "host/encode/budget.h"
#include "host/encode/encoder.h"
#include "host/encode/motion.h"

#define PX_GRID_SIDE 16

/* A key frame of a screen full of detail is coarse at first, and only for who waits for one (lone,
 * struct px_packet): it is coded aside, from nothing that the stream has. The cells that follow it
 * are the same in all decoders, for they refer to nothing but each other. They go from the top to
 * the bottom: what is before n_clean is the same for all; what is behind may not be referred to
 * from before it. */
struct px_grid {
    int columns, rows, n;
    uint8_t *active;       /* cells to look at */
    uint8_t *quality;      /* the quantizer of each, on the budget's scale; the encoder sets it */
    int next;              /* the cell at which the next refinement goes on */
    int n_clean;           /* cells, from the first, that are the same in all decoders */
    int next_clean;        /* what n_clean becomes with the active ones */
    int n_active, n_later; /* cells now; those that wait for the next part of a refinement */
};

/* The quality of a cell of which few numbers were coded, at least; and the finest quantizer of a
 * coarse key frame. */
#define PX_GRID_ROUGH 52
#define PX_GRID_QP_COARSE 34

void px_grid_init(struct px_grid *g, int width, int height);
void px_grid_fini(struct px_grid *g);
/* The budget's scale of the quality option. */
int px_grid_quantizer(unsigned quality);
/* There is too much in the picture for a key frame that shall be there at once. */
bool px_grid_is_detailed(const struct px_grid *g, const struct px_picture *pic);

/* Sets active, the counts, and next_clean. NULL @changed: everything (a key frame). @refine: of
 * what is coarser than @best @most cells; or, while not all is clean, the next that shall be, as
 * many as a line of @rate_kbps takes soon; a few of these come along with changes, too. */
void px_grid_choose(struct px_grid *g, const struct px_region *changed, bool refine, int most,
                    int best, unsigned rate_kbps);
/* Whether a cell may be guessed from the last picture with this move: all decoders have the same
 * there, where that matters. */
bool px_grid_may_take(const struct px_grid *g, int column, int row, struct px_move m);
/* Of the cells that were looked at. */
int px_grid_coarsest(const struct px_grid *g);
/* While not all is clean, the quantizer of a part that could have @qp: nobody gets worse than he
 * had. */
int px_grid_clean_quantizer(const struct px_grid *g, int qp, int best);
/* Of the active cells: about how many are neither as they were nor moved. */
int px_grid_count_new(const struct px_grid *g, const struct px_moved *m);
/* Somebody sees something of few numbers still. */
bool px_grid_owes(const struct px_grid *g);
bool px_grid_has_coarser(const struct px_grid *g, int quality);
