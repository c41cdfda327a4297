/* src/check/stages.c - where a picture's time goes, from phoenix-host's metrics */
#include "check/stages.h"
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "phoenix_host_stage_seconds_"
#define FIRST_BOUND_S 125e-6
#define LINE_BYTES 256

static struct px_stage_times *stage_of(struct px_stages *s, const char *name) {
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->items[i].name, name) == 0)
            return &s->items[i];
    if (s->n == PX_STAGES_MAX)
        return NULL;
    struct px_stage_times *t = &s->items[s->n++];
    snprintf(t->name, sizeof(t->name), "%s", name);
    return t;
}

/* Index of the bucket with that bound; -1: there is none. */
static int bucket_of(const char *le) {
    if (strcmp(le, "+Inf") == 0)
        return PX_STAGE_BUCKETS - 1;
    const double s = strtod(le, NULL);
    double bound = FIRST_BOUND_S;
    for (int i = 0; i < PX_STAGE_BUCKETS - 1; i++, bound *= 2)
        if (fabs(s - bound) < bound / 100)
            return i;
    return -1;
}

static void take_line(const char *line, struct px_stages *ret) {
    char stage[16], codec[16], le[16];
    double value;
    struct px_stage_times *t;
    if (sscanf(line,
               PREFIX "bucket{stage=\"%15[a-z]\",codec=\"%15[a-z0-9]\",le=\"%15[0-9.e+Inf-]\"} %lf",
               stage, codec, le, &value) == 4 &&
        value >= 0 && value < 1e15) {
        const int i = bucket_of(le);
        if (i >= 0 && (t = stage_of(ret, stage)))
            t->upto[i] += (uint64_t)value;
    } else if (sscanf(line, PREFIX "sum{stage=\"%15[a-z]\",codec=\"%15[a-z0-9]\"} %lf", stage,
                      codec, &value) == 3 &&
               value >= 0 && value < 1e15 && (t = stage_of(ret, stage)))
        t->sum_s += value;
}

void px_stages_parse(const char *text, struct px_stages *ret) {
    *ret = (struct px_stages){0};
    while (*text) {
        char line[LINE_BYTES];
        const size_t n = strcspn(text, "\n");
        if (n < sizeof(line)) {
            memcpy(line, text, n);
            line[n] = '\0';
            take_line(line, ret);
        }
        text += n + (text[n] == '\n');
    }
}

static uint64_t more(uint64_t after, uint64_t before) {
    return after > before ? after - before : 0;
}

static json_t *one(const struct px_stage_times *before, const struct px_stage_times *after) {
    static const struct px_stage_times nothing;
    json_t *buckets = json_array();
    double bound_ms = FIRST_BOUND_S * 1e3;
    uint64_t lower = 0;
    if (!before)
        before = &nothing;
    for (int i = 0; i < PX_STAGE_BUCKETS; i++, bound_ms *= 2) {
        const uint64_t upto = more(after->upto[i], before->upto[i]);
        const bool last = i == PX_STAGE_BUCKETS - 1;
        if (upto > lower)
            json_array_append_new(buckets,
                                  json_pack("[o, I]", last ? json_null() : json_real(bound_ms),
                                            (json_int_t)(upto - lower)));
        lower = upto > lower ? upto : lower;
    }
    const uint64_t n = more(after->upto[PX_STAGE_BUCKETS - 1], before->upto[PX_STAGE_BUCKETS - 1]);
    const double sum_s = after->sum_s > before->sum_s ? after->sum_s - before->sum_s : 0;
    return json_pack("{sI sf so}", "count", (json_int_t)n, "mean_ms",
                     n ? sum_s / (double)n * 1e3 : 0.0, "buckets", buckets);
}

json_t *px_stages_json(const struct px_stages *before, const struct px_stages *after) {
    json_t *o = json_object();
    for (size_t i = 0; i < after->n; i++) {
        const struct px_stage_times *was = NULL;
        for (size_t k = 0; k < before->n; k++)
            if (strcmp(before->items[k].name, after->items[i].name) == 0)
                was = &before->items[k];
        json_object_set_new(o, after->items[i].name, one(was, &after->items[i]));
    }
    return o;
}
