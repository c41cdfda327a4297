/* src/host/encode/vp8_tables.h - numbers of the VP8 format. Source: RFC 6386, 13 to 17 */
#pragma once
#include <stdint.h>

#define PX_VP8_TYPES 4    /* of blocks: luma without DC, the DCs of luma, chroma, luma with DC */
#define PX_VP8_BANDS 8    /* of places in a block */
#define PX_VP8_CONTEXTS 3 /* what the neighbour was: nothing, one, more */
#define PX_VP8_NODES 11   /* of the tree of tokens */
#define PX_VP8_MV_PROBS 19

extern const uint16_t px_vp8_dc_steps[128], px_vp8_ac_steps[128]; /* of each quantizer */
extern const uint16_t px_vp8_costs[256];
extern const uint8_t px_vp8_zigzag[16], px_vp8_band[16];
extern const uint8_t px_vp8_mode_probs[6][4];
extern const uint8_t px_vp8_mv_probs[2][PX_VP8_MV_PROBS]; /* rows, then columns */
extern const uint8_t px_vp8_mv_update_probs[2][PX_VP8_MV_PROBS];
extern const uint8_t px_vp8_coef_probs[PX_VP8_TYPES][PX_VP8_BANDS][PX_VP8_CONTEXTS][PX_VP8_NODES];
extern const uint8_t px_vp8_coef_update_probs[PX_VP8_TYPES][PX_VP8_BANDS][PX_VP8_CONTEXTS]
                                             [PX_VP8_NODES];
