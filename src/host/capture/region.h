/* src/host/capture/region.h - the parts of the screen that changed
 *
 * At most PX_REGION_MAX rectangles, in pixels, none empty. They may overlap. When there are too
 * many, they melt into larger ones: a region never loses a pixel, but may gain some. Pure. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define PX_REGION_MAX 16

struct px_rect {
    int x, y, w, h;
};

struct px_region {
    struct px_rect rects[PX_REGION_MAX];
    int n;
};

/* Empty rectangles are ignored. */
void px_region_add(struct px_region *r, struct px_rect rect);
void px_region_add_all(struct px_region *r, const struct px_region *more);
/* Cuts everything to 0,0 .. width,height and grows each rectangle to even coordinates (where the
 * screen goes on), as pictures with halved colour planes want. */
void px_region_align(struct px_region *r, int width, int height);
/* Adds what of @more lies inside @view, in coordinates from its corner. */
void px_region_add_inside(struct px_region *r, const struct px_region *more, struct px_rect view);
int64_t px_region_area(const struct px_region *r); /* overlaps count twice */
struct px_rect px_rect_union(struct px_rect a, struct px_rect b);
