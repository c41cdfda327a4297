/* src/host/encode/turn.c - what every picture of our own encoders goes through
 *
 * A change that would take the line too long is coded with few numbers of each part: three, which
 * is text that can just be read, or else one, the mean. In steps of the quantizer that halve a
 * picture's bytes these are 14 and 28 (measured: text, VP8 and VP9). */
#include "host/encode/turn.h"
#include "host/encode/lanes.h"

#define QP_WORST 51
#define FEW 3
#define FEW_STEPS 14 /* three numbers of 16 take so much less */
#define READABLE                                                                                   \
    28 /* nobody minds this quantizer for a second: on slow lines all gets it first                \
        */
#define QP_SKETCH 34
#define LARGE 1500   /* new cells: take too long to be coded whole */
#define LARGE_MS 300 /* so long after the last such change; else it is a film */
#define PART_CELLS_MIN 8
#define FILM_CELLS 60 /* new in each picture of a film, at least */
#define FILM_FROM 8   /* such pictures, one after the other */
#define FILM_GAP_MS 250
#define FILM_TIGHT 30 /* pictures after one that the line had no room for at its best */
#define CELL_PX (PX_GRID_SIDE * PX_GRID_SIDE)

static enum px_budget_kind kind_of(const struct px_turn *t) {
    return t->coarse   ? PX_BUDGET_COARSE
           : t->key    ? PX_BUDGET_WHOLE
           : t->refine ? PX_BUDGET_PART
                       : PX_BUDGET_NEW;
}

/* What a refinement goes to, and by how many cells at a time. */
static int choose_part(struct px_turn *t, const struct px_grid *g, int most, int best) {
    int64_t n = px_budget_part(&t->budget, best) / CELL_PX;
    t->target = best;
    if (n < most && best < READABLE && px_grid_has_coarser(g, READABLE)) {
        t->target = READABLE;
        n = px_budget_part(&t->budget, READABLE) / CELL_PX;
    }
    return n > most ? most : n < PART_CELLS_MIN ? PART_CELLS_MIN : (int)n;
}

void px_turn_begin(struct px_turn *t, struct px_grid *g, const struct px_encoder_opts *o,
                   const struct px_picture *pic, const struct px_region *changed, int64_t pts_ms,
                   bool key, bool refine, int most) {
    const int best = px_grid_quantizer(o->min_quality);
    t->key = key || !t->started;
    t->refine = refine && !t->key;
    t->last_pts_ms = t->started && pts_ms <= t->last_pts_ms ? t->last_pts_ms + 1 : pts_ms;
    t->coarse = t->key && !o->whole_keys && px_grid_is_detailed(g, pic);
    t->lone = t->coarse && t->started;
    t->started = true;
    px_budget_pass(&t->budget, o->rate_kbps, t->last_pts_ms);
    const int part = t->refine ? choose_part(t, g, most, best) : most;
    px_grid_choose(g, t->key ? NULL : changed, t->refine, part, t->refine ? t->target : best,
                   o->rate_kbps);
    if (t->refine && t->target > best) /* what is made readable now is made fine later */
        g->n_later++;
}

/* A change of which much is new, after a rest: there at once, and sharp a moment later. */
static bool is_sudden(struct px_turn *t) {
    if (t->key || t->refine || t->n_new < LARGE)
        return false;
    const bool sudden = t->last_pts_ms - t->last_large_ms > LARGE_MS;
    t->last_large_ms = t->last_pts_ms;
    return sudden;
}

/* Where the line takes all that is wanted nothing is won by fewer bytes. */
static bool is_film(struct px_turn *t, bool tight) {
    if (t->key || t->refine || t->n_new < FILM_CELLS)
        return false;
    const bool next = t->last_pts_ms - t->last_new_ms <= FILM_GAP_MS;
    t->n_new_ones = next ? t->n_new_ones + 1 : 1;
    t->last_new_ms = t->last_pts_ms;
    t->n_tight = tight ? FILM_TIGHT : t->n_tight > 0 ? t->n_tight - 1 : 0;
    return t->n_new_ones >= FILM_FROM && t->n_tight > 0;
}

static void set_quality(struct px_turn *t, int steps) {
    t->quality = steps;
    t->keep = steps <= QP_WORST ? PX_KEEP_ALL : steps <= QP_WORST + FEW_STEPS ? FEW : 1;
    t->qp = steps - (t->keep == FEW ? FEW_STEPS : t->keep == 1 ? 2 * FEW_STEPS : 0);
}

void px_turn_choose(struct px_turn *t, const struct px_grid *g, const struct px_encoder_opts *o,
                    const struct px_moved *m) {
    const int best = px_grid_quantizer(o->min_quality), worst = px_grid_quantizer(o->max_quality);
    t->n_new = m ? px_grid_count_new(g, m) : g->n_active;
    const int64_t area = (int64_t)t->n_new * CELL_PX;
    t->film = false;
    if (t->coarse) {
        t->keep = 1;
        t->qp =
            px_budget_quantizer(&t->budget, PX_BUDGET_COARSE, area, PX_GRID_QP_COARSE, QP_WORST);
        t->quality = PX_GRID_ROUGH;
        return;
    }
    int q = px_budget_quantizer(&t->budget, kind_of(t), area, best, worst);
    if (t->refine)
        q = g->n_clean < g->n ? px_grid_clean_quantizer(g, q, best) : t->target;
    else if (!t->key && q == worst)
        q = px_budget_coarser(&t->budget, PX_BUDGET_NEW, area, worst, PX_BUDGET_QUANTIZER_MAX);
    t->film = is_film(t, q > best);
    set_quality(t, q);
    if (is_sudden(t) && q < PX_GRID_ROUGH) {
        t->keep = FEW;
        t->qp = QP_SKETCH > q - FEW_STEPS ? QP_SKETCH : q - FEW_STEPS;
        t->quality = PX_GRID_ROUGH;
    }
}

void px_turn_end(struct px_turn *t, const struct px_grid *g, const struct px_encoder_opts *o,
                 const struct px_buf *out, struct px_packet *ret) {
    const int64_t area = (int64_t)t->n_new * CELL_PX;
    const int left_out = t->coarse || t->keep == PX_KEEP_ALL ? 0
                         : t->keep == FEW                    ? FEW_STEPS
                                                             : 2 * FEW_STEPS;
    px_budget_spend(&t->budget, kind_of(t), out->size, area, t->qp + left_out);
    *ret = (struct px_packet){.data = (const uint8_t *)out->data,
                              .size = out->size,
                              .key = t->key,
                              .fine = g->n_later == 0 && !t->coarse &&
                                      px_grid_coarsest(g) <= px_grid_quantizer(o->min_quality),
                              .more = g->n_later > 0,
                              .lone = t->lone,
                              .owes = px_grid_owes(g)};
}
