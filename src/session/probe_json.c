/* src/session/probe_json.c - what the probe found, for programs */
#include "session/probe.h"
#include <stdio.h>

static double ms(int64_t us) {
    return (double)us / 1e3;
}

static void set(json_t *o, const char *key, json_t *value) {
    json_object_set_new(o, key, value);
}

/* {"ok": bool, "error": why not}; NULL: it was not asked for. */
static json_t *deed(const struct px_probe_deed *d) {
    if (!d->asked)
        return NULL;
    return json_pack("{sb ss*}", "ok", d->done, "error", d->done ? NULL : d->trouble);
}

static void add_services(const struct px_probe_result *r, json_t *root) {
    json_t *o = deed(&r->clipboard);
    if (o) {
        set(o, "there_ms", json_real(ms(r->clip_there_us)));
        set(o, "back_ms", json_real(ms(r->clip_back_us)));
        set(root, "clipboard", o);
    }
    if ((o = deed(&r->files))) {
        set(o, "put_ms", json_real(ms(r->put_us)));
        set(o, "get_ms", json_real(ms(r->get_us)));
        set(root, "files", o);
    }
    if ((o = deed(&r->put))) {
        set(o, "bytes", json_integer((json_int_t)r->put_bytes));
        set(root, "put", o);
    }
    if ((o = deed(&r->get))) {
        set(o, "bytes", json_integer((json_int_t)r->got_bytes));
        set(root, "get", o);
    }
    if ((o = deed(&r->tunnel))) {
        set(o, "open_ms", json_real(ms(r->tunnel_open_us)));
        set(o, "first_byte_ms", json_real(ms(r->tunnel_first_us)));
        set(o, "line", json_string(r->tunnel_line));
        set(root, "tunnel", o);
    }
}

static void add_latency(const struct px_probe_result *r, json_t *root) {
    set(root, "latency_asked", json_integer(r->n_asked));
    set(root, "latency_samples", json_integer(r->n_latency));
    if (r->n_latency > 0) {
        set(root, "latency_p50_ms", json_real(ms(r->latency_p50_us)));
        set(root, "latency_p95_ms", json_real(ms(r->latency_p95_us)));
        set(root, "latency_max_ms", json_real(ms(r->latency_max_us)));
    }
    if (r->latency_note[0])
        set(root, "latency_note", json_string(r->latency_note));
}

/* Pictures decoded, by the time it took: "at most so many ms" to how many, none counted twice. */
static json_t *decode_json(const struct px_histogram *h) {
    json_t *o = json_object();
    char at_most[24];
    for (int i = 0; i < PX_HISTOGRAM_BOUNDS; i++) {
        snprintf(at_most, sizeof(at_most), "%g", px_histogram_bound_us(i) / 1e3);
        if (h->counts[i])
            set(o, at_most, json_integer((json_int_t)h->counts[i]));
    }
    if (h->counts[PX_HISTOGRAM_BOUNDS])
        set(o, "more", json_integer((json_int_t)h->counts[PX_HISTOGRAM_BOUNDS]));
    return o;
}

static void add_picture(const struct px_probe_result *r, json_t *root) {
    json_t *o =
        json_pack("{ss sb si si sf si si si sI si}", "codec", r->codec, "i444", r->i444, "width",
                  r->width, "height", r->height, "first_frame_ms", ms(r->first_frame_us), "frames",
                  (int)r->n_frames, "key_frames", (int)r->n_keys, "cursors", (int)r->n_cursors,
                  "video_bytes", (json_int_t)r->n_bytes, "host_delay_ms", (int)r->host_delay_ms);
    set(o, "decode_ms", decode_json(&r->decode));
    if (r->codec_why[0])
        set(o, "codec_why", json_string(r->codec_why));
    json_object_update(root, o);
    json_decref(o);
}

json_t *px_probe_json(const struct px_probe_result *r) {
    json_t *root =
        json_pack("{ss ss ss sb sb sb sf sf}", "username", r->username, "hostname", r->hostname,
                  "version", r->version, "encrypted", r->encrypted, "relayed", r->relayed, "udp",
                  r->udp, "connect_ms", ms(r->connect_us), "login_ms", ms(r->login_us));
    if (r->n_frames > 0)
        add_picture(r, root);
    if (r->n_asked > 0)
        add_latency(r, root);
    add_services(r, root);
    return root;
}
