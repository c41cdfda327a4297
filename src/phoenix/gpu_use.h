/* src/phoenix/gpu_use.h - what each desktop takes of the cards, summed over its processes; pure */
#pragma once
#include "desktop/status.h"
#include "gpu/nvml.h"

struct px_gpu_use {
    const char *desktop; /* lent; "" for the host's own processes */
    uint32_t cards;      /* bit N: card N was given to it, or a process of it is there */
    size_t n_procs;      /* a process on two cards counts twice */
    uint64_t memory_bytes;
    uint64_t budget_bytes; /* what it may take of shared cards; 0: its cards are its own */
    int gpu_percent, encoder_percent, decoder_percent; /* sums, 100 is one card; -1: not said */
};
_Static_assert(PX_GPU_CARDS_MAX <= 32, "a bit for each card");

/* The desktops of @list that have cards, in its order, then who else has a process on one. @owners:
 * the desktop of each process, card by card, "" for the host's own. Ends with a desktop of NULL;
 * the caller frees the array, names are those of @list and @owners. */
struct px_gpu_use *px_gpu_use_sum(const struct px_nvml *nvml, char *const *owners,
                                  const struct px_status *list, size_t n);
