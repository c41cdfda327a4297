/* tests/host/test_desk.c - the session checklist over a real X server: login, video, cursor, input
 */
#include "base/clock.h"
#include "base/proc.h"
#include "fixture.h"
#include "proto/frame.h"
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <png.h>
#include <xcb/xtest.h>
#include <zstd.h>

static void start_host(void) {
    char extra[128];
    snprintf(extra, sizeof(extra), "\"metrics_socket\": \"%s/metrics\"", f.dir);
    fixture_host(extra);
}

/* ---- framing and login ---- */

#define PROBE "\x2a\x02\x10\x01" /* a probe of the client's, which comes back as it is */

static void expect_echo(struct px_client *c) {
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (size != 4 || memcmp(body, PROBE, 4) != 0);
}

static void item_2_longer_headers_than_needed_are_taken(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(
        px_client_send_raw(c, "\x08\x2a\x00\x09\x00\x2a\x00\x0a\x00\x00\x2a\x00", 12, NULL));
    px_assert_ok(px_client_send_raw(c, "\x10" PROBE, 5, NULL));
    expect_echo(c);
    px_assert_ok(px_client_send_raw(c, "\x11\x00" PROBE, 6, NULL));
    expect_echo(c);
    px_assert_ok(px_client_send_raw(c, "\x12\x00\x00" PROBE, 7, NULL));
    expect_echo(c);
}

static void item_3_frames_split_anywhere_are_put_together(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    static const char frame[] = "\x11\x00" PROBE;
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    for (size_t at = 1; at < 6; at++) { /* in two, at every place */
        px_assert_ok(px_client_send_raw(c, frame, at, NULL));
        px_sleep_us(2000);
        px_assert_ok(px_client_send_raw(c, frame + at, 6 - at, NULL));
        expect_echo(c);
    }
    for (size_t at = 0; at < 6; at++) { /* a byte at a time */
        px_assert_ok(px_client_send_raw(c, frame + at, 1, NULL));
        px_sleep_us(2000);
    }
    expect_echo(c);
    char many[500];
    for (int i = 0; i < 100; i++)
        memcpy(many + 5 * i, "\x10" PROBE, 5);
    px_assert_ok(px_client_send_raw(c, many, sizeof(many), NULL));
    for (int i = 0; i < 100; i++)
        expect_echo(c);
}

static void item_4_empty_frame_is_ignored(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_body(c, "", 0, NULL));
    send_hex(c, "2A021001");
    expect_echo(c);
}

/* What the host has ever taken of its address space. */
static long peak_kb(void) {
    char path[64], line[128];
    long kb = 0;
    snprintf(path, sizeof(path), "/proc/%d/status", (int)f.host_pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof(line), file) && sscanf(line, "VmPeak: %ld", &kb) != 1)
        ;
    if (file)
        fclose(file);
    return kb;
}

/* 64 KiB and a byte, 60 MiB, and the largest that a header can say. */
static void item_5_too_long_a_frame_closes_and_takes_no_memory(void **state) {
    static const char headers[][5] = {"\x06\x00\x04", "\x03\x00\x00\x0f", "\xff\xff\xff\xff"};
    static const size_t sizes[] = {3, 4, 4};
    px_client_close(dial());
    const long before = peak_kb();
    assert_true(before > 0);
    for (size_t i = 0; i < 3; i++) {
        px_cleanup(px_client_closep) struct px_client *c = dial();
        px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
        px_assert_ok(px_client_send_raw(c, headers[i], sizes[i], NULL));
        assert_true(is_closed(c, 10 * SECOND));
    }
    assert_true(peak_kb() < before + 8 * 1024);
}

static void garbage_closes_only_its_own_connection(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL), *b = dial();
    px_assert_ok(px_client_wait_hash(b, PATIENCE, NULL));
    px_assert_ok(px_client_send_raw(b, "\x08\x0b\x0c", 3, NULL));
    assert_true(is_closed(b, PATIENCE));
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(a, NULL, 10 * SECOND);
    assert_non_null(m);
}

static void item_16_direct_port_starts_with_the_hash(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    assert_int_equal(px_client_recv(c, px_now_us() + 10 * SECOND, &m, NULL), 1);
    assert_int_equal(m->item_case,
                     PXS__MESSAGE__ITEM_HASH); /* in the clear, and the first of all */
    assert_int_equal(c->n_probes, 0);
}

static void item_19_salt_is_stable_and_challenge_fresh(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = dial(), *b = dial();
    px_assert_ok(px_client_wait_hash(a, PATIENCE, NULL));
    px_assert_ok(px_client_wait_hash(b, PATIENCE, NULL));
    assert_string_equal(a->salt, b->salt);
    assert_string_not_equal(a->challenge, b->challenge);
    assert_true(strlen(a->challenge) >= 16);
    px_cleanup_free char *salt = strdup(a->salt);
    fixture_stop_host();
    start_host();
    px_cleanup(px_client_closep) struct px_client *d = dial();
    px_assert_ok(px_client_wait_hash(d, PATIENCE, NULL));
    assert_string_equal(d->salt, salt);
}

/* The two minutes of item 20: test_hours.c. */
static void item_20_empty_password_gets_no_answer(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = ID, .password = ""};
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_LOGIN_RESPONSE, 2 * SECOND);
    assert_null(m);
    assert_false(is_closed(c, SECOND / 10));
}

/* The next probe of the host, unanswered; its body must be that. */
static void expect_probe(struct px_client *c, const char *want, size_t want_size) {
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (body[0] != 0x2a);
    if (!want)
        return;
    assert_int_equal(size, want_size);
    assert_memory_equal(body, want, want_size);
}

static void item_30_first_probe_is_bare(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    expect_probe(c, "\x2a\x00", 2);
}

static void item_31_second_probe_waits_for_the_echo_of_the_first(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const uint8_t *body;
    size_t size;
    expect_probe(c, NULL, 0);
    const int64_t until = px_now_us() + 3 * SECOND; /* three times the usual gap */
    while (px_client_recv_body(c, until, &body, &size, NULL) > 0)
        assert_int_not_equal(body[0], 0x2a);
    send_hex(c, "2A00");
    expect_probe(c, NULL, 0);
}

/* The answer to a login, byte for byte. */
static void expect_answer(struct px_client *c, const char *want, size_t want_size) {
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (body[0] != 0x42);
    assert_int_equal(size, want_size);
    assert_memory_equal(body, want, want_size);
}

static void item_21_wrong_password_then_the_right_one(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    struct px_client_login l = {.username = ID, .password = "not that one"};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    expect_answer(c, "\x42\x10\x0a\x0eWrong Password", 18);
    l.password = PASSWORD;
    px_assert_ok(px_client_login(c, &l, PATIENCE, &m, NULL));
}

static void item_24_another_id_is_offline(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = "987654321", .password = PASSWORD};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    assert_int_equal(px_client_login(c, &l, PATIENCE, &m, &err), -EACCES);
    assert_string_equal(err.msg, "Offline");
}

static void item_25_another_purpose_closes(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    struct px_client_login l = {.username = ID, .password = ""};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    struct px_error err = {0};
    px_assert_ok(px_client_wait_hash(c, PATIENCE, NULL));
    px_assert_ok(px_client_send_login(c, &l, NULL));
    l.password = PASSWORD;
    l.files_dir = "/";
    assert_int_equal(px_client_login(c, &l, PATIENCE, &m, &err), -EACCES);
    assert_string_equal(err.msg, "Connection not allowed");
    assert_true(is_closed(c, PATIENCE));
}

static void peer_info_says_what_clients_need(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = "127.0.0.1", .password = PASSWORD};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok(px_client_login(c, &l, PATIENCE, &m, NULL));
    const Pxs__PeerInfo *p = m->login_response->peer_info;
    assert_string_equal(p->platform, "Linux");
    assert_string_equal(p->version, "1.4.9");
    assert_true(*p->username && *p->hostname);
    assert_int_equal(p->n_displays, 1);
    assert_int_equal(p->displays[0]->width, f.width);
    assert_int_equal(p->displays[0]->height, f.height);
    assert_non_null(p->displays[0]->original_resolution); /* 0x0: any size */
    assert_int_equal(p->displays[0]->original_resolution->width, 0);
    assert_non_null(p->encoding);
    assert_true(p->encoding->vp8);
}

static void item_32_clients_probe_comes_back_as_it_was(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_assert_ok(px_client_send_raw(c, "\x10" PROBE, 5, NULL));
    expect_echo(c);
    /* members that nobody knows, and a longer form of a number, too */
    static const char odd[] = "\x2a\x08\x10\x81\x00\x18\x07\xf8\x07\x01";
    px_assert_ok(px_client_send_body(c, odd, sizeof(odd) - 1, NULL));
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (size != sizeof(odd) - 1 || memcmp(body, odd, size) != 0);
}

static void item_60_unknown_messages_are_skipped(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "E2030100");     /* Message 60 */
    send_hex(c, "9A01039A0600"); /* Misc 99 */
    send_hex(c, "2A021001");
    expect_echo(c);
}

/* ---- video ---- */

/* How long something takes here depends on what else this machine does; that it can be as quick as
 * the item says shows in the quickest of so many. */
#define TRIES 20

static void item_36_first_frame_is_key_and_comes_soon(void **state) {
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES && best > SECOND / 2; i++) {
        px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
        px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
        const int64_t t0 = px_now_us();
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, d, 10 * SECOND);
        const int64_t took = px_now_us() - t0;
        assert_non_null(m);
        assert_true(px_video_frame_first(m->video_frame)->key);
        assert_int_equal(px_decoder_width(d), f.width);
        assert_int_equal(px_decoder_height(d), f.height);
        best = took < best ? took : best;
    }
    print_message("# first frame after %lld ms\n", (long long)best / 1000);
    assert_true(best <= SECOND / 2);
}

static void item_38_without_a_word_on_codecs_only_vp9_comes(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    for (uint32_t i = 0; i < 10; i++) {
        paint(40, 40, 100, 100, i * 0x112233);
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
        assert_non_null(m);
        assert_int_equal(m->video_frame->pictures_case, PXS__VIDEO_FRAME__PICTURES_VP9S);
    }
}

static bool near_colour(uint32_t a, uint32_t b) {
    for (int s = 0; s < 24; s += 8)
        if (abs((int)(a >> s & 255) - (int)(b >> s & 255)) > 24)
            return false;
    return true;
}

static void what_is_painted_arrives(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    static const uint32_t colours[] = {0xff0000, 0x00ff00, 0x0000ff, 0xffffff, 0x000000};
    px_message_free(await_frame(c, d, 10 * SECOND));
    for (size_t i = 0; i < PX_N_ELEMENTS(colours); i++) {
        paint(101, 57, 333, 201, colours[i]);
        const int64_t until = px_now_us() + 3 * SECOND;
        while (!near_colour(px_decoder_pixel(d, 250, 150), colours[i])) {
            px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, d, until - px_now_us());
            assert_non_null(m);
        }
    }
}

/* No frame for that long: the screen is still, and as fine as it gets. */
static void until_still(struct px_client *c, struct px_decoder *d, int64_t us) {
    const int64_t until = px_now_us() + 60 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, d, us);
        if (!m)
            return;
        assert_true(px_now_us() < until);
    }
}

static void refresh_brings_a_key_frame(const char *request) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    int64_t best = INT64_MAX;
    for (int i = 0; i < TRIES && best > SECOND / 5; i++) {
        until_still(c, NULL, SECOND / 2);
        const int64_t t0 = px_now_us();
        bool key = false;
        send_hex(c, request);
        while (!key) {
            px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
            assert_non_null(m);
            key = px_video_frame_first(m->video_frame)->key;
        }
        const int64_t took = px_now_us() - t0;
        best = took < best ? took : best;
    }
    print_message("# key frame after %lld ms\n", (long long)best / 1000);
    assert_true(best <= SECOND / 5);
}

/* The next one, of every 240 pictures, does not wait for the last of them when nothing changes. */
static void a_recording_gets_its_key_frames_while_the_screen_rests(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.custom_fps = 120;
    send_option(c, &o);
    until_still(c, NULL, SECOND / 2);
    send_hex(c, "9A0103E80101"); /* records from now on: a stream of its own */
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    until_still(c, NULL, SECOND / 2);
    int n = 0, n_keys = 0;
    for (;; n++) {
        if (n < 200)
            paint(40, 40, 100, 100, (uint32_t)n * 0x112233);
        px_cleanup(px_message_freep) Pxs__Message *m =
            await_frame(c, NULL, n < 200 ? 10 * SECOND : SECOND);
        if (!m)
            break;
        n_keys += px_video_frame_first(m->video_frame)->key;
    }
    assert_true(n >= 200);
    assert_true(n_keys >= 1);
}

static void item_37_refresh_of_all_brings_a_key_frame(void **state) {
    refresh_brings_a_key_frame("9A01025001");
}

static void item_37_refresh_of_one_display_brings_a_key_frame(void **state) {
    refresh_brings_a_key_frame("9A0103F80100");
}

static Pxs__OptionMessage prefer(Pxs__SupportedDecoding *d, int codec) {
    *d = (Pxs__SupportedDecoding)PXS__SUPPORTED_DECODING__INIT;
    d->ability_vp8 = d->ability_vp9 = d->ability_h264 = d->ability_av1 = 1;
    d->prefer = codec;
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.supported_decoding = d;
    return o;
}

static bool contains_nal(const ProtobufCBinaryData *d, int type) {
    for (size_t i = 0; i + 3 < d->len; i++)
        if (d->data[i] == 0 && d->data[i + 1] == 0 && d->data[i + 2] == 1 &&
            (d->data[i + 3] & 31) == type)
            return true;
    return false;
}

static const struct {
    int prefer;
    Pxs__VideoFrame__PicturesCase want;
} codecs[] = {{PX_PREFER_H264, PXS__VIDEO_FRAME__PICTURES_H264S},
              {PX_PREFER_VP8, PXS__VIDEO_FRAME__PICTURES_VP8S},
              {PX_PREFER_AV1, PXS__VIDEO_FRAME__PICTURES_AV1S},
              {PX_PREFER_VP9, PXS__VIDEO_FRAME__PICTURES_VP9S}};

/* Asks for a codec; its first frame, which must be key. What is of before is passed over. */
static Pxs__Message *change_codec(struct px_client *c, size_t i) {
    Pxs__SupportedDecoding decoding;
    const Pxs__OptionMessage o = prefer(&decoding, codecs[i].prefer);
    send_option(c, &o);
    for (;;) {
        Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
        assert_non_null(m);
        if (m->video_frame->pictures_case == codecs[i].want) {
            assert_true(px_video_frame_first(m->video_frame)->key);
            return m;
        }
        px_message_free(m);
    }
}

static void item_39_codec_asked_for_starts_with_a_key_frame(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    for (size_t i = 0; i < PX_N_ELEMENTS(codecs); i++) {
        until_still(c, NULL, SECOND / 3);
        px_cleanup(px_message_freep) Pxs__Message *m = change_codec(c, i);
        const Pxs__EncodedVideoFrame *frame = px_video_frame_first(m->video_frame);
        if (codecs[i].prefer == PX_PREFER_H264)
            assert_true(contains_nal(&frame->data, 7) && contains_nal(&frame->data, 8));
        px_cleanup(px_message_freep) Pxs__Message *next = await_frame(c, NULL, SECOND / 2);
        if (next) /* refining; never another codec */
            assert_int_equal(next->video_frame->pictures_case, codecs[i].want);
    }
}

/* px_decoder_push() wants one picture out for each packet in. */
static void item_40_each_packet_is_one_picture(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_message_free(await_frame(c, d, 10 * SECOND));
    for (size_t i = 0; i < PX_N_ELEMENTS(codecs); i++) {
        struct px_error err = {0};
        px_cleanup(px_message_freep) Pxs__Message *m = change_codec(c, i);
        px_assert_ok_err(px_decoder_push(d, m->video_frame, &err), &err);
        for (int n = 0; n < 5; n++) {
            paint(10 * n, 10, 50, 50, 0x123456u * (unsigned)(n + 1));
            px_cleanup(px_message_freep) Pxs__Message *next = await_frame(c, d, 10 * SECOND);
            assert_non_null(next);
            assert_int_equal(next->video_frame->pictures_case, codecs[i].want);
        }
    }
}

static void full_chroma_comes_when_asked_for(void **state) {
    Pxs__SupportedDecoding decoding;
    Pxs__CodecAbility i444 = PXS__CODEC_ABILITY__INIT;
    Pxs__OptionMessage o = prefer(&decoding, PX_PREFER_VP9);
    i444.vp9 = true;
    decoding.i444 = &i444;
    decoding.prefer_chroma = 1;
    px_cleanup(px_client_closep) struct px_client *c = desktop(&o);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, d, 10 * SECOND);
    assert_non_null(m);
    assert_true(px_decoder_is_i444(d));
}

static unsigned count_frames(struct px_client *c, int64_t us, bool paint_on) {
    const int64_t until = px_now_us() + us;
    unsigned n = 0;
    for (unsigned i = 0; px_now_us() < until; i++) {
        if (paint_on)
            paint(300, 300, 64, 64, i * 0x030507);
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 4000);
        n += m != NULL;
    }
    return n;
}

static void item_42_at_most_two_frames_go_unacknowledged(void **state) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .wants_acks = true};
    px_cleanup(px_client_closep) struct px_client *c = login(&l);
    px_cleanup(px_message_freep) Pxs__Message *first = await_frame(c, NULL, PATIENCE);
    assert_non_null(first);
    unsigned n = 1 + count_frames(c, SECOND, true);
    assert_in_range(n, 1, 2);
    send_hex(c, "9A01026001");
    px_cleanup(px_message_freep) Pxs__Message *next = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(next);
    n += 1 + count_frames(c, SECOND / 2, true);
    assert_in_range(n, 2, 3);
    unsigned more = 0;
    for (int i = 0; i < 4 && more == 0; i++)
        more = count_frames(c, 4 * SECOND, true);
    assert_true(more > 0); /* an acknowledgement was lost */
}

static void item_43_custom_fps_is_obeyed(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.custom_fps = 5;
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    send_option(c, &o);
    count_frames(c, SECOND, true);
    assert_in_range(count_frames(c, 2 * SECOND, true), 1, 11); /* fewer: a busy machine */
}

static void item_33_still_screen_sends_probes_and_next_to_nothing(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    /* The first picture and its refinements, however late a busy machine makes them. */
    unsigned n = 1;
    for (int i = 0; i < 15 && n > 0; i++)
        n = count_frames(c, 2 * SECOND, false);
    assert_int_equal(n, 0);
    const unsigned probes = c->n_probes;
    drain(c, 2 * SECOND); /* item 33: at least one in two seconds */
    assert_true(c->n_probes > probes);
}

/* Pixels of which no two are alike, so that a frame has its size. */
static void paint_noise(int size) {
    static uint32_t pixels[160 * 160];
    static uint32_t state = 1;
    for (int i = 0; i < size * size; i++)
        pixels[i] = (state = state * 1664525u + 1013904223u) >> 8;
    const xcb_gcontext_t gc = xcb_generate_id(f.x);
    xcb_create_gc(f.x, gc, f.root, 0, NULL);
    xcb_put_image(f.x, XCB_IMAGE_FORMAT_Z_PIXMAP, f.root, gc, (uint16_t)size, (uint16_t)size, 300,
                  300, 0, 24, (uint32_t)(size * size * 4), (const uint8_t *)pixels);
    xcb_free_gc(f.x, gc);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL));
}

/* Frames that @quick gets in a second while @slow (may be NULL) reads 12500 bytes a second. */
static unsigned frames_beside(struct px_client *quick, struct px_client *slow) {
    const int64_t t0 = px_now_us(), until = t0 + SECOND;
    int64_t taken = 0;
    unsigned n = 0;
    while (px_now_us() < until) {
        char buf[512];
        paint_noise(160);
        px_cleanup(px_message_freep) Pxs__Message *m = await_frame(quick, NULL, 10000);
        n += m != NULL;
        while (slow && taken < (px_now_us() - t0) * 12500 / SECOND) {
            const ssize_t r = recv(slow->fd, buf, sizeof(buf), MSG_DONTWAIT);
            if (r <= 0)
                break;
            taken += r;
        }
    }
    if (slow)
        assert_true(taken > 0);
    return n;
}

/* A line of 100 kbit/s beside one of any speed. One that waits for the slowest would fall to the
 * three or four frames a second that the slow one can take; busy machines get several turns. */
static void item_44_a_slow_client_does_not_slow_the_other(void **state) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_cleanup(px_client_closep) struct px_client *quick = desktop(NULL);
    const int small = 4096;
    for (int turn = 0; turn < 8; turn++) {
        px_cleanup(px_client_closep) struct px_client *slow = dial();
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        frames_beside(quick, NULL);
        const unsigned alone = frames_beside(quick, NULL);
        setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        px_assert_ok(px_client_login(slow, &l, 10 * SECOND, &m, NULL));
        frames_beside(quick, slow); /* its buffers fill, it gets a stream of its own */
        const unsigned beside = frames_beside(quick, slow);
        print_message("# %u frames/s alone, %u beside the slow one\n", alone, beside);
        if (alone >= 10 && beside * 4 >= alone * 3)
            return;
    }
    fail_msg("fewer frames beside a slow client, each time");
}

static void late_viewer_gets_a_key_frame_and_the_first_goes_on(void **state) {
    px_cleanup(px_client_closep) struct px_client *a = desktop(NULL), *b = NULL;
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new(), *e = px_decoder_new();
    px_message_free(await_frame(a, d, 10 * SECOND));
    drain(a, SECOND / 2);
    b = desktop(NULL);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(b, e, 10 * SECOND);
    assert_non_null(m);
    assert_true(px_video_frame_first(m->video_frame)->key);
    px_cleanup(px_message_freep) Pxs__Message *n = await_frame(a, d, 10 * SECOND);
    assert_non_null(n);
}

/* ---- cursor ---- */

static void set_cursor(uint16_t glyph) {
    const xcb_font_t font = xcb_generate_id(f.x);
    const xcb_cursor_t cursor = xcb_generate_id(f.x);
    xcb_open_font(f.x, font, 6, "cursor");
    xcb_create_glyph_cursor(f.x, cursor, font, font, glyph, (uint16_t)(glyph + 1), 0, 0, 0, 65535,
                            65535, 65535);
    xcb_change_window_attributes(f.x, f.root, XCB_CW_CURSOR, &cursor);
    xcb_free_cursor(f.x, cursor);
    xcb_close_font(f.x, font);
    xcb_flush(f.x);
}

static void item_45_cursor_pixels_are_packed(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    set_cursor(68);
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_CURSOR_DATA, 10 * SECOND);
    assert_non_null(m);
    const Pxs__CursorData *d = m->cursor_data;
    static uint8_t pixels[256 * 256 * 4];
    assert_in_range(d->width, 1, 256);
    assert_in_range(d->height, 1, 256);
    assert_memory_equal(d->colors.data, "\x28\xb5\x2f\xfd", 4);
    assert_int_equal(ZSTD_decompress(pixels, sizeof(pixels), d->colors.data, d->colors.len),
                     d->width * d->height * 4);
    bool seen = false; /* something of it is not transparent */
    for (int i = 0; i < d->width * d->height; i++)
        seen |= pixels[4 * i + 3] != 0;
    assert_true(seen);
}

/* The next message about the shape; NULL: none, as when it changed back before the host looked. */
static Pxs__Message *await_shape(struct px_client *c) {
    const int64_t until = px_now_us() + SECOND / 3;
    for (;;) {
        Pxs__Message *m = NULL;
        if (px_client_recv(c, until, &m, NULL) <= 0)
            return NULL;
        if (m->item_case == PXS__MESSAGE__ITEM_CURSOR_DATA ||
            m->item_case == PXS__MESSAGE__ITEM_CURSOR_ID)
            return m;
        px_message_free(m);
    }
}

static bool is_among(uint64_t id, const uint64_t *ids, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* Two shapes in turn: each is sent once, then only named. So are those of before, of which a host
 * with much to do may see the last only now. */
static void item_46_known_cursor_shapes_are_named(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const int64_t until = px_now_us() + 60 * SECOND;
    uint64_t sent[4];
    unsigned n_sent = 0, n_named = 0;
    for (unsigned turn = 0; n_named < 3; turn++) {
        assert_true(px_now_us() < until);
        set_cursor(turn % 2 ? 34 : 150);
        px_cleanup(px_message_freep) Pxs__Message *m = await_shape(c);
        if (!m)
            continue;
        if (m->item_case == PXS__MESSAGE__ITEM_CURSOR_DATA) {
            assert_true(n_sent < PX_N_ELEMENTS(sent));
            assert_false(is_among(m->cursor_data->id, sent, n_sent));
            sent[n_sent++] = m->cursor_data->id;
            continue;
        }
        assert_true(is_among(m->cursor_id, sent, n_sent));
        n_named++;
    }
    assert_true(n_sent >= 2);
}

static void item_47_pointer_position_only_when_asked(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, 600, 300, 0);
    xcb_flush(f.x);
    px_cleanup(px_message_freep) Pxs__Message *none =
        await(c, PXS__MESSAGE__ITEM_CURSOR_POSITION, SECOND / 2);
    assert_null(none);
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.show_remote_cursor = PX_OPTION_YES;
    send_option(c, &o);
    px_message_free(await(c, PXS__MESSAGE__ITEM_CURSOR_POSITION, 10 * SECOND));
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, 640, 360, 0);
    xcb_flush(f.x);
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    do
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
    while (size != 8 || memcmp(body, "\x6a\x06\x08\x80\x0a\x10\xd0\x05", 8) != 0);
}

/* ---- input ---- */

struct pointer {
    int x, y;
    uint32_t mask;
};

static struct pointer pointer(void) {
    xcb_query_pointer_reply_t *r =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    const struct pointer p = {r->root_x, r->root_y, r->mask};
    free(r);
    return p;
}

static bool pointer_is(void *data) {
    const struct pointer *want = data, now = pointer();
    return now.x == want->x && now.y == want->y && (now.mask & 0x1f00) == (want->mask & 0x1f00);
}

static bool key_is_down(uint8_t code) {
    xcb_query_keymap_reply_t *r = xcb_query_keymap_reply(f.x, xcb_query_keymap(f.x), NULL);
    const bool down = r->keys[code / 8] & 1 << code % 8;
    free(r);
    return down;
}

static bool key_down_check(void *data) {
    return key_is_down(*(uint8_t *)data);
}

static bool key_up_check(void *data) {
    return !key_is_down(*(uint8_t *)data);
}

static void expect_pointer(int x, int y, uint32_t mask) {
    struct pointer want = {x, y, mask};
    if (!wait_for(pointer_is, &want, PATIENCE)) {
        const struct pointer p = pointer();
        fail_msg("pointer is at %d,%d mask %x", p.x, p.y, p.mask);
    }
}

static void item_48_move_and_left_button(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "520610C801189003");
    expect_pointer(100, 200, 0);
    send_hex(c, "5208080910C801189003");
    expect_pointer(100, 200, XCB_BUTTON_MASK_1);
    send_hex(c, "5208080A10C801189003");
    expect_pointer(100, 200, 0);
}

static void other_moves_of_the_mouse(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "520610C801189003");
    expect_pointer(100, 200, 0);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_RELATIVE, -30, 5, NULL));
    expect_pointer(70, 205, 0);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 1 << 30, -(1 << 30), NULL));
    expect_pointer(f.width - 1, 0, 0);
}

/* A window that takes keys and buttons. */
static xcb_window_t window(void) {
    const xcb_window_t w = xcb_generate_id(f.x);
    const uint32_t values[] = {1, XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_KEY_RELEASE |
                                      XCB_EVENT_MASK_BUTTON_PRESS | XCB_EVENT_MASK_EXPOSURE};
    xcb_create_window(f.x, XCB_COPY_FROM_PARENT, w, f.root, 500, 300, 300, 200, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values);
    xcb_map_window(f.x, w);
    xcb_set_input_focus(f.x, XCB_INPUT_FOCUS_POINTER_ROOT, w, XCB_CURRENT_TIME);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL));
    xcb_generic_event_t *e;
    while ((e = xcb_poll_for_event(f.x)))
        free(e);
    return w;
}

/* The next event of @type within two seconds: its detail; -1: none. */
static int next_event(uint8_t type, uint16_t *state) {
    const int64_t until = px_now_us() + 2 * SECOND;
    while (px_now_us() < until) {
        xcb_generic_event_t *e = xcb_poll_for_event(f.x);
        if (!e) {
            px_sleep_us(2000);
            continue;
        }
        const xcb_key_press_event_t k = *(xcb_key_press_event_t *)(void *)e;
        free(e);
        if ((k.response_type & 0x7f) == type) {
            if (state)
                *state = k.state;
            return k.detail;
        }
    }
    return -1;
}

/* Down with 0,0: where the pointer is, and it stays there. */
static void item_49_left_button_at_no_place(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 600, 400, NULL));
    expect_pointer(600, 400, 0);
    send_hex(c, "52020809");
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 1); /* the window is there, not at 0,0 */
    expect_pointer(600, 400, XCB_BUTTON_MASK_1);
    send_hex(c, "5202080A");
    expect_pointer(600, 400, 0);
    xcb_destroy_window(f.x, w);
}

static void item_50_wheel(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 600, 400, NULL));
    send_hex(c, "520408031802");
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 4);
    send_hex(c, "520408031801");
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 5);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_WHEEL, 1, 0, NULL));
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 6);
    xcb_destroy_window(f.x, w);
}

static void all_mouse_buttons_arrive(void **state) {
    static const int buttons[][2] = {{PX_BUTTON_LEFT, 1},
                                     {PX_BUTTON_RIGHT, 3},
                                     {PX_BUTTON_MIDDLE, 2},
                                     {PX_BUTTON_BACK, 8},
                                     {PX_BUTTON_FORWARD, 9}};
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 600, 400, NULL));
    for (size_t i = 0; i < PX_N_ELEMENTS(buttons); i++) {
        px_assert_ok(px_client_mouse(c, buttons[i][0] << 3 | PX_MOUSE_DOWN, 0, 0, NULL));
        px_assert_ok(px_client_mouse(c, buttons[i][0] << 3 | PX_MOUSE_UP, 0, 0, NULL));
        assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), buttons[i][1]);
    }
    px_assert_ok(px_client_mouse(c, PX_MOUSE_TRACKPAD, 0, -2, NULL));
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 5);
    assert_int_equal(next_event(XCB_BUTTON_PRESS, NULL), 5);
    xcb_destroy_window(f.x, w);
}

static void item_51_map_keys_are_held(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    uint8_t code = 38;
    send_hex(c, "7A06080120264801");
    assert_true(wait_for(key_down_check, &code, PATIENCE));
    px_sleep_us(2 * SECOND);
    assert_true(key_is_down(code));
    send_hex(c, "7A0420264801");
    assert_true(wait_for(key_up_check, &code, PATIENCE));
    assert_int_equal(next_event(XCB_KEY_PRESS, NULL), 38);
    assert_int_equal(next_event(XCB_KEY_RELEASE, NULL), 38);
    xcb_destroy_window(f.x, w);
}

/* What a program reads from a key event: the symbol that the server's map gives it now. */
static uint32_t typed_symbol(void) {
    uint16_t mods = 0;
    const int code = next_event(XCB_KEY_PRESS, &mods);
    if (code < 0)
        return 0;
    xcb_get_keyboard_mapping_reply_t *r = xcb_get_keyboard_mapping_reply(
        f.x, xcb_get_keyboard_mapping(f.x, (xcb_keycode_t)code, 1), NULL);
    const uint32_t *syms = xcb_get_keyboard_mapping_keysyms(r);
    const int column = (mods & XCB_MOD_MASK_5 ? 4 : 0) + (mods & XCB_MOD_MASK_SHIFT ? 1 : 0);
    uint32_t s = column < r->keysyms_per_keycode ? syms[column] : 0;
    if (mods & XCB_MOD_MASK_LOCK && s >= 'a' && s <= 'z')
        s -= 32;
    free(r);
    const bool modifier = (s >= 0xffe1 && s <= 0xffee) || s == 0xfe03;
    return modifier ? typed_symbol() : s;
}

static void item_52_text_comes_out_as_given(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    send_hex(c, "7A043202C3A9");
    assert_int_equal(typed_symbol(), 0xe9);
    px_assert_ok(px_client_type(c, "aB3?\xe2\x82\xac", NULL));
    static const uint32_t want[] = {'a', 'B', '3', '?', 0x010020ac};
    for (size_t i = 0; i < PX_N_ELEMENTS(want); i++)
        assert_int_equal(typed_symbol(), want[i]);
    xcb_generic_event_t *e;
    px_sleep_us(200000);
    while ((e = xcb_poll_for_event(f.x))) { /* once only */
        assert_int_not_equal(e->response_type & 0x7f, XCB_KEY_PRESS);
        free(e);
    }
    xcb_destroy_window(f.x, w);
}

static void layout(const char *name) {
    const char *const argv[] = {"setxkbmap", name, NULL};
    const struct px_proc_opts o = {.argv = argv, .inherit_env = true, .timeout_us = 10 * SECOND};
    struct px_error err = {0};
    px_assert_ok_err(px_proc_check(&o, &err), &err);
}

/* The host learns of the new layout; dead keys and AltGr of it do not get in the way of text. */
static void item_52_text_comes_out_as_given_whatever_the_layout(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    static const char *const layouts[] = {"de", "fr", "ru", "us"};
    static const uint32_t want[] = {0xe9, 'z', 'y', 'a', '@', '^', '`', 0xe4, 0xea, 0x01000416};
    for (size_t l = 0; l < PX_N_ELEMENTS(layouts); l++) {
        layout(layouts[l]);
        drain(c, SECOND); /* the server tells the host of it */
        const xcb_window_t w = window();
        send_hex(c, "7A043202C3A9");
        px_assert_ok(px_client_type(c, "zya@^`\xc3\xa4\xc3\xaa\xd0\x96", NULL));
        for (size_t i = 0; i < PX_N_ELEMENTS(want); i++) {
            const uint32_t got = typed_symbol();
            if (got != want[i])
                fail_msg("%s: %x instead of %x", layouts[l], got, want[i]);
        }
        xcb_destroy_window(f.x, w);
    }
}

static void legacy_characters_and_named_keys(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    send_hex(c, "7A041001 2041"); /* press, chr 'A' */
    assert_int_equal(typed_symbol(), 'A');
    px_assert_ok(px_client_control_key(c, PX_KEY_RETURN, NULL));
    assert_int_equal(typed_symbol(), 0xff0d);
    send_hex(c, "7A0610012061 4004"); /* 'a' with Control: packed or not, here not */
    uint16_t mods = 0;
    int code;
    do
        code = next_event(XCB_KEY_PRESS, &mods);
    while (code >= 0 && code != 38);
    assert_int_equal(code, 38);
    assert_true(mods & XCB_MOD_MASK_CONTROL);
    uint8_t control = 37;
    assert_true(wait_for(key_up_check, &control, PATIENCE));
    xcb_destroy_window(f.x, w);
}

static void caps_lock_follows_the_client(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    const xcb_window_t w = window();
    uint16_t mods = 0;
    send_hex(c, "7A08080120264801 4003"); /* map 'a' with CapsLock */
    assert_int_equal(next_event(XCB_KEY_PRESS, &mods), 38);
    assert_true(mods & XCB_MOD_MASK_LOCK);
    send_hex(c, "7A0420264801");
    px_assert_ok(px_client_type(c, "x", NULL));
    assert_int_equal(typed_symbol(), 'x');
    send_hex(c, "7A06080120264801");
    assert_int_equal(next_event(XCB_KEY_PRESS, &mods), 38);
    assert_false(mods & XCB_MOD_MASK_LOCK);
    send_hex(c, "7A0420264801");
    xcb_destroy_window(f.x, w);
}

static void item_53_leaving_lets_everything_go(void **state) {
    struct px_client *c = desktop(NULL);
    uint8_t code = 38;
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 50, 60, NULL));
    send_hex(c, "7A06080120264801");
    send_hex(c, "52020809");
    assert_true(wait_for(key_down_check, &code, PATIENCE));
    expect_pointer(50, 60, XCB_BUTTON_MASK_1);
    px_client_close(c);
    assert_true(wait_for(key_up_check, &code, PATIENCE));
    expect_pointer(50, 60, 0);
}

static void item_54_view_only_has_no_effect(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.disable_keyboard = PX_OPTION_YES;
    px_cleanup(px_client_closep) struct px_client *c = desktop(&o);
    static const char *const all[] = {
        "520610C801189003", "5208080910C801189003", "52020809",    "520408031802",
        "520408031801",     "7A06080120264801",     "7A043202C3A9"};
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, 610, 410, 0);
    const xcb_window_t w = window();
    expect_pointer(610, 410, 0);
    for (size_t i = 0; i < PX_N_ELEMENTS(all); i++)
        send_hex(c, all[i]);
    send_hex(c, "2A021001");
    expect_echo(c);
    drain(c, SECOND / 5); /* text is typed in its own time */
    expect_pointer(610, 410, 0);
    assert_false(key_is_down(38));
    for (xcb_generic_event_t *e; (e = xcb_poll_for_event(f.x)); free(e)) {
        assert_int_not_equal(e->response_type & 0x7f, XCB_KEY_PRESS);
        assert_int_not_equal(e->response_type & 0x7f, XCB_BUTTON_PRESS);
    }
    xcb_destroy_window(f.x, w);
}

/* The arrow of a viewer that only looks; 0: there is none. */
static bool mark_is_at(void *data) {
    const int *at = data;
    bool found = false;
    px_cleanup_free xcb_query_tree_reply_t *t =
        xcb_query_tree_reply(f.x, xcb_query_tree(f.x, f.root), NULL);
    const xcb_window_t *all = xcb_query_tree_children(t);
    for (int i = 0; i < xcb_query_tree_children_length(t); i++) {
        px_cleanup_free xcb_get_property_reply_t *name = xcb_get_property_reply(
            f.x, xcb_get_property(f.x, 0, all[i], XCB_ATOM_WM_NAME, XCB_ATOM_STRING, 0, 16), NULL);
        px_cleanup_free xcb_get_geometry_reply_t *g =
            xcb_get_geometry_reply(f.x, xcb_get_geometry(f.x, all[i]), NULL);
        if (!name || !g || xcb_get_property_value_length(name) != 20 ||
            memcmp(xcb_get_property_value(name), "phoenix-host pointer", 20) != 0)
            continue;
        if (at[0] < 0)
            return false; /* there shall be none */
        found |= g->x == at[0] && g->y == at[1];
    }
    return found || at[0] < 0;
}

static void who_only_looks_may_show_its_pointer(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    int first[] = {100, 200}, second[] = {610, 410}, none[] = {-1, 0};
    o.disable_keyboard = o.show_my_cursor = PX_OPTION_YES;
    xcb_test_fake_input(f.x, XCB_MOTION_NOTIFY, 0, 0, f.root, 50, 60, 0);
    xcb_flush(f.x);
    struct px_client *c = desktop(&o);
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 100, 200, NULL));
    assert_true(wait_for(mark_is_at, first, 5 * SECOND));
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 610, 410, NULL));
    assert_true(wait_for(mark_is_at, second, 5 * SECOND));
    expect_pointer(50, 60, 0);
    send_hex(c, "9A01053A03980101"); /* show_my_cursor: no */
    assert_true(wait_for(mark_is_at, none, 5 * SECOND));
    send_hex(c, "9A01053A03980102");
    px_assert_ok(px_client_mouse(c, PX_MOUSE_MOVE, 100, 200, NULL));
    assert_true(wait_for(mark_is_at, first, 5 * SECOND));
    px_client_close(c);
    assert_true(wait_for(mark_is_at, none, 5 * SECOND));
}

/* ---- the rest ---- */

/* What the host answers to one request at its metrics socket. */
static char *read_metrics(void) {
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    px_cleanup(px_buf_fini) struct px_buf in = {0};
    snprintf(a.sun_path, sizeof(a.sun_path), "%s/metrics", f.dir);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(write(fd, "GET /metrics HTTP/1.0\r\n\r\n", 25), 25);
    for (;;) {
        const ssize_t n = read(fd, px_buf_reserve(&in, 4096), 4096);
        assert_true(n >= 0);
        if (n == 0)
            return px_buf_take(&in);
        in.size += (size_t)n;
    }
}

static void metrics_tell_each_stage(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    for (uint32_t i = 0; i < 5; i++) {
        paint(200, 100, 100, 100, i * 0x303030);
        px_message_free(await_frame(c, NULL, 10 * SECOND));
    }
    px_cleanup_free char *text = read_metrics();
    static const char *const stages[] = {"wait", "grab", "convert", "encode", "send"};
    assert_int_equal(strncmp(text, "HTTP/1.0 200 OK\r\n", 17), 0);
    assert_non_null(strstr(text, "\nphoenix_host_viewers "));
    for (size_t i = 0; i < PX_N_ELEMENTS(stages); i++) {
        char want[96];
        snprintf(want, sizeof(want), "_count{stage=\"%s\",codec=\"vp9\"} ", stages[i]);
        const char *at = strstr(text, want);
        assert_non_null(at);
        assert_true(atoi(at + strlen(want)) >= 5);
    }
    assert_non_null(strstr(text, "\nphoenix_host_viewer_codec{"));
    assert_non_null(strstr(text, "codec=\"vp9\",why=\"no other that both can\"} 1\n"));
    assert_non_null(strstr(text, "\nphoenix_host_encoder_seconds{encoder=\"phoenix-vp8\","));
}

/* The number after @name in what read_metrics() gave; 0: it is not there. */
static double metric(const char *name) {
    px_cleanup_free char *text = read_metrics();
    const char *at = strstr(text, name);
    return at ? strtod(at + strlen(name), NULL) : 0;
}

#define WAIT_SUM "_sum{stage=\"wait\",codec=\"vp9\"} "

static bool nobody_watches(void *data) {
    return metric("\nphoenix_host_viewers ") == 0;
}

/* A screen that changes while nobody watches makes nobody wait. */
static void waiting_begins_with_a_viewer(void **state) {
    const int64_t alone_us = 4 * SECOND;
    assert_true(wait_for(nobody_watches, NULL, 10 * SECOND));
    paint(200, 100, 100, 100, 0x00ff00);
    const double before = metric(WAIT_SUM);
    px_sleep_us(alone_us);
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_message_free(await_frame(c, NULL, 10 * SECOND));
    assert_true(metric(WAIT_SUM) - before < (double)alone_us / 1e6);
}

static void calls_and_privacy_are_declined_so_that_clients_say_so(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "BA010408051001"); /* voice call: timestamp in field 1, is_connect */
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_VOICE_CALL_RESPONSE, 10 * SECOND);
    assert_non_null(m);
    assert_false(m->voice_call_response->accepted);
    send_hex(c, "9A01058A02021001"); /* toggle_privacy_mode on */
    const int64_t until = px_now_us() + 2 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *n =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(n);
        if (n->misc->item_case == PXS__MISC__ITEM_BACK_NOTIFICATION) {
            assert_int_equal(n->misc->back_notification->privacy_mode_state, 3);
            break;
        }
    }
}

static void chat_says_that_nobody_reads_it(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "9A010622040A026869"); /* chat_message "hi" */
    const int64_t until = px_now_us() + 10 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(m);
        if (m->misc->item_case != PXS__MISC__ITEM_CHAT_MESSAGE)
            continue;
        assert_true(m->misc->chat_message->text.len > 10);
        return;
    }
}

static void screenshot(struct px_client *c, int display, const char *sid) {
    Pxs__ScreenshotRequest r = PXS__SCREENSHOT_REQUEST__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    r.display = display;
    r.sid = (char *)sid;
    m.item_case = PXS__MESSAGE__ITEM_SCREENSHOT_REQUEST;
    m.screenshot_request = &r;
    px_assert_ok(px_client_send(c, &m, NULL));
}

static void screenshots_show_what_is_there_as_png(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    paint(0, 0, f.width, f.height, 0x102030);
    paint(10, 20, 1, 1, 0xff8040);
    screenshot(c, 0, "shot-1");
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_SCREENSHOT_RESPONSE, 20 * SECOND);
    assert_non_null(m);
    const Pxs__ScreenshotResponse *a = m->screenshot_response;
    assert_string_equal(a->sid, "shot-1");
    assert_string_equal(a->msg, "");
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_memory(&image, a->data.data, a->data.len));
    assert_int_equal(image.width, f.width);
    assert_int_equal(image.height, f.height);
    image.format = PNG_FORMAT_RGB;
    px_cleanup_free uint8_t *rgb = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    const uint8_t *p = rgb + ((size_t)20 * (size_t)f.width + 10) * 3;
    assert_int_equal(p[0] << 16 | p[1] << 8 | p[2], 0xff8040);
    assert_int_equal(p[3] << 16 | p[4] << 8 | p[5], 0x102030);
}

static void screenshots_that_cannot_be_are_declined_with_words(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    screenshot(c, 7, "shot-2");
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_SCREENSHOT_RESPONSE, 10 * SECOND);
    assert_non_null(m);
    assert_string_equal(m->screenshot_response->sid, "shot-2");
    assert_string_equal(m->screenshot_response->msg, "There is no such display");
    screenshot(c, 0, "left"); /* and leaves before it is done */
}

static void message_query_tells_the_display(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    send_hex(c, "9A0105AA02020800"); /* message_query{switch_display 0} */
    const int64_t until = px_now_us() + 2 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_MISC, until - px_now_us());
        assert_non_null(m);
        if (m->misc->item_case != PXS__MISC__ITEM_SWITCH_DISPLAY)
            continue;
        assert_int_equal(m->misc->switch_display->width, f.width);
        break;
    }
}

static void reconnecting_many_times_leaves_the_host_as_it_was(void **state) {
    for (int i = 0; i < 50; i++) {
        struct px_client *c = i % 2 ? desktop(NULL) : dial();
        px_client_close(c);
    }
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    px_cleanup(px_message_freep) Pxs__Message *m = await_frame(c, NULL, 10 * SECOND);
    assert_non_null(m);
}

#define GOODBYE                                                                                    \
    "\x80\x9a\x01\x1d\x4a\x1b"                                                                     \
    "Closed manually by the peer"

/* Both ways: a client's word ends its session; the host says why before it goes. */
static void item_59_a_reason_comes_first_and_then_the_end(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    uint8_t code = 38;
    send_hex(c, "7A06080120264801");
    assert_true(wait_for(key_down_check, &code, 10 * SECOND));
    px_assert_ok(px_client_send_raw(c, GOODBYE, sizeof(GOODBYE) - 1, NULL));
    assert_true(is_closed(c, 10 * SECOND));
    assert_true(wait_for(key_up_check, &code, 10 * SECOND));
    px_cleanup(px_client_closep) struct px_client *d = desktop(NULL);
    px_message_free(await_frame(d, NULL, 10 * SECOND));
    kill(f.host_pid, SIGTERM);
    static const char want[] = "\x9a\x01\x13\x4a\x11"
                               "Reset by the peer";
    const int64_t until = px_now_us() + 10 * SECOND;
    const uint8_t *body;
    size_t size;
    bool said = false;
    struct px_error err = {0};
    int r;
    while ((r = px_client_recv_body(d, until, &body, &size, &err)) > 0) {
        assert_false(said); /* it is the last */
        said = size == sizeof(want) - 1 && memcmp(body, want, size) == 0;
    }
    assert_true(said);
    assert_int_equal(r, -EPIPE);
    assert_string_equal(err.msg, "the host closed the connection"); /* a FIN, no reset */
    fixture_stop_host();
    start_host();
}

/* Last: it holds this address off for a minute. */
static void item_29_seven_wrong_proofs_mean_wait(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial();
    const struct px_client_login l = {.username = ID, .password = "wrong wrong"};
    struct px_error err = {0};
    int n = 0;
    do {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        assert_int_equal(px_client_login(c, &l, PATIENCE, &m, &err), -EACCES);
    } while (++n < 10 && strcmp(err.msg, "Wrong Password") == 0);
    assert_in_range(n, 7, 8);
    assert_string_equal(err.msg, "Please try 1 minute later");
}

static int start(void **state) {
    fixture_x(false);
    start_host();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_2_longer_headers_than_needed_are_taken),
        cmocka_unit_test(item_3_frames_split_anywhere_are_put_together),
        cmocka_unit_test(item_4_empty_frame_is_ignored),
        cmocka_unit_test(item_5_too_long_a_frame_closes_and_takes_no_memory),
        cmocka_unit_test(garbage_closes_only_its_own_connection),
        cmocka_unit_test(item_16_direct_port_starts_with_the_hash),
        cmocka_unit_test(item_19_salt_is_stable_and_challenge_fresh),
        cmocka_unit_test(item_20_empty_password_gets_no_answer),
        cmocka_unit_test(item_30_first_probe_is_bare),
        cmocka_unit_test(item_31_second_probe_waits_for_the_echo_of_the_first),
        cmocka_unit_test(item_21_wrong_password_then_the_right_one),
        cmocka_unit_test(item_24_another_id_is_offline),
        cmocka_unit_test(item_25_another_purpose_closes),
        cmocka_unit_test(peer_info_says_what_clients_need),
        cmocka_unit_test(item_32_clients_probe_comes_back_as_it_was),
        cmocka_unit_test(item_60_unknown_messages_are_skipped),
        cmocka_unit_test(item_36_first_frame_is_key_and_comes_soon),
        cmocka_unit_test(a_recording_gets_its_key_frames_while_the_screen_rests),
        cmocka_unit_test(item_38_without_a_word_on_codecs_only_vp9_comes),
        cmocka_unit_test(what_is_painted_arrives),
        cmocka_unit_test(item_37_refresh_of_all_brings_a_key_frame),
        cmocka_unit_test(item_37_refresh_of_one_display_brings_a_key_frame),
        cmocka_unit_test(item_39_codec_asked_for_starts_with_a_key_frame),
        cmocka_unit_test(item_40_each_packet_is_one_picture),
        cmocka_unit_test(full_chroma_comes_when_asked_for),
        cmocka_unit_test(item_42_at_most_two_frames_go_unacknowledged),
        cmocka_unit_test(item_43_custom_fps_is_obeyed),
        cmocka_unit_test(item_33_still_screen_sends_probes_and_next_to_nothing),
        cmocka_unit_test(item_44_a_slow_client_does_not_slow_the_other),
        cmocka_unit_test(late_viewer_gets_a_key_frame_and_the_first_goes_on),
        cmocka_unit_test(item_45_cursor_pixels_are_packed),
        cmocka_unit_test(item_46_known_cursor_shapes_are_named),
        cmocka_unit_test(item_47_pointer_position_only_when_asked),
        cmocka_unit_test(item_48_move_and_left_button),
        cmocka_unit_test(other_moves_of_the_mouse),
        cmocka_unit_test(item_49_left_button_at_no_place),
        cmocka_unit_test(item_50_wheel),
        cmocka_unit_test(all_mouse_buttons_arrive),
        cmocka_unit_test(item_51_map_keys_are_held),
        cmocka_unit_test(item_52_text_comes_out_as_given),
        cmocka_unit_test(item_52_text_comes_out_as_given_whatever_the_layout),
        cmocka_unit_test(legacy_characters_and_named_keys),
        cmocka_unit_test(caps_lock_follows_the_client),
        cmocka_unit_test(item_53_leaving_lets_everything_go),
        cmocka_unit_test(item_54_view_only_has_no_effect),
        cmocka_unit_test(who_only_looks_may_show_its_pointer),
        cmocka_unit_test(calls_and_privacy_are_declined_so_that_clients_say_so),
        cmocka_unit_test(chat_says_that_nobody_reads_it),
        cmocka_unit_test(screenshots_show_what_is_there_as_png),
        cmocka_unit_test(screenshots_that_cannot_be_are_declined_with_words),
        cmocka_unit_test(message_query_tells_the_display),
        cmocka_unit_test(metrics_tell_each_stage),
        cmocka_unit_test(waiting_begins_with_a_viewer),
        cmocka_unit_test(reconnecting_many_times_leaves_the_host_as_it_was),
        cmocka_unit_test(item_59_a_reason_comes_first_and_then_the_end),
        cmocka_unit_test(item_29_seven_wrong_proofs_mean_wait),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
