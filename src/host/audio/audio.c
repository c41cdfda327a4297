/* src/host/audio/audio.c - the desktop's sound, as Opus packets
 *
 * Samples come on PulseAudio's thread, are encoded there, and reach the sessions by the loop. What
 * a session has not taken within a moment is dropped: old sound only grows older. */
#include "host/audio/audio.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/audio/pulse.h"
#include "host/session.h"
#include <opus/opus.h>
#include <pthread.h>
#include <string.h>

#define FRAME 480 /* samples per channel: 10 ms */
#define RATE_BPS 128000
#define PACKET_MAX_BYTES 1500
#define SILENCE_FRAMES 800 /* then nothing is sent until it ends */
#define QUEUE_MAX 50
#define LATE_US (250 * PX_US_PER_MS) /* as long as a picture may take (encode/budget.h) */
#define CHECK_MS 2000

struct packet {
    struct packet *next;
    size_t size;
    uint8_t bytes[PACKET_MAX_BYTES];
};

struct px_audio {
    struct px_host *host;
    uv_async_t async;
    uv_timer_t check;
    int n_open;
    struct px_pulse *pulse; /* NULL: nobody listens */
    bool complained;
    /* PulseAudio's thread */
    OpusEncoder *encoder;
    int16_t frame[FRAME * PX_AUDIO_CHANNELS];
    size_t filled;
    unsigned silent;
    /* under the lock */
    pthread_mutex_t lock;
    struct packet *first, **last;
    unsigned n;
};

/* ---- PulseAudio's thread ---- */

static bool is_silent(const int16_t *samples) {
    for (size_t i = 0; i < FRAME * PX_AUDIO_CHANNELS; i++)
        if (samples[i] != 0)
            return false;
    return true;
}

static void finish_frame(struct px_audio *a) {
    a->silent = is_silent(a->frame) ? a->silent + 1 : 0;
    if (a->silent > SILENCE_FRAMES)
        return;
    struct packet *p = px_new0(struct packet, 1);
    const int n = opus_encode(a->encoder, a->frame, FRAME, p->bytes, sizeof(p->bytes));
    pthread_mutex_lock(&a->lock);
    if (n <= 0 || a->n >= QUEUE_MAX) {
        pthread_mutex_unlock(&a->lock);
        free(p);
        return;
    }
    p->size = (size_t)n;
    *a->last = p;
    a->last = &p->next;
    a->n++;
    pthread_mutex_unlock(&a->lock);
    uv_async_send(&a->async);
}

static void on_samples(void *data, const int16_t *samples, size_t n) {
    struct px_audio *a = data;
    while (n > 0) {
        const size_t room = FRAME - a->filled, take = n < room ? n : room;
        memcpy(a->frame + a->filled * PX_AUDIO_CHANNELS, samples,
               take * PX_AUDIO_CHANNELS * sizeof(*samples));
        a->filled += take;
        samples += take * PX_AUDIO_CHANNELS;
        n -= take;
        if (a->filled == FRAME) {
            finish_frame(a);
            a->filled = 0;
        }
    }
}

/* ---- loop ---- */

static struct packet *take_all(struct px_audio *a) {
    pthread_mutex_lock(&a->lock);
    struct packet *p = a->first;
    a->first = NULL;
    a->last = &a->first;
    a->n = 0;
    pthread_mutex_unlock(&a->lock);
    return p;
}

/* Sound waits behind a picture, at most; on a line that takes no more it is left out, for clients
 * play what comes late, and stay late from then on. */
static bool takes_sound(const struct px_session *s, int64_t now) {
    return px_session_is_desktop(s) && s->audio_on &&
           (px_conn_queued_bytes(s->conn) == 0 || now - s->dry_us < LATE_US);
}

static void deliver(struct px_audio *a, const struct packet *p) {
    Pxs__AudioFrame f = PXS__AUDIO_FRAME__INIT;
    f.data = (ProtobufCBinaryData){p->size, (uint8_t *)p->bytes};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_AUDIO_FRAME;
    m.audio_frame = &f;
    px_cleanup(px_buf_fini) struct px_buf body = {0};
    px_message_print(&m.base, &body);
    const int64_t now = px_now_us();
    for (struct px_session *s = a->host->sessions; s; s = s->next)
        if (takes_sound(s, now))
            px_conn_send(s->conn, body.data, body.size);
}

static void on_async(uv_async_t *async) {
    struct px_audio *a = px_container_of(async, struct px_audio, async);
    for (struct packet *p = take_all(a), *next; p; p = next) {
        next = p->next;
        deliver(a, p);
        free(p);
    }
}

static void on_check(uv_timer_t *t) {
    struct px_audio *a = px_container_of(t, struct px_audio, check);
    const bool bad = a->pulse && px_pulse_check(a->pulse) < 0;
    if (bad && !a->complained)
        px_info("audio: no sound server; trying again");
    a->complained = bad;
}

void px_audio_send_format(struct px_session *s) {
    Pxs__AudioFormat f = PXS__AUDIO_FORMAT__INIT;
    f.sample_rate = PX_AUDIO_RATE;
    f.channels = PX_AUDIO_CHANNELS;
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_AUDIO_FORMAT;
    misc.audio_format = &f;
    px_session_send_misc(s, &misc);
}

static bool anybody_listens(const struct px_audio *a) {
    for (const struct px_session *s = a->host->sessions; s; s = s->next)
        if (px_session_is_desktop(s) && s->audio_on)
            return true;
    return false;
}

static void stop(struct px_audio *a) {
    px_pulse_close(a->pulse); /* joins its thread */
    a->pulse = NULL;
    for (struct packet *p = take_all(a), *next; p; p = next) {
        next = p->next;
        free(p);
    }
    uv_timer_stop(&a->check);
}

void px_audio_update(struct px_audio *a) {
    const bool wanted = anybody_listens(a);
    if (wanted == (a->pulse != NULL))
        return;
    if (!wanted) {
        stop(a);
        return;
    }
    a->filled = 0;
    a->silent = SILENCE_FRAMES; /* nothing plays: nothing is sent, not even the start */
    opus_encoder_ctl(a->encoder, OPUS_RESET_STATE);
    a->pulse = px_pulse_open(on_samples, a);
    uv_timer_start(&a->check, on_check, CHECK_MS, CHECK_MS);
}

struct px_audio *px_audio_new(struct px_host *h) {
    int e = 0;
    struct px_audio *a = px_new0(struct px_audio, 1);
    a->encoder = opus_encoder_create(PX_AUDIO_RATE, PX_AUDIO_CHANNELS,
                                     OPUS_APPLICATION_RESTRICTED_LOWDELAY, &e);
    if (!a->encoder) {
        px_warning("audio: off: %s", opus_strerror(e));
        free(a);
        return NULL;
    }
    opus_encoder_ctl(a->encoder, OPUS_SET_BITRATE(RATE_BPS));
    opus_encoder_ctl(a->encoder, OPUS_SET_COMPLEXITY(5));
    a->host = h;
    a->last = &a->first;
    pthread_mutex_init(&a->lock, NULL);
    uv_async_init(h->loop, &a->async, on_async);
    uv_timer_init(h->loop, &a->check);
    a->async.data = a->check.data = a;
    a->n_open = 2;
    return a;
}

static void on_handle_closed(uv_handle_t *handle) {
    struct px_audio *a = handle->data;
    if (--a->n_open > 0)
        return;
    opus_encoder_destroy(a->encoder);
    pthread_mutex_destroy(&a->lock);
    free(a);
}

void px_audio_close(struct px_audio *a) {
    if (!a)
        return;
    stop(a);
    uv_close((uv_handle_t *)&a->async, on_handle_closed);
    uv_close((uv_handle_t *)&a->check, on_handle_closed);
}
