/* src/check/stages.h - where a picture's time goes, from phoenix-host's metrics
 *
 * Shape: Prometheus' text form, lines
 *     phoenix_host_stage_seconds_bucket{stage="encode",codec="vp9",le="0.004"} 17
 *     phoenix_host_stage_seconds_sum{stage="encode",codec="vp9"} 0.031
 * of which le is one of twelve powers of two from 125 us, or +Inf; codecs are added up. A
 * stranger's text: what is not such a line is passed over. Pure. Source: src/host/stats.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_STAGES_MAX 8
#define PX_STAGE_BUCKETS 13 /* the last: above all bounds */

struct px_stage_times {
    char name[16];
    uint64_t upto[PX_STAGE_BUCKETS]; /* how many took at most 125 us << i; the last: all */
    double sum_s;
};

struct px_stages {
    struct px_stage_times items[PX_STAGES_MAX];
    size_t n;
};

void px_stages_parse(const char *text, struct px_stages *ret);
struct json_t;
/* What came between @before and @after: {"encode": {"count", "mean_ms", "buckets": [[ms, n], ...]}}
 * with the number of each bucket by itself, empty ones left out; the last one's bound is null. The
 * reference is the caller's. */
struct json_t *px_stages_json(const struct px_stages *before, const struct px_stages *after);
