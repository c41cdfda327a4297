/* tests/nvdec/test_nvdec.c - what our own encoders write, decoded by a real card
 *
 *     test-nvdec [--software | --plain] [CODEC...]
 *
 * Speaks TAP. Streams as sessions make them go to viewers (viewer.h), whose NVDEC has to show the
 * same as software does, to the bit, and each picture at once. Skipped where no card decodes, or
 * not that codec; --software runs the streams through software alone, --plain leaves libavcodec's
 * way to the card out: to look for where something is wrong.
 *
 * A stream's pictures are scene.h's, and what test_desk.h does to a screen. */
#include "base/alloc.h"
#include "base/clock.h"
#include "host/encode/scene.h"
#include "host/encode/test_desk.h"
#include "viewer.h"
#include <libavutil/log.h>
#include <stdio.h>
#include <string.h>

#define PICTURE_MS 17
#define PART_MS 100
#define PARTS_MAX 60 /* of a refinement on a slow line there are thousands */
#define THREADS 4

static struct test {
    const struct nvdec_card *card; /* NULL: in software only */
    struct AVBufferRef *device;    /* NULL: not through libavcodec */
    unsigned n, n_failed;
} test;

/* A screen with two viewers: the second one is another one each time. */
struct show {
    enum px_codec codec;
    struct px_encoders *all;
    struct px_encoder *enc;
    struct px_scene scene;
    struct desk desk; /* a painter of the scene's picture, no more */
    struct viewer *first, *late;
    bool first_waits, late_waits; /* for a key frame */
    struct px_packet packet;
    struct viewer_figures seen;
    int64_t began_us;
    int r; /* less than 0: something went wrong, and nothing is done any more */
    struct px_error err;
};

/* ---- the show ---- */

static void come(struct show *s, struct viewer **v) {
    const struct viewer_opts o = {.codec = s->codec, .card = test.card, .device = test.device};
    if (*v && s->r >= 0)
        s->r = viewer_end(*v, &s->err);
    if (*v)
        viewer_count(*v, &s->seen);
    viewer_free(*v);
    *v = NULL;
    if (s->r >= 0)
        s->r = viewer_new(&o, v, &s->err);
}

static void begin(struct show *s, enum px_codec codec) {
    *s = (struct show){.codec = codec, .desk = {.random = 1}, .began_us = px_now_us()};
    come(s, &s->first);
}

/* An encoder for a screen of that size, whose first picture is a key frame; scene.h's sizes are
 * even, the picture's need not be. */
static void open_screen(struct show *s, int width, int height, unsigned rate_kbps,
                        unsigned threads) {
    static const struct px_encoder_ops *const tables[][1] = {[PX_CODEC_VP8] = {px_encoders_vp8},
                                                             [PX_CODEC_VP9] = {px_encoders_vp9},
                                                             [PX_CODEC_AV1] = {px_encoders_av1},
                                                             [PX_CODEC_H264] = {px_encoders_h264}};
    const struct px_encoder_opts o = {.codec = s->codec,
                                      .width = width,
                                      .height = height,
                                      .rate_kbps = rate_kbps,
                                      .min_quality = 5,
                                      .max_quality = 85,
                                      .threads = threads};
    if (s->r < 0)
        return;
    s->all = px_encoders_of(tables[s->codec], 1);
    px_scene_init(&s->scene, (width + 1) & ~1, (height + 1) & ~1);
    s->scene.picture.width = width;
    s->scene.picture.height = height;
    s->desk.picture = s->scene.picture;
    s->r = px_encoder_open(s->all, &o, &s->enc, &s->err);
}

static void close_screen(struct show *s) {
    px_encoder_close(s->enc);
    s->enc = NULL;
    if (!s->all)
        return;
    px_encoders_free(s->all);
    s->all = NULL;
    px_scene_fini(&s->scene);
}

static void give(struct show *s, struct viewer *v, const uint8_t *data, size_t size) {
    if (v && s->r >= 0)
        s->r = viewer_push(v, data, size, &s->err);
}

/* As a session does: a lone key frame is for those who wait, with what stands behind it. */
static void give_packet(struct show *s, struct viewer *v, bool *waits) {
    const struct px_packet *p = &s->packet;
    const uint8_t *after = p->data + p->size;
    if (p->lone ? !*waits : *waits && !p->key)
        return;
    give(s, v, p->data, p->size);
    for (unsigned i = 0; i < p->n_after; after += p->after[i++])
        give(s, v, after, p->after[i]);
    *waits = false;
}

static void push(struct show *s, const struct px_region *changed, bool key, bool refine) {
    s->desk.now_ms += PICTURE_MS;
    if (s->r < 0)
        return;
    s->r = px_encoder_push(s->all, &s->enc, &s->scene.picture, changed, s->desk.now_ms, key, refine,
                           &s->packet, &s->err);
    if (s->r < 0)
        return;
    give_packet(s, s->first, &s->first_waits);
    give_packet(s, s->late, &s->late_waits);
}

static void begin_screen(struct show *s) {
    push(s, NULL, true, false);
}

static void step(struct show *s, enum px_scene_kind kind) {
    struct px_region changed;
    if (s->r < 0)
        return;
    px_scene_step(&s->scene, kind, &changed);
    push(s, &changed, false, false);
}

static void do_something(struct show *s) {
    struct px_region changed = {0};
    if (s->r < 0)
        return;
    px_region_add(&changed, desk_do_something(&s->desk));
    px_region_add(&changed, desk_do_something(&s->desk));
    px_region_align(&changed, s->scene.picture.width, s->scene.picture.height);
    push(s, &changed, false, false);
}

static void refine(struct show *s, int n) {
    const struct px_region all = desk_everything(&s->desk);
    for (int i = 0; i < n && s->r >= 0 && !s->packet.fine; i++) {
        s->desk.now_ms += PART_MS;
        push(s, &all, false, true);
    }
}

/* Somebody else comes. */
static void come_late(struct show *s) {
    come(s, &s->late);
    s->late_waits = true;
    push(s, NULL, true, false);
}

/* Who was there asks for a key frame. */
static void ask_anew(struct show *s) {
    s->first_waits = true;
    push(s, NULL, true, false);
}

static void set_rate(struct show *s, unsigned rate_kbps) {
    if (s->r >= 0)
        px_encoder_set_rate(s->enc, rate_kbps, s->enc->opts.min_quality, s->enc->opts.max_quality);
}

static void leave(struct show *s, struct viewer **v) {
    if (*v && s->r >= 0)
        s->r = viewer_end(*v, &s->err);
    if (*v)
        viewer_count(*v, &s->seen);
    viewer_free(*v);
    *v = NULL;
}

static void say(bool ok, enum px_codec codec, const char *what) {
    test.n_failed += !ok;
    printf("%sok %u - %s %s", ok ? "" : "not ", ++test.n, px_codec_name(codec), what);
}

static void end(struct show *s, const char *what) {
    leave(s, &s->first);
    leave(s, &s->late);
    close_screen(s);
    const struct viewer_figures *f = &s->seen;
    if (s->r >= 0 && f->n_held > 0)
        s->r = px_fail(&s->err, -EBADMSG, "NVDEC holds %u pictures back", f->n_held);
    say(s->r >= 0, s->codec, what);
    if (s->r < 0)
        printf(": %s", s->err.msg);
    printf("\n# %u pictures, %.0f kB", f->n_pictures, (double)f->bytes / 1e3);
    if (f->n_timed)
        printf(", on the card %.2f ms each, %.2f at most", (double)f->us / 1e3 / (double)f->n_timed,
               (double)f->us_max / 1e3);
    printf("; all of it took %.1f s\n", (double)(px_now_us() - s->began_us) / 1e6);
    fflush(stdout);
}

/* ---- streams ---- */

static void session(struct show *s, int n) {
    static const unsigned rates_kbps[PX_N_SCENES] = {100000, 20000, 2000, 15000};
    begin_screen(s);
    refine(s, PARTS_MAX);
    for (int kind = 0; kind < PX_N_SCENES; kind++) {
        set_rate(s, rates_kbps[kind]);
        for (int i = 0; i < n; i++) {
            if (i % 20 == 7)
                come_late(s);
            if (i % 20 == 15)
                ask_anew(s);
            if (s->packet.owes && i % 3 == 0)
                refine(s, 1);
            step(s, (enum px_scene_kind)kind);
        }
        refine(s, PARTS_MAX);
    }
    set_rate(s, rates_kbps[0]);
    refine(s, PARTS_MAX);
}

static void full_hd_session(enum px_codec codec) {
    struct show s;
    begin(&s, codec);
    open_screen(&s, 1920, 1080, 100000, THREADS);
    session(&s, 40);
    end(&s, "1920x1080: typing, a window, scrolling, a film, late viewers, keys anew");
}

static void large_session(enum px_codec codec) {
    struct show s;
    begin(&s, codec);
    open_screen(&s, 3840, 2160, 100000, 8);
    session(&s, 10);
    end(&s, "3840x2160: the same");
}

static void long_session(enum px_codec codec) {
    struct show s;
    begin(&s, codec);
    open_screen(&s, 1280, 720, 30000, 2);
    begin_screen(&s);
    for (int i = 0; i < 600; i++) {
        if (i % 37 == 36)
            come_late(&s);
        if (i % 97 == 96)
            ask_anew(&s);
        if (i % 50 == 49)
            set_rate(&s, 1000u << i % 7);
        if (i % 10 == 9)
            do_something(&s);
        else if (s.packet.owes && i % 2)
            refine(&s, 1);
        else
            step(&s, i % 100 < 50 ? PX_SCENE_TYPING : PX_SCENE_SCROLL);
    }
    refine(&s, PARTS_MAX);
    end(&s, "1280x720: some 600 pictures");
}

/* Noise, slopes, moves, patches of a colour. */
static void busy_screens(enum px_codec codec) {
    static const struct {
        int width, height;
        unsigned rate_kbps, threads;
    } cases[] = {{1366, 768, 30000, 3}, {853, 480, 3000, 2},  {854, 480, 300, 4},
                 {335, 217, 3000, 1},   {402, 398, 1000, 3},  {642, 478, 100000, 2},
                 {1439, 899, 50000, 4}, {130, 130, 10000, 1}, {1080, 1920, 30000, 8}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct show s;
        const int odd = codec == PX_CODEC_H264 ? 1 : 0; /* it declines odd sizes */
        const int width = cases[i].width & ~odd, height = cases[i].height & ~odd;
        char what[100];
        begin(&s, codec);
        s.desk.random = (uint32_t)i + 77;
        open_screen(&s, width, height, cases[i].rate_kbps, cases[i].threads);
        begin_screen(&s);
        for (int k = 0; k < 60; k++) {
            if (k % 23 == 22)
                come_late(&s);
            if (k % 31 == 30)
                ask_anew(&s);
            do_something(&s);
        }
        set_rate(&s, 100000);
        refine(&s, PARTS_MAX);
        snprintf(what, sizeof(what), "%dx%d: whatever programs do, at %u kbit/s", width, height,
                 cases[i].rate_kbps);
        end(&s, what);
    }
}

/* The decoder of a viewer is told of it by a key frame of another size. */
static void sizes_that_change(enum px_codec codec) {
    static const int sizes[][2] = {{1366, 768}, {1280, 720}, {1920, 1080}, {640, 480}, {1366, 768}};
    struct show s;
    begin(&s, codec);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        open_screen(&s, sizes[i][0], sizes[i][1], 30000, 2);
        begin_screen(&s);
        for (int k = 0; k < 5; k++)
            step(&s, PX_SCENE_SCROLL);
        close_screen(&s);
    }
    end(&s, "the size of the screen changes");
}

static int hold(enum px_codec codec, unsigned delay, bool parts, unsigned *ret,
                struct px_error *err) {
    const struct viewer_opts o = {
        .codec = codec, .card = test.card, .device = test.device, .delay = delay, .parts = parts};
    struct show s = {.codec = codec, .desk = {.random = 1}};
    s.r = viewer_new(&o, &s.first, &s.err);
    open_screen(&s, 640, 480, 30000, 2);
    begin_screen(&s);
    for (int k = 0; k < 20; k++)
        step(&s, PX_SCENE_SCROLL);
    leave(&s, &s.first);
    close_screen(&s);
    *ret = s.seen.n_held;
    *err = s.err;
    return s.r;
}

/* How many it holds back that is told nothing, or to let pictures wait. */
static void nothing_is_held_back(enum px_codec codec) {
    struct px_error err = {0};
    unsigned held[2][5] = {{0}};
    int r = 0;
    for (unsigned i = 0; i < 10 && r >= 0; i++)
        r = hold(codec, i % 5, i >= 5, &held[i / 5][i % 5], &err);
    if (r >= 0 && held[0][0] > 0)
        r = px_fail(&err, -EBADMSG, "NVDEC holds %u pictures back", held[0][0]);
    say(r >= 0, codec, "no picture is held back");
    if (r < 0)
        printf(": %s", err.msg);
    printf("\n");
    for (int i = 0; i < 2; i++)
        printf("# held back with a display delay of 0 to 4, packets %s: %u %u %u %u %u\n",
               i ? "of no known end" : "known to be pictures", held[i][0], held[i][1], held[i][2],
               held[i][3], held[i][4]);
    fflush(stdout);
}

/* ---- all of it ---- */

/* Returns whether the card decodes it. */
static bool say_caps(enum px_codec codec, bool i444) {
    const char *chroma = i444 ? "4:4:4" : "4:2:0";
    struct nvdec_caps c = {0};
    struct px_error err = {0};
    if (nvdec_caps(test.card, codec, i444, &c, &err) < 0)
        printf("# %s, %s: %s\n", px_codec_name(codec), chroma, err.msg);
    else if (!c.decodes)
        printf("# %s, %s: not decoded\n", px_codec_name(codec), chroma);
    else
        printf("# %s, %s: %u engines, %ux%u to %ux%u, %u macroblocks\n", px_codec_name(codec),
               chroma, c.n_engines, c.min_width, c.min_height, c.max_width, c.max_height,
               c.max_blocks);
    return c.decodes;
}

static void try_codec(enum px_codec codec) {
    const bool decodes = !test.card || say_caps(codec, false);
    if (test.card && codec == PX_CODEC_VP9)
        say_caps(codec, true);
    if (!decodes) {
        say(true, codec, "# SKIP host: this card does not decode it\n");
        return;
    }
    nothing_is_held_back(codec);
    sizes_that_change(codec);
    full_hd_session(codec);
    busy_screens(codec);
    long_session(codec);
    large_session(codec);
}

static bool is_named(enum px_codec codec, char **names) {
    for (char **n = names; *n; n++)
        if (strcmp(*n, px_codec_name(codec)) == 0)
            return true;
    return !*names;
}

int main(int argc, char **argv) {
    static const enum px_codec codecs[] = {PX_CODEC_H264, PX_CODEC_VP8, PX_CODEC_VP9, PX_CODEC_AV1};
    px_cleanup(nvdec_card_closep) struct nvdec_card *card = NULL;
    struct px_error err = {0};
    const bool software = argc > 1 && strcmp(argv[1], "--software") == 0;
    const bool plain = argc > 1 && strcmp(argv[1], "--plain") == 0;
    av_log_set_level(AV_LOG_ERROR); /* dav1d says its name each time */
    if (!software && nvdec_card_open(&card, &err) < 0) {
        printf("1..0 # SKIP host: %s\n", err.msg);
        return 0;
    }
    test.card = card;
    if (card && !plain && viewer_device_open(&test.device, &err) < 0)
        printf("# not through libavcodec: %s\n", err.msg);
    for (size_t i = 0; i < sizeof(codecs) / sizeof(codecs[0]); i++)
        if (is_named(codecs[i], argv + 1 + (software || plain)))
            try_codec(codecs[i]);
    viewer_device_close(test.device);
    printf("1..%u\n", test.n);
    return test.n_failed ? 1 : 0;
}
