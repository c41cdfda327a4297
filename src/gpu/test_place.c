/* src/gpu/test_place.c */
#include "base/test.h"
#include "gpu/place.h"

#define GIB (UINT64_C(1) << 30)
#define A "GPU-aaaaaaaa-0000-0000-0000-000000000001"
#define B "GPU-bbbbbbbb-0000-0000-0000-000000000002"

/* The host this is made for: two cards of 16 GB, one encoder each. */
static struct px_gpu_host *two_5060(void) {
    static struct px_gpu_host host;
    host = (struct px_gpu_host){.state = PX_GPU_READY, .n_cards = 2};
    for (size_t i = 0; i < 2; i++) {
        struct px_gpu_card *c = &host.cards[i];
        *c = (struct px_gpu_card){.minor = (int)i,
                                  .numa_node = -1,
                                  .memory_bytes = 16 * GIB,
                                  .cc_major = 12,
                                  .encoder = 1,
                                  .driver = "nvidia",
                                  .name = "NVIDIA GeForce RTX 5060 Ti"};
        strcpy(c->uuid, i == 0 ? A : B);
        strcpy(c->address, i == 0 ? "0000:01:00.0" : "0000:02:00.0");
    }
    return &host;
}

/* An H200 in MIG mode with three parts. */
static struct px_gpu_host *mig_h200(void) {
    static struct px_gpu_host host;
    host = (struct px_gpu_host){.state = PX_GPU_READY, .n_cards = 1};
    struct px_gpu_card *c = &host.cards[0];
    *c = (struct px_gpu_card){.memory_bytes = 140 * GIB, .mig = true, .mig_capable = true};
    strcpy(c->uuid, A);
    strcpy(c->address, "0000:06:00.0");
    for (; c->n_migs < 3; c->n_migs++) {
        struct px_gpu_mig *m = &c->migs[c->n_migs];
        *m = (struct px_gpu_mig){.gi = (unsigned)c->n_migs + 1,
                                 .memory_bytes = 35 * GIB,
                                 .gi_minor = 12,
                                 .ci_minor = 13};
        snprintf(m->uuid, sizeof(m->uuid), "MIG-00000000-0000-0000-0000-00000000000%zu", c->n_migs);
    }
    return &host;
}

static struct px_gpu_hold hold(const char *uuid, enum px_gpu_mode mode, uint64_t memory,
                               const char *desktop) {
    struct px_gpu_hold h = {.grant = {.mode = mode, .memory_bytes = memory}, .desktop = desktop};
    strcpy(h.grant.uuid, uuid);
    return h;
}

static struct px_gpu_place_opts on(const struct px_gpu_host *host) {
    return (struct px_gpu_place_opts){.host = host, .max_shared = 4};
}

static struct px_gpu_request count(unsigned n) {
    return (struct px_gpu_request){.want = PX_GPU_COUNT, .count = n};
}

static struct px_gpu_request shared(uint64_t memory) {
    return (struct px_gpu_request){
        .want = PX_GPU_COUNT, .count = 1, .mode = PX_GPU_SHARED, .memory_bytes = memory};
}

static char why[PX_GPU_WHY_MAX];

static void exclusive_cards_go_to_one_desktop_each(void **state) {
    struct px_gpu_place_opts o = on(two_5060());
    struct px_gpu_grants g = {0};
    struct px_gpu_request one = count(1);
    struct px_error err = {0};
    px_assert_ok(px_gpu_place(&o, &one, &g, why, NULL));
    assert_int_equal(g.n, 1);
    assert_string_equal(g.items[0].uuid, A);
    px_assert_contains(why, "0000:01:00.0: the least used (spread); exclusive");
    const struct px_gpu_hold holds[] = {hold(A, PX_GPU_EXCLUSIVE, 0, "one"),
                                        hold(B, PX_GPU_EXCLUSIVE, 0, "two")};
    o.holds = holds;
    o.n_holds = 1;
    px_assert_ok(px_gpu_place(&o, &one, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, B);
    o.n_holds = 2;
    g.n = 77;
    assert_int_equal(px_gpu_place(&o, &one, &g, why, &err), -EBUSY);
    assert_int_equal(g.n, 77); /* untouched */
    px_assert_contains(err.msg, "is the exclusive card of");
    px_assert_contains(err.hint, "shared");
}

static void spread_takes_the_emptier_card_and_pack_the_fuller(void **state) {
    struct px_gpu_place_opts o = on(two_5060());
    struct px_gpu_grants g = {0};
    struct px_gpu_request want = shared(4 * GIB);
    const struct px_gpu_hold holds[] = {hold(A, PX_GPU_SHARED, 6 * GIB, "one")};
    o.holds = holds;
    o.n_holds = 1;
    px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, B);
    o.policy = PX_GPU_PACK;
    px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, A);
    px_assert_contains(why, "pack");
    px_assert_contains(why, "4.0 GiB of memory accounted");
    want = shared(12 * GIB); /* more than what is left on the fuller one */
    px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, B);
}

static void no_budget_means_an_equal_part(void **state) {
    struct px_gpu_place_opts o = on(two_5060());
    struct px_gpu_grants g = {0};
    struct px_gpu_request want = shared(0);
    px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
    assert_int_equal(g.items[0].memory_bytes, 4 * GIB);
}

static void so_many_share_and_no_more(void **state) {
    struct px_gpu_host *host = two_5060();
    struct px_gpu_place_opts o = on(host);
    struct px_gpu_grants g = {0};
    struct px_gpu_request want = shared(64 << 20);
    struct px_gpu_hold holds[9];
    struct px_error err = {0};
    host->n_cards = 1;
    for (size_t i = 0; i < 9; i++)
        holds[i] = hold(A, PX_GPU_SHARED, 64 << 20, "other");
    o.holds = holds;
    o.n_holds = 4;
    assert_int_equal(px_gpu_place(&o, &want, &g, why, &err), -EBUSY);
    px_assert_contains(err.hint, "gpus.max_shared");
    o.max_shared = 32;
    px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
    o.n_holds = 8; /* as many as the driver encodes for on a GeForce */
    assert_int_equal(px_gpu_place(&o, &want, &g, why, &err), -EBUSY);
    px_assert_contains(err.msg, "encodes for no more");
}

static void what_fits_stays_where_it_is(void **state) {
    struct px_gpu_place_opts o = on(two_5060());
    struct px_gpu_grants before = {.n = 1}, g = {0};
    struct px_gpu_request one = count(1), both = count(2);
    strcpy(before.items[0].uuid, B);
    o.before = &before;
    px_assert_ok(px_gpu_place(&o, &one, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, B); /* though A comes first */
    px_assert_contains(why, "as before");
    px_assert_ok(px_gpu_place(&o, &both, &g, why, NULL));
    assert_int_equal(g.n, 2);
    strcpy(before.items[0].uuid, "GPU-cccccccc-0000-0000-0000-000000000003"); /* a card taken out */
    px_assert_ok(px_gpu_place(&o, &one, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, A);
}

static void cards_are_named_in_three_ways(void **state) {
    struct px_gpu_place_opts o = on(two_5060());
    static const char *const names[] = {B, "0000:02:00.0", "02:00.0", "00000000:02:00.0", "1"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++) {
        char *ids[] = {(char *)names[i]};
        const struct px_gpu_request want = {.want = PX_GPU_LIST, .ids = ids, .n_ids = 1};
        struct px_gpu_grants g = {0};
        px_assert_ok(px_gpu_place(&o, &want, &g, why, NULL));
        assert_string_equal(g.items[0].uuid, B);
    }
}

static void mig_parts_are_units_of_their_own(void **state) {
    struct px_gpu_place_opts o = on(mig_h200());
    struct px_gpu_grants g = {0};
    struct px_gpu_request all = {.want = PX_GPU_ALL}, one = count(1);
    struct px_error err = {0};
    px_assert_ok(px_gpu_place(&o, &all, &g, why, NULL));
    assert_int_equal(g.n, 3);
    const struct px_gpu_hold holds[] = {hold(g.items[0].uuid, PX_GPU_EXCLUSIVE, 0, "x")};
    o.holds = holds;
    o.n_holds = 1;
    px_assert_ok(px_gpu_place(&o, &one, &g, why, NULL));
    assert_string_equal(g.items[0].uuid, "MIG-00000000-0000-0000-0000-000000000001");
    char *ids[] = {(char *)A};
    const struct px_gpu_request whole = {.want = PX_GPU_LIST, .ids = ids, .n_ids = 1};
    assert_int_equal(px_gpu_place(&o, &whole, &g, why, &err), -EINVAL);
    px_assert_contains(err.msg, "in MIG mode");
    px_assert_contains(err.hint, "MIG-00000000");
}

static void wishes_that_no_host_state_mends_are_mistakes(void **state) {
    static const struct {
        const char *ids[2];
        size_t n_ids;
        unsigned count;
        uint64_t memory;
        const char *msg, *hint;
    } cases[] = {
        {.count = 3, .msg = "3 GPUs are wanted, this host has 2", .hint = A " (0000:01:00.0)"},
        {{"GPU-00000000-0000-0000-0000-000000000009"}, 1, .msg = "no GPU 'GPU-0", .hint = B},
        {{"2"}, 1, .msg = "no GPU '2'", .hint = A},
        {{"0000:09:00.0"}, 1, .msg = "no GPU '0000:09:00.0'", .hint = A},
        {{"MIG-12345678-0000"}, 1, .msg = "no card of this host is in MIG mode", .hint = A},
        {{"0", A}, 2, .msg = "are the same card", .hint = ""},
        {.count = 1, .memory = 17 * GIB, .msg = "17GiB is more than the 16.0 GiB", .hint = "less"},
        {{"1"}, 1, .memory = 17 * GIB, .msg = "17GiB is more", .hint = "less"},
    };
    const struct px_gpu_hold holds[] = {hold(A, PX_GPU_EXCLUSIVE, 0, "x"),
                                        hold(B, PX_GPU_EXCLUSIVE, 0, "y")};
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_gpu_place_opts o = on(two_5060());
        const struct px_gpu_request want = {.want = cases[i].n_ids ? PX_GPU_LIST : PX_GPU_COUNT,
                                            .count = cases[i].count,
                                            .ids = (char **)cases[i].ids,
                                            .n_ids = cases[i].n_ids,
                                            .mode =
                                                cases[i].memory ? PX_GPU_SHARED : PX_GPU_EXCLUSIVE,
                                            .memory_bytes = cases[i].memory};
        struct px_gpu_grants g = {.n = 9};
        struct px_error err = {0};
        o.holds = holds; /* also when everything is taken */
        o.n_holds = 2;
        assert_int_equal(px_gpu_place(&o, &want, &g, why, &err), -EINVAL);
        px_assert_contains(err.msg, cases[i].msg);
        px_assert_contains(err.hint, cases[i].hint);
        assert_int_equal(g.n, 9);
    }
}

static void a_host_that_cannot_says_what_to_do(void **state) {
    struct px_gpu_host *host = two_5060();
    struct px_gpu_place_opts o = on(host);
    struct px_gpu_grants g = {0};
    struct px_gpu_request one = count(1), none = {.want = PX_GPU_NONE};
    struct px_error err = {0};
    host->state = PX_GPU_MISMATCH;
    strcpy(host->why, "the module is old");
    strcpy(host->fix, "reboot");
    assert_int_equal(px_gpu_place(&o, &one, &g, why, &err), -ENODEV);
    assert_string_equal(err.msg, "the module is old");
    assert_string_equal(err.hint, "reboot");
    px_assert_ok(px_gpu_place(&o, &none, &g, why, NULL)); /* without a card nothing is wrong */
    host->state = PX_GPU_READY;
    for (size_t i = 0; i < 2; i++)
        strcpy(host->cards[i].trouble, "it is set aside for virtual machines (vfio-pci)");
    assert_int_equal(px_gpu_place(&o, &one, &g, why, &err), -ENODEV);
    px_assert_contains(err.msg, "vfio-pci");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusive_cards_go_to_one_desktop_each),
        cmocka_unit_test(spread_takes_the_emptier_card_and_pack_the_fuller),
        cmocka_unit_test(no_budget_means_an_equal_part),
        cmocka_unit_test(so_many_share_and_no_more),
        cmocka_unit_test(what_fits_stays_where_it_is),
        cmocka_unit_test(cards_are_named_in_three_ways),
        cmocka_unit_test(mig_parts_are_units_of_their_own),
        cmocka_unit_test(wishes_that_no_host_state_mends_are_mistakes),
        cmocka_unit_test(a_host_that_cannot_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
