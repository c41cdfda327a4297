/* src/phoenix/gpu_use.c */
#include "phoenix/gpu_use.h"
#include "base/alloc.h"
#include <string.h>

static struct px_gpu_use *entry(struct px_gpu_use *uses, const char *desktop) {
    struct px_gpu_use *u = uses;
    while (u->desktop && strcmp(u->desktop, desktop) != 0)
        u++;
    if (!u->desktop)
        *u = (struct px_gpu_use){
            .desktop = desktop, .gpu_percent = -1, .encoder_percent = -1, .decoder_percent = -1};
    return u;
}

static bool card_has(const struct px_nvml_card *card, const char *uuid) {
    if (strcasecmp(card->uuid, uuid) == 0)
        return true;
    for (size_t i = 0; i < card->n_migs; i++)
        if (strcasecmp(card->migs[i].uuid, uuid) == 0)
            return true;
    return false;
}

static void add_grants(struct px_gpu_use *uses, const struct px_nvml *nvml,
                       const struct px_status *s) {
    for (size_t i = 0; s->rec && i < s->rec->gpus.n; i++) {
        const struct px_gpu_grant *g = &s->rec->gpus.items[i];
        struct px_gpu_use *u = entry(uses, s->name);
        if (g->mode == PX_GPU_SHARED)
            u->budget_bytes += g->memory_bytes;
        for (size_t k = 0; k < nvml->n_cards; k++)
            if (card_has(&nvml->cards[k], g->uuid))
                u->cards |= UINT32_C(1) << k;
    }
}

static void add_percent(int *sum, int percent) {
    if (percent >= 0)
        *sum = (*sum < 0 ? 0 : *sum) + percent;
}

static void add_proc(struct px_gpu_use *u, size_t card, const struct px_nvml_proc *p,
                     bool has_encoder) {
    u->cards |= UINT32_C(1) << card;
    u->n_procs++;
    u->memory_bytes += p->memory_bytes;
    add_percent(&u->gpu_percent, p->gpu_percent);
    if (has_encoder)
        add_percent(&u->encoder_percent, p->encoder_percent);
    add_percent(&u->decoder_percent, p->decoder_percent);
}

struct px_gpu_use *px_gpu_use_sum(const struct px_nvml *nvml, char *const *owners,
                                  const struct px_status *list, size_t n) {
    size_t n_procs = 0;
    for (size_t i = 0; i < nvml->n_cards; i++)
        n_procs += nvml->cards[i].n_procs;
    struct px_gpu_use *uses = px_new0(struct px_gpu_use, n + n_procs + 1);
    for (size_t i = 0; i < n; i++)
        add_grants(uses, nvml, &list[i]);
    for (size_t i = 0, at = 0; i < nvml->n_cards; i++)
        for (size_t k = 0; k < nvml->cards[i].n_procs; k++, at++)
            add_proc(entry(uses, owners[at]), i, &nvml->cards[i].procs[k],
                     nvml->cards[i].encoder != 0);
    return uses;
}
