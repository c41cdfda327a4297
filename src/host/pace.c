/* src/host/pace.c - how often pictures may come */
#include "host/pace.h"
#include "base/clock.h"

#define AHEAD_PICTURES 2
#define AHEAD_MAX_US (50 * PX_US_PER_MS)

static int64_t ahead_us(unsigned fps) {
    const int64_t us = AHEAD_PICTURES * PX_US_PER_S / fps;
    return us < AHEAD_MAX_US ? us : AHEAD_MAX_US;
}

int64_t px_pace_due_us(const struct px_pace *p, unsigned fps) {
    return p->next_us - ahead_us(fps);
}

int64_t px_pace_answer_us(const struct px_pace *p, unsigned fps) {
    return p->next_us - 2 * ahead_us(fps);
}

void px_pace_take(struct px_pace *p, unsigned fps, int64_t now_us) {
    p->next_us = (p->next_us > now_us ? p->next_us : now_us) + PX_US_PER_S / fps;
}
