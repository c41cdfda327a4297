/* src/host/encode/surface.h - a screen as an encoder of our own knows it, and what it does with it
 * whatever the format
 *
 * What came in last, what decoders show, how coarse each cell of it is (grid.h), what has moved
 * (motion.h), and what every picture goes through (turn.h). A picture is px_surface_begin(),
 * px_surface_look(), the coding of its active cells, px_surface_end(). One of these belongs to one
 * encoder; while cells are coded its threads only read it, but for @now (or @before, see
 * px_surface_target()) and @quality at their own cells. */
#pragma once
#include "host/encode/turn.h"
#include <string.h>

#define PX_SURFACE_SIDE PX_GRID_SIDE
#define PX_SURFACE_ALONE 400  /* so few cells are not worth waking another thread */
#define PX_SURFACE_REFINE 600 /* cells at once: 9 ms of one core if they are all dense text */

struct px_planes {
    uint8_t *planes[3];
    int strides[3];
};

typedef int16_t px_numbers[16]; /* of a part of 4x4 */

struct px_surface {
    struct px_grid grid;
    struct px_turn turn;
    int width, height;             /* of the picture */
    int reach_width, reach_height; /* cells that move, and where they come from, lie within */
    int far;                       /* moves straight up and down, at most; pixels */
    struct px_planes now, before;  /* as decoders have it, whole cells: this picture, the last */
    bool searches;                 /* the encoder looks for what moves in films; it sets this */
    uint8_t *source;               /* luma of the last picture that came in, whole cells */
    /* the picture at hand */
    struct px_planes in; /* lent */
    uint8_t *quality;    /* of each cell: what grid.quality becomes; the encoder sets all of it */
    struct px_move moves[PX_MOVES_MAX];
    int n_moves;
    bool film; /* each cell may have moved for itself, by less than pixels */
    /* private */
    size_t n_memory;
    int shift;
};

/* @shift: of chroma's pixels, 1 or 0. @cut: the format knows the picture's own edge, and nothing
 * beyond it moves; else that of its cells. */
void px_surface_init(struct px_surface *s, const struct px_encoder_opts *o, int shift, bool cut,
                     int far);
void px_surface_fini(struct px_surface *s);

/* ---- a picture ---- */

/* As px_turn_begin(). */
void px_surface_begin(struct px_surface *s, const struct px_encoder_opts *o,
                      const struct px_picture *pic, const struct px_region *changed, int64_t pts_ms,
                      bool key, bool refine, int most);
/* What has moved, and from that how fine the picture is: as px_turn_choose(). */
void px_surface_look(struct px_surface *s, const struct px_encoder_opts *o);
/* It is coded: remembers what decoders have now, and px_turn_end(). */
void px_surface_end(struct px_surface *s, const struct px_encoder_opts *o, const struct px_buf *out,
                    struct px_packet *ret);

/* Where the picture is made, and what it may refer to. */
static inline const struct px_planes *px_surface_target(const struct px_surface *s) {
    return s->turn.lone ? &s->before : &s->now;
}
static inline const struct px_planes *px_surface_last(const struct px_surface *s) {
    return s->n_moves || s->film ? &s->before : &s->now;
}

/* Cuts the rows of cells into bands that have about as many to code each, one for each of
 * @threads, @most at most; band i is the rows from @first_row[i] to before @first_row[i + 1].
 * Returns how many. */
int px_surface_cut_bands(const struct px_surface *s, unsigned threads, int most, int *first_row);
/* The numbers of a cell from its coding to its writing, one part after the other, of each only the
 * first @ends: most parts have few or none, and there is room for all. Returns where they begin;
 * *@at, from where on there is room, moves on. What n cells keep, and what this writes on the way,
 * lies within n * @n_parts px_numbers. */
static inline const int16_t *px_numbers_keep(int16_t **at, const px_numbers *numbers,
                                             const uint8_t *ends, int n_parts) {
    const int16_t *first = *at;
    for (int i = 0; i < n_parts; i++)
        if (ends[i] > 0) {
            memcpy(*at, numbers[i], sizeof(px_numbers)); /* quicker than only as many */
            *at += ends[i];
        }
    return first;
}

/* ---- a cell; any thread ---- */

/* The cell may be guessed from the last picture as it stands there. */
bool px_surface_may_stay(const struct px_surface *s, int column, int row);
/* It may be guessed by moves[0], which there is. */
bool px_surface_may_move(const struct px_surface *s, int column, int row);
/* Its luma @want is as it was, or as something that moved: *ret. */
bool px_surface_find_same(const struct px_surface *s, int column, int row,
                          const uint8_t want[16][16], struct px_move *ret);
/* The worst of the up to four cells that it came from. */
uint8_t px_surface_moved_quality(const struct px_surface *s, int column, int row, struct px_move m);
