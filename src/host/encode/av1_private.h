/* src/host/encode/av1_private.h - what the files of the AV1 encoder share
 *
 *     av1.c          the encoder: which cells, how fine, on which threads
 *     av1_block.c    cells of 16x16: guessed from what is there, and the rest as numbers
 *     av1_palette.c  cells of few colours
 *     av1_write.c    cells to the bytes of a tile
 *     av1_around.c   what decoders expect of a block from those around it
 *     av1_numbers.c  numbers to bytes
 *     av1_header.c   what stands in front of the tiles
 *     av1_coder.h    the arithmetic coder
 *     av1_tables.h   numbers of the format
 *
 * Cells, their pixels and the steps of the quantizer are the VP9 encoder's (vp9_private.h). Luma's
 * transforms are of 4x4 (a part), those of chroma, and in coarse key frames of luma, of 8x8, or of
 * 4x4 where a cell is cut off by the picture's edge. */
#pragma once
#include "host/encode/av1_coder.h"
#include "host/encode/av1_tables.h"
#include "host/encode/vp9_private.h"

#define PX_AV1_COLOURS_MAX 8
#define PX_AV1_PARTS 24
#define PX_AV1_ROWS 4 /* of cells in a square of 64x64 */

enum px_av1_mode {
    PX_AV1_DC,
    PX_AV1_V,
    PX_AV1_H,
    PX_AV1_PAETH,
    PX_AV1_PALETTE, /* luma; chroma is DC */
    PX_AV1_INTER
};

typedef int16_t px_av1_numbers[PX_AV1_PARTS][16]; /* by place: lines of each part, or of 8x8 */

struct px_av1_cell {
    uint8_t mode; /* enum px_av1_mode, of luma; chroma is DC, or INTER as well */
    bool skip;    /* nothing but the guess */
    uint8_t n_colours;
    uint8_t colours[PX_AV1_COLOURS_MAX]; /* ascending */
    struct px_move move;                 /* with PX_AV1_INTER */
    uint8_t ends[PX_AV1_PARTS];          /* how many numbers, in the order of coding; 0: none */
};

/* All of the cell lies in the picture, to the next multiple of 8. */
static inline bool px_av1_is_whole(const struct px_vp9_size *z, int column, int row) {
    return column * 2 + 1 < z->mi_columns && row * 2 + 1 < z->mi_rows;
}

/* ---- av1_block.c ---- */

/* The guess from the last picture. */
void px_av1_guess_moved(const struct px_vp9_at *at, struct px_move move, px_vp9_pixels ret);
/* @want to numbers, and into the picture what the decoder will show. False: all numbers are 0. */
bool px_av1_code_moved(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                       const px_vp9_pixels want, const px_vp9_pixels guess, uint8_t *ends,
                       px_av1_numbers numbers);
bool px_av1_code_inside(const struct px_vp9_at *at, const struct px_vp9_steps *s,
                        enum px_av1_mode mode, const px_vp9_pixels want, uint8_t *ends,
                        px_av1_numbers numbers);

/* ---- av1_palette.c ---- */

/* Of 16x16 pixels; above PX_AV1_COLOURS_MAX: some of them. */
int px_av1_count_colours(const uint8_t *p, ptrdiff_t stride);
/* Finds the colours of luma; *@indices: which of them each pixel has. False: too many, or one. */
bool px_av1_find_colours(const uint8_t want[16][16], struct px_av1_cell *ret,
                         uint8_t indices[16][16]);
/* @before: colours of the blocks above and to the left, ascending, each once. */
void px_av1_put_colours(struct px_av1_coder *c, const struct px_av1_cell *cell,
                        const uint8_t *before, int n_before);
void px_av1_put_indices(struct px_av1_coder *c, struct px_av1_chances *chances, int n_colours,
                        const uint8_t indices[16][16]);

/* ---- av1_numbers.c ---- */

/* Numbers of @side x @side, of which the last in the order of coding is the @end-th. @none: the
 * context of whether there are any; @sign: of the first's sign. @kind: the chances of the kind of
 * transform, told where not NULL; @n_kinds of them, of which it is the second. Returns what those
 * around shall know of it: the sum up to 63, and in the upper bits the first's sign. */
struct px_av1_left {
    uint8_t sum, sign; /* 0: the first is 0; 1: below; 2: above */
};
void px_av1_put_numbers(struct px_av1_coder *c, struct px_av1_number_chances *chances, int side,
                        bool chroma, int none, int sign, uint16_t *kind, int n_kinds, int end,
                        const int16_t *numbers, struct px_av1_left *ret);

/* ---- av1_around.c ---- */

/* What is told of 8x8 pixels for the blocks that come after. */
struct px_av1_unit {
    uint8_t log2; /* of the block's side, in units of 8; */
    bool written; /* in this picture */
    bool inter, skip, new_move;
    uint8_t side; /* of luma's transforms */
    uint8_t mode; /* enum px_av1_mode */
    uint8_t n_colours;
    struct px_move move;
    const uint8_t *colours;
};

struct px_av1_tile {
    const struct px_vp9_size *size;
    struct px_av1_unit *units; /* of the picture; mi_columns in a row */
    int first, last;           /* columns of the tile */
};

/* A block, in units of 8. */
struct px_av1_block {
    int row, column, log2;
    const struct px_av1_unit *above, *left; /* NULL: not in the tile */
};

struct px_av1_around {
    struct px_move moves[8];
    int n_moves, weights[8];
    int new_context, near_context;
};

/* The moves of the blocks around, most likely first. */
void px_av1_look_around(const struct px_av1_tile *t, const struct px_av1_block *b,
                        struct px_av1_around *ret);
int px_av1_which_context(const struct px_av1_around *a, int i);

/* ---- av1_write.c ---- */

struct px_av1_frame {
    struct px_vp9_size size;
    bool key;
    bool eights; /* luma of whole cells is coded as 8x8, and nothing but DC */
    int index;   /* of the quantizer */
    int log2_tiles, n_tiles, tile_width; /* columns of tiles; superblocks */
    struct px_av1_cell *cells;
    px_av1_numbers
        *numbers; /* of the cells in PX_AV1_ROWS rows: each 64 lines are written at once */
    struct px_av1_unit *units;
    struct px_av1_left *above[3]; /* for each 4 pixels of a plane; tiles share it */
};

static inline px_numbers *px_av1_numbers_of(const struct px_av1_frame *f, int column, int row) {
    return f->numbers[(ptrdiff_t)(row % PX_AV1_ROWS) * f->size.columns + column];
}

int px_av1_tile_column(const struct px_av1_frame *f, int i);
/* @code is called for the rows from @first_row to before @last_row, PX_AV1_ROWS at most, before
 * they are written: from then on their numbers are not needed. */
typedef void px_av1_code_fn(void *data, int tile, int first_row, int last_row);
void px_av1_write_tile(const struct px_av1_frame *f, int tile, px_av1_code_fn *code, void *data,
                       struct px_buf *out);

/* ---- av1_header.c ---- */

/* Into 1 << @log2 columns of tiles, as far as the format and its levels let. */
void px_av1_cut_tiles(struct px_av1_frame *f, int log2);
void px_av1_join(const struct px_av1_frame *f, const struct px_buf *tiles, struct px_buf *out);
