/* src/host/encode/test_headers.c - what our own encoders tell decoders in front of their pictures
 *
 * Decoders in hardware are made ready by it, and refuse what is above their level: levels are those
 * of 60 pictures a second (H.264 table A-1, AV1 annex A.3), nothing is reordered or hidden, so no
 * picture has to wait for another one. */
#include "base/test.h"
#include "base/buf.h"
#include "host/encode/av1_private.h"
#include "host/encode/encoder.h"

static const struct size {
    int width, height;
    unsigned h264, av1; /* level_idc, seq_level_idx */
} sizes[] = {{64, 48, 31, 9},      {320, 240, 31, 9},   {640, 480, 31, 9},   {1280, 720, 32, 9},
             {1366, 768, 42, 9},   {1920, 1080, 42, 9}, {1920, 1200, 50, 9}, {2560, 1440, 51, 13},
             {3840, 2160, 52, 13}, {5120, 2880, 60, 17}};
#define N_SIZES (sizeof(sizes) / sizeof(sizes[0]))

/* ---- bits ---- */

struct reader {
    const uint8_t *p;
    size_t n_bits, at;
};

static unsigned take(struct reader *r, unsigned n) {
    unsigned v = 0;
    for (; n > 0; n--, r->at++) {
        assert_true(r->at < r->n_bits);
        v = v << 1 | (r->p[r->at / 8] >> (7 - r->at % 8) & 1);
    }
    return v;
}

static unsigned take_unsigned(struct reader *r) {
    unsigned n = 0;
    while (take(r, 1) == 0)
        n++;
    return (1u << n) - 1 + take(r, n);
}

/* ---- streams ---- */

struct stream {
    struct px_encoders *all;
    struct px_encoder *enc;
    struct px_picture picture;
    struct px_packet packet;
    int64_t now_ms;
};

static void begin(struct stream *s, enum px_codec codec, int width, int height) {
    static const struct px_encoder_ops *const tables[][1] = {[PX_CODEC_VP8] = {px_encoders_vp8},
                                                             [PX_CODEC_VP9] = {px_encoders_vp9},
                                                             [PX_CODEC_AV1] = {px_encoders_av1},
                                                             [PX_CODEC_H264] = {px_encoders_h264}};
    const struct px_encoder_opts o = {.codec = codec,
                                      .width = width,
                                      .height = height,
                                      .rate_kbps = 100000,
                                      .min_quality = 5,
                                      .max_quality = 85,
                                      .threads = 4};
    *s = (struct stream){.all = px_encoders_of(tables[codec], 1)};
    px_assert_ok_err(px_encoder_open(s->all, &o, &s->enc, NULL), &(struct px_error){0});
    px_picture_init(&s->picture, width, height, false);
}

static struct reader push(struct stream *s, bool key) {
    const struct px_region all = {.rects = {{0, 0, s->picture.width, s->picture.height}}, .n = 1};
    struct px_error err = {0};
    s->now_ms += 17;
    memset(s->picture.planes[0], 16 + (int)s->now_ms % 200, 1000); /* something has changed */
    px_assert_ok_err(px_encoder_push(s->all, &s->enc, &s->picture, &all, s->now_ms, key, false,
                                     &s->packet, &err),
                     &err);
    assert_true(s->packet.key == key);
    return (struct reader){.p = s->packet.data, .n_bits = s->packet.size * 8};
}

static void end(struct stream *s) {
    px_encoder_close(s->enc);
    px_encoders_free(s->all);
    px_picture_fini(&s->picture);
}

/* ---- H.264 ---- */

/* The first unit behind its start code and kind, without what keeps start codes apart. */
static void first_unit(const struct px_packet *p, uint8_t kind, struct px_buf *ret) {
    assert_memory_equal(p->data, ((uint8_t[]){0, 0, 0, 1, kind}), 5);
    for (size_t i = 5; memcmp(p->data + i, (uint8_t[]){0, 0, 0, 1}, 4) != 0; i++) {
        assert_true(i + 4 < p->size);
        if (p->data[i] != 3 || p->data[i - 1] || p->data[i - 2])
            px_buf_putc(ret, (char)p->data[i]);
    }
}

static void check_usability(struct reader *r) {
    assert_int_equal(take(r, 2), 0);         /* no aspect ratio, no overscan */
    assert_int_equal(take(r, 6), 0x35);      /* no certain signal, limited range, and colours: */
    assert_int_equal(take(r, 24), 0x060606); /* BT.601 */
    assert_int_equal(take(r, 5), 0);         /* no place of chroma, times, buffers, structure */
    assert_int_equal(take(r, 1), 1);         /* bitstream_restriction_flag */
    assert_int_equal(take(r, 1), 1);
    assert_int_equal(take_unsigned(r), 0);
    assert_int_equal(take_unsigned(r), 0);
    assert_int_equal(take_unsigned(r), 11);
    assert_int_equal(take_unsigned(r), 11);
    assert_int_equal(take_unsigned(r), 0); /* max_num_reorder_frames */
    assert_int_equal(take_unsigned(r), 1); /* max_dec_frame_buffering */
}

static void check_sequence(struct reader *r, const struct size *z) {
    const unsigned columns = ((unsigned)z->width + 15) / 16, rows = ((unsigned)z->height + 15) / 16;
    assert_int_equal(take(r, 8), 66);   /* constrained */
    assert_int_equal(take(r, 8), 0xc0); /* baseline */
    assert_int_equal(take(r, 8), z->h264);
    assert_int_equal(take_unsigned(r), 0);
    assert_int_equal(take_unsigned(r), 0); /* frame_num has 4 bits */
    assert_int_equal(take_unsigned(r), 2); /* pic_order_cnt_type: none is reordered */
    assert_int_equal(take_unsigned(r), 1); /* max_num_ref_frames */
    assert_int_equal(take(r, 1), 0);       /* no gaps in frame_num */
    assert_int_equal(take_unsigned(r) + 1, columns);
    assert_int_equal(take_unsigned(r) + 1, rows);
    assert_int_equal(take(r, 2), 3);
    if (take(r, 1)) {
        assert_int_equal(take_unsigned(r), 0);
        assert_int_equal(take_unsigned(r) * 2, columns * 16 - (unsigned)z->width);
        assert_int_equal(take_unsigned(r), 0);
        assert_int_equal(take_unsigned(r) * 2, rows * 16 - (unsigned)z->height);
    } else
        assert_true(z->width % 16 == 0 && z->height % 16 == 0);
    assert_int_equal(take(r, 1), 1);
    check_usability(r);
}

static void h264_tells_its_level_and_that_pictures_need_not_wait(void **state) {
    for (size_t i = 0; i < N_SIZES; i++) {
        struct stream s;
        px_cleanup(px_buf_fini) struct px_buf unit = {0};
        begin(&s, PX_CODEC_H264, sizes[i].width, sizes[i].height);
        push(&s, true);
        first_unit(&s.packet, 0x67, &unit);
        struct reader r = {.p = (const uint8_t *)unit.data, .n_bits = unit.size * 8};
        check_sequence(&r, &sizes[i]);
        end(&s);
    }
}

/* ---- AV1 ---- */

static void take_unit(struct reader *r, unsigned kind) {
    assert_int_equal(take(r, 8), kind << 3 | 2);
    while (take(r, 1)) /* its size: seven bits and whether more follow */
        take(r, 7);
    take(r, 7);
}

static void check_av1_sequence(struct reader *r, const struct size *z) {
    const size_t from = r->at;
    assert_int_equal(take(r, 3), 0);  /* Main */
    assert_int_equal(take(r, 4), 0);  /* no still picture, no times, no delays */
    assert_int_equal(take(r, 17), 0); /* one operating point */
    assert_int_equal(take(r, 5), z->av1);
    assert_int_equal(take(r, 1), 0); /* Main tier */
    assert_int_equal(take(r, 8), 0xff);
    assert_int_equal(take(r, 16) + 1, z->width);
    assert_int_equal(take(r, 16) + 1, z->height);
    r->at = from;
}

static void av1_tells_its_level_and_shows_every_picture(void **state) {
    for (size_t i = 0; i < N_SIZES; i++) {
        struct stream s;
        begin(&s, PX_CODEC_AV1, sizes[i].width, sizes[i].height);
        struct reader r = push(&s, true);
        take_unit(&r, 2);
        const size_t size = r.p[r.at / 8 + 1];
        take_unit(&r, 1);
        check_av1_sequence(&r, &sizes[i]);
        r.at += size * 8;
        take_unit(&r, 6);
        assert_int_equal(take(&r, 4), 1); /* not an old one, a key frame, shown */
        r = push(&s, false);
        take_unit(&r, 2);
        take_unit(&r, 6);
        assert_int_equal(take(&r, 5), 7); /* not an old one, from others, shown, error_resilient */
        end(&s);
    }
}

/* Every width that a client can wish for, and odd ones. */
static void av1_cuts_columns_as_levels_let_it(void **state) {
    for (int width = 16; width <= 7680; width++)
        for (int log2 = 0; log2 <= 4; log2++) {
            struct px_av1_frame f = {.size = {.width = width,
                                              .height = 4320,
                                              .mi_columns = (width + 7) / 8,
                                              .mi_rows = 4320 / 8}};
            px_av1_cut_tiles(&f, log2);
            const int side = f.tile_width * 64;
            assert_true(f.n_tiles <= 8); /* MaxTileCols of 4.0 to 5.3 */
            assert_true(side <= 4096 && side * 4320 <= 4096 * 2304);
            assert_true(width - (f.n_tiles - 1) * side >= 8);    /* CroppedTileWidth */
            assert_true(width - (f.n_tiles - 1) * side <= side); /* all of it */
        }
}

/* ---- VP9, VP8 ---- */

static void vp9_shows_every_picture(void **state) {
    struct stream s;
    begin(&s, PX_CODEC_VP9, 1920, 1080);
    struct reader r = push(&s, true);
    assert_int_equal(take(&r, 4), 2 << 2); /* profile 0 */
    assert_int_equal(take(&r, 4), 3);      /* not an old one, a key frame, shown, error_resilient */
    assert_int_equal(take(&r, 24), 0x498342);
    assert_int_equal(take(&r, 4), 1 << 1); /* BT.601, limited range */
    assert_int_equal(take(&r, 16) + 1, 1920);
    assert_int_equal(take(&r, 16) + 1, 1080);
    r = push(&s, false);
    assert_int_equal(take(&r, 4), 2 << 2);
    assert_int_equal(take(&r, 4), 7);
    end(&s);
}

static void vp8_shows_every_picture(void **state) {
    struct stream s;
    begin(&s, PX_CODEC_VP8, 1366, 768);
    const uint8_t *p = push(&s, true).p;
    assert_int_equal(p[0] & 0x1f, 0x10 | (p[0] & 0x0e)); /* a key frame, shown */
    assert_memory_equal(p + 3, ((uint8_t[]){0x9d, 0x01, 0x2a, 1366 & 255, 1366 >> 8, 0, 3}), 7);
    assert_int_equal(push(&s, false).p[0] & 0x11, 0x11);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h264_tells_its_level_and_that_pictures_need_not_wait),
        cmocka_unit_test(av1_tells_its_level_and_shows_every_picture),
        cmocka_unit_test(av1_cuts_columns_as_levels_let_it),
        cmocka_unit_test(vp9_shows_every_picture),
        cmocka_unit_test(vp8_shows_every_picture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
