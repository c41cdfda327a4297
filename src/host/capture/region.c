/* src/host/capture/region.c - the parts of the screen that changed */
#include "host/capture/region.h"

static int min(int a, int b) {
    return a < b ? a : b;
}

static int max(int a, int b) {
    return a > b ? a : b;
}

static int64_t area(struct px_rect r) {
    return (int64_t)r.w * r.h;
}

struct px_rect px_rect_union(struct px_rect a, struct px_rect b) {
    const int x = min(a.x, b.x), y = min(a.y, b.y);
    return (struct px_rect){x, y, max(a.x + a.w, b.x + b.w) - x, max(a.y + a.h, b.y + b.h) - y};
}

/* Pixels that a union would add for nothing; negative when they overlap a lot. */
static int64_t waste(struct px_rect a, struct px_rect b) {
    return area(px_rect_union(a, b)) - area(a) - area(b);
}

static void remove_at(struct px_region *r, int i) {
    r->rects[i] = r->rects[--r->n];
}

void px_region_add(struct px_region *r, struct px_rect rect) {
    if (rect.w <= 0 || rect.h <= 0)
        return;
    /* A union that wastes nothing is free: take it, and look again with the larger one. */
    for (int i = 0; i < r->n; i++)
        if (waste(r->rects[i], rect) <= 0) {
            rect = px_rect_union(r->rects[i], rect);
            remove_at(r, i);
            i = -1;
        }
    if (r->n == PX_REGION_MAX) {
        int best = 0;
        for (int i = 1; i < r->n; i++)
            if (waste(r->rects[i], rect) < waste(r->rects[best], rect))
                best = i;
        rect = px_rect_union(r->rects[best], rect);
        remove_at(r, best);
        px_region_add(r, rect);
        return;
    }
    r->rects[r->n++] = rect;
}

void px_region_add_all(struct px_region *r, const struct px_region *more) {
    for (int i = 0; i < more->n; i++)
        px_region_add(r, more->rects[i]);
}

void px_region_add_inside(struct px_region *r, const struct px_region *more, struct px_rect view) {
    for (int i = 0; i < more->n; i++) {
        const struct px_rect in = more->rects[i];
        const int x = max(in.x, view.x), y = max(in.y, view.y);
        const int right = min(in.x + in.w, view.x + view.w);
        const int bottom = min(in.y + in.h, view.y + view.h);
        px_region_add(r, (struct px_rect){x - view.x, y - view.y, right - x, bottom - y});
    }
}

void px_region_align(struct px_region *r, int width, int height) {
    struct px_region out = {0};
    for (int i = 0; i < r->n; i++) {
        const struct px_rect in = r->rects[i];
        const int x = max(in.x, 0) & ~1, y = max(in.y, 0) & ~1;
        const int right = min((in.x + in.w + 1) & ~1, width);
        const int bottom = min((in.y + in.h + 1) & ~1, height);
        px_region_add(&out, (struct px_rect){x, y, right - x, bottom - y});
    }
    *r = out;
}

int64_t px_region_area(const struct px_region *r) {
    int64_t sum = 0;
    for (int i = 0; i < r->n; i++)
        sum += area(r->rects[i]);
    return sum;
}
