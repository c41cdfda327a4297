/* src/host/capture/picture.h - a picture as encoders take it
 *
 * 8 bit Y, U, V planes, BT.601 limited range; colour planes halved both ways (4:2:0, rounded up) or
 * full (4:4:4). Lines are 64-byte aligned. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct px_picture {
    int width, height;
    bool i444;
    uint8_t *planes[3];
    int strides[3];
    uint8_t *memory; /* of all planes */
};

/* Black. @width and @height are 1..16384. */
void px_picture_init(struct px_picture *p, int width, int height, bool i444);
void px_picture_fini(struct px_picture *p);
/* Converts @width x @height pixels B,G,R,X (4 bytes each) to place @x, @y (both even unless i444).
 */
void px_picture_put_bgrx(struct px_picture *p, int x, int y, const uint8_t *bgrx, int stride,
                         int width, int height);
