/* src/host/again.c - when a host that fell back to TCP or WebSocket tries UDP again */
#include "host/again.h"
#include "base/clock.h"

#define FIRST_US (300 * PX_US_PER_S)
#define LATER_US (900 * PX_US_PER_S)
#define TRIES 3
#define BETWEEN_US (2 * PX_US_PER_S)

void px_again_begin(struct px_again *a, int64_t now_us) {
    *a = (struct px_again){.next_us = now_us + FIRST_US};
}

void px_again_at_once(struct px_again *a, int64_t now_us) {
    *a = (struct px_again){.next_us = now_us};
}

bool px_again_take(struct px_again *a, int64_t now_us) {
    if (now_us < a->next_us)
        return false;
    if (a->left == 0)
        a->left = TRIES;
    a->left--;
    a->next_us = now_us + (a->left ? BETWEEN_US : LATER_US);
    return true;
}
