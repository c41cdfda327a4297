/* src/host/encode/h264_write.c - macroblocks and numbers to a slice's bits, slices to bytes
 *
 *     00 00 00 01 | kind | headers, or a slice: its header, macroblocks, a 1 | ..
 *
 * Source: ITU-T H.264, 7.3 (syntax), 8.4.1 (moves are told by what neighbours say), 9.1 and 9.2
 * (numbers), 7.4.1 (what keeps start codes apart), annexes A.3 (levels) and E (colours). */
#include "host/encode/h264_private.h"
#include <string.h>

#define UNIT_SLICE 0x41 /* referred to, by the next picture; 0x65: begins anew */
#define UNIT_KEY 0x65
#define UNIT_SEQUENCE 0x67
#define UNIT_PICTURE 0x68
#define BLOCK_BYTES_MAX 4096 /* of a macroblock: 384 numbers of 28 bits at most, and more */
#define RAW_BITS (9 + 7 + (int)sizeof(struct px_block) * 8) /* its kind, to whole bytes, pixels */
_Static_assert(RAW_BITS <= 3200, "so many a macroblock may take: A.3.1");
#define INITIAL_QP 26

/* ---- bits ---- */

static inline void put(struct px_h264_slice *s, uint32_t value, int n) {
    s->bits = s->bits << n | value;
    s->n_bits += n;
    if (s->n_bits < 32)
        return;
    s->n_bits -= 32;
    const uint32_t word = __builtin_bswap32((uint32_t)(s->bits >> s->n_bits));
    memcpy(s->out.data + s->out.size, &word, 4); /* there is room: reserve() */
    s->out.size += 4;
}

static void reserve(struct px_h264_slice *s, size_t n) {
    if (s->out.cap - s->out.size <= n)
        px_buf_reserve(&s->out, n);
}

static inline void put_unsigned(struct px_h264_slice *s, uint32_t value) {
    const int n = 31 - __builtin_clz(value + 1);
    put(s, 0, n);
    put(s, value + 1, n + 1);
}

static inline void put_signed(struct px_h264_slice *s, int value) {
    put_unsigned(s, value > 0 ? 2 * (uint32_t)value - 1 : 2 * (uint32_t)-value);
}

static void put_to_bytes(struct px_h264_slice *s) {
    put(s, 0, (8 - s->n_bits % 8) % 8);
    for (; s->n_bits > 0; s->n_bits -= 8)
        s->out.data[s->out.size++] = (char)(s->bits >> (s->n_bits - 8));
}

/* The last bit, and to whole bytes. */
static void put_end(struct px_h264_slice *s) {
    put(s, 1, 1);
    put_to_bytes(s);
}

/* ---- numbers ---- */

static void put_word(struct px_h264_slice *s, struct px_h264_code_word w) {
    put(s, w.bits, w.n);
}

/* @context: 0..16, how many neighbours have; less than 0: chroma's means. */
static void put_count(struct px_h264_slice *s, int context, int n, int ones) {
    if (context >= 8)
        put(s, n ? (uint32_t)(n - 1) << 2 | (uint32_t)ones : 3, 6);
    else
        put_word(s, px_h264_counts[context < 0   ? 3
                                   : context < 2 ? 0
                                   : context < 4 ? 1
                                                 : 2][n][ones]);
}

static void put_level(struct px_h264_slice *s, unsigned code, int suffix) {
    if (suffix == 0 && code < 14)
        put(s, 1, (int)code + 1);
    else if (suffix == 0 && code < 30)
        put(s, 1u << 4 | (code - 14), 19);
    else if (suffix > 0 && code < 15u << suffix)
        put(s, 1u << suffix | (code & ((1u << suffix) - 1)), (int)(code >> suffix) + 1 + suffix);
    else
        put(s, 1u << 12 | (code - (suffix ? 15u << suffix : 30)), 28);
}

static void put_levels(struct px_h264_slice *s, const int16_t *levels, int n, int ones) {
    int suffix = n > 10 && ones < 3;
    for (int i = ones; i < n; i++) {
        const int level = levels[i], size = level < 0 ? -level : level;
        unsigned code = (unsigned)(2 * size - 2 + (level < 0));
        if (i == ones && ones < 3)
            code -= 2; /* it would have been among the ones */
        put_level(s, code, suffix);
        if (suffix == 0)
            suffix = 1;
        if (size > 3 << (suffix - 1) && suffix < 6)
            suffix++;
    }
}

/* @numbers: up to @most, in zigzag order. */
static void put_part(struct px_h264_slice *s, const int16_t *numbers, int most, int context) {
    int16_t levels[16]; /* the last one first */
    uint8_t runs[16];   /* zeros before each */
    int n = 0, zeros = 0, run = 0, ones = 0;
    int end = most;
    while (end > 0 && numbers[end - 1] == 0)
        end--;
    for (int i = end - 1; i >= 0; i--)
        if (numbers[i]) {
            if (n > 0)
                runs[n - 1] = (uint8_t)run;
            levels[n++] = numbers[i];
            zeros += run;
            run = 0;
        } else
            run++;
    zeros += run;
    while (ones < n && ones < 3 && (levels[ones] == 1 || levels[ones] == -1))
        ones++;
    put_count(s, context, n, ones);
    if (n == 0)
        return;
    runs[n - 1] = (uint8_t)run;
    for (int i = 0; i < ones; i++)
        put(s, levels[i] < 0, 1);
    put_levels(s, levels, n, ones);
    if (n == most)
        return;
    put_word(s, most == 4 ? px_h264_zeros_of_means[n - 1][zeros] : px_h264_zeros[n - 1][zeros]);
    for (int i = 0; i < n - 1 && zeros > 0; i++) {
        put_word(s, px_h264_runs[zeros > 7 ? 6 : zeros - 1][runs[i]]);
        zeros -= runs[i];
    }
}

/* ---- macroblocks ---- */

struct around {
    const struct px_h264_block *k, *left, *above, *corner; /* NULL: not in the slice */
};

/* How many numbers neighbours of a part of @side x @side have. */
static int context_of(const struct around *a, int base, int side, int x, int y) {
    const struct px_h264_block *left = x ? a->k : a->left, *above = y ? a->k : a->above;
    const int l = left ? left->n[base + y * side + (x ? x - 1 : side - 1)] : 0;
    const int u = above ? above->n[base + (y ? y - 1 : side - 1) * side + x] : 0;
    return left && above ? (l + u + 1) >> 1 : l + u;
}

static void put_luma(struct px_h264_slice *s, const struct around *a,
                     const px_h264_numbers numbers) {
    const bool inside = a->k->mode != PX_H264_INTER;
    if (inside)
        put_part(s, numbers[PX_H264_LUMA_MEANS], 16, context_of(a, 0, 4, 0, 0));
    for (int quarter = 0; quarter < 4; quarter++)
        for (int i = 0; i < 4 && a->k->luma >> quarter & 1; i++) {
            static const int16_t none[16];
            const int x = quarter % 2 * 2 + i % 2, y = quarter / 2 * 2 + i / 2;
            const int16_t *part = a->k->n[y * 4 + x] ? numbers[y * 4 + x] : none;
            put_part(s, inside ? part + 1 : part, inside ? 15 : 16, context_of(a, 0, 4, x, y));
        }
}

static void put_chroma(struct px_h264_slice *s, const struct around *a,
                       const px_h264_numbers numbers) {
    static const int16_t none[16];
    for (int i = 0; i < 2 && a->k->chroma; i++)
        put_part(s, numbers[PX_H264_CHROMA_MEANS + i], 4, -1);
    if (a->k->chroma < 2)
        return;
    for (int i = 0; i < 8; i++) {
        const int base = PX_H264_CHROMA + i / 4 * 4;
        const int16_t *part = a->k->n[PX_H264_CHROMA + i] ? numbers[PX_H264_CHROMA + i] : none;
        put_part(s, part + 1, 15, context_of(a, base, 2, i % 2, i / 2 % 2));
    }
}

static bool moves(const struct px_h264_block *k) {
    return k && k->mode == PX_H264_INTER;
}

static int middle(int a, int b, int c) {
    return a > b ? (b > c ? b : a > c ? c : a) : a > c ? a : b > c ? c : b;
}

/* What neighbours say about the move. */
static struct px_move expected(const struct around *a) {
    static const struct px_move still;
    if (a->left && !a->above && !a->corner)
        return moves(a->left) ? a->left->move : still;
    const struct px_move l = moves(a->left) ? a->left->move : still;
    const struct px_move u = moves(a->above) ? a->above->move : still;
    const struct px_move c = moves(a->corner) ? a->corner->move : still;
    if (moves(a->left) + moves(a->above) + moves(a->corner) == 1)
        return moves(a->left) ? l : moves(a->above) ? u : c;
    return (struct px_move){.x = (int16_t)middle(l.x, u.x, c.x),
                            .y = (int16_t)middle(l.y, u.y, c.y)};
}

static bool is_still(const struct px_h264_block *k) {
    return !k || (k->mode == PX_H264_INTER && k->move.x == 0 && k->move.y == 0);
}

/* A macroblock that is not told of has this move. */
static struct px_move skipped(const struct around *a) {
    return is_still(a->left) || is_still(a->above) ? (struct px_move){0} : expected(a);
}

static void put_inter(struct px_h264_slice *s, const struct around *a) {
    const struct px_move e = expected(a), m = a->k->move;
    put_unsigned(s, 0);
    put_signed(s, m.x - e.x);
    put_signed(s, m.y - e.y);
    put_unsigned(s, px_h264_pattern[a->k->luma + 16 * a->k->chroma]);
    if (a->k->luma || a->k->chroma)
        put_signed(s, 0); /* the slice's quantizer */
}

static void put_intra(struct px_h264_slice *s, const struct px_h264_block *k) {
    static const uint8_t chroma_modes[] = {[PX_H264_V] = 2, [PX_H264_H] = 1, [PX_H264_DC] = 0};
    put_unsigned(s, (s->picture->key ? 1u : 6u) + k->mode + 4u * k->chroma + (k->luma ? 12 : 0));
    put_unsigned(s, chroma_modes[k->mode]);
    put_signed(s, 0);
}

static struct around around_of(const struct px_h264_block *k, int columns, int column, bool above) {
    struct around a = {
        .k = k, .left = column > 0 ? k - 1 : NULL, .above = above ? k - columns : NULL};
    if (above)
        a.corner = column + 1 < columns ? a.above + 1 : column > 0 ? a.above - 1 : NULL;
    return a;
}

struct px_move px_h264_expect(const struct px_h264_block *k, int columns, int column, bool above) {
    const struct around a = around_of(k, columns, column, above);
    return expected(&a);
}

static void put_skipped(struct px_h264_slice *s) {
    reserve(s, BLOCK_BYTES_MAX);
    if (!s->picture->key)
        put_unsigned(s, s->n_skipped);
}

static int64_t bits_so_far(const struct px_h264_slice *s) {
    return (int64_t)s->out.size * 8 + s->n_bits;
}

bool px_h264_slice_add(struct px_h264_slice *s, int column, int row,
                       const px_h264_numbers numbers) {
    const int columns = s->picture->columns;
    const struct px_h264_block *k = s->blocks + (ptrdiff_t)row * columns + column;
    const struct around a = around_of(k, columns, column, row > s->first_row);
    if (k->mode == PX_H264_INTER && !k->luma && !k->chroma) {
        const struct px_move m = skipped(&a);
        if (m.x == k->move.x && m.y == k->move.y) {
            s->n_skipped++;
            return true;
        }
    }
    const size_t size = s->out.size;
    const uint64_t bits = s->bits;
    const int n_bits = s->n_bits;
    put_skipped(s);
    const int64_t from = bits_so_far(s);
    if (k->mode == PX_H264_INTER)
        put_inter(s, &a);
    else
        put_intra(s, k);
    if (k->mode != PX_H264_INTER || k->luma)
        put_luma(s, &a, numbers);
    put_chroma(s, &a, numbers);
    if (bits_so_far(s) - from > RAW_BITS) {
        s->out.size = size;
        s->bits = bits;
        s->n_bits = n_bits;
        return false;
    }
    s->n_skipped = 0;
    return true;
}

void px_h264_slice_add_raw(struct px_h264_slice *s, const struct px_block *pixels) {
    put_skipped(s);
    s->n_skipped = 0;
    put_unsigned(s, s->picture->key ? 25 : 30);
    put_to_bytes(s);
    memcpy(s->out.data + s->out.size, pixels, sizeof(*pixels));
    s->out.size += sizeof(*pixels);
}

/* ---- slices ---- */

static void put_slice_header(struct px_h264_slice *s, const struct px_h264_picture *p, int first) {
    put_unsigned(s, (uint32_t)first);
    put_unsigned(s, p->key ? 7 : 5); /* all slices of the picture are such */
    put_unsigned(s, 0);
    put(s, p->frame_num, 4);
    if (p->key)
        put_unsigned(s, p->key_id);
    else
        put(s, 0, 2);          /* one reference, the last picture */
    put(s, 0, p->key ? 2 : 1); /* which is how references go by themselves */
    put_signed(s, p->qp - INITIAL_QP);
    put_unsigned(s, 1); /* no filter */
}

static void begin(struct px_h264_slice *s) {
    px_buf_reset(&s->out);
    reserve(s, BLOCK_BYTES_MAX);
    s->bits = 0;
    s->n_bits = 0;
    s->n_skipped = 0;
}

void px_h264_slice_begin(struct px_h264_slice *s, const struct px_h264_picture *p,
                         const struct px_h264_block *blocks, int first_row) {
    s->picture = p;
    s->blocks = blocks;
    s->first_row = first_row;
    begin(s);
    put_slice_header(s, p, first_row * p->columns);
}

void px_h264_slice_end(struct px_h264_slice *s) {
    reserve(s, BLOCK_BYTES_MAX);
    if (s->n_skipped)
        put_unsigned(s, s->n_skipped);
    put_end(s);
}

/* Two zeros and something small would be taken for a start. */
static void write_unit(uint8_t kind, const struct px_buf *raw, struct px_buf *out) {
    const uint8_t *p = (const uint8_t *)raw->data, *end = p + raw->size;
    uint8_t *to = px_buf_reserve(out, 5 + raw->size + raw->size / 2);
    const uint8_t *const from = to;
    memcpy(to, (uint8_t[]){0, 0, 0, 1, kind}, 5);
    to += 5;
    int zeros = 0;
    while (p < end) {
        if (zeros == 0) { /* what needs no look */
            const uint8_t *zero = memchr(p, 0, (size_t)(end - p));
            const size_t n = (size_t)((zero ? zero : end) - p);
            memcpy(to, p, n);
            to += n;
            p += n;
            if (p == end)
                break;
        }
        if (zeros == 2 && *p <= 3) {
            *to++ = 3;
            zeros = 0;
        }
        zeros = *p ? 0 : zeros + 1;
        *to++ = *p++;
    }
    out->size += (size_t)(to - from);
}

void px_h264_write_slice(const struct px_h264_slice *s, struct px_buf *out) {
    write_unit(s->picture->key ? UNIT_KEY : UNIT_SLICE, &s->out, out);
}

void px_h264_write_same(const struct px_h264_picture *p, struct px_buf *out) {
    struct px_h264_slice s = {.picture = p};
    begin(&s);
    put_slice_header(&s, p, 0);
    s.n_skipped = (unsigned)(p->columns * p->rows);
    px_h264_slice_end(&s);
    write_unit(UNIT_SLICE, &s.out, out);
    px_buf_fini(&s.out);
}

/* ---- headers ---- */

/* Macroblocks of a picture, and in a second; of which 60 pictures a second are taken. From
 * 3.1 on moves go up and down as far as 511 pixels. */
static const struct {
    int of_picture, a_second;
    uint8_t level;
} levels[] = {{3600, 108000, 31},    {5120, 216000, 32},    {8192, 245760, 40},
              {8704, 522240, 42},    {22080, 589824, 50},   {36864, 983040, 51},
              {36864, 2073600, 52},  {139264, 4177920, 60}, {139264, 8355840, 61},
              {139264, 16711680, 62}};
#define N_LEVELS (sizeof(levels) / sizeof(levels[0]))
#define FPS 60

static bool fits(size_t level, int columns, int rows) {
    const int most = levels[level].of_picture;
    return columns * rows <= most && columns * columns <= most * 8 && rows * rows <= most * 8;
}

static uint8_t level_of(int columns, int rows) {
    size_t i = 0;
    while (i + 1 < N_LEVELS &&
           (!fits(i, columns, rows) || columns * rows * FPS > levels[i].a_second))
        i++;
    return levels[i].level;
}

bool px_h264_has_size(int columns, int rows) {
    return fits(N_LEVELS - 1, columns, rows);
}

/* Colours are BT.601's, limited; and a picture is shown when it is there. */
static void put_usability(struct px_h264_slice *s) {
    put(s, 0, 2); /* no aspect ratio, no overscan */
    put(s, 1, 1);
    put(s, 5, 3); /* no video format */
    put(s, 0, 1); /* not the full range */
    put(s, 1, 1);
    put(s, 6, 8);
    put(s, 6, 8);
    put(s, 6, 8);
    put(s, 0, 5); /* no place of chroma, times, buffers (two kinds), structure */
    put(s, 1, 1);
    put(s, 1, 1);       /* moves beyond the edges */
    put_unsigned(s, 0); /* any bytes and bits */
    put_unsigned(s, 0);
    put_unsigned(s, 11); /* moves of up to 512 pixels */
    put_unsigned(s, 11);
    put_unsigned(s, 0); /* in order */
    put_unsigned(s, 1); /* one is kept */
}

static void put_sequence(struct px_h264_slice *s, const struct px_h264_picture *p) {
    const int right = p->columns * PX_H264_SIDE - p->width,
              below = p->rows * PX_H264_SIDE - p->height;
    put(s, 66, 8);   /* baseline */
    put(s, 0xc0, 8); /* constrained, and main's decoders take it */
    put(s, level_of(p->columns, p->rows), 8);
    put_unsigned(s, 0);
    put_unsigned(s, 0); /* frame_num has 4 bits */
    put_unsigned(s, 2); /* pictures are shown in the order that they come in */
    put_unsigned(s, 1); /* one reference */
    put(s, 0, 1);
    put_unsigned(s, (uint32_t)p->columns - 1);
    put_unsigned(s, (uint32_t)p->rows - 1);
    put(s, 3, 2); /* whole frames; what has no meaning in baseline */
    put(s, right || below, 1);
    if (right || below) {
        put_unsigned(s, 0);
        put_unsigned(s, (uint32_t)right / 2);
        put_unsigned(s, 0);
        put_unsigned(s, (uint32_t)below / 2);
    }
    put(s, 1, 1);
    put_usability(s);
    put_end(s);
}

static void put_picture(struct px_h264_slice *s) {
    put_unsigned(s, 0);
    put_unsigned(s, 0);
    put(s, 0, 2); /* CAVLC; one order of fields */
    put_unsigned(s, 0);
    put_unsigned(s, 0);
    put_unsigned(s, 0);
    put(s, 0, 3); /* no weights */
    put_signed(s, 0);
    put_signed(s, 0);
    put_signed(s, 0);
    put(s, 4, 3); /* slices tell of the filter; guesses from any neighbour; nothing twice */
    put_end(s);
}

void px_h264_write_headers(const struct px_h264_picture *p, struct px_buf *out) {
    struct px_h264_slice s = {.picture = p};
    begin(&s);
    put_sequence(&s, p);
    write_unit(UNIT_SEQUENCE, &s.out, out);
    begin(&s);
    put_picture(&s);
    write_unit(UNIT_PICTURE, &s.out, out);
    px_buf_fini(&s.out);
}
