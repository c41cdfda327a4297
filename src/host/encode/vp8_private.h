/* src/host/encode/vp8_private.h - what the files of the VP8 encoder share
 *
 *     vp8.c         the encoder: which blocks, how fine, on which threads
 *     vp8_block.c   one block of 16x16: guessed from what is there, and the rest as numbers
 *     vp8_write.c   blocks and numbers to a frame's bytes
 *     vp8_tables.h  numbers of the format
 *
 * A block here is VP8's macroblock: 16x16 pixels, coded as 25 parts of 4x4 numbers: 16 of luma
 * without their means, 4 + 4 of chroma, and one of luma's means. */
#pragma once
#include "base/buf.h"
#include "host/encode/block.h"
#include "host/encode/vp8_tables.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_VP8_SIDE 16
#define PX_VP8_PARTS 25
#define PX_VP8_MEANS 24      /* the part of luma's means; chroma's are 16..23 */
#define PX_VP8_STREAMS_MAX 4 /* of tokens in one frame */

enum px_vp8_mode { PX_VP8_DC, PX_VP8_V, PX_VP8_H, PX_VP8_TM, PX_VP8_INTER };

struct px_vp8_block {
    uint8_t mode;               /* enum px_vp8_mode, of luma and chroma */
    bool skip;                  /* nothing but the guess */
    struct px_move move;        /* with PX_VP8_INTER */
    uint8_t ends[PX_VP8_PARTS]; /* of each part's numbers; 0: none (a luma part begins at 1) */
};

/* Numbers of one quantizer. */
struct px_vp8_steps {
    int index;                    /* 0..127 */
    int16_t dc[3], ac[3];         /* of luma, chroma, luma's means */
    int16_t dc_per[3], ac_per[3]; /* 65536 / step */
    int16_t dc_round[3], ac_round[3];
    int near; /* pixels so near to their guess need no more */
    int keep; /* so many of a part's numbers, the lowest: PX_KEEP_ALL, 6, 3, 1 */
};

/* ---- vp8_block.c ---- */

void px_vp8_steps_init(struct px_vp8_steps *s, int index, int keep);

/* The guess of @mode and its @move. */
void px_vp8_guess(const struct px_block_at *at, enum px_vp8_mode mode, struct px_move move,
                  struct px_block *ret);
/* @want less @guess to numbers (25 x 16, each part in zigzag order), @guess to what the decoder
 * will show. False: all numbers are 0 and @guess is as it was. */
bool px_vp8_code(const struct px_vp8_steps *s, const struct px_block *want, struct px_block *guess,
                 uint8_t ends[PX_VP8_PARTS], int16_t (*numbers)[16]);

/* ---- vp8_write.c ---- */

/* How likely each node of the tree of tokens is 0, of 256; how often it was 0, and 1. */
typedef uint8_t px_vp8_chances[PX_VP8_TYPES][PX_VP8_BANDS][PX_VP8_CONTEXTS][PX_VP8_NODES];
typedef uint32_t px_vp8_counts[PX_VP8_TYPES][PX_VP8_BANDS][PX_VP8_CONTEXTS][PX_VP8_NODES][2];

struct px_vp8_frame {
    int width, height, columns, rows;
    bool key;
    bool only_means; /* no block's luma has more */
    int index;       /* of the quantizer */
    int n_streams;   /* 1, 2, 4: row i goes to stream i modulo n_streams */
    const struct px_vp8_block *blocks;
    const int16_t *const *numbers; /* of each block, see px_numbers_keep(); looked at unless skip */
    px_vp8_chances chances, chances_before; /* as decoders have them after its header, and before */
    bool passing; /* chances are for this frame only; then those before it count again */
    bool joined;  /* some decoders have had a key frame just now: chances_before or the format's */
};

/* Adds up what the numbers of one stream are. */
void px_vp8_count_tokens(const struct px_vp8_frame *f, int stream, px_vp8_counts *counts);
/* Changes those of @chances that pay for the bytes which tell decoders so. */
void px_vp8_adapt(const px_vp8_counts *counts, px_vp8_chances *chances);
/* Appends one stream's bytes. Streams do not touch each other: any threads. */
void px_vp8_write_tokens(const struct px_vp8_frame *f, int stream, struct px_buf *out);
/* Appends everything before the streams but their sizes; @ret_first: bytes of the first part. */
void px_vp8_write_modes(const struct px_vp8_frame *f, struct px_buf *out);
/* The whole frame. */
void px_vp8_join(const struct px_vp8_frame *f, const struct px_buf *modes,
                 const struct px_buf *streams, struct px_buf *out);
