/* src/host/options.c - what a client wants of its session */
#include "host/options.h"
#include <stdio.h>

#define FPS_DEFAULT 60 /* the clients' own limit comes as custom_fps */
#define FPS_MAX 120
#define BALANCED 67 /* percent */
#define RECORDING_KEY_EVERY 240

void px_options_init(struct px_options *o) {
    *o = (struct px_options){.can = 1u << PX_CODEC_VP9, .quality_percent = BALANCED};
}

static unsigned ability(bool vp8, bool vp9, bool av1, bool h264, bool h265) {
    return (unsigned)vp8 << PX_CODEC_VP8 | (unsigned)vp9 << PX_CODEC_VP9 |
           (unsigned)av1 << PX_CODEC_AV1 | (unsigned)h264 << PX_CODEC_H264 |
           (unsigned)h265 << PX_CODEC_H265;
}

static void merge_decoding(struct px_options *o, const Pxs__SupportedDecoding *d) {
    o->can = ability(d->ability_vp8 > 0, d->ability_vp9 > 0, d->ability_av1 > 0,
                     d->ability_h264 > 0, d->ability_h265 > 0);
    if (o->can == 0) /* every client decodes VP9 */
        o->can = 1u << PX_CODEC_VP9;
    o->can_i444 =
        d->i444 ? ability(d->i444->vp8, d->i444->vp9, d->i444->av1, d->i444->h264, d->i444->h265)
                : 0;
    o->prefer = d->prefer >= 0 && d->prefer <= PX_PREFER_AV1 ? (enum px_prefer_codec)d->prefer
                                                             : PX_PREFER_AUTO;
    o->want_i444 = d->prefer_chroma == 1;
}

static void merge_bool(bool *to, int32_t v) {
    if (v == PX_OPTION_YES || v == PX_OPTION_NO)
        *to = v == PX_OPTION_YES;
}

static void merge_quality(struct px_options *o, const Pxs__OptionMessage *m) {
    if (m->image_quality == PX_QUALITY_LOW)
        o->quality_percent = 50;
    else if (m->image_quality == PX_QUALITY_BALANCED)
        o->quality_percent = BALANCED;
    else if (m->image_quality == PX_QUALITY_BEST)
        o->quality_percent = 150;
    if (m->custom_image_quality > 0) {
        const int percent = (m->custom_image_quality >> 8) * 2;
        o->quality_percent = percent < 20 ? 20 : percent > 4000 ? 4000 : (unsigned)percent;
    }
}

void px_options_merge(struct px_options *o, const Pxs__OptionMessage *m) {
    if (m->supported_decoding)
        merge_decoding(o, m->supported_decoding);
    merge_quality(o, m);
    if (m->custom_fps > 0)
        o->fps = m->custom_fps > FPS_MAX ? FPS_MAX : (unsigned)m->custom_fps;
    merge_bool(&o->no_audio, m->disable_audio);
    merge_bool(&o->no_clipboard, m->disable_clipboard);
    merge_bool(&o->no_input, m->disable_keyboard);
    merge_bool(&o->show_cursor, m->show_remote_cursor);
    merge_bool(&o->show_mine, m->show_my_cursor);
    merge_bool(&o->follow_cursor, m->follow_remote_cursor);
    merge_bool(&o->follow_window, m->follow_remote_window);
    merge_bool(&o->lock_at_end, m->lock_after_session_end);
    merge_bool(&o->copy_files, m->enable_file_transfer);
    merge_bool(&o->terminal_persistent, m->terminal_persistent);
}

static bool both(const struct px_options *o, const struct px_encoders *able, enum px_codec c) {
    return o->can & 1u << c && px_encoders_can(able, c);
}

static int preferred(enum px_prefer_codec p) {
    switch (p) {
    case PX_PREFER_AUTO:
        return -1;
    case PX_PREFER_VP9:
        return PX_CODEC_VP9;
    case PX_PREFER_H264:
        return PX_CODEC_H264;
    case PX_PREFER_H265:
        return PX_CODEC_H265;
    case PX_PREFER_VP8:
        return PX_CODEC_VP8;
    case PX_PREFER_AV1:
        return PX_CODEC_AV1;
    }
    return -1;
}

static void wish(enum px_codec codec, const char *why, struct px_choice *ret) {
    *ret = (struct px_choice){.codec = codec};
    snprintf(ret->why, sizeof(ret->why), "%s", why);
}

void px_options_codec(const struct px_options *o, const struct px_encoders *able,
                      const struct px_situation *now, struct px_choice *ret) {
    static const enum px_codec full_chroma[] = {PX_CODEC_VP9, PX_CODEC_AV1};
    const int want = preferred(o->prefer);
    unsigned candidates = 0;
    if (want >= 0 && both(o, able, (enum px_codec)want)) {
        wish((enum px_codec)want, "the client's wish", ret);
        return;
    }
    for (size_t i = 0; o->want_i444 && i < PX_N_ELEMENTS(full_chroma); i++)
        if (both(o, able, full_chroma[i]) && o->can_i444 & 1u << full_chroma[i]) {
            wish(full_chroma[i], "full colour", ret);
            return;
        }
    for (int c = 0; c < PX_N_CODECS; c++)
        candidates |= (unsigned)both(o, able, (enum px_codec)c) << c;
    px_choose(now, candidates ? candidates : 1u << PX_CODEC_VP9, ret);
}

void px_options_stream(const struct px_options *o, enum px_codec codec,
                       struct px_vstream_opts *ret) {
    const unsigned q = o->quality_percent;
    *ret = (struct px_vstream_opts){.codec = codec,
                                    .fps = o->fps ? o->fps : FPS_DEFAULT,
                                    .key_every = o->recording ? RECORDING_KEY_EVERY : 0};
    ret->i444 = o->want_i444 && o->can_i444 & 1u << ret->codec &&
                (ret->codec == PX_CODEC_VP9 || ret->codec == PX_CODEC_AV1);
    /* The finest quantizer worth its bits: 16 % of the scale at half quality, 5 at "best". */
    ret->min_quality = q >= 800 ? 1 : q >= 100 ? 800 / q : q >= 60 ? 11 : q >= 40 ? 16 : 24;
    ret->max_quality = q >= 100 ? 75 : q >= 60 ? 85 : 95;
}

unsigned px_options_rate(const struct px_options *o, int width, int height, bool *ret_frugal) {
    const int64_t pixels = (int64_t)width * height;
    /* Thirty bits a pixel and second at 100 %: more than scrolling text takes at a low quantizer.
     */
    const int64_t kbps = pixels * 30 / 1000 * o->quality_percent / 100;
    *ret_frugal = o->quality_percent < BALANCED;
    return kbps < 2000 ? 2000 : kbps > 200000 ? 200000 : (unsigned)kbps;
}
