/* src/check/verify_gpu_parse.c - what phoenix-gpu-probe measured, inside against outside */
#include "check/verify_gpu_parse.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct px_rate *find(struct px_rates *rates, const char *subject, const char *of,
                            const char *unit) {
    for (size_t i = 0; i < rates->n; i++)
        if (strcmp(rates->items[i].subject, subject) == 0 && strcmp(rates->items[i].of, of) == 0 &&
            strcmp(rates->items[i].unit, unit) == 0)
            return &rates->items[i];
    if (rates->n == PX_RATES_MAX)
        return NULL;
    struct px_rate *r = &rates->items[rates->n++];
    *r = (struct px_rate){0};
    snprintf(r->subject, sizeof(r->subject), "%s", subject);
    snprintf(r->of, sizeof(r->of), "%s", of);
    snprintf(r->unit, sizeof(r->unit), "%s", unit);
    return r;
}

void px_rates_add(struct px_rates *rates, const struct px_findings *list, bool inside) {
    for (size_t i = 0; i < list->n; i++) {
        const struct px_finding *f = &list->items[i];
        char of[sizeof(rates->items[0].of)], subject[sizeof(rates->items[0].subject)],
            unit[sizeof(rates->items[0].unit)];
        const size_t end = strcspn(f->text, ":");
        if (!f->unit || f->verdict != PX_VERDICT_OK || !isfinite(f->value) || f->value <= 0 ||
            end >= sizeof(of) || strlen(f->subject) >= sizeof(subject) ||
            strlen(f->unit) >= sizeof(unit))
            continue;
        snprintf(of, sizeof(of), "%.*s", (int)end, f->text);
        struct px_rate *r = find(rates, f->subject, of, f->unit);
        if (r && r->n[inside] < PX_RATES_ROUNDS_MAX)
            r->values[inside][r->n[inside]++] = f->value;
    }
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *values, size_t n) {
    double sorted[PX_RATES_ROUNDS_MAX];
    memcpy(sorted, values, n * sizeof(values[0]));
    qsort(sorted, n, sizeof(sorted[0]), by_value);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

bool px_rate_medians(const struct px_rate *rate, double *ret_outside, double *ret_inside) {
    if (rate->n[0] == 0 || rate->n[1] == 0)
        return false;
    *ret_outside = median(rate->values[0], rate->n[0]);
    *ret_inside = median(rate->values[1], rate->n[1]);
    return *ret_outside > 0;
}

void px_rates_judge(const struct px_rates *rates, double least, struct px_findings *ret) {
    for (size_t i = 0; i < rates->n; i++) {
        const struct px_rate *r = &rates->items[i];
        double outside, inside;
        if (!px_rate_medians(r, &outside, &inside))
            continue;
        const double ratio = inside / outside;
        px_findings_add(ret, ratio < least ? PX_VERDICT_WARN : PX_VERDICT_OK, "gpu-ratio",
                        ratio < least ? "look what else uses the card or the processor (phoenix "
                                        "gpu top), then verify again"
                                      : NULL,
                        "%s, %s: %.5g %s inside, %.5g outside: %.3f", r->subject, r->of, inside,
                        r->unit, outside, ratio);
        px_findings_value(ret, ratio, "inside/outside");
    }
}
