/* src/host/encode/figures.h - what each encoder takes here, for each kind of content, kept
 *
 * A list of figures: assumed ones to begin with, measured ones (measure.h) later, and as a text
 * that the next start reads. Pure, but for px_measured_key(). */
#pragma once
#include "base/buf.h"
#include "host/encode/encoder.h"
#include "host/encode/scene.h"

/* The size of the pictures that everything is measured with. */
#define PX_MEASURE_WIDTH 640
#define PX_MEASURE_HEIGHT 368

struct px_figures {
    char name[24]; /* of the encoder */
    enum px_codec codec;
    bool hardware, assumed;
    /* For each kind of content, a picture: medians of encoding and decoding, means of bytes
     * and of how near it came to what it shows (dB of luma, times ten). */
    uint32_t encode_us[PX_N_SCENES], decode_us[PX_N_SCENES], bytes[PX_N_SCENES], ddb[PX_N_SCENES];
    uint32_t key_us, key_bytes;
    uint32_t fixed_us; /* of each encoding, whatever the picture's size (cards) */
};

#define PX_FIGURES_MAX 16
struct px_measured {
    struct px_figures list[PX_FIGURES_MAX]; /* the encoder of a codec that is used comes first */
    int n;
};

/* Figures for every encoder of @e, from elsewhere: a card is assumed quick. */
void px_measured_assume(const struct px_encoders *e, struct px_measured *ret);
/* Of the encoder that @codec is coded by; NULL: there is none. */
const struct px_figures *px_measured_of(const struct px_measured *m, enum px_codec codec);
/* What the encoder takes for a picture of @area_px that took @us at the size above. */
double px_figures_us(const struct px_figures *f, uint32_t us, double area_px);
/* A card that is slower at 1920x1080 than software of its codec comes behind it, here and in @e. */
void px_measured_rank(struct px_measured *m, struct px_encoders *e);

/* What the figures hold for: this processor, version and list of encoders. One line. */
void px_measured_key(const struct px_encoders *e, struct px_buf *ret);
void px_measured_print(const struct px_measured *m, const char *key, struct px_buf *out);
/* False, and *m untouched: other @key, or not as it was printed. */
bool px_measured_parse(const char *text, const char *key, struct px_measured *m);
