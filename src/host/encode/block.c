/* src/host/encode/block.c - macroblocks: 16x16 pixels in 4:2:0 */
#include "host/encode/block.h"
#include "host/encode/pixels.h"
#include <stdlib.h>

void px_block_read(const struct px_planes *from, int width, int height, int column, int row,
                   struct px_block *ret) {
    px_read_square(from->planes[0], from->strides[0], width, height, column * 16, row * 16, 16,
                   ret->y[0], 16);
    for (int i = 0; i < 2; i++)
        px_read_square(from->planes[1 + i], from->strides[1 + i], (width + 1) / 2, (height + 1) / 2,
                       column * 8, row * 8, 8, ret->uv[i][0], 8);
}

void px_block_store(const struct px_block_at *at, const struct px_block *p) {
    const int *strides = at->now->strides;
    const ptrdiff_t x = at->column * 8, y = at->row * 8;
    px_copy_square(at->now->planes[0] + y * 2 * strides[0] + x * 2, strides[0], p->y[0], 16, 16);
    px_copy_square(at->now->planes[1] + y * strides[1] + x, strides[1], p->uv[0][0], 8, 8);
    px_copy_square(at->now->planes[2] + y * strides[2] + x, strides[2], p->uv[1][0], 8, 8);
}

unsigned px_block_distance(const uint8_t a[16][16], const uint8_t b[16][16]) {
    unsigned sum = 0;
    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 16; x++)
            sum += (unsigned)abs(a[y][x] - b[y][x]);
    return sum;
}

/* Of @n pixels (a multiple of 16) none is farther than @near. */
static bool is_near(const uint8_t *a, const uint8_t *b, int n, int near) {
    for (int i = 0; i < n; i += 16) {
        uint8_t far = 0;
        for (int k = i; k < i + 16; k++) {
            const uint8_t more = a[k] > b[k] ? a[k] : b[k], less = a[k] > b[k] ? b[k] : a[k];
            far |= (uint8_t)(more - less) > near;
        }
        if (far)
            return false;
    }
    return true;
}

bool px_block_will_do(const struct px_block *want, const struct px_block *guess, bool same,
                      int near) {
    if (!same && !is_near(want->y[0], guess->y[0], sizeof(want->y), near))
        return false;
    return is_near(want->uv[0][0], guess->uv[0][0], sizeof(want->uv), same ? 2 + near * 2 : near);
}

void px_block_guess_moved(const struct px_block_at *at, struct px_move m, px_guess_half_fn *half,
                          struct px_block *ret) {
    const struct px_planes *b = at->before;
    const uint8_t *from =
        b->planes[0] + (ptrdiff_t)(at->row * 16 + m.y) * b->strides[0] + at->column * 16 + m.x;
    px_copy_square(ret->y[0], 16, from, b->strides[0], 16);
    /* Halves are rounded down: the odd pixel is the half behind it. */
    const int x = at->column * 8 + (m.x >> 1), y = at->row * 8 + (m.y >> 1);
    for (int i = 0; i < 2; i++) {
        const uint8_t *plane = b->planes[1 + i];
        const int stride = b->strides[1 + i];
        if (m.x & 1 || m.y & 1)
            half(plane, stride, at->columns * 8, at->rows * 8, x, y, m.x & 1, m.y & 1, ret->uv[i]);
        else
            px_copy_square(ret->uv[i][0], 8, plane + (ptrdiff_t)y * stride + x, stride, 8);
    }
}
