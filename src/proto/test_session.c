/* src/proto/test_session.c - the session checklist: the bytes of messages */
#include "base/test.h"
#include "proto/frame.h"
#include "proto/secure.h"
#include "proto/session.h"

static void from_hex(const char *hex, struct px_buf *out) {
    for (; *hex; hex++) {
        unsigned v;
        if (*hex == ' ')
            continue;
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        px_buf_putc(out, (char)v);
        hex++;
    }
}

static void assert_bytes(const struct px_buf *got, const char *hex) {
    px_cleanup(px_buf_fini) struct px_buf want = {0};
    from_hex(hex, &want);
    assert_int_equal(got->size, want.size);
    assert_memory_equal(got->data, want.data, want.size);
}

static void print_frame(const Pxs__Message *m, struct px_buf *out) {
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    uint8_t prefix[PX_FRAME_PREFIX_MAX_BYTES];
    px_message_print(&m->base, &body);
    px_buf_add(out, prefix, px_frame_print((uint32_t)body.size, prefix));
    px_buf_add(out, body.data, body.size);
}

/* The whole frame, header and body. */
static void assert_frame(const Pxs__Message *m, const char *hex) {
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    print_frame(m, &got);
    assert_bytes(&got, hex);
}

static Pxs__Message *parse(const char *hex) {
    px_cleanup(px_buf_fini) struct px_buf in = {0};
    Pxs__Message *m = NULL;
    from_hex(hex, &in);
    px_assert_ok(px_message_parse((const uint8_t *)in.data, in.size, &m, NULL));
    return m;
}

#define MESSAGE(which, member, value)                                                              \
    Pxs__Message m = PXS__MESSAGE__INIT;                                                           \
    m.item_case = PXS__MESSAGE__ITEM_##which;                                                      \
    m.member = (value)

#define MISC(which, member, value)                                                                 \
    Pxs__Misc misc = PXS__MISC__INIT;                                                              \
    misc.item_case = PXS__MISC__ITEM_##which;                                                      \
    misc.member = (value);                                                                         \
    MESSAGE(MISC, misc, &misc)

static void item_17_password_proof(void **state) {
    static const uint8_t want_h1[] = {
        0x6B, 0xDF, 0x86, 0x5B, 0x84, 0x13, 0x3B, 0xDA, 0x04, 0x8A, 0xC8,
        0xF5, 0x15, 0xEF, 0xD5, 0x1C, 0xB9, 0xD7, 0x82, 0x49, 0x7C, 0x89,
        0x78, 0x5D, 0xC0, 0x88, 0x17, 0x67, 0x72, 0xD6, 0x83, 0x0E,
    };
    static const uint8_t want_proof[] = {
        0xFB, 0xCA, 0xA6, 0xCA, 0x5C, 0xD2, 0x9F, 0x47, 0x50, 0xAD, 0x0D,
        0x20, 0xFD, 0x11, 0xE6, 0xCA, 0x86, 0xCF, 0xA2, 0xF5, 0xC7, 0x92,
        0xE2, 0xE4, 0x99, 0x94, 0xC4, 0x1C, 0x20, 0xBE, 0x76, 0xA6,
    };
    uint8_t h1[PX_PROOF_BYTES], proof[PX_PROOF_BYTES];
    px_login_h1("hunter2", "k3v9x7m2q8z4t6w5r3p2n9d8h7g4f5e2", h1);
    assert_memory_equal(h1, want_h1, sizeof(h1));
    px_login_proof(h1, "a7k2m9", proof);
    assert_memory_equal(proof, want_proof, sizeof(proof));
    assert_true(px_login_check(h1, "a7k2m9", proof, 32));
    assert_false(px_login_check(h1, "a7k2m9", proof, 31));
    assert_false(px_login_check(h1, "a7k2m8", proof, 32));
    proof[31] ^= 1;
    assert_false(px_login_check(h1, "a7k2m9", proof, 32));
}

static void item_18_hash(void **state) {
    Pxs__Hash hash = PXS__HASH__INIT;
    hash.salt = (char *)"k3v9x7m2q8z4t6w5r3p2n9d8h7g4f5e2";
    hash.challenge = (char *)"a7k2m9";
    MESSAGE(HASH, hash, &hash);
    px_cleanup(px_buf_fini) struct px_buf got = {0}, head = {0}, tail = {0};
    print_frame(&m, &got);
    from_hex("B04A2A0A206B3376", &head);
    from_hex("1206 61376B326D39", &tail);
    assert_int_equal(got.size, 45);
    assert_memory_equal(got.data, head.data, head.size);
    assert_memory_equal(got.data + got.size - tail.size, tail.data, tail.size);
}

static void assert_login_error(const char *text, const char *hex) {
    Pxs__LoginResponse r = PXS__LOGIN_RESPONSE__INIT;
    r.answer_case = PXS__LOGIN_RESPONSE__ANSWER_ERROR;
    r.error = (char *)text;
    MESSAGE(LOGIN_RESPONSE, login_response, &r);
    assert_frame(&m, hex);
}

static void item_21_wrong_password(void **state) {
    assert_login_error("Wrong Password", "48 42100A0E57726F6E672050617373776F7264");
}

static void item_22_second_factor_is_required(void **state) {
    assert_login_error("2FA Required", "40 420E0A0C324641205265717569726564");
}

static void item_23_totp(void **state) {
    char code[7];
    const uint8_t *secret = (const uint8_t *)"12345678901234567890";
    px_totp(secret, 20, 59, code);
    assert_string_equal(code, "287082");
    px_totp(secret, 20, 1111111109, code);
    assert_string_equal(code, "081804");
    for (int off = -3; off <= 3; off++) {
        int64_t step = -1;
        assert_int_equal(px_totp_check(secret, 20, 1111111109 + 30 * off, code, &step),
                         abs(off) <= 1);
        assert_int_equal(step, abs(off) <= 1 ? 1111111109 / 30 : -1);
    }
    assert_false(px_totp_check(secret, 20, 1111111109, "81804", NULL));
    assert_false(px_totp_check(secret, 20, 1111111109, "", NULL));
    px_totp(secret, 20, 20000000000, code);
    assert_string_equal(code, "353130");
}

static void item_26_permissions(void **state) {
    Pxs__PermissionInfo p = PXS__PERMISSION_INFO__INIT;
    MISC(PERMISSION_INFO, permission_info, &p);
    assert_frame(&m, "14 9A01023200");
    p.permission = PX_PERMISSION_AUDIO;
    assert_frame(&m, "1C 9A010432020803");
    p.permission = PX_PERMISSION_CLIPBOARD;
    p.enabled = true;
    assert_frame(&m, "24 9A01063204 08021001");
}

static void item_27_small_successful_answer(void **state) {
    Pxs__DisplayInfo d = PXS__DISPLAY_INFO__INIT;
    Pxs__DisplayInfo *displays[] = {&d};
    Pxs__Features features = PXS__FEATURES__INIT;
    Pxs__SupportedEncoding encoding = PXS__SUPPORTED_ENCODING__INIT;
    Pxs__PeerInfo info = PXS__PEER_INFO__INIT;
    Pxs__LoginResponse r = PXS__LOGIN_RESPONSE__INIT;
    d.width = 1920;
    d.height = 1080;
    d.name = (char *)"0";
    d.online = true;
    encoding.h264 = true;
    info.username = (char *)"u";
    info.hostname = (char *)"h";
    info.platform = (char *)"Linux";
    info.displays = displays;
    info.n_displays = 1;
    info.version = (char *)"1.4.9";
    info.features = &features;
    info.encoding = &encoding;
    info.platform_additions = (char *)"{}";
    r.answer_case = PXS__LOGIN_RESPONSE__ANSWER_PEER_INFO;
    r.peer_info = &info;
    MESSAGE(LOGIN_RESPONSE, login_response, &r);
    assert_frame(&m, "BC 422D122B0A01751201681A054C696E7578220B18800F20B8082A01303001 3A05312E342E"
                     "394A005202080162027B7D");
}

/* A display of any size: 0 x 0 is its first one. */
static void item_28_displays(void **state) {
    Pxs__DisplayInfo d = PXS__DISPLAY_INFO__INIT, left = PXS__DISPLAY_INFO__INIT;
    Pxs__Resolution zero = PXS__RESOLUTION__INIT;
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    d.width = 1920;
    d.height = 1080;
    d.original_resolution = &zero;
    px_message_print(&d.base, &got);
    assert_bytes(&got, "18800F20B8084200");
    left.x = -1920;
    px_buf_reset(&got);
    px_message_print(&left.base, &got);
    assert_bytes(&got, "08FF1D");
}

static void item_30_probes(void **state) {
    Pxs__TestDelay t = PXS__TEST_DELAY__INIT;
    MESSAGE(TEST_DELAY, test_delay, &t);
    assert_frame(&m, "08 2A00");
    t.last_delay = 35;
    t.target_bitrate = 2000;
    assert_frame(&m, "1C 2A05182320D00F");
}

static void assert_video(bool key, int64_t pts_ms, int display, const char *hex) {
    uint8_t payload[] = {0, 0, 0, 1};
    Pxs__EncodedVideoFrame f = PXS__ENCODED_VIDEO_FRAME__INIT;
    Pxs__EncodedVideoFrame *frames[] = {&f};
    Pxs__EncodedVideoFrames list = PXS__ENCODED_VIDEO_FRAMES__INIT;
    Pxs__VideoFrame v = PXS__VIDEO_FRAME__INIT;
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    f.data = (ProtobufCBinaryData){sizeof(payload), payload};
    f.key = key;
    f.pts = pts_ms;
    list.n_frames = 1;
    list.frames = frames;
    v.pictures_case = PXS__VIDEO_FRAME__PICTURES_H264S;
    v.h264s = &list;
    v.display = display;
    MESSAGE(VIDEO_FRAME, video_frame, &v);
    px_message_print(&m.base, &got);
    assert_bytes(&got, hex);
}

static void item_34_key_frame(void **state) {
    assert_video(true, 40, 0, "320E520C0A0A0A040000000110011828");
}

static void item_35_delta_frame(void **state) {
    assert_video(false, 73, 1, "320E520A0A080A040000000118497001");
}

static void item_37_requests_for_a_key_frame(void **state) {
    MISC(REFRESH_VIDEO, refresh_video, true);
    assert_frame(&m, "14 9A01025001");
    misc.item_case = PXS__MISC__ITEM_REFRESH_VIDEO_DISPLAY;
    misc.refresh_video_display = 0;
    assert_frame(&m, "18 9A0103F80100");
}

static void item_42_acknowledgement(void **state) {
    MISC(VIDEO_RECEIVED, video_received, true);
    assert_frame(&m, "14 9A01026001");
}

static void item_43_custom_quality(void **state) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    o.custom_image_quality = 70 << 8;
    px_message_print(&o.base, &got);
    assert_bytes(&got, "30808C01");
}

static void item_46_cursor_id(void **state) {
    MESSAGE(CURSOR_ID, cursor_id, 7);
    assert_frame(&m, "08 7007");
}

static void item_47_cursor_position(void **state) {
    Pxs__CursorPosition p = PXS__CURSOR_POSITION__INIT;
    p.x = 640;
    p.y = 360;
    MESSAGE(CURSOR_POSITION, cursor_position, &p);
    assert_frame(&m, "20 6A0608800A10D005");
}

/* The frame is read, and printed again as it was. */
static void assert_mouse(const char *hex, int mask, int x, int y) {
    px_cleanup(px_message_freep) Pxs__Message *m = parse(hex + 2);
    assert_int_equal(m->item_case, PXS__MESSAGE__ITEM_MOUSE_EVENT);
    assert_int_equal(m->mouse_event->mask, mask);
    assert_int_equal(m->mouse_event->x, x);
    assert_int_equal(m->mouse_event->y, y);
    assert_frame(m, hex);
}

static void item_48_move_and_left_button(void **state) {
    assert_mouse("20520610C801189003", 0, 100, 200);
    assert_mouse("285208080910C801189003", 9, 100, 200);
    assert_mouse("285208080A10C801189003", 10, 100, 200);
}

static void item_49_left_down_at_no_place(void **state) {
    assert_mouse("1052020809", 9, 0, 0);
}

static void item_50_wheel(void **state) {
    assert_mouse("18520408031802", 3, 0, 1);
    assert_mouse("18520408031801", 3, 0, -1);
}

static void item_51_map_keys(void **state) {
    px_cleanup(px_message_freep) Pxs__Message *down = parse("7A06080120264801");
    assert_true(down->key_event->down);
    assert_int_equal(down->key_event->chr, 38);
    assert_int_equal(down->key_event->mode, PX_KEY_MAP);
    assert_frame(down, "20 7A06080120264801");
    px_cleanup(px_message_freep) Pxs__Message *up = parse("7A0420264801");
    assert_false(up->key_event->down);
    assert_int_equal(up->key_event->chr, 38);
    assert_int_equal(up->key_event->mode, PX_KEY_MAP);
    assert_frame(up, "18 7A0420264801");
}

static void item_52_text(void **state) {
    px_cleanup(px_message_freep) Pxs__Message *text = parse("7A043202C3A9");
    assert_int_equal(text->key_event->key_case, PXS__KEY_EVENT__KEY_SEQ);
    assert_int_equal(text->key_event->seq.len, 2);
    assert_memory_equal(text->key_event->seq.data, "\xc3\xa9", 2);
    assert_frame(text, "18 7A043202C3A9");
}

static void item_57_audio_format(void **state) {
    Pxs__AudioFormat a = PXS__AUDIO_FORMAT__INIT;
    a.sample_rate = 48000;
    a.channels = 2;
    MISC(AUDIO_FORMAT, audio_format, &a);
    assert_frame(&m, "2C 9A0108420608 80F7021002");
}

static void item_59_close_reason(void **state) {
    px_cleanup(px_buf_fini) struct px_buf got = {0};
    MISC(CLOSE_REASON, close_reason, (char *)"Closed manually by the peer");
    print_frame(&m, &got);
    assert_int_equal(got.size, 6 + 27);
    assert_memory_equal(got.data,
                        "\x80\x9a\x01\x1d\x4a\x1b"
                        "Closed manually by the peer",
                        got.size);
}

static void oneof_members_at_their_default_are_written(void **state) {
    MISC(REFRESH_VIDEO_DISPLAY, refresh_video_display, 0);
    assert_frame(&m, "18 9A0103F80100");
}

static void item_60_unknown_members_are_skipped(void **state) {
    px_cleanup(px_message_freep) Pxs__Message *m = parse("E203020801");
    assert_int_equal(m->item_case, PXS__MESSAGE__ITEM__NOT_SET);
    px_cleanup(px_message_freep) Pxs__Message *misc = parse("9A01039A0600");
    assert_int_equal(misc->item_case, PXS__MESSAGE__ITEM_MISC);
    assert_int_equal(misc->misc->item_case, PXS__MISC__ITEM__NOT_SET);
}

static void repeated_numbers_arrive_packed_or_not(void **state) {
    px_cleanup(px_message_freep) Pxs__Message *packed = parse("5204 2202 0104");
    assert_int_equal(packed->mouse_event->n_modifiers, 2);
    px_cleanup(px_message_freep) Pxs__Message *loose = parse("5204 2001 2004");
    assert_int_equal(loose->mouse_event->n_modifiers, 2);
    assert_int_equal(loose->mouse_event->modifiers[1], 4);
}

static void groups_and_unknown_wire_types_are_refused(void **state) {
    static const char *const cases[] = {"0B0C", "0C", "0E", "0F", "5203 0B0C"};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        px_cleanup(px_buf_fini) struct px_buf in = {0};
        Pxs__Message *m = NULL;
        from_hex(cases[i], &in);
        assert_int_equal(px_message_parse((const uint8_t *)in.data, in.size, &m, NULL), -EBADMSG);
    }
}

static void message_cannot_multiply_its_size_in_memory(void **state) {
    px_cleanup(px_buf_fini) struct px_buf list = {0}, in = {0};
    const size_t n = 1 << 20; /* two bytes each: an empty clipboard of a list */
    for (size_t i = 0; i < n; i++)
        px_buf_add(&list, "\x0a\x00", 2);
    px_buf_add(&in, "\xe2\x01\x80\x80\x80\x01", 6);
    px_buf_add(&in, list.data, list.size);
    Pxs__Message *m = NULL;
    assert_int_equal(px_message_parse((const uint8_t *)in.data, in.size, &m, NULL), -EBADMSG);
}

static void peer_text_is_printable_and_short(void **state) {
    char out[PX_PEER_TEXT_MAX], longest[1000];
    assert_string_equal(px_peer_text("a\x1b[31mb\n\xc2\x9bzü\xff", out), "a?[31mb??zü?");
    memset(longest, 'x', sizeof(longest));
    longest[999] = '\0';
    assert_int_equal(strlen(px_peer_text(longest, out)), PX_PEER_TEXT_MAX - 1);
}

static void version_number_orders_releases(void **state) {
    assert_int_equal(px_version_number("1.4.9"), 1004090);
    assert_int_equal(px_version_number("1.4.9-2"), 1004092);
    assert_int_equal(px_version_number("1.1.10"), 1001100);
    assert_int_equal(px_version_number(""), 0);
    assert_int_equal(px_version_number("web"), 0);
}

static int init(void **state) {
    return px_secure_init(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(item_17_password_proof),
        cmocka_unit_test(item_18_hash),
        cmocka_unit_test(item_21_wrong_password),
        cmocka_unit_test(item_22_second_factor_is_required),
        cmocka_unit_test(item_23_totp),
        cmocka_unit_test(item_26_permissions),
        cmocka_unit_test(item_27_small_successful_answer),
        cmocka_unit_test(item_28_displays),
        cmocka_unit_test(item_30_probes),
        cmocka_unit_test(item_34_key_frame),
        cmocka_unit_test(item_35_delta_frame),
        cmocka_unit_test(item_37_requests_for_a_key_frame),
        cmocka_unit_test(item_42_acknowledgement),
        cmocka_unit_test(item_43_custom_quality),
        cmocka_unit_test(item_46_cursor_id),
        cmocka_unit_test(item_47_cursor_position),
        cmocka_unit_test(item_48_move_and_left_button),
        cmocka_unit_test(item_49_left_down_at_no_place),
        cmocka_unit_test(item_50_wheel),
        cmocka_unit_test(item_51_map_keys),
        cmocka_unit_test(item_52_text),
        cmocka_unit_test(item_57_audio_format),
        cmocka_unit_test(item_59_close_reason),
        cmocka_unit_test(oneof_members_at_their_default_are_written),
        cmocka_unit_test(item_60_unknown_members_are_skipped),
        cmocka_unit_test(repeated_numbers_arrive_packed_or_not),
        cmocka_unit_test(groups_and_unknown_wire_types_are_refused),
        cmocka_unit_test(message_cannot_multiply_its_size_in_memory),
        cmocka_unit_test(peer_text_is_printable_and_short),
        cmocka_unit_test(version_number_orders_releases),
    };
    return cmocka_run_group_tests(tests, init, NULL);
}
