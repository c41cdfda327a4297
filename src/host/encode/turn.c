/* src/host/encode/turn.c - what every picture of our own encoders goes through */
#include "host/encode/turn.h"

static enum px_budget_kind kind_of(const struct px_turn *t) {
    return t->coarse ? PX_BUDGET_COARSE : t->key || t->refine ? PX_BUDGET_WHOLE : PX_BUDGET_CHANGE;
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
    px_grid_choose(g, t->key ? NULL : changed, t->refine, most, best, o->rate_kbps);
    t->qp = px_grid_choose_quantizer(g, &t->budget, kind_of(t), t->refine,
                                     t->coarse ? PX_GRID_QP_COARSE : best,
                                     px_grid_quantizer(t->coarse ? 100 : o->max_quality));
}

void px_turn_end(struct px_turn *t, const struct px_grid *g, const struct px_encoder_opts *o,
                 const struct px_buf *out, struct px_packet *ret) {
    const int64_t area = (int64_t)g->n_active * PX_GRID_SIDE * PX_GRID_SIDE;
    px_budget_spend(&t->budget, kind_of(t), out->size, area, t->qp);
    *ret = (struct px_packet){.data = (const uint8_t *)out->data,
                              .size = out->size,
                              .key = t->key,
                              .fine = g->n_later == 0 && !t->coarse &&
                                      px_grid_coarsest(g) <= px_grid_quantizer(o->min_quality),
                              .more = g->n_later > 0,
                              .lone = t->lone,
                              .owes = px_grid_owes(g)};
}
