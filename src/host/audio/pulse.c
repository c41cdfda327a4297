/* src/host/audio/pulse.c - what the default sink plays, as 48 kHz stereo samples */
#include "host/audio/pulse.h"
#include "base/alloc.h"
#include <errno.h>
#include <pulse/pulseaudio.h>
#include <stdbool.h>
#include <stdlib.h>

#define FRAGMENT_MS 10
/* What the sound server keeps for us: if we are late, sound is left out and never late for good. */
#define KEPT_MS 40

struct px_pulse {
    pa_threaded_mainloop *loop;
    pa_context *context; /* under the mainloop's lock */
    pa_stream *stream;
    void (*on_samples)(void *data, const int16_t *samples, size_t n);
    void *data;
};

static void on_readable(pa_stream *s, size_t bytes, void *data) {
    struct px_pulse *p = data;
    const void *at;
    size_t n;
    while (pa_stream_readable_size(s) > 0) {
        if (pa_stream_peek(s, &at, &n) < 0 || n == 0)
            return;
        if (at) /* NULL: a hole */
            p->on_samples(p->data, at, n / (2 * PX_AUDIO_CHANNELS));
        pa_stream_drop(s);
    }
}

static void start_stream(struct px_pulse *p) {
    static const pa_sample_spec spec = {
        .format = PA_SAMPLE_S16NE, .rate = PX_AUDIO_RATE, .channels = PX_AUDIO_CHANNELS};
    const uint32_t fragment = (uint32_t)pa_usec_to_bytes(FRAGMENT_MS * 1000, &spec);
    const pa_buffer_attr attr = {.maxlength = fragment * (KEPT_MS / FRAGMENT_MS),
                                 .fragsize = fragment};
    pa_proplist *props = pa_proplist_new();
    /* Panels and mixers show a red microphone for each "Stream/Input/Audio", and what a sink plays
     * is none. PipeWire's word for what is not for them; PulseAudio does not look at it. */
    pa_proplist_sets(props, "media.class", "Stream/Input/Audio/Internal");
    p->stream = pa_stream_new_with_proplist(p->context, "desktop", &spec, NULL, props);
    pa_proplist_free(props);
    if (!p->stream)
        return;
    pa_stream_set_read_callback(p->stream, on_readable, p);
    /* The monitor of whatever is the default sink, also when that changes. */
    pa_stream_connect_record(p->stream, "@DEFAULT_MONITOR@", &attr, PA_STREAM_ADJUST_LATENCY);
}

static void on_state(pa_context *c, void *data) {
    if (pa_context_get_state(c) == PA_CONTEXT_READY)
        start_stream(data);
}

static void drop_connection(struct px_pulse *p) {
    if (p->stream) {
        pa_stream_set_read_callback(p->stream, NULL, NULL);
        pa_stream_disconnect(p->stream);
        pa_stream_unref(p->stream);
    }
    if (p->context) {
        pa_context_set_state_callback(p->context, NULL, NULL);
        pa_context_disconnect(p->context);
        pa_context_unref(p->context);
    }
    p->stream = NULL;
    p->context = NULL;
}

static void make_connection(struct px_pulse *p) {
    p->context = pa_context_new(pa_threaded_mainloop_get_api(p->loop), "phoenix-host");
    pa_context_set_state_callback(p->context, on_state, p);
    pa_context_connect(p->context, NULL, PA_CONTEXT_NOAUTOSPAWN, NULL);
}

struct px_pulse *px_pulse_open(void (*on_samples)(void *data, const int16_t *samples, size_t n),
                               void *data) {
    struct px_pulse *p = px_new0(struct px_pulse, 1);
    p->on_samples = on_samples;
    p->data = data;
    p->loop = pa_threaded_mainloop_new();
    make_connection(p);
    pa_threaded_mainloop_start(p->loop);
    return p;
}

int px_pulse_check(struct px_pulse *p) {
    pa_threaded_mainloop_lock(p->loop);
    const bool bad = !PA_CONTEXT_IS_GOOD(pa_context_get_state(p->context)) ||
                     (p->stream && !PA_STREAM_IS_GOOD(pa_stream_get_state(p->stream)));
    if (bad) {
        drop_connection(p);
        make_connection(p);
    }
    pa_threaded_mainloop_unlock(p->loop);
    return bad ? -ENOTCONN : 0;
}

void px_pulse_close(struct px_pulse *p) {
    if (!p)
        return;
    pa_threaded_mainloop_lock(p->loop);
    drop_connection(p);
    pa_threaded_mainloop_unlock(p->loop);
    pa_threaded_mainloop_stop(p->loop);
    pa_threaded_mainloop_free(p->loop);
    free(p);
}
