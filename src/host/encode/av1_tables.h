/* src/host/encode/av1_tables.h - numbers of the format
 *
 * Of what this encoder uses: transforms of 4x4 and 8x8, four modes of guessing from neighbours
 * (their order here: DC, V, H, Paeth), one reference, palettes of luma. Made by av1_tables.py from
 * the text of the "AV1 Bitstream & Decoding Process Specification" (AOMediaCodec/av1-spec), 7.12
 * and 9.3; libaom (BSD) has the same numbers.
 *
 * Chances of n things are n + 1 numbers: how likely, of 32768, it is none of the first 1, 2, .. n;
 * and how often they were used, up to 32. */
#pragma once
#include <stdint.h>

struct px_av1_move_chances {
    uint16_t kind[12], sign[3], small[3], bit[10][3];
};

struct px_av1_chances {
    uint16_t skip[3][3], inter[4][3], reference[3][6][3];
    uint16_t new_move[6][3], still[2][3], near_move[6][3], which_move[3][3];
    uint16_t joint[5];
    struct px_av1_move_chances move[2]; /* down, across */
    uint16_t key_mode[5][5][14], mode[4][14], uv_mode[4][15], angle[2][8];
    uint16_t cut8[4][5], cut[3][4][11]; /* of blocks of 8; 16, 32, 64 */
    uint16_t depth8[3][3], depth16[3][4], split[21][3];
    uint16_t palette[2][3][3], palette_uv[2][3], n_colours[8]; /* in blocks of 8, of 16; of 16 */
    uint16_t colour[7][5][10]; /* of 2 .. 8 colours; the count follows the last of them */
    uint16_t kind_inside[4][6], kind_eight[6], kind_moved[3]; /* of 4x4; of 8x8, DC; of 4x4 */
};

/* Of numbers; the first index is the transform (4x4, 8x8), the second luma or chroma. */
struct px_av1_number_chances {
    uint16_t none[3][13][3]; /* and of 16x16 */
    uint16_t end16[2][6], end64[2][8], end_more[2][2][9][3];
    uint16_t dc_sign[2][3][3], last[2][2][4][4], base[2][2][42][5], more[2][2][21][5];
};

extern const uint8_t px_av1_scan4[16], px_av1_scan8[64];
extern const struct px_av1_chances px_av1_chances;
extern const struct px_av1_number_chances
    px_av1_number_chances[4]; /* the finest quantizers first */
