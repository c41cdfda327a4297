/* bench/encoders.c - every encoder that runs here, on the content that the host chooses by
 *
 *     encoders [WIDTH HEIGHT [PICTURES [THREADS [NAME...]]]]
 *
 * One row for each encoder and kind of content: milliseconds a picture to encode and to decode
 * (CPU with one thread, else wall-clock), bytes, dB. Without sizes it is what the host measures. */
#include "host/encode/measure.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool named(const char *name, char **names) {
    for (char **n = names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return !*names;
}

static void show(const struct px_figures *f) {
    printf("%-12s key    %7.2f                %7u\n", f->name, f->key_us / 1e3, f->key_bytes);
    for (int c = 0; c < PX_N_SCENES; c++)
        printf("%-12s %-6s %7.2f %7.2f        %7u  %5.1f\n", f->name, px_scene_names[c],
               f->encode_us[c] / 1e3, f->decode_us[c] / 1e3, f->bytes[c], f->ddb[c] / 10.0);
}

static unsigned number(char **argv, int argc, int i, unsigned otherwise) {
    return argc > i ? (unsigned)strtoul(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv) {
    struct px_encoders *all;
    struct px_error err = {0};
    const struct px_measure_opts o = {.width = (int)number(argv, argc, 1, PX_MEASURE_WIDTH) & ~1,
                                      .height = (int)number(argv, argc, 2, PX_MEASURE_HEIGHT) & ~1,
                                      .n_pictures = number(argv, argc, 3, 6),
                                      .threads = number(argv, argc, 4, 1),
                                      .min_quality = 11,
                                      .rate_kbps = 100000};
    if (o.width < 64 || o.height < 64 || o.n_pictures < 3 ||
        o.n_pictures > PX_MEASURE_PICTURES_MAX || o.threads < 1) {
        fputs("usage: encoders [WIDTH HEIGHT [PICTURES [THREADS [NAME...]]]]\n", stderr);
        return 2;
    }
    if (px_encoders_new(NULL, &all, &err) < 0) {
        fprintf(stderr, "encoders: %s\n", err.msg);
        return 1;
    }
    printf("%-12s %-6s %7s %7s  %dx%d %7s  %5s\n", "encoder", "", "enc ms", "dec ms", o.width,
           o.height, "bytes", "dB");
    const struct px_encoder_ops *ops;
    for (size_t i = 0; (ops = px_encoders_at(all, i)); i++) {
        struct px_figures f;
        if (!named(ops->name, argv + (argc > 5 ? 5 : argc)))
            continue;
        const int64_t since = px_now_us();
        if (px_measure(all, i, &o, &f, &err) < 0)
            printf("%-12s %s\n", ops->name, err.msg);
        else {
            show(&f);
            printf("%-12s took %.0f ms\n", ops->name, (double)(px_now_us() - since) / 1e3);
        }
    }
    px_encoders_free(all);
    return 0;
}
