/* src/check/probing_parse.c - what phoenix-probe and its target say, read in bounds; pure */
#include "base/text.h"
#include "check/probing.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

#define SIDE_MAX 32767 /* of an X screen */

int px_aim_parse(const char *line, int *ret_x, int *ret_y) {
    int x, y, end = 0;
    if (strcmp(line, "busy\n") == 0)
        return -EBUSY;
    if (sscanf(line, "at %5d %5d%n", &x, &y, &end) != 2 || strcmp(line + end, "\n") != 0 || x < 0 ||
        y < 0 || x > SIDE_MAX || y > SIDE_MAX)
        return -EPROTO;
    *ret_x = x;
    *ret_y = y;
    return 0;
}

static void text(const json_t *o, const char *key, char *ret, size_t size) {
    const char *s = json_string_value(json_object_get(o, key));
    snprintf(ret, size, "%s", s ? s : "");
    px_text_clean(ret);
}

static double figure(const json_t *o, const char *key) {
    const json_t *n = json_object_get(o, key);
    const double v = json_is_number(n) ? json_number_value(n) : -1;
    return isfinite(v) ? v : -1;
}

static unsigned count(const json_t *o, const char *key) {
    const double v = figure(o, key);
    return v > 0 && v < 1e9 ? (unsigned)v : 0;
}

/* Why a service did not do; "" when it did or was not asked for. */
static void trouble(const json_t *deed, char *ret, size_t size) {
    ret[0] = '\0';
    if (!deed || json_is_true(json_object_get(deed, "ok")))
        return;
    text(deed, "error", ret, size);
    if (!ret[0])
        snprintf(ret, size, "it was not done");
}

int px_probing_parse(const char *data, size_t size, struct px_probing_report *ret,
                     struct px_error *err) {
    json_t *o = json_loadb(data, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        json_decref(o);
        return px_fail(err, -EBADMSG, "phoenix-probe reports nothing that can be read");
    }
    const json_t *files = json_object_get(o, "files"), *tunnel = json_object_get(o, "tunnel");
    *ret = (struct px_probing_report){
        .encrypted = json_is_true(json_object_get(o, "encrypted")),
        .relayed = json_is_true(json_object_get(o, "relayed")),
        .width = (int)count(o, "width"),
        .height = (int)count(o, "height"),
        .n_asked = count(o, "latency_asked"),
        .n_samples = count(o, "latency_samples"),
        .connect = figure(o, "connect_ms"),
        .login = figure(o, "login_ms"),
        .picture = figure(o, "first_frame_ms"),
        .p50 = figure(o, "latency_p50_ms"),
        .p95 = figure(o, "latency_p95_ms"),
        .put = figure(files, "put_ms"),
        .get = figure(files, "get_ms"),
        .tunnel = figure(tunnel, "first_byte_ms"),
    };
    text(o, "codec", ret->codec, sizeof(ret->codec));
    text(o, "latency_note", ret->note, sizeof(ret->note));
    text(tunnel, "line", ret->line, sizeof(ret->line));
    trouble(files, ret->files_error, sizeof(ret->files_error));
    trouble(tunnel, ret->tunnel_error, sizeof(ret->tunnel_error));
    json_decref(o);
    return 0;
}
