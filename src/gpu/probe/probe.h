/* src/gpu/probe/probe.h - the program phoenix-gpu-probe: proof, from inside, that a card works
 *
 * Run as the desktop's user (and on the host, to compare). One line per check:
 *
 *     ok    cuda        2 cards, CUDA 13.0
 *     fail  managed     out of memory
 *     skip  nvenc       no encoder on this card
 *
 * or, with --json, the text that check/findings.h reads: {"findings": [{"verdict", "subject",
 * "text", "value", "unit"}]}. With --rates only what is measured. */
#pragma once
#include "base/error.h"
#include "gpu/probe/cuda.h"
#include <stdbool.h>

#define PROBE_CHECKS_MAX 128

enum verdict { PROBE_OK, PROBE_FAIL, PROBE_SKIP };

struct check {
    char name[32];
    char text[200];
    enum verdict verdict;
    double value; /* a measured rate; 0: none */
    const char *unit;
};

struct card {
    cu_device device;
    cu_context context;
    char uuid[48];
};

struct probe {
    struct check checks[PROBE_CHECKS_MAX];
    size_t n_checks;
    struct cuda cu;
    struct card cards[32];
    int n_cards;
    const char *const *expected; /* UUIDs granted; lent */
    size_t n_expected;
};

void probe_note(struct probe *p, enum verdict verdict, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same with a rate. */
void probe_measured(struct probe *p, const char *name, double value, const char *unit,
                    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* false: the call failed, and a check @name says so. */
bool probe_cuda(struct probe *p, int r, const char *name, const char *what);

void probe_nodes(struct probe *p);               /* /dev and /proc; needs no library */
void probe_versions(struct probe *p);            /* module and library agree */
void probe_cards(struct probe *p);               /* cuInit, count, UUIDs; fills p->cards */
void probe_kernel(struct probe *p, int card);    /* PTX, right numbers; on managed memory too */
void probe_bandwidth(struct probe *p, int card); /* device memory, pinned host memory */
void probe_pair(struct probe *p);                /* two cards: copies, all-reduce */
void probe_codec(struct probe *p, int card);     /* NVENC and NVDEC */
void probe_egl(struct probe *p);

/* c = a + b over n floats on the current card: the kernel in PTX. 0 or CUDA's code. */
int probe_add(const struct cuda *cu, cu_pointer a, cu_pointer b, cu_pointer c, uint32_t n);
