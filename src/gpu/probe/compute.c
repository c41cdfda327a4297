/* src/gpu/probe/compute.c - a kernel with known results, and how fast memory is */
#include "gpu/probe/probe.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <stdlib.h>
#include <string.h>

#define N_FLOATS (1u << 20)
#define BLOCK 256
#define PINNED_BYTES ((size_t)256 << 20)
#define COPY_BYTES_MAX ((size_t)2 << 30)
#define COPIES 20
#define ROUNDS 5

/* c[i] = a[i] + b[i]. The target is the oldest that today's drivers translate. */
static const char ptx[] =
    ".version 6.0\n"
    ".target sm_50\n"
    ".address_size 64\n"
    ".visible .entry add(.param .u64 pa, .param .u64 pb, .param .u64 pc,\n"
    "                    .param .u32 pn) {\n"
    "  .reg .pred %p; .reg .b32 %r<6>; .reg .b64 %d<8>; .reg .f32 %f<4>;\n"
    "  mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;\n"
    "  mad.lo.s32 %r4, %r1, %r2, %r3;\n"
    "  ld.param.u32 %r5, [pn];\n"
    "  setp.ge.u32 %p, %r4, %r5;\n"
    "  @%p bra END;\n"
    "  ld.param.u64 %d1, [pa]; ld.param.u64 %d2, [pb]; ld.param.u64 %d3, [pc];\n"
    "  mul.wide.u32 %d4, %r4, 4;\n"
    "  add.s64 %d5, %d1, %d4; add.s64 %d6, %d2, %d4; add.s64 %d7, %d3, %d4;\n"
    "  ld.f32 %f1, [%d5]; ld.f32 %f2, [%d6];\n"
    "  add.rn.f32 %f3, %f1, %f2;\n"
    "  st.f32 [%d7], %f3;\n"
    "END:\n"
    "  ret;\n"
    "}\n";

int probe_add(const struct cuda *cu, cu_pointer a, cu_pointer b, cu_pointer c, uint32_t n) {
    cu_module module = NULL;
    cu_function add = NULL;
    void *args[] = {&a, &b, &c, &n};
    int r = cu->module_load(&module, ptx);
    if (r != CU_OK)
        return r;
    r = cu->function(&add, module, "add");
    if (r == CU_OK)
        r = cu->launch(add, (n + BLOCK - 1) / BLOCK, 1, 1, BLOCK, 1, 1, 0, NULL, args, NULL);
    const int end = cu->sync();
    cu->module_unload(module);
    return r == CU_OK ? end : r;
}

/* Random, so that a stale or swapped result shows; exact in the sum of two. */
static void fill(float *v, size_t n, unsigned *seed) {
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(rand_r(seed) % 65536) / 16;
}

static size_t n_wrong(const float *a, const float *b, const float *c, size_t n) {
    size_t wrong = 0;
    for (size_t i = 0; i < n; i++)
        wrong += c[i] != a[i] + b[i];
    return wrong;
}

static void kernel_on_device(struct probe *p, int card) {
    const size_t bytes = N_FLOATS * sizeof(float);
    px_cleanup_free float *a = px_calloc(N_FLOATS, sizeof(float));
    px_cleanup_free float *b = px_calloc(N_FLOATS, sizeof(float));
    px_cleanup_free float *c = px_calloc(N_FLOATS, sizeof(float));
    cu_pointer da = 0, db = 0, dc = 0;
    unsigned seed = (unsigned)getpid();
    fill(a, N_FLOATS, &seed);
    fill(b, N_FLOATS, &seed);
    int r = p->cu.alloc(&da, bytes);
    if (r == CU_OK)
        r = p->cu.alloc(&db, bytes);
    if (r == CU_OK)
        r = p->cu.alloc(&dc, bytes);
    if (r == CU_OK)
        r = p->cu.to_device(da, a, bytes);
    if (r == CU_OK)
        r = p->cu.to_device(db, b, bytes);
    if (r == CU_OK)
        r = probe_add(&p->cu, da, db, dc, N_FLOATS);
    if (r == CU_OK)
        r = p->cu.to_host(c, dc, bytes);
    p->cu.free_(da);
    p->cu.free_(db);
    p->cu.free_(dc);
    if (!probe_cuda(p, r, "kernel", p->cards[card].uuid))
        return;
    const size_t wrong = n_wrong(a, b, c, N_FLOATS);
    if (wrong > 0)
        probe_note(p, PROBE_FAIL, "kernel", "%zu of %u sums are wrong", wrong, N_FLOATS);
    else
        probe_note(p, PROBE_OK, "kernel", "%u sums on card %d are right", N_FLOATS, card);
}

/* Host and card take turns on one small allocation: this is what needs /dev/nvidia-uvm. */
static void kernel_on_managed(struct probe *p, int card) {
    const size_t bytes = 3 * N_FLOATS * sizeof(float);
    size_t free_bytes = 0, total = 0;
    cu_pointer m = 0;
    unsigned seed = (unsigned)getpid() + 1;
    p->cu.mem_info(&free_bytes, &total);
    if (free_bytes < 16 * bytes) {
        probe_note(p, PROBE_SKIP, "managed", "card %d has too little memory free", card);
        return;
    }
    if (!probe_cuda(p, p->cu.alloc_managed(&m, bytes, CU_ATTACH_GLOBAL), "managed", "allocation"))
        return;
    float *a = (float *)(uintptr_t)m, *b = a + N_FLOATS, *c = b + N_FLOATS; /* NOLINT */
    fill(a, 2 * (size_t)N_FLOATS, &seed);
    memset(c, 0xff, N_FLOATS * sizeof(float));
    int r = probe_add(&p->cu, m, m + N_FLOATS * 4ull, m + 2 * (N_FLOATS * 4ull), N_FLOATS);
    if (probe_cuda(p, r, "managed", "kernel")) {
        const size_t wrong = n_wrong(a, b, c, N_FLOATS);
        if (wrong > 0)
            probe_note(p, PROBE_FAIL, "managed", "%zu of %u sums are wrong", wrong, N_FLOATS);
        else
            probe_note(p, PROBE_OK, "managed", "%u sums in managed memory are right", N_FLOATS);
    }
    p->cu.free_(m);
}

void probe_kernel(struct probe *p, int card) {
    kernel_on_device(p, card);
    kernel_on_managed(p, card);
}

struct timer {
    cu_event begin, end;
};

static int by_value(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Median over ROUNDS of the time of COPIES copies, in ms; less than 0: failed. @host NULL: on the
 * device, from @src to @dst. */
static float time_copies(const struct cuda *cu, cu_pointer dst, cu_pointer src, const void *host,
                         size_t bytes) {
    struct timer t = {0};
    float ms[ROUNDS] = {0};
    int r = cu->event_new(&t.begin, 0);
    if (r == CU_OK)
        r = cu->event_new(&t.end, 0);
    for (int round = -1; round < ROUNDS && r == CU_OK; round++) { /* the first warms up */
        r = cu->event_record(t.begin, NULL);
        for (int i = 0; i < COPIES && r == CU_OK; i++)
            r = host ? cu->to_device(dst, host, bytes) : cu->on_device(dst, src, bytes);
        if (r == CU_OK && (r = cu->event_record(t.end, NULL)) == CU_OK &&
            (r = cu->event_sync(t.end)) == CU_OK && round >= 0)
            r = cu->event_ms(&ms[round], t.begin, t.end);
    }
    cu->event_free(t.begin);
    cu->event_free(t.end);
    qsort(ms, ROUNDS, sizeof(ms[0]), by_value);
    return r == CU_OK ? ms[ROUNDS / 2] : -1;
}

static void device_bandwidth(struct probe *p, int card) {
    size_t free_bytes = 0, total = 0;
    cu_pointer a = 0, b = 0;
    p->cu.mem_info(&free_bytes, &total);
    const size_t bytes = free_bytes / 8 < COPY_BYTES_MAX ? free_bytes / 8 : COPY_BYTES_MAX;
    int r = p->cu.alloc(&a, bytes);
    if (r == CU_OK)
        r = p->cu.alloc(&b, bytes);
    if (probe_cuda(p, r, "bandwidth", "allocation")) {
        const float ms = time_copies(&p->cu, b, a, NULL, bytes);
        const double rate = 2.0 * (double)bytes * COPIES / (ms * 1e6); /* read and written */
        if (ms <= 0)
            probe_note(p, PROBE_FAIL, "bandwidth", "copying failed");
        else
            probe_measured(p, "bandwidth", rate, "GB/s", "card %d: %.0f GB/s in device memory",
                           card, rate);
    }
    p->cu.free_(a);
    p->cu.free_(b);
}

/* Locked memory: what RLIMIT_MEMLOCK and the driver let an ordinary user have. */
static void pinned_bandwidth(struct probe *p, int card) {
    void *host = NULL;
    cu_pointer a = 0;
    if (!probe_cuda(p, p->cu.alloc_host(&host, PINNED_BYTES), "pinned", "allocation"))
        return;
    memset(host, 1, PINNED_BYTES);
    if (probe_cuda(p, p->cu.alloc(&a, PINNED_BYTES), "pinned", "allocation")) {
        const float ms = time_copies(&p->cu, a, 0, host, PINNED_BYTES);
        const double rate = (double)PINNED_BYTES * COPIES / (ms * 1e6);
        if (ms <= 0)
            probe_note(p, PROBE_FAIL, "pinned", "copying failed");
        else
            probe_measured(p, "pinned", rate, "GB/s", "card %d: %.1f GB/s from pinned memory", card,
                           rate);
    }
    p->cu.free_(a);
    p->cu.free_host(host);
}

void probe_bandwidth(struct probe *p, int card) {
    device_bandwidth(p, card);
    pinned_bandwidth(p, card);
}
