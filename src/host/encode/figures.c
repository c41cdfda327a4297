/* src/host/encode/figures.c - what each encoder takes here, for each kind of content, kept */
#include "host/encode/figures.h"
#include "base/file.h"
#include <inttypes.h>
#include <string.h>

#define FORMAT 3
#define CPUINFO_MAX (1024 * 1024)
#define CARD_ENCODE_US 700 /* a guess: NVENC at this size */
#define CARD_FIXED_US 500
#define USUAL_PX (1920.0 * 1080)

/* From bench/encoders on an Intel Xeon (model 207), of our own encoders; in the order of enum
 * px_codec. */
static const struct px_figures elsewhere[PX_N_CODECS] = {
    {.codec = PX_CODEC_VP8,
     .encode_us = {50, 560, 930, 2340},
     .decode_us = {70, 340, 540, 420},
     .bytes = {158, 2952, 5313, 4976},
     .ddb = {467, 495, 480, 383},
     .key_us = 9650,
     .key_bytes = 106000},
    {.codec = PX_CODEC_VP9,
     .encode_us = {30, 560, 1020, 2200},
     .decode_us = {40, 390, 580, 1010},
     .bytes = {189, 3544, 7247, 5258},
     .ddb = {489, 509, 490, 343},
     .key_us = 9140,
     .key_bytes = 134600},
    {.codec = PX_CODEC_AV1,
     .encode_us = {70, 580, 1080, 2570},
     .decode_us = {70, 490, 310, 1320},
     .bytes = {72, 1115, 623, 3549},
     .ddb = {673, 925, 1018, 329},
     .key_us = 4120,
     .key_bytes = 12600},
    {.codec = PX_CODEC_H264,
     .encode_us = {20, 310, 510, 1530},
     .decode_us = {70, 200, 200, 460},
     .bytes = {103, 3364, 6788, 5669},
     .ddb = {520, 511, 515, 431},
     .key_us = 3360,
     .key_bytes = 144000},
    {.codec = PX_CODEC_H265,
     .encode_us = {4000, 6000, 10000, 10000},
     .decode_us = {200, 500, 600, 1000},
     .bytes = {100, 3000, 4500, 2500},
     .ddb = {488, 505, 509, 400},
     .key_us = 20000,
     .key_bytes = 120000},
};

void px_measured_assume(const struct px_encoders *e, struct px_measured *ret) {
    const struct px_encoder_ops *ops;
    ret->n = 0;
    for (size_t i = 0; (ops = px_encoders_at(e, i)) && ret->n < PX_FIGURES_MAX; i++) {
        struct px_figures *f = &ret->list[ret->n++];
        *f = elsewhere[ops->codec];
        f->hardware = ops->hardware;
        f->assumed = true;
        snprintf(f->name, sizeof(f->name), "%s", ops->name);
        for (int c = 0; c < PX_N_SCENES && f->hardware; c++)
            f->encode_us[c] = CARD_ENCODE_US;
        if (f->hardware) {
            f->key_us = CARD_ENCODE_US;
            f->fixed_us = CARD_FIXED_US;
        }
    }
}

const struct px_figures *px_measured_of(const struct px_measured *m, enum px_codec codec) {
    for (int i = 0; i < m->n; i++)
        if (m->list[i].codec == codec)
            return &m->list[i];
    return NULL;
}

double px_figures_us(const struct px_figures *f, uint32_t us, double area_px) {
    const double fixed = f->fixed_us < us ? f->fixed_us : us;
    return fixed + (us - fixed) * area_px / (PX_MEASURE_WIDTH * PX_MEASURE_HEIGHT);
}

static double sum_us(const struct px_figures *f) {
    double sum = 0;
    for (int c = 0; c < PX_N_SCENES; c++)
        sum += px_figures_us(f, f->encode_us[c], USUAL_PX);
    return sum;
}

/* The best software figures of the codec of a card's; NULL: the card is quicker, or alone. */
static const struct px_figures *beaten_by(const struct px_measured *m, const struct px_figures *f) {
    if (!f->hardware || f->assumed)
        return NULL;
    for (int i = 0; i < m->n; i++)
        if (!m->list[i].hardware && m->list[i].codec == f->codec)
            return !m->list[i].assumed && sum_us(&m->list[i]) < sum_us(f) ? &m->list[i] : NULL;
    return NULL;
}

void px_measured_rank(struct px_measured *m, struct px_encoders *e) {
    struct px_measured out = {0};
    for (int last = 0; last < 2; last++)
        for (int i = 0; i < m->n; i++)
            if ((beaten_by(m, &m->list[i]) != NULL) == (last == 1)) {
                out.list[out.n++] = m->list[i];
                px_encoders_put_last(e, m->list[i].name, last == 1);
            }
    *m = out;
}

/* ---- as text ---- */

void px_measured_key(const struct px_encoders *e, struct px_buf *ret) {
    px_cleanup_free char *info = NULL;
    const struct px_encoder_ops *ops;
    const char *model = NULL;
    px_buf_reset(ret);
    if (px_file_read(AT_FDCWD, "/proc/cpuinfo", CPUINFO_MAX, &info, NULL, NULL) >= 0)
        model = strstr(info, "model name");
    model = model ? model + strcspn(model, ":\n") : "?";
    px_buf_printf(ret, "%d %s%.*s", FORMAT, PX_VERSION, (int)strcspn(model, "\n"), model);
    for (size_t i = 0; (ops = px_encoders_at(e, i)); i++)
        px_buf_printf(ret, " %s", ops->name);
}

static void print_row(const uint32_t row[PX_N_SCENES], struct px_buf *out) {
    for (int c = 0; c < PX_N_SCENES; c++)
        px_buf_printf(out, " %" PRIu32, row[c]);
}

void px_measured_print(const struct px_measured *m, const char *key, struct px_buf *out) {
    px_buf_printf(out, "%s\n", key);
    for (int i = 0; i < m->n; i++) {
        const struct px_figures *f = &m->list[i];
        px_buf_printf(out, "%s %d %d %d %" PRIu32 " %" PRIu32 " %" PRIu32, f->name, (int)f->codec,
                      f->hardware, f->assumed, f->key_us, f->key_bytes, f->fixed_us);
        print_row(f->encode_us, out);
        print_row(f->decode_us, out);
        print_row(f->bytes, out);
        print_row(f->ddb, out);
        px_buf_printf(out, "\n");
    }
}

static bool parse_row(const char **at, uint32_t row[PX_N_SCENES]) {
    int used = 0;
    _Static_assert(PX_N_SCENES == 4, "the format below");
    if (sscanf(*at, "%9" SCNu32 "%9" SCNu32 "%9" SCNu32 "%9" SCNu32 "%n", &row[0], &row[1], &row[2],
               &row[3], &used) != 4)
        return false;
    *at += used;
    return true;
}

static bool parse_line(const char *at, struct px_figures *f) {
    int codec = -1, hardware = 0, assumed = 0, used = 0;
    *f = (struct px_figures){0};
    if (sscanf(at, "%23s %d %d %d %9" SCNu32 "%9" SCNu32 "%9" SCNu32 "%n", f->name, &codec,
               &hardware, &assumed, &f->key_us, &f->key_bytes, &f->fixed_us, &used) != 7)
        return false;
    at += used;
    if (codec < 0 || codec >= PX_N_CODECS)
        return false;
    f->codec = (enum px_codec)codec;
    f->hardware = hardware != 0;
    f->assumed = assumed != 0;
    return parse_row(&at, f->encode_us) && parse_row(&at, f->decode_us) &&
           parse_row(&at, f->bytes) && parse_row(&at, f->ddb);
}

bool px_measured_parse(const char *text, const char *key, struct px_measured *m) {
    struct px_measured out = {0};
    const size_t n = strlen(key);
    if (strncmp(text, key, n) != 0 || text[n] != '\n')
        return false;
    for (const char *at = text + n + 1; *at; at += strcspn(at, "\n"), at += *at == '\n')
        if (out.n >= PX_FIGURES_MAX || !parse_line(at, &out.list[out.n++]))
            return false;
    if (out.n == 0)
        return false;
    *m = out;
    return true;
}
