/* src/host/encode/av1_header.c - what stands in front of the tiles
 *
 *     begin | sequence, of a key frame | frame: header, size, tile, .. size, tile, last tile
 *
 * Each unit (OBU) tells its size. Frames stand alone but for the picture before: chances begin with
 * the format's each time. Everything that would change pixels after they are coded is off, moves
 * are of whole pixels. Source: AV1 specification, 5.3 to 5.11.1. */
#include "host/encode/av1_private.h"

#define TILE_SIZE_BYTES 4
#define TILE_WIDTH_MAX 64 /* superblocks */
#define TILE_AREA_MAX 2304
#define SUPERBLOCK_PX 64
/* What levels want (annex A.3), and decoders in hardware may rely on. */
#define LOG2_COLUMNS_MAX 3 /* below level 6.0 */
#define TILE_PX_MIN 8      /* in the picture, of the last one */
#define N_REFERENCES 7

enum unit { SEQUENCE = 1, BEGIN = 2, FRAME = 6 };

struct plain {
    uint8_t bytes[64];
    int n; /* bits */
};

static void put(struct plain *p, unsigned value, int n) {
    while (n-- > 0) {
        p->bytes[p->n / 8] |= (uint8_t)((value >> n & 1) << (7 - p->n % 8));
        p->n++;
    }
}

static void align(struct plain *p) {
    p->n = (p->n + 7) & ~7;
}

static void put_size(struct px_buf *out, size_t v) {
    for (; v > 127; v >>= 7)
        px_buf_putc(out, (char)(v | 128));
    px_buf_putc(out, (char)v);
}

static void put_unit(struct px_buf *out, enum unit kind, size_t size) {
    px_buf_putc(out, (char)(kind << 3 | 2)); /* its size follows */
    put_size(out, size);
}

/* ---- tiles ---- */

static int superblocks(int mi) {
    return (mi + 7) / 8;
}

static int log2_of(int n, int unit) {
    int k = 0;
    while (unit << k < n)
        k++;
    return k;
}

static int log2_min(const struct px_vp9_size *z) {
    return log2_of(superblocks(z->mi_columns), TILE_WIDTH_MAX);
}

static int log2_max(const struct px_vp9_size *z) {
    const int n = superblocks(z->mi_columns);
    return log2_of(n < TILE_WIDTH_MAX ? n : TILE_WIDTH_MAX, 1);
}

/* So large a picture has more tiles; columns of them, as there are no rows here. */
static int log2_area(const struct px_vp9_size *z) {
    return log2_of(superblocks(z->mi_columns) * superblocks(z->mi_rows), TILE_AREA_MAX);
}

static void cut(struct px_av1_frame *f, int log2) {
    const int n = superblocks(f->size.mi_columns);
    f->log2_tiles = log2;
    f->tile_width = (n + (1 << log2) - 1) >> log2;
    f->n_tiles = (n + f->tile_width - 1) / f->tile_width;
}

static int last_tile_px(const struct px_av1_frame *f) {
    return f->size.width - (f->n_tiles - 1) * f->tile_width * SUPERBLOCK_PX;
}

void px_av1_cut_tiles(struct px_av1_frame *f, int log2) {
    const int least =
        log2_min(&f->size) > log2_area(&f->size) ? log2_min(&f->size) : log2_area(&f->size);
    log2 = log2 > LOG2_COLUMNS_MAX ? LOG2_COLUMNS_MAX : log2;
    log2 = log2 < least ? least : log2;
    log2 = log2 > log2_max(&f->size) ? log2_max(&f->size) : log2;
    cut(f, log2);
    while (log2 > least && last_tile_px(f) < TILE_PX_MIN)
        cut(f, --log2);
}

static void put_tiles(struct plain *p, const struct px_av1_frame *f) {
    const struct px_vp9_size *z = &f->size;
    put(p, 1, 1); /* all as wide */
    for (int i = log2_min(z); i < f->log2_tiles; i++)
        put(p, 1, 1);
    if (f->log2_tiles < log2_max(z))
        put(p, 0, 1);
    if (superblocks(z->mi_rows) > 1) /* not cut across */
        put(p, 0, 1);
    if (f->log2_tiles > 0) {
        put(p, 0, f->log2_tiles); /* whose chances stay: none's */
        put(p, TILE_SIZE_BYTES - 1, 2);
    }
}

/* ---- the sequence ---- */

/* The lowest level that takes such a picture 60 times a second; decoders prepare for it. */
static unsigned level_of(const struct px_vp9_size *z) {
    static const struct {
        int width, height, area;
        unsigned level;
    } levels[] = {{4096, 2176, 2359296, 9}, {8192, 4352, 8912896, 13}, {16384, 8704, 35651584, 17}};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (z->width <= levels[i].width && z->height <= levels[i].height &&
            (int64_t)z->width * z->height <= levels[i].area)
            return levels[i].level;
    return 31; /* no bounds */
}

static void put_colours(struct plain *p) {
    put(p, 0, 1); /* of 8 bits */
    put(p, 0, 1); /* not grey only */
    put(p, 1, 1);
    for (int i = 0; i < 3; i++)
        put(p, 6, 8); /* BT.601, in all three */
    put(p, 0, 1);     /* limited range */
    put(p, 0, 2);     /* where chroma lies is not told */
    put(p, 0, 1);     /* one quantizer for both planes of it */
}

static void write_sequence(const struct px_vp9_size *z, struct px_buf *out) {
    const unsigned level = level_of(z);
    struct plain p = {0};
    put(&p, 0, 3);      /* profile: Main */
    put(&p, 0, 1 + 1);  /* not a still picture */
    put(&p, 0, 1 + 1);  /* no times, no delays */
    put(&p, 0, 5 + 12); /* one operating point: all of it */
    put(&p, level, 5);
    if (level > 7)
        put(&p, 0, 1);
    put(&p, 15, 4);
    put(&p, 15, 4);
    put(&p, (unsigned)z->width - 1, 16);
    put(&p, (unsigned)z->height - 1, 16);
    put(&p, 0, 1);         /* frames have no numbers */
    put(&p, 0, 1);         /* superblocks of 64x64 */
    put(&p, 0, 1 + 1);     /* plain guesses from neighbours only */
    put(&p, 0, 1 + 1 + 1); /* and from the last picture */
    put(&p, 0, 1 + 1);     /* one filter, no order */
    put(&p, 0, 1);
    put(&p, 1, 1); /* it is a screen */
    put(&p, 0, 1);
    put(&p, 1, 1);         /* moves of whole pixels */
    put(&p, 0, 1 + 1 + 1); /* pixels are not bent, mended or restored */
    put_colours(&p);
    put(&p, 0, 1); /* no grain */
    put(&p, 1, 1); /* the end */
    align(&p);
    put_unit(out, SEQUENCE, (size_t)p.n / 8);
    px_buf_add(out, p.bytes, (size_t)p.n / 8);
}

/* ---- the frame ---- */

static void put_frame(struct plain *p, const struct px_av1_frame *f) {
    put(p, 0, 1); /* not one of before again */
    put(p, f->key ? 0 : 1, 2);
    put(p, 1, 1); /* shown */
    if (!f->key)
        put(p, 1, 1); /* it stands alone but for the references */
    put(p, 0, 1);     /* chances change with use */
    put(p, 0, 1);     /* of the sequence's size */
    if (!f->key)
        put(p, 0xff, 8); /* it replaces all references */
    if (f->key) {
        put(p, 0, 1); /* shown at that size */
        put(p, 0, 1); /* no blocks from the same picture */
    } else {
        for (int i = 0; i < N_REFERENCES; i++)
            put(p, 0, 3); /* which are all the same */
        put(p, 0, 1);
        put(p, 0, 1); /* one filter for all between pixels: the plain one */
        put(p, 0, 2);
        put(p, 0, 1); /* blocks move as a whole */
    }
    put(p, 1, 1); /* no chances for the next */
    put_tiles(p, f);
    put(p, (unsigned)f->index, 8);
    put(p, 0, 3 + 1);     /* the same for all planes, means and others, and flat */
    put(p, 0, 1);         /* no segments */
    put(p, 0, 1);         /* nor does it change */
    put(p, 0, 6 + 6 + 3); /* no loop filter */
    put(p, 0, 1);
    put(p, 1, 1); /* blocks tell their transforms' sizes */
    if (!f->key)
        put(p, 0, 1); /* from one picture at a time */
    put(p, 1, 1);     /* few kinds of transforms */
    if (!f->key)
        put(p, 0, N_REFERENCES); /* which do not move as a whole */
    align(p);
    if (f->n_tiles > 1)
        put(p, 0, 1); /* all tiles are here */
    align(p);
}

void px_av1_join(const struct px_av1_frame *f, const struct px_buf *tiles, struct px_buf *out) {
    struct plain p = {0};
    put_frame(&p, f);
    size_t size = (size_t)p.n / 8 + (size_t)(f->n_tiles - 1) * TILE_SIZE_BYTES;
    for (int i = 0; i < f->n_tiles; i++)
        size += tiles[i].size;
    put_unit(out, BEGIN, 0);
    if (f->key)
        write_sequence(&f->size, out);
    put_unit(out, FRAME, size);
    px_buf_add(out, p.bytes, (size_t)p.n / 8);
    for (int i = 0; i < f->n_tiles; i++) {
        const uint32_t n = (uint32_t)tiles[i].size - 1;
        const uint8_t bytes[TILE_SIZE_BYTES] = {(uint8_t)n, (uint8_t)(n >> 8), (uint8_t)(n >> 16),
                                                (uint8_t)(n >> 24)};
        if (i + 1 < f->n_tiles)
            px_buf_add(out, bytes, sizeof(bytes));
        px_buf_add(out, tiles[i].data, tiles[i].size);
    }
}
