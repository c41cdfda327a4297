/* src/gpu/place.c - which cards a desktop gets */
#include "gpu/place.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/text.h"
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX (PX_GPU_CARDS_MAX * PX_GPU_MIGS_MAX)
#define CONSUMER_ENCODER_SESSIONS 8 /* NVIDIA's matrix for GeForce, drivers since 550 */

struct unit {
    const struct px_gpu_card *card;
    const struct px_gpu_mig *mig; /* NULL: the whole card */
    size_t index;                 /* of the card */
    unsigned n_holders;
    const char *holder;    /* the first; lent */
    bool exclusive;        /* the holder has it alone */
    uint64_t budget_bytes; /* sum of the budgets on it */
    bool taken;            /* in this placement */
};

struct place {
    const struct px_gpu_place_opts *o;
    const struct px_gpu_request *want;
    struct unit units[UNITS_MAX];
    size_t n_units;
    struct px_gpu_grants grants;
    struct px_buf why;
};

static const char *uuid_of(const struct unit *u) {
    return u->mig ? u->mig->uuid : u->card->uuid;
}

static uint64_t memory_of(const struct unit *u) {
    return u->mig ? u->mig->memory_bytes : u->card->memory_bytes;
}

unsigned px_gpu_encoder_limit(const struct px_gpu_card *card) {
    return card->encoder == 1 && strstr(card->name, "GeForce") ? CONSUMER_ENCODER_SESSIONS : 0;
}

static void add_holders(const struct px_gpu_place_opts *o, struct unit *u) {
    for (size_t i = 0; i < o->n_holds; i++) {
        const struct px_gpu_hold *h = &o->holds[i];
        if (strcasecmp(h->grant.uuid, uuid_of(u)) != 0)
            continue;
        if (u->n_holders++ == 0)
            u->holder = h->desktop;
        u->exclusive |= h->grant.mode == PX_GPU_EXCLUSIVE;
        u->budget_bytes += h->grant.memory_bytes;
    }
}

static void make_units(struct place *p) {
    const struct px_gpu_host *host = p->o->host;
    for (size_t i = 0; i < host->n_cards; i++) {
        const struct px_gpu_card *c = &host->cards[i];
        if (c->trouble[0])
            continue;
        const size_t n = c->mig ? c->n_migs : 1;
        for (size_t k = 0; k < n; k++) {
            struct unit *u = &p->units[p->n_units++];
            *u = (struct unit){.card = c, .mig = c->mig ? &c->migs[k] : NULL, .index = i};
            add_holders(p->o, u);
        }
    }
}

/* What the wish would be given of this unit's memory. */
static uint64_t budget_of(const struct place *p, const struct unit *u) {
    if (p->want->mode == PX_GPU_EXCLUSIVE)
        return 0;
    return p->want->memory_bytes ? p->want->memory_bytes : memory_of(u) / p->o->max_shared;
}

/* 0: this desktop may have it. Else why not, in words about others. */
static int may_have(const struct place *p, const struct unit *u, struct px_error *err) {
    char free_text[PX_SIZE_TEXT_MAX], wanted[PX_SIZE_TEXT_MAX];
    if (u->n_holders > 0 && (u->exclusive || p->want->mode == PX_GPU_EXCLUSIVE)) {
        px_fail(err, -EBUSY, "%s is %s '%s'", uuid_of(u),
                u->exclusive ? "the exclusive card of" : "shared by", u->holder);
        return px_hint(err, -EBUSY,
                       u->exclusive ? "take another card, or use mode: shared in both"
                                    : "use mode: shared here, too");
    }
    if (u->n_holders >= p->o->max_shared) {
        px_fail(err, -EBUSY, "%s has %u desktops already", uuid_of(u), u->n_holders);
        return px_hint(err, -EBUSY, "raise gpus.max_shared in the host file");
    }
    const unsigned sessions = px_gpu_encoder_limit(u->card);
    if (sessions > 0 && u->n_holders >= sessions)
        return px_fail(err, -EBUSY, "%s has %u desktops, and its driver encodes for no more",
                       uuid_of(u), u->n_holders);
    const uint64_t memory = memory_of(u), budget = budget_of(p, u);
    if (memory > 0 && budget > memory - (u->budget_bytes < memory ? u->budget_bytes : memory))
        return px_fail(err, -EBUSY, "%s has %s of device memory left, %s are wanted", uuid_of(u),
                       px_size_human(memory - u->budget_bytes, free_text),
                       px_size_human(budget, wanted));
    return 0;
}

static void list_units(const struct place *p, struct px_buf *b) {
    for (size_t i = 0; i < p->n_units; i++)
        px_buf_printf(b, "%s%s (%s)", i ? ", " : "", uuid_of(&p->units[i]),
                      p->units[i].card->address);
}

static int too_many(const struct place *p, size_t want, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    list_units(p, &b);
    px_fail(err, -EINVAL, "%zu GPUs are wanted, this host has %zu", want, p->n_units);
    return px_hint(err, -EINVAL, "it has %s", px_buf_str(&b));
}

/* A budget that no card could ever hold. */
static int check_budget(const struct place *p, const struct unit *u, struct px_error *err) {
    char size[PX_SIZE_TEXT_MAX], wanted[PX_SIZE_TEXT_MAX];
    if (p->want->mode != PX_GPU_SHARED || memory_of(u) == 0 ||
        p->want->memory_bytes <= memory_of(u))
        return 0;
    px_fail(err, -EINVAL, "memory: %s is more than the %s that %s has",
            px_size_format(p->want->memory_bytes, wanted), px_size_human(memory_of(u), size),
            uuid_of(u));
    return px_hint(err, -EINVAL, "ask for less, or for a larger card by its UUID");
}

static void take(struct place *p, struct unit *u) {
    struct px_gpu_grant *g = &p->grants.items[p->grants.n++];
    u->taken = true;
    *g = (struct px_gpu_grant){.mode = p->want->mode, .memory_bytes = budget_of(p, u)};
    memcpy(g->uuid, uuid_of(u), sizeof(g->uuid));
    px_buf_printf(&p->why, "%s%s at %s", p->why.size ? ", " : "", uuid_of(u), u->card->address);
}

/* Whether @a is the better choice by the policy. */
static bool better(const struct place *p, const struct unit *a, const struct unit *b, int node) {
    /* Cards of one desktop near each other: their traffic stays on one NUMA node. */
    const bool near_a = node >= 0 && a->card->numa_node == node;
    const bool near_b = node >= 0 && b->card->numa_node == node;
    if (near_a != near_b)
        return near_a;
    if (a->n_holders != b->n_holders)
        return p->o->policy == PX_GPU_SPREAD ? a->n_holders < b->n_holders
                                             : a->n_holders > b->n_holders;
    if (a->budget_bytes != b->budget_bytes)
        return p->o->policy == PX_GPU_SPREAD ? a->budget_bytes < b->budget_bytes
                                             : a->budget_bytes > b->budget_bytes;
    return a < b;
}

static int place_count(struct place *p, size_t n, struct px_error *err) {
    if (n > p->n_units || n > PX_GPU_GRANTS_MAX)
        return too_many(p, n, err);
    const struct unit *largest = &p->units[0];
    for (size_t i = 1; i < p->n_units; i++)
        if (memory_of(&p->units[i]) > memory_of(largest))
            largest = &p->units[i];
    int node = -1, r = check_budget(p, largest, err);
    if (r < 0)
        return r;
    for (size_t got = 0; got < n; got++) {
        struct unit *best = NULL;
        struct px_error why = {0};
        for (size_t i = 0; i < p->n_units; i++) {
            struct unit *u = &p->units[i];
            if (!u->taken && may_have(p, u, &why) == 0 && check_budget(p, u, &why) == 0 &&
                (!best || better(p, u, best, got > 0 ? node : -1)))
                best = u;
        }
        if (!best) {
            px_fail(err, -EBUSY, "%zu %s wanted, %zu of %zu can be had: %s", n,
                    n == 1 ? "GPU is" : "GPUs are", got, p->n_units, why.msg);
            return why.hint[0] ? px_hint(err, -EBUSY, "%s", why.hint) : -EBUSY;
        }
        take(p, best);
        node = best->card->numa_node;
    }
    return 0;
}

/* Every unit named by @id: a UUID, a PCI address or the card's index. */
static struct unit *find_unit(struct place *p, const char *id) {
    char address[PX_GPU_ADDRESS_MAX];
    char *end = NULL;
    const bool is_address = strchr(id, '.') && px_gpu_address(id, address) == 0;
    const unsigned long index = strtoul(id, &end, 10);
    const bool is_index = id[0] && *end == '\0' && strlen(id) <= 2;
    for (size_t i = 0; i < p->n_units; i++) {
        struct unit *u = &p->units[i];
        if (strcasecmp(uuid_of(u), id) == 0 ||
            (!u->mig && is_address && strcmp(u->card->address, address) == 0) ||
            (!u->mig && is_index && u->index == index))
            return u;
    }
    return NULL;
}

/* The card that @id names although it cannot be granted (ailing, or in MIG mode). */
static const struct px_gpu_card *find_other(const struct px_gpu_host *host, const char *id) {
    char address[PX_GPU_ADDRESS_MAX];
    const bool is_address = strchr(id, '.') && px_gpu_address(id, address) == 0;
    for (size_t i = 0; i < host->n_cards; i++) {
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        if ((host->cards[i].uuid[0] && strcasecmp(host->cards[i].uuid, id) == 0) ||
            (is_address && strcmp(host->cards[i].address, address) == 0) || strcmp(index, id) == 0)
            return &host->cards[i];
    }
    return NULL;
}

static int no_such(const struct place *p, const char *id, struct px_error *err) {
    const struct px_gpu_card *c = find_other(p->o->host, id);
    if (c && c->trouble[0]) {
        px_fail(err, -EINVAL, "card %s cannot be used: %s", c->address, c->trouble);
        return c->fix[0] ? px_hint(err, -EINVAL, "%s", c->fix) : -EINVAL;
    }
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    list_units(p, &b);
    if (c && c->mig) {
        px_fail(err, -EINVAL, "card %s is in MIG mode: its parts are given out, not the whole",
                c->address);
    } else if (strncmp(id, "MIG-", 4) == 0) {
        bool any = false;
        for (size_t i = 0; i < p->n_units; i++)
            any |= p->units[i].mig != NULL;
        px_fail(err, -EINVAL,
                any ? "no MIG device '%s' on this host"
                    : "no MIG device '%s': no card of this host is in MIG mode",
                id);
    } else {
        px_fail(err, -EINVAL, "no GPU '%s' on this host", id);
    }
    return px_hint(err, -EINVAL, "it has %s", px_buf_str(&b));
}

/* Mistakes in the wish come before the state of things: they stay when others let go. */
static int place_list(struct place *p, struct px_error *err) {
    struct unit *list[PX_GPU_GRANTS_MAX];
    const size_t n = p->want->n_ids;
    if (n > PX_GPU_GRANTS_MAX)
        return too_many(p, n, err);
    for (size_t i = 0; i < n; i++) {
        struct unit *u = list[i] = find_unit(p, p->want->ids[i]);
        if (!u)
            return no_such(p, p->want->ids[i], err);
        for (size_t k = 0; k < i; k++)
            if (list[k] == u)
                return px_fail(err, -EINVAL, "'%s' and '%s' are the same card %s", p->want->ids[k],
                               p->want->ids[i], uuid_of(u));
        int r = check_budget(p, u, err);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n; i++) {
        int r = may_have(p, list[i], err);
        if (r < 0)
            return r;
        take(p, list[i]);
    }
    return 0;
}

static struct unit *find_granted(struct place *p, const struct px_gpu_grant *g) {
    for (size_t i = 0; i < p->n_units; i++)
        if (strcasecmp(uuid_of(&p->units[i]), g->uuid) == 0)
            return &p->units[i];
    return NULL;
}

/* Whether what the desktop has is what it wants: then nothing moves. */
static bool keep(struct place *p) {
    const struct px_gpu_grants *before = p->o->before;
    const struct px_gpu_request *want = p->want;
    const size_t n = want->want == PX_GPU_COUNT  ? want->count
                     : want->want == PX_GPU_LIST ? want->n_ids
                                                 : p->n_units;
    if (!before || before->n == 0 || before->n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct unit *u = find_granted(p, &before->items[i]);
        if (!u || before->items[i].mode != want->mode || may_have(p, u, NULL) < 0 ||
            check_budget(p, u, NULL) < 0 ||
            (want->want == PX_GPU_LIST && find_unit(p, want->ids[i]) != u))
            return false;
    }
    for (size_t i = 0; i < n; i++)
        take(p, find_granted(p, &before->items[i]));
    return true;
}

static void explain(struct place *p, bool kept) {
    const struct px_gpu_request *want = p->want;
    if (kept)
        px_buf_puts(&p->why, ": as before");
    else if (want->want == PX_GPU_LIST)
        px_buf_puts(&p->why, ": as named");
    else if (want->want == PX_GPU_ALL)
        px_buf_puts(&p->why, ": all there are");
    else
        px_buf_puts(&p->why, p->o->policy == PX_GPU_SPREAD ? ": the least used (spread)"
                                                           : ": the fullest with room (pack)");
    if (want->mode == PX_GPU_EXCLUSIVE) {
        px_buf_puts(&p->why, "; exclusive");
        return;
    }
    char budget[PX_SIZE_TEXT_MAX];
    px_buf_puts(&p->why, "; shared");
    if (p->grants.n > 0 && p->grants.items[0].memory_bytes > 0)
        px_buf_printf(&p->why, ", %s of memory accounted each",
                      px_size_human(p->grants.items[0].memory_bytes, budget));
}

static int check_host(const struct place *p, struct px_error *err) {
    const struct px_gpu_host *host = p->o->host;
    if (host->state != PX_GPU_READY) {
        px_fail(err, -ENODEV, "%s", host->why);
        return px_hint(err, -ENODEV, "%s", host->fix);
    }
    if (p->n_units > 0)
        return 0;
    px_fail(err, -ENODEV, "no NVIDIA GPU of this host can be used%s%s",
            host->n_cards > 0 ? ": " : "", host->n_cards > 0 ? host->cards[0].trouble : "");
    return host->n_cards > 0 && host->cards[0].fix[0]
               ? px_hint(err, -ENODEV, "%s", host->cards[0].fix)
               : -ENODEV;
}

static int place(struct place *p, struct px_error *err) {
    int r = check_host(p, err);
    if (r < 0)
        return r;
    const bool kept = keep(p);
    if (!kept)
        r = p->want->want == PX_GPU_LIST  ? place_list(p, err)
            : p->want->want == PX_GPU_ALL ? place_count(p, p->n_units, err)
                                          : place_count(p, p->want->count, err);
    if (r == 0)
        explain(p, kept);
    return r;
}

int px_gpu_place(const struct px_gpu_place_opts *opts, const struct px_gpu_request *request,
                 struct px_gpu_grants *ret, char *ret_why, struct px_error *err) {
    if (request->want == PX_GPU_NONE) {
        *ret = (struct px_gpu_grants){0};
        ret_why[0] = '\0';
        return 0;
    }
    px_cleanup_free struct place *p = px_new0(struct place, 1);
    p->o = opts;
    p->want = request;
    make_units(p);
    int r = place(p, err);
    if (r == 0) {
        *ret = p->grants;
        snprintf(ret_why, PX_GPU_WHY_MAX, "%s", px_buf_str(&p->why));
    }
    px_buf_fini(&p->why);
    return r;
}
