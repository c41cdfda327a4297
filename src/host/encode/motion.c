/* src/host/encode/motion.c - where the screen's content has moved to
 *
 * What moves on a screen (scrolled text, a dragged window) moves by whole pixels and stays the same
 * to the bit, and much of it moves alike: a few blocks with some pattern are looked for, exactly,
 * all around where they are, and farther straight up and down; the others only try what those
 * found. */
#include "host/encode/motion.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MAX 24
#define ASIDE 5
#define TRIES 8 /* that find nothing, before anything is found: content that is new */
#define PATTERN                                                                                    \
    40 /* changes from one pixel to the next, in a block that will not match by chance */
#define WORD 8

struct search {
    const uint8_t *before, *now;
    int before_stride, stride, width, height, far;
};

struct found {
    struct px_move move;
    int votes;
};

static bool is_same(const struct search *s, int x, int y, struct px_move m) {
    if (x + m.x < 0 || y + m.y < 0 || x + m.x + PX_MOVE_SIDE > s->width ||
        y + m.y + PX_MOVE_SIDE > s->height)
        return false;
    const uint8_t *a = s->now + (ptrdiff_t)y * s->stride + x;
    const uint8_t *b = s->before + (ptrdiff_t)(y + m.y) * s->before_stride + x + m.x;
    for (int i = 0; i < PX_MOVE_SIDE; i++, a += s->stride, b += s->before_stride)
        if (memcmp(a, b, PX_MOVE_SIDE) != 0)
            return false;
    return true;
}

static int changes(const uint8_t *p, int n) {
    int sum = 0;
    for (int i = 1; i < n; i++)
        sum += p[i] != p[i - 1];
    return sum;
}

/* Where in the block at @x, @y WORD pixels differ most. False: too plain to be found again. */
static bool best_word(const struct search *s, int x, int y, int *ret_x, int *ret_y) {
    int best = -1, sum = 0;
    for (int i = 0; i < PX_MOVE_SIDE; i++) {
        const uint8_t *line = s->now + (ptrdiff_t)(y + i) * s->stride + x;
        for (int k = 0; k < PX_MOVE_SIDE; k += WORD) {
            const int n = changes(line + k, WORD);
            sum += n;
            if (n > best) {
                best = n;
                *ret_x = k;
                *ret_y = i;
            }
        }
    }
    return sum >= PATTERN;
}

static int least(int a, int b) {
    return a < b ? a : b;
}

static int most(int a, int b) {
    return a > b ? a : b;
}

/* In the line @dy from it, from @left to @right of it. */
static bool look_in_line(const struct search *s, int x, int y, const uint8_t *line, uint64_t want,
                         int dy, int left, int right, struct px_move *ret) {
    uint64_t have;
    for (int dx = left; dx <= right; dx++) {
        memcpy(&have, line + dx, WORD);
        const struct px_move m = {(int16_t)dx, (int16_t)dy};
        if (have == want && is_same(s, x, y, m)) {
            *ret = m;
            return true;
        }
    }
    return false;
}

static bool look_around(const struct search *s, int x, int y, int word_x, int word_y,
                        struct px_move *ret) {
    const int left = most(-PX_MOVE_REACH, -x);
    const int right = least(PX_MOVE_REACH, s->width - PX_MOVE_SIDE - x);
    uint64_t want;
    memcpy(&want, s->now + (ptrdiff_t)(y + word_y) * s->stride + x + word_x, WORD);
    for (int i = 0; i <= 2 * s->far; i++) {
        const int dy = i & 1 ? -(i + 1) / 2 : i / 2; /* 0, -1, 1, -2: the nearest first */
        const bool near = i <= 2 * PX_MOVE_REACH;
        if (y + dy < 0 || y + dy + PX_MOVE_SIDE > s->height)
            continue;
        const uint8_t *line =
            s->before + (ptrdiff_t)(y + dy + word_y) * s->before_stride + x + word_x;
        if (look_in_line(s, x, y, line, want, dy, near ? left : 0, near ? right : 0, ret))
            return true;
    }
    return false;
}

static bool is_still(struct px_move m) {
    return m.x == 0 && m.y == 0;
}

/* Returns whether the block at @x, @y says where it came from. */
static bool ask(const struct search *s, int x, int y, struct found *found, int *n) {
    int word_x, word_y;
    struct px_move m;
    for (int i = 0; i < *n; i++)
        if (is_same(s, x, y, found[i].move)) {
            found[i].votes++;
            return true;
        }
    if (*n == SAMPLES_MAX || !best_word(s, x, y, &word_x, &word_y) ||
        !look_around(s, x, y, word_x, word_y, &m) || is_still(m))
        return false;
    found[(*n)++] = (struct found){.move = m, .votes = 1};
    return true;
}

static bool are_apart(struct px_move a, struct px_move b, int far) {
    return abs(a.x - b.x) > far || abs(a.y - b.y) > far;
}

static int take_best(struct found *found, int n, int far, struct px_move *ret) {
    int taken = 0;
    for (; taken < PX_MOVES_MAX; taken++) {
        int best = -1;
        for (int i = 0; i < n; i++)
            if (found[i].votes > 0 && (best < 0 || found[i].votes > found[best].votes))
                best = i;
        if (best < 0)
            break;
        ret[taken] = found[best].move;
        for (int i = 0; i < n; i++)
            if (i == best || are_apart(found[i].move, ret[taken], far))
                found[i].votes = 0;
    }
    return taken;
}

int px_find_moves(const uint8_t *before, int before_stride, const uint8_t *now, int stride,
                  int width, int height, const uint8_t *active, int columns, int rows, int far,
                  struct px_move ret[PX_MOVES_MAX]) {
    const struct search s = {before, now, before_stride, stride, width, height, far};
    struct found found[SAMPLES_MAX];
    int n_active = 0, n_found = 0, n_at = 0, seen = 0, at[SAMPLES_MAX];
    for (int i = 0; i < columns * rows; i++)
        n_active += active[i];
    const int every = n_active / SAMPLES_MAX + 1;
    /* Each a little farther on, so that samples do not stand in one column. */
    for (int i = 0; i < columns * rows && n_at < SAMPLES_MAX; i++)
        if (active[i] && seen++ == n_at * every + n_at * ASIDE % every)
            at[n_at++] = i;
    /* From the middle on: a window's uppermost blocks are its frame, and what it uncovered. */
    for (int i = 0; i < n_at && (i < TRIES || n_found > 0); i++) {
        const int k = at[(i + n_at / 2) % n_at];
        const int x = k % columns * PX_MOVE_SIDE, y = k / columns * PX_MOVE_SIDE;
        if (x + PX_MOVE_SIDE <= width && y + PX_MOVE_SIDE <= height)
            ask(&s, x, y, found, &n_found);
    }
    return take_best(found, n_found, far, ret);
}

bool px_has_moved(const struct px_moved *m, int x, int y) {
    const struct search s = {m->before, m->now, m->before_stride, m->stride, m->width,
                             m->height, 0};
    bool has = is_same(&s, x, y, (struct px_move){0});
    for (int i = 0; i < m->n_moves && !has; i++)
        has = is_same(&s, x, y, m->moves[i]);
    return has;
}
