/* src/host/stats.c - how long the stages of a picture take, as histograms */
#include "host/stats.h"
#include <inttypes.h>

static const char *const stage_names[PX_N_STAGES] = {"wait",   "grab", "convert",
                                                     "encode", "send", "ack"};

void px_stats_stage(struct px_stats *s, enum px_codec codec, enum px_stage stage, int64_t us) {
    px_histogram_add(&s->stages[codec][stage], us);
}

void px_stats_packet(struct px_stats *s, const struct px_video_packet *p) {
    const struct px_video_times *t = &p->times;
    s->packets[p->codec]++;
    s->keys[p->codec] += p->key;
    s->bytes[p->codec] += p->size;
    if (t->damage_us)
        px_stats_stage(s, p->codec, PX_STAGE_WAIT, t->grab_us - t->damage_us);
    if (t->convert_us) {
        px_stats_stage(s, p->codec, PX_STAGE_GRAB, t->convert_us - t->grab_us);
        px_stats_stage(s, p->codec, PX_STAGE_CONVERT, t->read_us - t->convert_us);
    }
    px_stats_stage(s, p->codec, PX_STAGE_ENCODE, t->done_us - t->encode_us);
}

static void print_histogram(const struct px_histogram *h, const char *stage, const char *codec,
                            struct px_buf *out) {
    static const char name[] = "phoenix_host_stage_seconds";
    uint64_t sum = 0;
    if (h->n == 0)
        return;
    for (int i = 0; i < PX_HISTOGRAM_BOUNDS; i++) {
        sum += h->counts[i];
        px_buf_printf(out, "%s_bucket{stage=\"%s\",codec=\"%s\",le=\"%g\"} %" PRIu64 "\n", name,
                      stage, codec, px_histogram_bound_us(i) / 1e6, sum);
    }
    px_buf_printf(out, "%s_bucket{stage=\"%s\",codec=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
                  stage, codec, h->n);
    px_buf_printf(out, "%s_sum{stage=\"%s\",codec=\"%s\"} %.6f\n", name, stage, codec,
                  (double)h->sum_us / 1e6);
    px_buf_printf(out, "%s_count{stage=\"%s\",codec=\"%s\"} %" PRIu64 "\n", name, stage, codec,
                  h->n);
}

static void print_counters(const uint64_t *values, const char *name, const char *help,
                           struct px_buf *out) {
    px_buf_printf(out, "# HELP phoenix_host_%s %s\n# TYPE phoenix_host_%s counter\n", name, help,
                  name);
    for (int c = 0; c < PX_N_CODECS; c++)
        if (values[c])
            px_buf_printf(out, "phoenix_host_%s{codec=\"%s\"} %" PRIu64 "\n", name,
                          px_codec_name((enum px_codec)c), values[c]);
}

void px_stats_print(const struct px_stats *s, struct px_buf *out) {
    px_buf_printf(out, "# HELP phoenix_host_stage_seconds Time of a picture in each stage.\n"
                       "# TYPE phoenix_host_stage_seconds histogram\n");
    for (int stage = 0; stage < PX_N_STAGES; stage++)
        for (int c = 0; c < PX_N_CODECS; c++)
            print_histogram(&s->stages[c][stage], stage_names[stage],
                            px_codec_name((enum px_codec)c), out);
    print_counters(s->packets, "packets_total", "Pictures encoded.", out);
    print_counters(s->keys, "key_packets_total", "Key frames among them.", out);
    print_counters(s->bytes, "packet_bytes_total", "Bytes of all of them.", out);
}
