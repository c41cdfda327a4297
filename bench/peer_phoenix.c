/* bench/peer_phoenix.c - a RustDesk client for measuring */
#include "base/alloc.h"
#include "base/clock.h"
#include "peer.h"
#include "proto/addr.h"
#include "session/client.h"
#include "session/decoder.h"
#include "session/reach.h"
#include <string.h>
#include <time.h>

#define LIMIT_US (20 * PX_US_PER_S)

struct phoenix {
    struct px_peer base;
    struct px_client *client;
    struct px_decoder *decoder;
    int x, y;
    bool pressed;
};

static void phoenix_close(struct px_peer *base) {
    struct phoenix *p = px_container_of(base, struct phoenix, base);
    px_client_close(p->client);
    px_decoder_free(p->decoder);
    free(p);
}

/* "vp9-444": the same in full colour. */
static bool is_444(const char *codec) {
    const char *dash = codec ? strchr(codec, '-') : NULL;
    return dash && strcmp(dash, "-444") == 0;
}

static int prefer_of(const char *codec) {
    static const char *const names[] = {"", "vp9", "h264", "h265", "vp8", "av1"};
    for (int i = 1; codec && i < 6; i++)
        if (strncmp(codec, names[i], strcspn(codec, "-")) == 0)
            return i;
    return PX_PREFER_AUTO;
}

static int log_in(struct phoenix *p, const struct px_peer_opts *o, struct px_error *err) {
    Pxs__SupportedDecoding d = PXS__SUPPORTED_DECODING__INIT;
    Pxs__OptionMessage option = PXS__OPTION_MESSAGE__INIT;
    Pxs__CodecAbility i444 = PXS__CODEC_ABILITY__INIT;
    d.ability_vp8 = d.ability_vp9 = d.ability_av1 = d.ability_h264 = d.ability_h265 = 1;
    d.prefer = prefer_of(o->codec);
    i444.vp9 = i444.av1 = 1;
    d.i444 = &i444;
    d.prefer_chroma = is_444(o->codec);
    option.supported_decoding = &d;
    option.custom_fps = 60;
    const struct px_client_login l = {
        .username = o->id, .password = o->password, .option = &option};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    return px_client_login(p->client, &l, LIMIT_US, &m, err);
}

static int phoenix_open(const struct px_peer_opts *o, struct px_peer **ret, struct px_error *err) {
    struct phoenix *p = px_new0(struct phoenix, 1);
    struct px_probe_opts reach = {.id = o->id,
                                  .server = o->address ? NULL : o->server,
                                  .server_key = o->server_key,
                                  .force_relay = true,
                                  .timeout_us = LIMIT_US};
    int r = o->address ? px_addr_parse(o->address, 21118, &reach.address, err) : 0;
    p->decoder = px_decoder_new();
    if (r >= 0)
        r = px_reach(&reach, &p->client, err);
    if (r >= 0)
        r = log_in(p, o, err);
    if (r < 0)
        phoenix_close(&p->base);
    else
        *ret = &p->base;
    return r;
}

static int64_t thread_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * PX_US_PER_S + t.tv_nsec / 1000;
}

static int phoenix_wait(struct px_peer *base, int64_t until_us, struct px_error *err) {
    struct phoenix *p = px_container_of(base, struct phoenix, base);
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        int r = px_client_recv(p->client, until_us, &m, err);
        if (r <= 0)
            return r;
        if (m->item_case != PXS__MESSAGE__ITEM_VIDEO_FRAME)
            continue;
        const int64_t t0 = px_now_us(), cpu = thread_us();
        r = px_decoder_push(p->decoder, m->video_frame, err);
        base->decode_us += px_now_us() - t0;
        base->arrived_us = t0;
        base->decode_cpu_us = thread_us() - cpu;
        base->n_bytes += px_video_frame_first(m->video_frame)->data.len;
        return r < 0 ? r : 1;
    }
}

static int phoenix_luma(struct px_peer *base, int x, int y) {
    const struct phoenix *p = px_container_of(base, struct phoenix, base);
    return px_decoder_pixel(p->decoder, x, y) >> 8 & 255; /* green will do */
}

static int phoenix_key(struct px_peer *base, struct px_error *err) {
    struct phoenix *p = px_container_of(base, struct phoenix, base);
    const int r = px_client_key(p->client, 38, true, err);
    return r < 0 ? r : px_client_key(p->client, 38, false, err);
}

static int phoenix_mouse(struct px_peer *base, int x, int y, bool pressed, struct px_error *err) {
    struct phoenix *p = px_container_of(base, struct phoenix, base);
    int r = 0;
    if (x != p->x || y != p->y)
        r = px_client_mouse(p->client, PX_MOUSE_MOVE, x, y, err);
    if (r >= 0 && pressed != p->pressed)
        r = px_client_mouse(
            p->client, PX_BUTTON_LEFT << 3 | (pressed ? PX_MOUSE_DOWN : PX_MOUSE_UP), x, y, err);
    p->x = x;
    p->y = y;
    p->pressed = pressed;
    return r;
}

const struct px_peer_ops px_peer_phoenix = {.open = phoenix_open,
                                            .wait = phoenix_wait,
                                            .luma = phoenix_luma,
                                            .key = phoenix_key,
                                            .mouse = phoenix_mouse,
                                            .close = phoenix_close};
