/* src/io/test_stream.c - over a socket pair, one loop */
#include "base/test.h"
#include "base/clock.h"
#include "io/stream.h"
#include <sys/socket.h>

struct side {
    struct px_stream stream;
    struct px_loop *loop;
    int fd;            /* the peer's end */
    struct px_buf got; /* messages, each followed by '|' */
    int n_closed;
    bool echo, refuse;
    const struct px_secure *then_secure;
};

static struct side *side_of(struct px_stream *s) {
    return px_container_of(s, struct side, stream);
}

static int on_message(struct px_stream *s, struct px_bytes msg) {
    struct side *side = side_of(s);
    px_buf_add(&side->got, msg.data, msg.size);
    px_buf_putc(&side->got, '|');
    if (side->echo)
        px_stream_send(s, msg);
    if (side->then_secure)
        px_stream_secure(s, side->then_secure);
    side->then_secure = NULL;
    return side->refuse ? -EPROTO : 0;
}

static void on_closed(struct px_stream *s) {
    side_of(s)->n_closed++;
}

static const struct px_stream_ops ops = {.on_message = on_message, .on_closed = on_closed};

static void open_side(struct side *s, bool ws) {
    int fds[2];
    *s = (struct side){0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    px_assert_ok(px_loop_new(&s->loop, NULL));
    s->fd = fds[1];
    const struct px_stream_opts opts = {.ops = &ops, .ws = ws, .max_message_bytes = 100000};
    px_assert_ok(px_stream_init(&s->stream, s->loop, fds[0], &opts, NULL));
}

static void close_side(struct side *s) {
    px_stream_abort(&s->stream, "test");
    px_loop_flush(s->loop);
    assert_int_equal(s->n_closed, 1);
    px_loop_free(s->loop);
    px_buf_fini(&s->got);
    close(s->fd);
}

/* Lets the loop do what there is to do now. */
static void turn(struct side *s) {
    for (int i = 0; i < 4; i++)
        px_loop_turn(s->loop);
}

static void feed(struct side *s, const void *data, size_t size) {
    assert_int_equal(write(s->fd, data, size), size);
}

static void got(struct side *s, const char *want) {
    turn(s);
    assert_string_equal(px_buf_str(&s->got), want);
    px_buf_reset(&s->got);
}

static void frames_arrive_whole_however_they_were_split(void **state) {
    struct side s;
    static const char raw[] = "\x0c"
                              "abc"
                              "\x00"
                              "\x08"
                              "de";
    for (size_t cut = 0; cut < sizeof(raw) - 1; cut++) {
        open_side(&s, false);
        feed(&s, raw, cut);
        turn(&s);
        feed(&s, raw + cut, sizeof(raw) - 1 - cut);
        got(&s, "abc||de|");
        assert_null(s.stream.in.data); /* nothing is kept */
        close_side(&s);
    }
}

static void too_large_a_frame_ends_the_stream_at_its_header(void **state) {
    struct side s;
    open_side(&s, false);
    feed(&s, "\x86\x1a\x06", 3); /* 100001 bytes */
    turn(&s);
    assert_int_equal(s.stream.state, PX_STREAM_ENDING);
    assert_string_equal(s.stream.end_reason, "too-large");
    close_side(&s);
}

static void a_refused_message_ends_the_stream_after_the_answer(void **state) {
    struct side s;
    char raw[8];
    open_side(&s, false);
    s.echo = s.refuse = true;
    feed(&s,
         "\x04"
         "x\x04"
         "y",
         4);
    got(&s, "x|");
    assert_int_equal(read(s.fd, raw, sizeof(raw)), 2);
    assert_memory_equal(raw, "\x04x", 2);
    assert_int_equal(read(s.fd, raw, sizeof(raw)), 0);
    close_side(&s);
}

static void secure_frames_are_opened_and_sealed(void **state) {
    struct side s;
    struct px_secure key = {.key = {1, 2, 3}}, peer = key;
    uint8_t raw[64] = {0}, plain[64];
    open_side(&s, false);
    s.then_secure = &key;
    feed(&s, "\x04k", 2);
    got(&s, "k|");
    s.echo = true;
    size_t n = px_secure_seal(&peer, px_bytes_of("hello"), raw + 1);
    raw[0] = (uint8_t)(n << 2);
    feed(&s, raw, n + 1);
    got(&s, "hello|");
    assert_int_equal(read(s.fd, raw, sizeof(raw)), 22);
    assert_int_equal(px_secure_open(&peer, (struct px_bytes){raw + 1, 21}, plain, NULL), 5);
    assert_memory_equal(plain, "hello", 5);
    feed(&s, "\x00", 1); /* a keep-alive stays plain and counts for nothing */
    got(&s, "|");
    raw[5] ^= 1;
    feed(&s, raw, 22);
    got(&s, "");
    assert_int_equal(s.stream.state, PX_STREAM_ENDING);
    close_side(&s);
}

static const char request[] = "GET /ws/id HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                              "Sec-WebSocket-Version: 13\r\n\r\n";

static void websocket_fragments_and_pings_are_handled(void **state) {
    struct side s;
    char raw[512];
    /* masks of zero keep the payload readable here */
    static const char frames[] = "\x02\x82\0\0\0\0he"
                                 "\x89\x81\0\0\0\0p"
                                 "\x80\x83\0\0\0\0llo"
                                 "\x81\x81\0\0\0\0t"
                                 "\x82\x80\0\0\0\0";
    for (size_t cut = 0; cut < sizeof(frames) - 1; cut++) {
        open_side(&s, true);
        feed(&s, request, sizeof(request) - 1);
        feed(&s, frames, cut);
        turn(&s);
        feed(&s, frames + cut, sizeof(frames) - 1 - cut);
        got(&s, "hello||"); /* the text message is dropped */
        ssize_t n = read(s.fd, raw, sizeof(raw));
        assert_true(n > 3);
        assert_memory_equal(raw, "HTTP/1.1 101", 12);
        assert_memory_equal(raw + n - 3, "\x8a\x01p", 3);
        close_side(&s);
    }
}

static void an_unmasked_websocket_frame_ends_the_stream(void **state) {
    struct side s;
    open_side(&s, true);
    feed(&s, request, sizeof(request) - 1);
    feed(&s, "\x82\x01x", 3);
    got(&s, "");
    assert_int_equal(s.stream.state, PX_STREAM_ENDING);
    close_side(&s);
}

static void a_reader_that_stalls_is_cut_off(void **state) {
    struct side s;
    static uint8_t big[90000];
    open_side(&s, false);
    for (int i = 0; i < 100 && s.stream.state == PX_STREAM_OPEN; i++)
        px_stream_send(&s.stream, (struct px_bytes){big, sizeof(big)});
    assert_int_equal(s.stream.state, PX_STREAM_CLOSED);
    assert_string_equal(s.stream.end_reason, "slow-reader");
    assert_true(s.stream.out.size <= PX_STREAM_OUT_MAX_BYTES);
    close_side(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_arrive_whole_however_they_were_split),
        cmocka_unit_test(too_large_a_frame_ends_the_stream_at_its_header),
        cmocka_unit_test(a_refused_message_ends_the_stream_after_the_answer),
        cmocka_unit_test(secure_frames_are_opened_and_sealed),
        cmocka_unit_test(websocket_fragments_and_pings_are_handled),
        cmocka_unit_test(an_unmasked_websocket_frame_ends_the_stream),
        cmocka_unit_test(a_reader_that_stalls_is_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
