/* tests/host/test_audio.c - the session checklist: sound, with a sound server of its own */
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "fixture.h"
#include <math.h>
#include <pthread.h>
#include <pulse/simple.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <opus/opus.h>
#include <sys/stat.h>

static void set_audio(struct px_client *c, bool off) {
    Pxs__OptionMessage o = PXS__OPTION_MESSAGE__INIT;
    o.disable_audio = off ? PX_OPTION_YES : PX_OPTION_NO;
    send_option(c, &o);
}

/* A tone, played by a program of the desktop. */
static pid_t play(unsigned seconds) {
    static char path[128];
    static int16_t samples[48000 * 2 * 8];
    const size_t n = 48000 * 2 * seconds;
    for (size_t i = 0; i < n; i++)
        samples[i] = (int16_t)(12000 * sin((double)(i / 2) * 2 * M_PI * 440 / 48000));
    snprintf(path, sizeof(path), "%s/tone.raw", f.dir);
    px_assert_ok(px_file_write_atomic(AT_FDCWD, path, samples, n * 2, 0600, NULL));
    const char *const argv[] = {"pacat",          "--rate=48000", "--channels=2",
                                "--format=s16le", path,           NULL};
    return run(argv);
}

/* The next sound of @c; before the first one there must have been its format, byte for byte. */
static Pxs__Message *first_sound(struct px_client *c) {
    static const char format[] = "\x9a\x01\x08\x42\x06\x08\x80\xf7\x02\x10\x02";
    const int64_t until = px_now_us() + 20 * SECOND;
    bool told = false;
    for (;;) {
        const uint8_t *body;
        size_t size;
        Pxs__Message *m = NULL;
        assert_int_equal(px_client_recv_body(c, until, &body, &size, NULL), 1);
        told |= size == sizeof(format) - 1 && memcmp(body, format, size) == 0;
        px_assert_ok(px_message_parse(body, size, &m, NULL));
        if (m->item_case == PXS__MESSAGE__ITEM_TEST_DELAY)
            px_assert_ok(px_client_send_body(c, body, size, NULL));
        if (m->item_case == PXS__MESSAGE__ITEM_AUDIO_FRAME) {
            assert_true(told);
            return m;
        }
        px_message_free(m);
    }
}

static void item_57_format_comes_first_then_packets_of_one_length(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    play(6);
    OpusDecoder *dec = opus_decoder_create(48000, 2, NULL);
    double energy = 0;
    int counted = 0;
    px_cleanup(px_message_freep) Pxs__Message *m = first_sound(c);
    for (int i = 0; i < 300 && counted < 100; i++) {
        int16_t out[5760 * 2];
        double sum = 0;
        const ProtobufCBinaryData d = m->audio_frame->data;
        assert_int_equal(opus_packet_get_nb_frames(d.data, (opus_int32)d.len), 1);
        assert_int_equal(opus_decode(dec, d.data, (opus_int32)d.len, out, 5760, 0), 480);
        for (int k = 0; k < 960; k++)
            sum += (double)out[k] * out[k];
        if (counted > 0 || sum > 960 * 1000.0 * 1000.0) { /* the player has begun */
            energy += sum;
            counted++;
        }
        px_message_free(m);
        m = await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, 5 * SECOND);
        assert_non_null(m);
    }
    opus_decoder_destroy(dec);
    assert_int_equal(counted, 100);
    const double level = sqrt(energy / (100 * 960));
    print_message("# level %.0f of 8485\n", level);
    assert_true(level > 4000 && level < 12000);
}

static void item_58_sound_stops_and_starts_again_with_its_format(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    play(8);
    px_message_free(first_sound(c));
    set_audio(c, true);
    drain(c, SECOND / 2);
    px_cleanup(px_message_freep) Pxs__Message *none =
        await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, SECOND);
    assert_null(none);
    set_audio(c, false);
    px_message_free(first_sound(c));
}

static bool hears_something(struct px_client *c) {
    drain(c, SECOND / 2); /* what was on its way */
    px_cleanup(px_message_freep) Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, SECOND);
    return m != NULL;
}

static void item_26_without_the_permission_nobody_hears_anything(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    play(8);
    px_message_free(first_sound(c));
    fixture_change("\"permissions\": {\"audio\": false}");
    assert_false(hears_something(c));
    set_audio(c, false); /* asking does not help */
    px_cleanup(px_client_closep) struct px_client *d = desktop(NULL);
    assert_false(hears_something(d));
    assert_false(hears_something(c));
    play(8); /* the other may have ended by now */
    fixture_change("");
    px_message_free(first_sound(c));
}

struct live {
    int64_t tone_us, own_us; /* when the tone was written; what the player's own buffer held then */
};

/* A program that plays as it goes: 10 ms every 10 ms, silence at first, then a tone. */
static void *play_live(void *data) {
    static const pa_sample_spec spec = {.format = PA_SAMPLE_S16NE, .rate = 48000, .channels = 2};
    static int16_t silence[960], tone[960];
    struct live *l = data;
    const pa_buffer_attr attr = {.maxlength = 192 * 80,
                                 .tlength = 192 * 40,
                                 .prebuf = 0,
                                 .minreq = 192 * 5,
                                 .fragsize = UINT32_MAX};
    for (int i = 0; i < 960; i++)
        tone[i] = (int16_t)(12000 * sin((double)(i / 2) * 2 * M_PI * 500 / 48000));
    pa_simple *p = NULL;
    for (int i = 0; i < 200 && !p; i++) { /* the sound server may still be on its way */
        px_sleep_us(100000);
        p = pa_simple_new(NULL, "player", PA_STREAM_PLAYBACK, NULL, "live", &spec, NULL, &attr,
                          NULL);
    }
    const int64_t start = px_now_us();
    for (int i = 0; p && i < 300; i++) {
        const int64_t wait = start + i * 10000 - px_now_us();
        if (wait > 0)
            px_sleep_us(wait);
        if (i == 200) {
            l->own_us = (int64_t)pa_simple_get_latency(p, NULL);
            __atomic_store_n(&l->tone_us, px_now_us(), __ATOMIC_SEQ_CST);
        }
        pa_simple_write(p, i < 200 ? silence : tone, sizeof(tone), NULL);
    }
    if (p)
        pa_simple_free(p);
    return NULL;
}

/* From a program's write to the decoded tone. */
static void sound_is_not_far_behind(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    pthread_t player;
    struct live live = {0};
    int64_t heard_us = 0;
    OpusDecoder *dec = opus_decoder_create(48000, 2, NULL);
    assert_int_equal(pthread_create(&player, NULL, play_live, &live), 0);
    const int64_t until = px_now_us() + 60 * SECOND;
    while (!heard_us && px_now_us() < until) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, until - px_now_us());
        int16_t out[5760 * 2];
        double energy = 0;
        assert_non_null(m);
        const ProtobufCBinaryData d = m->audio_frame->data;
        const int n = opus_decode(dec, d.data, (opus_int32)d.len, out, 5760, 0);
        for (int k = 0; k < n * 2; k++)
            energy += (double)out[k] * out[k];
        if (__atomic_load_n(&live.tone_us, __ATOMIC_SEQ_CST) && energy / (n * 2) > 1000 * 1000)
            heard_us = px_now_us();
    }
    pthread_join(player, NULL);
    opus_decoder_destroy(dec);
    assert_true(heard_us > 0);
    const int64_t behind = heard_us - live.tone_us - live.own_us;
    print_message("# heard %.1f ms after the sound server played it\n", (double)behind / 1000);
    assert_true(behind < SECOND); /* how busy this machine is, is not its matter */
}

/* Loud frames that come until there are none for four seconds. */
static unsigned count_loud(struct px_client *c) {
    OpusDecoder *dec = opus_decoder_create(48000, 2, NULL);
    unsigned n = 0;
    int64_t until = px_now_us() + 4 * SECOND;
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, until - px_now_us());
        int16_t out[5760 * 2];
        double energy = 0;
        if (!m)
            break;
        const ProtobufCBinaryData d = m->audio_frame->data;
        const int k = opus_decode(dec, d.data, (opus_int32)d.len, out, 5760, 0);
        for (int i = 0; i < k * 2; i++)
            energy += (double)out[i] * out[i];
        if (energy / (k * 2) > 1000 * 1000) {
            n++;
            until = px_now_us() + 4 * SECOND;
        }
    }
    opus_decoder_destroy(dec);
    return n;
}

/* A connection of which the kernel keeps next to nothing. */
static struct px_client *dial_narrow(void) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 4096;
    const struct sockaddr_in a = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)f.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return px_client_adopt(fd);
}

/* What a line did not take in time is not heard later: a client would stay behind. */
static void sound_that_is_late_is_left_out(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = dial_narrow();
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    const struct px_client_login l = {.username = ID, .password = PASSWORD};
    px_assert_ok(px_client_login(c, &l, PATIENCE, &m, NULL));
    waitpid(play(5), NULL, 0); /* nobody reads */
    px_sleep_us(SECOND);       /* what PulseAudio still has */
    const unsigned loud = count_loud(c);
    print_message("# %u of 500 pieces of a tone came\n", loud);
    assert_true(loud < 300); /* what the kernel holds, and a quarter of a second */
}

static pid_t sound_server;
static const char *server_argv[8];

static void end_server(void) {
    kill(sound_server, SIGKILL);
    waitpid(sound_server, NULL, 0);
}

/* The listener stays and hears again. */
static void sound_comes_back_with_its_server(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    play(2);
    px_message_free(await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, 10 * SECOND));
    end_server();
    drain(c, 3 * SECOND);
    sound_server = run(server_argv);
    const int64_t until = px_now_us() + 30 * SECOND;
    for (;;) { /* until server and host are there */
        play(1);
        px_cleanup(px_message_freep) Pxs__Message *m =
            await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, SECOND);
        if (m)
            return;
        assert_true(px_now_us() < until);
    }
}

static void silence_sends_nothing(void **state) {
    px_cleanup(px_client_closep) struct px_client *c = desktop(NULL);
    drain(c, 8 * SECOND); /* the tone of the test before runs out */
    px_cleanup(px_message_freep) Pxs__Message *m =
        await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, 2 * SECOND);
    if (m) /* up to eight seconds of silence still count as sound */
        drain(c, 9 * SECOND);
    px_cleanup(px_message_freep) Pxs__Message *n = await(c, PXS__MESSAGE__ITEM_AUDIO_FRAME, SECOND);
    assert_null(n);
}

static int start(void **state) {
    char path[128];
    static char socket_arg[256];
    fixture_x(false);
    px_cleanup_free char *pulseaudio = px_proc_find("pulseaudio");
    px_cleanup_free char *pacat = px_proc_find("pacat");
    if (!pulseaudio || !pacat) {
        printf("1..0 # SKIP no PulseAudio here\n");
        fixture_end(NULL);
        exit(77);
    }
    snprintf(path, sizeof(path), "%s/pulse", f.dir);
    setenv("HOME", f.dir, 1);
    setenv("XDG_RUNTIME_DIR", f.dir, 1);
    setenv("PULSE_RUNTIME_PATH", path, 1);
    snprintf(socket_arg, sizeof(socket_arg), "--load=module-native-protocol-unix socket=%s.sock",
             path);
    const char *const argv[] = {"pulseaudio",      "-n",
                                "--daemonize=no",  "--exit-idle-time=-1",
                                "--disallow-exit", "--load=module-null-sink",
                                socket_arg,        NULL};
    memcpy(server_argv, argv, sizeof(argv));
    sound_server = run(server_argv);
    char server[160];
    snprintf(server, sizeof(server), "unix:%s.sock", path);
    setenv("PULSE_SERVER", server, 1);
    px_sleep_us(SECOND);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_is_not_far_behind), /* while nothing else plays */
        cmocka_unit_test(sound_that_is_late_is_left_out),
        cmocka_unit_test(item_57_format_comes_first_then_packets_of_one_length),
        cmocka_unit_test(item_58_sound_stops_and_starts_again_with_its_format),
        cmocka_unit_test(item_26_without_the_permission_nobody_hears_anything),
        cmocka_unit_test(sound_comes_back_with_its_server),
        cmocka_unit_test(silence_sends_nothing),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
