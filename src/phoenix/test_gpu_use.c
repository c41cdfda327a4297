/* src/phoenix/test_gpu_use.c */
#include "base/alloc.h"
#include "base/test.h"
#include "phoenix/gpu_use.h"
#include <string.h>

#define GiB (UINT64_C(1) << 30)

static struct px_nvml_proc proc(uint64_t memory, int gpu, int encoder) {
    return (struct px_nvml_proc){.memory_bytes = memory,
                                 .gpu_percent = gpu,
                                 .encoder_percent = encoder,
                                 .decoder_percent = -1};
}

static void grant(struct px_record *rec, const char *uuid, enum px_gpu_mode mode, uint64_t budget) {
    struct px_gpu_grant *g = &rec->gpus.items[rec->gpus.n++];
    *g = (struct px_gpu_grant){.mode = mode, .memory_bytes = budget};
    strcpy(g->uuid, uuid);
}

static void desktops_are_summed_over_their_processes_and_cards(void **state) {
    (void)state;
    px_cleanup_free struct px_nvml *nvml = px_new0(struct px_nvml, 1);
    nvml->n_cards = 2;
    strcpy(nvml->cards[0].uuid, "GPU-a");
    strcpy(nvml->cards[1].uuid, "GPU-b");
    strcpy(nvml->cards[1].migs[0].uuid, "MIG-b");
    nvml->cards[1].n_migs = 1;
    nvml->cards[0].encoder = 1;
    nvml->cards[0].procs[0] = proc(GiB, 40, 10);
    nvml->cards[0].procs[1] = proc(2 * GiB, 59, -1);
    nvml->cards[0].n_procs = 2;
    nvml->cards[1].procs[0] = proc(3 * GiB, -1, 7); /* a card without encoder */
    nvml->cards[1].procs[1] = proc(4 * GiB, 1, -1);
    nvml->cards[1].n_procs = 2;
    char a_[] = "a", b_[] = "b", none[] = "none", damaged[] = "damaged", host[] = "",
         gone[] = "gone";
    char *owners[] = {b_, host, b_, gone};

    px_cleanup_free struct px_record *a = px_new0(struct px_record, 1),
                                     *b = px_new0(struct px_record, 1),
                                     *c = px_new0(struct px_record, 1);
    grant(a, "MIG-b", PX_GPU_EXCLUSIVE, 0);
    grant(b, "gpu-A", PX_GPU_SHARED, 6 * GiB);
    grant(b, "GPU-b", PX_GPU_SHARED, 2 * GiB);
    struct px_status list[] = {{.name = a_, .rec = a},
                               {.name = none, .rec = c},
                               {.name = damaged},
                               {.name = b_, .rec = b}};

    px_cleanup_free struct px_gpu_use *u = px_gpu_use_sum(nvml, owners, list, 4);
    assert_string_equal(u[0].desktop, "a"); /* has a card and does nothing with it */
    assert_int_equal(u[0].cards, 2);
    assert_int_equal(u[0].n_procs, 0);
    assert_int_equal(u[0].gpu_percent, -1);
    assert_int_equal(u[0].budget_bytes, 0);
    assert_string_equal(u[1].desktop, "b");
    assert_int_equal(u[1].cards, 3);
    assert_int_equal(u[1].n_procs, 2);
    assert_int_equal(u[1].memory_bytes, 4 * GiB);
    assert_int_equal(u[1].budget_bytes, 8 * GiB);
    assert_int_equal(u[1].gpu_percent, 40);
    assert_int_equal(u[1].encoder_percent, 10);
    assert_int_equal(u[1].decoder_percent, -1);
    assert_string_equal(u[2].desktop, ""); /* the host's own */
    assert_int_equal(u[2].gpu_percent, 59);
    assert_string_equal(u[3].desktop, "gone"); /* removed a moment ago */
    assert_int_equal(u[3].cards, 2);
    assert_null(u[4].desktop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(desktops_are_summed_over_their_processes_and_cards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
