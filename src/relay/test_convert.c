/* src/relay/test_convert.c - masks of zero keep the payload readable here */
#include "base/test.h"
#include "relay/convert.h"

struct result {
    struct px_buf out, pong;
    bool ping;
    int code;
};

static struct result feed(bool from_ws, bool to_ws, const char *raw, size_t size, size_t step) {
    struct px_convert c = {.from_ws = from_ws, .to_ws = to_ws};
    struct result r = {.code = PX_PARSE_MORE};
    uint8_t copy[256];
    memcpy(copy, raw, size);
    for (size_t i = 0; i < size && r.code == PX_PARSE_MORE; i += step)
        r.code = px_convert_feed(&c, copy + i, size - i < step ? size - i : step, &r.out, &r.pong,
                                 &r.ping, NULL);
    px_convert_fini(&c);
    return r;
}

static void fini(struct result *r) {
    px_buf_fini(&r->out);
    px_buf_fini(&r->pong);
}

struct example {
    bool from_ws, to_ws;
    const char *in;
    size_t in_size;
    const char *out;
    size_t out_size;
};

static const struct example examples[] = {
    /* frames to messages; the empty one is dropped */
    {false, true,
     "\x0c"
     "abc\x00\x04"
     "d",
     7,
     "\x82\x03"
     "abc\x82\x01"
     "d",
     8},
    /* and back; empty and text messages are dropped */
    {true, false, "\x82\x83\0\0\0\0abc\x82\x80\0\0\0\0\x81\x81\0\0\0\0t\x82\x81\0\0\0\0d", 29,
     "\x0c"
     "abc\x04"
     "d",
     6},
    /* fragments become one frame */
    {true, false, "\x02\x81\0\0\0\0a\x00\x80\0\0\0\0\x80\x82\0\0\0\0bc", 21,
     "\x0c"
     "abc",
     4},
    /* message to message, fragment for fragment */
    {true, true, "\x02\x81\0\0\0\0a\x80\x82\0\0\0\0bc", 15,
     "\x02\x01"
     "a\x80\x02"
     "bc",
     7},
};

static void each_carrier_becomes_the_other_however_it_is_cut(void **state) {
    for (size_t i = 0; i < PX_N_ELEMENTS(examples); i++) {
        const struct example *e = &examples[i];
        for (size_t step = 1; step <= e->in_size; step++) {
            struct result r = feed(e->from_ws, e->to_ws, e->in, e->in_size, step);
            assert_int_equal(r.code, PX_PARSE_MORE);
            assert_int_equal(r.out.size, e->out_size);
            assert_memory_equal(r.out.data, e->out, e->out_size);
            fini(&r);
        }
    }
}

static void a_ping_between_fragments_is_reported(void **state) {
    struct result r =
        feed(true, false, "\x02\x81\0\0\0\0a\x89\x82\0\0\0\0hi\x80\x81\0\0\0\0b", 22, 3);
    assert_true(r.ping);
    assert_int_equal(r.pong.size, 2);
    assert_memory_equal(r.pong.data, "hi", 2);
    assert_memory_equal(r.out.data,
                        "\x08"
                        "ab",
                        3);
    fini(&r);
}

static void a_close_frame_ends_it(void **state) {
    struct result r = feed(true, false, "\x88\x82\0\0\0\0\x03\xe8", 8, 8);
    assert_int_equal(r.code, PX_PARSE_DONE);
    fini(&r);
}

static void what_breaks_the_rules_is_refused(void **state) {
    const struct {
        const char *raw;
        size_t size;
        int want;
    } bad[] = {
        {"\x82\x01x", 3, -EPROTO},                               /* not masked */
        {"\x80\x81\0\0\0\0x", 7, -EPROTO},                       /* a continuation of nothing */
        {"\x02\x81\0\0\0\0x\x82\x81\0\0\0\0x", 14, -EPROTO},     /* a new one inside */
        {"\x82\xff\0\0\0\0\x01\0\0\x01\0\0\0\0", 14, -EMSGSIZE}, /* 16 MiB and one */
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(bad); i++) {
        struct result r = feed(true, false, bad[i].raw, bad[i].size, bad[i].size);
        assert_int_equal(r.code, bad[i].want);
        fini(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_carrier_becomes_the_other_however_it_is_cut),
        cmocka_unit_test(a_ping_between_fragments_is_reported),
        cmocka_unit_test(a_close_frame_ends_it),
        cmocka_unit_test(what_breaks_the_rules_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
