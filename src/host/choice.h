/* src/host/choice.h - which codec is quickest for a viewer
 *
 * What counts is the time from a change to the picture at the client: encoding, the bytes on the
 * line, decoding. How long each takes for each kind of content was measured on this machine
 * (encode/measure.h), or is assumed until it was. How the kinds are mixed is what the display has
 * been doing lately. Pure; loop thread. */
#pragma once
#include "host/encode/figures.h"

/* Pictures of each kind, old ones fading. Zeroed: none yet. */
struct px_mix {
    double pictures[PX_N_SCENES];
    int64_t at_us;
};

void px_mix_add(struct px_mix *m, enum px_scene_kind c, int64_t now_us);
bool px_mix_is_video(const struct px_mix *m, int64_t now_us); /* most of it, and lately */

struct px_situation {
    const struct px_measured *measured; /* lent */
    const struct px_mix *mix;           /* lent; NULL: nothing known */
    int64_t now_us, area_px;            /* of the display */
    unsigned rate_kbps;                 /* what the line takes; 0: more than was tried */
    int current;                        /* codec in use; -1: none */
    bool stay;                          /* with it, as long as it is among the candidates */
};

#define PX_WHY_MAX 160
struct px_choice {
    enum px_codec codec;
    bool by_time;         /* else a wish, or there is no other */
    char why[PX_WHY_MAX]; /* one line for logs */
};

/* What a picture of @changed_px new pixels, coded in @bytes, shows. */
enum px_scene_kind px_scene_of(int64_t changed_px, int64_t area_px, size_t bytes);
/* Milliseconds a picture, on the average of the mix, by @codec. Less than 0: nothing known of it.
 */
double px_choice_ms(const struct px_situation *s, enum px_codec codec);
/* The quickest of @candidates (a bit per codec, not 0). Another than the current one only when it
 * is a good deal quicker, and none that does not keep up with scrolled text while another does. */
void px_choose(const struct px_situation *s, unsigned candidates, struct px_choice *ret);
