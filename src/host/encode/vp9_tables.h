/* src/host/encode/vp9_tables.h - numbers of the format
 *
 * Of what this encoder uses: transforms of 4x4 and 8x8, four modes of guessing from neighbours
 * (their order here: DC, V, H, TM), one reference. Source: "VP9 Bitstream & Decoding Process
 * Specification", 8.4 and 10; libvpx (BSD) vp9/common has the same numbers. */
#pragma once
#include <stdint.h>

#define PX_VP9_BANDS 6
#define PX_VP9_CONTEXTS 6
#define PX_VP9_NODES 3

/* How likely, of 256, something is 0: of luma or chroma, from neighbours or the last picture, by
 * place, by what is around; more, not zero, not one. */
typedef uint8_t px_vp9_chances[2][2][PX_VP9_BANDS][PX_VP9_CONTEXTS][PX_VP9_NODES];

extern const int16_t px_vp9_dc_steps[256], px_vp9_ac_steps[256];
extern const px_vp9_chances px_vp9_coef_chances, px_vp9_coef_chances8; /* of 4x4, of 8x8 */
/* The nodes for what is above one, for the odd values of the third node; even ones lie between. */
extern const uint8_t px_vp9_tails[128][8];
extern const uint8_t px_vp9_key_modes[4][4][5]; /* by above, by left */
extern const uint8_t px_vp9_key_uv_modes[4][5]; /* by luma's */
extern const uint8_t px_vp9_modes[4][5];        /* by the block's size */
extern const uint8_t px_vp9_uv_modes[4][5];     /* by luma's */
extern const uint8_t px_vp9_key_partitions[16][3], px_vp9_partitions[16][3]; /* 8x8 .. 64x64 */
extern const uint8_t px_vp9_inter_modes[7][3];
/* Orders of 4x4 numbers: both ways alike, lines first, columns first; and which two of those
 * before (by their place in that order) tell the context of each; last, of the first of 8x8. */
extern const uint8_t px_vp9_scans[3][16], px_vp9_neighbours[4][16][2];
