/* src/host/pace.h - how often pictures may come
 *
 * At most so many a second on average; after a pause a few may follow each other at once, so that
 * what happens then is shown at once. What answers a viewer's input may come a little sooner still,
 * and others later for it. Pure. */
#pragma once
#include <stdint.h>

struct px_pace {
    int64_t next_us; /* when the next picture were due in a steady row */
};

/* From when on the next picture may come. @fps: 1 or more. */
int64_t px_pace_due_us(const struct px_pace *p, unsigned fps);
/* The same for a picture that answers input. */
int64_t px_pace_answer_us(const struct px_pace *p, unsigned fps);
/* A picture comes now. */
void px_pace_take(struct px_pace *p, unsigned fps, int64_t now_us);
