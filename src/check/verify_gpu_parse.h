/* src/check/verify_gpu_parse.h - what phoenix-gpu-probe measured, inside against outside
 *
 * Pure. The probe's answer is read by px_findings_parse(). A measurement is known by its subject
 * and what stands before the colon of its text: "bandwidth" of "card 0". */
#pragma once
#include "check/findings.h"
#include <stdbool.h>

#define PX_RATES_MAX 64
#define PX_RATES_ROUNDS_MAX 9

struct px_rate {
    char subject[32], of[32]; /* "bandwidth", "card 0" */
    char unit[16];
    double values[2][PX_RATES_ROUNDS_MAX]; /* [0] outside, [1] inside */
    size_t n[2];
};

struct px_rates { /* zeroed is empty */
    struct px_rate items[PX_RATES_MAX];
    size_t n;
};

/* Adds every measurement of @list. Past the bounds they are left out. */
void px_rates_add(struct px_rates *rates, const struct px_findings *list, bool inside);
/* Medians, each side's; false: one side has none, or measured nothing. */
bool px_rate_medians(const struct px_rate *rate, double *ret_outside, double *ret_inside);
/* A finding per measurement that both sides have: "card 0: 4277 inside, 4276 outside: 1.000", its
 * value the ratio. Below @least a warning. */
void px_rates_judge(const struct px_rates *rates, double least, struct px_findings *ret);
