/* src/host/encode/measure.h - what each encoder takes here, for each kind of content
 *
 * A made-up desktop (scene.h) is encoded by each encoder on one thread and decoded again by
 * libavcodec. Times of software are CPU time of the calling thread, so that other work on the
 * machine does not count; those of cards are wall-clock time. */
#pragma once
#include "host/encode/figures.h"

struct px_measure_opts {
    int width, height;
    unsigned n_pictures;             /* of each kind, 3 .. PX_MEASURE_PICTURES_MAX */
    unsigned threads;                /* of the encoder; above 1 times are wall-clock */
    unsigned min_quality, rate_kbps; /* see struct px_encoder_opts */
    bool (*stop)(void *data);        /* asked between pictures; NULL: never */
    void *data;
};
#define PX_MEASURE_PICTURES_MAX 200

/* The encoder at place @i of @e's list. -ENOTSUP: it does not open, or
 * libavcodec does not. -EIO: it does not encode, or
 * what it writes is not decoded. -ECANCELED: @stop said so. Any thread. */
int px_measure(struct px_encoders *e, size_t i, const struct px_measure_opts *opts,
               struct px_figures *ret, struct px_error *err);
