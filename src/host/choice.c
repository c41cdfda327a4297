/* src/host/choice.c - which codec is quickest for a viewer */
#include "host/choice.h"
#include "base/clock.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HALF_LIFE_US (4.0 * PX_US_PER_S)
#define UNTRIED_KBPS 1000000 /* a line that never made us wait */
#define SMALL 64             /* of the screen, a part so small: typing */
#define LARGE 3
/* For each pixel; text and windows that only move take a half of it with every codec here, and
 * films twice as much, but on a slow line, where the bytes decide and not the kind. */
#define NEW_BYTES 0.06
#define UNFIT_US 40000  /* a scrolled picture that takes longer: fewer than 25 a second */
#define GAIN 0.75       /* worth a switch */
#define HALVE_DDB 60    /* so much worse is half the bytes */
#define KEY_SHARE 0.015 /* of pictures, key frames */

/* What desktops do when nothing else is known; fades in as what was seen fades away. */
static const double usual[PX_N_SCENES] = {
    [PX_SCENE_TYPING] = 40, [PX_SCENE_DRAG] = 5, [PX_SCENE_SCROLL] = 5};

/* Tenths of dB that are as good as seen; a film's grain is not missed. */
static const uint32_t seen_ddb[PX_N_SCENES] = {450, 450, 450, 400};

static double fading(const struct px_mix *m, int64_t now_us) {
    return m->at_us && now_us > m->at_us ? exp2(-(double)(now_us - m->at_us) / HALF_LIFE_US) : 1;
}

void px_mix_add(struct px_mix *m, enum px_scene_kind c, int64_t now_us) {
    const double f = fading(m, now_us);
    for (int i = 0; i < PX_N_SCENES; i++)
        m->pictures[i] *= f;
    m->pictures[c]++;
    m->at_us = now_us;
}

bool px_mix_is_video(const struct px_mix *m, int64_t now_us) {
    double sum = 0;
    for (int i = 0; i < PX_N_SCENES; i++)
        sum += m->pictures[i] * fading(m, now_us) + usual[i];
    return m->pictures[PX_SCENE_VIDEO] * fading(m, now_us) * 2 > sum;
}

enum px_scene_kind px_scene_of(int64_t changed_px, int64_t area_px, size_t bytes) {
    if (changed_px * SMALL < area_px)
        return PX_SCENE_TYPING;
    if ((double)bytes / (double)changed_px > NEW_BYTES)
        return PX_SCENE_VIDEO;
    return changed_px * LARGE < area_px ? PX_SCENE_DRAG : PX_SCENE_SCROLL;
}

static double on_the_line(const struct px_situation *s, double bytes) {
    return bytes * 8 / (s->rate_kbps ? s->rate_kbps : UNTRIED_KBPS);
}

/* Of one picture of @c. Bytes are compared at a quality that is as good as seen. */
static double picture_ms(const struct px_situation *s, const struct px_figures *f, int c,
                         double scale) {
    const double lack = f->ddb[c] < seen_ddb[c] ? seen_ddb[c] - f->ddb[c] : 0;
    const double bytes = f->bytes[c] * exp2(lack / HALVE_DDB);
    return (px_figures_us(f, f->encode_us[c], (double)s->area_px) + f->decode_us[c] * scale) / 1e3 +
           on_the_line(s, c == PX_SCENE_TYPING ? bytes : bytes * scale);
}

double px_choice_ms(const struct px_situation *s, enum px_codec codec) {
    const struct px_figures *f = px_measured_of(s->measured, codec);
    const double scale = (double)s->area_px / (PX_MEASURE_WIDTH * PX_MEASURE_HEIGHT);
    double sum = 0, n = 0;
    if (!f)
        return -1;
    for (int c = 0; c < PX_N_SCENES; c++) {
        const double seen = s->mix ? s->mix->pictures[c] * fading(s->mix, s->now_us) : 0;
        sum += (usual[c] + seen) * picture_ms(s, f, c, scale);
        n += usual[c] + seen;
    }
    const double key = px_figures_us(f, f->key_us, (double)s->area_px) / 1e3 +
                       on_the_line(s, f->key_bytes * scale);
    return sum / n + KEY_SHARE * key;
}

static bool is_assumed(const struct px_situation *s, unsigned candidates) {
    for (int c = 0; c < PX_N_CODECS; c++) {
        const struct px_figures *f = px_measured_of(s->measured, (enum px_codec)c);
        if (candidates & 1u << c && f && f->assumed)
            return true;
    }
    return false;
}

/* "measured quickest: vp8 0.4 ms, h264 2.3 ms" */
static void tell(const struct px_situation *s, unsigned candidates, struct px_choice *ret) {
    size_t n = (size_t)snprintf(ret->why, sizeof(ret->why),
                                "%s %s:", is_assumed(s, candidates) ? "assumed" : "measured",
                                (int)ret->codec == s->current ? "quick" : "quickest");
    for (double last = -1;;) { /* quickest first */
        int best = -1;
        for (int c = 0; c < PX_N_CODECS; c++) {
            const double ms = candidates & 1u << c ? px_choice_ms(s, (enum px_codec)c) : -1;
            if (ms > last && (best < 0 || ms < px_choice_ms(s, (enum px_codec)best)))
                best = c;
        }
        if (best < 0)
            return;
        const double ms = px_choice_ms(s, (enum px_codec)best);
        n += (size_t)snprintf(ret->why + n, n < sizeof(ret->why) ? sizeof(ret->why) - n : 0,
                              "%s %s %.1f ms", last < 0 ? "" : ",",
                              px_codec_name((enum px_codec)best), ms);
        if (n >= sizeof(ret->why))
            return;
        last = ms;
    }
}

/* Those that keep up with scrolled text, if there are any. */
static unsigned fit(const struct px_situation *s, unsigned candidates) {
    unsigned quick = 0;
    for (int c = 0; c < PX_N_CODECS; c++) {
        const struct px_figures *f = px_measured_of(s->measured, (enum px_codec)c);
        if (candidates & 1u << c && f &&
            px_figures_us(f, f->encode_us[PX_SCENE_SCROLL], (double)s->area_px) < UNFIT_US)
            quick |= 1u << c;
    }
    return quick ? quick : candidates;
}

void px_choose(const struct px_situation *s, unsigned candidates, struct px_choice *ret) {
    if (!s->stay || s->current < 0 || !(candidates & 1u << s->current))
        candidates = fit(s, candidates);
    const bool has_current = s->current >= 0 && candidates & 1u << s->current;
    int best = -1;
    double best_ms = 0;
    for (int c = 0; c < PX_N_CODECS; c++) {
        double ms = candidates & 1u << c ? px_choice_ms(s, (enum px_codec)c) : -1;
        if (c == s->current && ms >= 0)
            ms = s->stay ? 0 : ms * GAIN;
        if (ms >= 0 && (best < 0 || ms < best_ms)) {
            best = c;
            best_ms = ms;
        }
    }
    if (best < 0)
        best = has_current ? s->current : __builtin_ctz(candidates);
    *ret = (struct px_choice){.codec = (enum px_codec)best, .by_time = true};
    if ((candidates & (candidates - 1)) == 0) {
        ret->by_time = false;
        snprintf(ret->why, sizeof(ret->why), "no other that both can");
    } else
        tell(s, candidates, ret);
}
