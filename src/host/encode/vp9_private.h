/* src/host/encode/vp9_private.h - what the files of the VP9 encoder share
 *
 *     vp9.c          the encoder: which cells, how fine, on which threads
 *     vp9_choose.c   what a cell is guessed from
 *     vp9_parts.h    parts of 4x4, two at a time (AV1's, too)
 *     eight.h        four parts as one of few numbers (the same)
 *     vp9_block.c    cells of 16x16: guessed from what is there, and the rest as numbers
 *     vp9_write.c    cells and numbers to the bytes of a tile
 *     vp9_header.c   what stands in front of the tiles
 *     vp9_tables.h   numbers of the format
 *
 * A cell is 16x16 pixels, the unit in which content is looked at; transforms are of 4x4 (a part),
 * but for coarse key frames. Cells that stay or moved alike are written as one block of up to
 * 64x64. What is cut off at the right and lower edge of a picture is cut at multiples of 8, as in
 * the format. */
#pragma once
#include "base/buf.h"
#include "host/encode/bits.h"
#include "host/encode/surface.h"
#include "host/encode/vp9_tables.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_VP9_SIDE 16
#define PX_VP9_PARTS_MAX 48 /* with 4:4:4; else 24 */

enum px_vp9_mode { PX_VP9_DC, PX_VP9_V, PX_VP9_H, PX_VP9_TM, PX_VP9_INTER };

struct px_vp9_cell {
    uint8_t mode;                   /* enum px_vp9_mode, of luma and chroma */
    bool skip;                      /* nothing but the guess */
    uint8_t written;                /* vp9_write.c: as what it was written in this picture */
    struct px_move move;            /* with PX_VP9_INTER */
    uint8_t ends[PX_VP9_PARTS_MAX]; /* of each part's numbers; 0: none */
};

/* The mean of 8x8 pixels is as fine at a quantizer of so much more as that of 4x4. */
#define PX_EIGHT_QP 6

/* Numbers of one quantizer. */
struct px_vp9_steps {
    int index; /* 1..255 */
    int16_t dc, ac, dc_per, ac_per, dc_round, ac_round;
    int near;    /* pixels so near to their guess need no more */
    int keep;    /* so many of a part's numbers, the lowest: PX_KEEP_ALL, 6, 3, 1 */
    bool eights; /* as 8x8 (eight.h) where it may be */
};

/* Sizes of a picture, in all that is counted. */
struct px_vp9_size {
    int width, height;
    int columns, rows;       /* cells */
    int mi_columns, mi_rows; /* units of 8x8 */
    int shift;               /* of chroma's pixels: 1, or 0 with 4:4:4 */
};

static inline int px_vp9_shift(const struct px_vp9_size *s, int plane) {
    return plane ? s->shift : 0;
}

/* Parts in a line of a cell. */
static inline int px_vp9_side(const struct px_vp9_size *s, int plane) {
    return 4 >> px_vp9_shift(s, plane);
}

/* The first part of a plane. */
static inline int px_vp9_first(const struct px_vp9_size *s, int plane) {
    const int n = px_vp9_side(s, 1);
    return plane == 0 ? 0 : 16 + (plane - 1) * n * n;
}

/* Whether a plane of a block of @wide x @high units of 8 pixels can be of 8x8. */
static inline bool px_vp9_has_eights(const struct px_vp9_size *s, int plane, int wide, int high) {
    return px_vp9_shift(s, plane) == 0 || (wide == 2 && high == 2);
}

static inline int px_vp9_n_parts(const struct px_vp9_size *s) {
    return px_vp9_first(s, 3);
}

/* ---- vp9_block.c ---- */

/* @qp: on the budget's scale. */
void px_vp9_steps_init(struct px_vp9_steps *s, int qp, int keep);

typedef uint8_t px_vp9_pixels[3][16][16]; /* chroma of 4:2:0: 8x8 of it */

/* Reads a cell; beyond the picture's edges its last pixel goes on. */
void px_vp9_read(const struct px_vp9_size *size, const struct px_planes *from, int column, int row,
                 px_vp9_pixels ret);

struct px_vp9_at {
    const struct px_vp9_size *size;
    const struct px_planes *now;    /* as the decoder will have it; what is above and left is */
    const struct px_planes *before; /* the decoder's last picture; may be @now: no moves then */
    int column, row;
    int first_column; /* of the tile: nothing is to the left of it */
};

/* The guess from the last picture. */
void px_vp9_guess_moved(const struct px_vp9_at *at, struct px_move move, px_vp9_pixels ret);
void px_vp9_store(const struct px_vp9_at *at, const px_vp9_pixels p);
/* @want to numbers, and into the picture what the decoder will show: less @guess (INTER), or less
 * what @mode makes of the neighbours. False: all numbers are 0. */
bool px_vp9_code_moved(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                       const px_vp9_pixels want, const px_vp9_pixels guess, uint8_t *ends,
                       int16_t (*numbers)[16]);
bool px_vp9_code_inside(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        enum px_vp9_mode mode, const px_vp9_pixels want, uint8_t *ends,
                        int16_t (*numbers)[16]);

/* ---- vp9_choose.c ---- */

unsigned px_vp9_distance(const uint8_t a[16][16], const uint8_t b[16][16]);
/* As px_block_will_do(). */
bool px_vp9_will_do(const struct px_vp9_size *z, const px_vp9_pixels want,
                    const px_vp9_pixels guess, bool same, int near);
/* Of the modes that need no last picture, the one that comes nearest to @want, about; *ret: how
 * near. */
enum px_vp9_mode px_vp9_choose_inside(const struct px_vp9_at *at, const uint8_t want[16][16],
                                      unsigned *ret);

/* ---- vp9_write.c ---- */

/* How often each node was 0, and 1. */
typedef uint32_t px_vp9_counts[2][2][PX_VP9_BANDS][PX_VP9_CONTEXTS][PX_VP9_NODES][2];

struct px_vp9_frame {
    struct px_vp9_size size;
    bool key, eights; /* luma and what chroma can are 8x8 */
    int index;        /* of the quantizer */
    int log2_tiles;   /* columns of tiles */
    struct px_vp9_cell *cells;
    const int16_t *const *numbers; /* of each cell, see px_numbers_keep(); looked at unless skip */
    px_vp9_chances chances;        /* as the header tells them; with eights those of 8x8 */
    uint8_t tails[256][8];         /* see px_vp9_tails; set once */
    uint8_t *above_sizes;          /* what is above, for each 8 pixels; tiles share it */
    uint8_t *above_any[3];         /* for each 4 pixels of a plane */
};

/* The first column of cells of tile @i; of one past the last: how many there are. */
int px_vp9_tile_column(const struct px_vp9_frame *f, int i);
/* Adds up what the numbers of one tile are. Tiles do not touch each other: any threads. */
void px_vp9_count_tile(const struct px_vp9_frame *f, int tile, px_vp9_counts *counts);
void px_vp9_write_tile(const struct px_vp9_frame *f, int tile, struct px_buf *out);

/* ---- vp9_header.c ---- */

/* Changes those of @chances that pay for the bytes which tell decoders so. */
void px_vp9_adapt(const px_vp9_counts *counts, px_vp9_chances *chances);
/* Fewest and most tiles that the format has for the width; as powers of two. */
int px_vp9_log2_tiles_min(const struct px_vp9_size *size);
int px_vp9_log2_tiles_max(const struct px_vp9_size *size);
/* The whole frame; @scratch is emptied and used. */
void px_vp9_join(const struct px_vp9_frame *f, const struct px_buf *tiles, struct px_buf *scratch,
                 struct px_buf *out);
