/* src/host/encode/grid.c - which cells of a picture are looked at, and how fine they shall be */
#include "host/encode/grid.h"
#include "base/alloc.h"
#include <string.h>

#define QP_BEST 10 /* finer is not seen */
#define QP_WORST 51
#define REFINE_STEP 6

void px_grid_init(struct px_grid *g, int width, int height) {
    *g = (struct px_grid){.columns = (width + PX_GRID_SIDE - 1) / PX_GRID_SIDE,
                          .rows = (height + PX_GRID_SIDE - 1) / PX_GRID_SIDE};
    g->n = g->columns * g->rows;
    g->active = px_calloc((size_t)g->n, 1);
    g->quality = px_calloc((size_t)g->n, 1);
}

void px_grid_fini(struct px_grid *g) {
    free(g->active);
    free(g->quality);
}

int px_grid_quantizer(unsigned quality) {
    return QP_BEST + (int)(quality > 100 ? 100 : quality) * (QP_WORST - QP_BEST) / 100;
}

static void mark(struct px_grid *g, struct px_rect r) {
    const int x0 = r.x / PX_GRID_SIDE, x1 = (r.x + r.w + PX_GRID_SIDE - 1) / PX_GRID_SIDE;
    const int y1 = (r.y + r.h + PX_GRID_SIDE - 1) / PX_GRID_SIDE;
    for (int y = r.y / PX_GRID_SIDE; y < y1 && y < g->rows; y++)
        if (x0 < g->columns)
            memset(g->active + (ptrdiff_t)y * g->columns + x0, 1,
                   (size_t)((x1 < g->columns ? x1 : g->columns) - x0));
}

static void pick_coarse(struct px_grid *g, int most, int best) {
    int left = most, next = 0;
    for (int n = 0; n < g->n; n++) {
        const int i = (g->next + n) % g->n;
        if (!g->active[i])
            continue;
        if (left == 0 || g->quality[i] <= best) {
            g->n_later += g->quality[i] > best;
            g->active[i] = 0;
        } else if (--left == 0)
            next = i + 1;
    }
    g->next = next % g->n;
}

void px_grid_choose(struct px_grid *g, const struct px_region *changed, int refine_most, int best) {
    memset(g->active, !changed, (size_t)g->n);
    for (int i = 0; changed && i < changed->n; i++)
        mark(g, changed->rects[i]);
    g->n_later = g->n_active = 0;
    if (refine_most)
        pick_coarse(g, refine_most, best);
    for (int i = 0; i < g->n; i++)
        g->n_active += g->active[i];
}

int px_grid_coarsest(const struct px_grid *g) {
    int worst = 0;
    for (int i = 0; i < g->n; i++)
        if (g->active[i] && g->quality[i] > worst)
            worst = g->quality[i];
    return worst;
}

int px_grid_choose_quantizer(const struct px_grid *g, const struct px_budget *b,
                             enum px_budget_kind kind, bool refine, int best, int worst) {
    const int64_t area = (int64_t)g->n_active * PX_GRID_SIDE * PX_GRID_SIDE;
    const int qp = px_budget_quantizer(b, kind, area, best, worst);
    const int step = px_grid_coarsest(g) - REFINE_STEP;
    if (refine && qp > step) /* at least a step at a time, or it would be for nothing */
        return step > best ? step : best;
    return qp;
}
