/* src/host/encode/h264_private.h - what the files of the H.264 encoder share
 *
 *     h264.c         the encoder: which blocks, how fine, on which threads
 *     h264_block.c   one macroblock: guessed from what is there, and the rest as numbers
 *     h264_motion.c  where a macroblock of a film has moved to, to a quarter of a pixel
 *     h264_write.c   macroblocks and numbers to a slice's bits, slices to bytes
 *     h264_tables.c  numbers of the format
 *
 * Constrained baseline: 4:2:0, one reference, no filter, numbers in CAVLC. A macroblock is guessed
 * as a whole; its numbers are 27 parts of up to 16: 16 of luma (line by line), 4 + 4 of chroma,
 * then the means of luma (guessed inside only) and of both chroma planes. Pixels are those of
 * block.h. Source: ITU-T H.264, clauses as told. */
#pragma once
#include "base/buf.h"
#include "host/encode/block.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_H264_SIDE 16
#define PX_H264_PARTS 27
#define PX_H264_CHROMA 16
#define PX_H264_LUMA_MEANS 24
#define PX_H264_CHROMA_MEANS 25
#define PX_H264_MOVE_MAX 511  /* pixels each way, of all levels from 3.1 on, which we tell */
#define PX_H264_FRAME_NUMS 16 /* frame_num counts pictures modulo this */

/* As luma has them; and I_PCM, its pixels as they are. */
enum px_h264_mode { PX_H264_V, PX_H264_H, PX_H264_DC, PX_H264_INTER, PX_H264_RAW };

struct px_h264_block {
    uint8_t mode;        /* enum px_h264_mode, of luma and chroma */
    uint8_t luma;        /* which quarters have numbers; guessed inside: all or none */
    uint8_t chroma;      /* 0: no numbers; 1: means; 2: others, too */
    struct px_move move; /* with PX_H264_INTER; quarters of a pixel */
    uint8_t n[24];       /* numbers other than 0 of the parts of luma and chroma, without means;
                            of PX_H264_RAW 16 each, as its neighbours count them */
};

typedef int16_t px_h264_numbers[PX_H264_PARTS][16]; /* in zigzag order; chroma's means: 4 */

/* Of one quantizer. */
struct px_h264_steps {
    int qp;
    int near;        /* pixels so near to their guess need no more */
    int keep;        /* so many of a part's numbers, the lowest: PX_KEEP_ALL, 3, 1 */
    unsigned lambda; /* pixels' distance that a bit is worth */
    struct px_h264_step {
        int sixth, octave;                          /* of the quantizer of luma, chroma */
        int16_t per[4][8], round[4][8], step[4][8]; /* of two parts side by side, columns in turn */
    } of[2];
};

/* ---- h264_block.c ---- */

void px_h264_steps_init(struct px_h264_steps *s, int qp, int keep, bool film);
/* The guess of @mode and its @move, whole pixels. @at->cut: another slice is above. */
void px_h264_guess(const struct px_block_at *at, enum px_h264_mode mode, struct px_move move,
                   struct px_block *ret);
/* @want less @guess to numbers, @guess to what the decoder will show, and @k's luma, chroma and n.
 * Of @numbers only what @k tells of is set, and of a mode inside luma's means. */
void px_h264_code(const struct px_h264_steps *s, const struct px_block *want,
                  struct px_block *guess, struct px_h264_block *k, px_h264_numbers numbers);

/* ---- h264_motion.c ---- */

/* Where @want comes from in @at->before: what is told by few bits (@expected; each is worth
 * @lambda of distance), from @hints on. Moves are in quarters. Returns distance and bits. */
unsigned px_h264_search(const struct px_block_at *at, const uint8_t want[16][16],
                        const struct px_move *hints, int n_hints, struct px_move expected,
                        unsigned lambda, struct px_move *ret, struct px_block *ret_guess);

/* ---- h264_write.c ---- */

/* What the neighbours of macroblock @k, at @column, say about its move. @above: one is above it in
 * the slice. */
struct px_move px_h264_expect(const struct px_h264_block *k, int columns, int column, bool above);

struct px_h264_picture {
    int width, height, columns, rows; /* of the picture's pixels; of macroblocks */
    bool key;
    unsigned frame_num, key_id;
    int qp;
};

/* The bits of one slice, from one thread. */
struct px_h264_slice {
    const struct px_h264_picture *picture;
    const struct px_h264_block *blocks; /* of the whole picture */
    int first_row;
    struct px_buf out; /* raw: without what keeps start codes apart */
    uint64_t bits;
    int n_bits;
    unsigned n_skipped;
};

/* Empties @s->out and writes the header. */
void px_h264_slice_begin(struct px_h264_slice *s, const struct px_h264_picture *p,
                         const struct px_h264_block *blocks, int first_row);
/* The next macroblock, in order. @numbers: not looked at where it has none. False: its pixels take
 * less than these numbers, and nothing is written. */
bool px_h264_slice_add(struct px_h264_slice *s, int column, int row, const px_h264_numbers numbers);
/* The same as PX_H264_RAW, which its block in @s->blocks has to be before the next is added. */
void px_h264_slice_add_raw(struct px_h264_slice *s, const struct px_block *pixels);
void px_h264_slice_end(struct px_h264_slice *s);
/* Append whole units. */
void px_h264_write_slice(const struct px_h264_slice *s, struct px_buf *out);
void px_h264_write_headers(const struct px_h264_picture *p, struct px_buf *out);
/* A picture that shows the same as the one before it. */
void px_h264_write_same(const struct px_h264_picture *p, struct px_buf *out);
/* False: no level of the format holds so many macroblocks. */
bool px_h264_has_size(int columns, int rows);

/* ---- h264_tables.c ---- */

struct px_h264_code_word {
    uint8_t bits, n;
};

extern const uint8_t px_h264_zigzag[16];
/* By the remainder of the quantizer by 6: of means and the like, of the odd ones, of others. */
extern const int16_t px_h264_scales[6][3], px_h264_steps_of[6][3];
extern const uint8_t px_h264_chroma_qp[52];
/* [which][how many numbers][how many ones at the end]: few, some, many around; chroma's means. */
extern const struct px_h264_code_word px_h264_counts[4][17][4];
/* [how many numbers - 1][zeros before the last]; of chroma's means. */
extern const struct px_h264_code_word px_h264_zeros[15][16], px_h264_zeros_of_means[3][4];
/* [zeros left - 1, at most 6][zeros before this one] */
extern const struct px_h264_code_word px_h264_runs[7][15];
extern const uint8_t px_h264_pattern[48]; /* of luma + 16 * chroma, what stands for it */
