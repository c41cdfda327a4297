/* src/host/encode/grid.c - which cells of a picture are looked at, and how fine they shall be */
#include "host/encode/grid.h"
#include "base/alloc.h"
#include <string.h>

#define QP_BEST 10 /* finer is not seen */
#define QP_WORST 51
#define DETAILED_MAX 1500 /* cells with something in them, in a key frame that is not coarse */
#define PLAIN 8           /* pixels of a cell without anything in it differ by less */
#define CLEAN_MIN 64      /* cells of a part that all decoders get, on a slow line */
#define CLEAN_KBPS 20     /* one more of these for so much of the line's rate: 50 ms of it */
#define CLEAN_ALONG 64    /* with a change, so that changes do not keep the rest away for ever */
#define COUNT_ALL 500
#define COUNT_EVERY 7
#define FILTER 8 /* pixels: what a half of a chroma pixel is made of, beyond the cell */

void px_grid_init(struct px_grid *g, int width, int height) {
    *g = (struct px_grid){.columns = (width + PX_GRID_SIDE - 1) / PX_GRID_SIDE,
                          .rows = (height + PX_GRID_SIDE - 1) / PX_GRID_SIDE};
    g->n = g->n_clean = g->next_clean = g->columns * g->rows;
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

typedef uint8_t b16 __attribute__((vector_size(16)));

static bool is_plain(const uint8_t *p, int stride) {
    b16 low, high;
    memcpy(&low, p, sizeof(low));
    high = low;
    for (int y = 1; y < PX_GRID_SIDE; y++) {
        b16 line;
        memcpy(&line, p + (ptrdiff_t)y * stride, sizeof(line));
        const b16 lower = (b16)(line < low), higher = (b16)(line > high);
        low = (lower & line) | (~lower & low);
        high = (higher & line) | (~higher & high);
    }
    uint8_t least = 255, most = 0;
    for (int i = 0; i < 16; i++) {
        least = low[i] < least ? low[i] : least;
        most = high[i] > most ? high[i] : most;
    }
    return most - least < PLAIN;
}

/* Sampled, where there is much: every seventh, which is no whole part of usual widths. */
int px_grid_count_new(const struct px_grid *g, const struct px_moved *m) {
    const int every = g->n_active > COUNT_ALL ? COUNT_EVERY : 1;
    int n = 0, at = 0;
    for (int i = 0; i < g->n; i++) {
        if (!g->active[i] || at++ % every)
            continue;
        const int x = i % g->columns * PX_GRID_SIDE, y = i / g->columns * PX_GRID_SIDE;
        n += x + PX_GRID_SIDE > m->width || y + PX_GRID_SIDE > m->height || !px_has_moved(m, x, y);
    }
    return n * every;
}

bool px_grid_is_detailed(const struct px_grid *g, const struct px_picture *pic) {
    int n = 0;
    for (int row = 0; row < pic->height / PX_GRID_SIDE; row++)
        for (int column = 0; column < pic->width / PX_GRID_SIDE && n <= DETAILED_MAX; column++)
            n += !is_plain(pic->planes[0] + (ptrdiff_t)row * PX_GRID_SIDE * pic->strides[0] +
                               (ptrdiff_t)column * PX_GRID_SIDE,
                           pic->strides[0]);
    return n > DETAILED_MAX;
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

/* The next that all decoders shall have. */
static void pick_unclean(struct px_grid *g, bool refine, int most, int best, unsigned rate_kbps) {
    const unsigned room = rate_kbps / CLEAN_KBPS;
    const unsigned bound = (unsigned)(refine ? most : CLEAN_ALONG);
    const int n = (int)(room < CLEAN_MIN ? CLEAN_MIN : room > bound ? bound : room);
    g->next_clean = n < g->n - g->n_clean ? g->n_clean + n : g->n;
    if (refine)
        memset(g->active, 0, (size_t)g->n);
    memset(g->active + g->n_clean, 1, (size_t)(g->next_clean - g->n_clean));
    g->n_later = g->n - g->next_clean;
    for (int i = 0; i < g->n_clean; i++)
        g->n_later += g->quality[i] > best;
}

void px_grid_choose(struct px_grid *g, const struct px_region *changed, bool refine, int most,
                    int best, unsigned rate_kbps) {
    memset(g->active, !changed, (size_t)g->n);
    for (int i = 0; changed && i < changed->n; i++)
        mark(g, changed->rects[i]);
    g->n_later = g->n_active = 0;
    g->next_clean = g->n_clean;
    if (changed && g->n_clean < g->n)
        pick_unclean(g, refine, most, best, rate_kbps);
    else if (refine)
        pick_coarse(g, most, best);
    for (int i = 0; i < g->n; i++)
        g->n_active += g->active[i];
}

static int least(int a, int b) {
    return a < b ? a : b;
}

bool px_grid_may_take(const struct px_grid *g, int column, int row, struct px_move m) {
    const int i = row * g->columns + column;
    if (i >= g->next_clean)
        return true;
    const int edge = PX_GRID_SIDE - 1 + (m.x || m.y ? FILTER : 0);
    const int right = least((column * PX_GRID_SIDE + m.x + edge) / PX_GRID_SIDE, g->columns - 1);
    const int low = least((row * PX_GRID_SIDE + m.y + edge) / PX_GRID_SIDE, g->rows - 1);
    return i < g->n_clean && low * g->columns + right < g->n_clean;
}

int px_grid_coarsest(const struct px_grid *g) {
    int worst = 0;
    for (int i = 0; i < g->n; i++)
        if (g->active[i] && g->quality[i] > worst)
            worst = g->quality[i];
    return worst;
}

int px_grid_clean_quantizer(const struct px_grid *g, int qp, int best) {
    const int coarsest = px_grid_coarsest(g);
    return qp < coarsest ? qp : coarsest > best ? coarsest : best;
}

bool px_grid_owes(const struct px_grid *g) {
    if (g->n_clean < g->n)
        return true;
    return px_grid_has_coarser(g, PX_GRID_ROUGH - 1);
}

bool px_grid_has_coarser(const struct px_grid *g, int quality) {
    for (int i = 0; i < g->n; i++)
        if (g->quality[i] > quality)
            return true;
    return false;
}
