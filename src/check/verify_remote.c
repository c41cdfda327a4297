/* src/check/verify_remote.c - what a RustDesk client gets: through the ID server and the relay */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/text.h"
#include "check/probing.h"
#include "check/verify_desk.h"
#include "desktop/ready.h"
#include "desktop/remote.h"
#include <string.h>

#define PROBE_TIMEOUT_US (40 * PX_US_PER_S)
#define PICTURE_SLOW_MS 5000
#define CLICK_SLOW_MS 150 /* above that a person begins to wait */
#define PRESSES "10"
#define REFUSED "Your ip is blocked by the peer" /* the protocol's words */
#define FILE_BYTES "262144"
#define JUPYTER_TARGET "127.0.0.1:8888"

/* False: there is nothing to reach, and @subject has been told why. @may: what its file says. */
static bool can_reach(const struct px_verify_desk *desk, const char *subject, bool may,
                      struct px_findings *ret) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    px_cleanup_free char *bundle = px_remote_bundle();
    struct px_error err = {0};
    if (!desk->has_session)
        px_found_skip(ret, subject, "its image has no X session");
    else if (!bundle)
        px_found_skip(ret, subject, "phoenix-host is not built here");
    else if (px_remote_load(desk->fleet, desk->d, &remote, &err) < 0)
        px_found_skip(ret, subject, "no remote access: %s", err.msg);
    else if (!may)
        px_found_skip(ret, subject, "its file does not allow that to viewers");
    else
        return true;
    return false;
}

/* Who the desktop's file keeps out is told so by the host in these words. */
static bool keeps_us_out(const struct px_verify_desk *desk, const char *words) {
    return desk->d->rec->spec.remote.n_allow > 0 && strcmp(words, REFUSED) == 0;
}

/* Runs the probe and reads its report; false: @subject has been told what failed. */
static bool probe(const struct px_verify_desk *desk, const char *subject, const char *const *args,
                  struct px_probing_report *report, struct px_findings *ret) {
    px_cleanup(px_buf_fini) struct px_buf out = {0}, why = {0};
    struct px_error err = {0};
    const char *name = desk->d->rec->spec.name;
    px_cleanup_free char *fix = px_asprintf("phoenix logs %s --unit phoenix-host", name);
    int r = px_probing_run(desk->fleet, desk->d, args, PROBE_TIMEOUT_US, &out, &why, &err);
    if (r >= 0 && out.size > 0)
        r = px_probing_parse(px_buf_str(&out), out.size, report, &err);
    else if (r >= 0) {
        px_cleanup_free char *line = px_strndup(px_buf_str(&why), strcspn(px_buf_str(&why), "\n"));
        const char *words = strncmp(line, "phoenix-probe: ", 15) == 0 ? line + 15 : line;
        px_text_clean(line);
        if (keeps_us_out(desk, words))
            px_found_skip(ret, subject, "its file does not let this host in (remote.allow)");
        else
            px_found_fail(ret, subject, fix, "%s", *words ? words : "phoenix-probe says nothing");
        return false;
    }
    if (r < 0)
        px_found_fail(ret, subject, err.hint[0] ? err.hint : fix, "%s", err.msg);
    return r >= 0;
}

static void judge_picture(const char *subject, const struct px_probing_report *p, bool relay,
                          struct px_findings *ret) {
    const char *way = relay || p->relayed ? "through the relay" : "by ID";
    if (!p->encrypted)
        px_found_fail(ret, subject, "look at the server's key: `phoenix connect NAME`",
                      "%s, but not encrypted", way);
    else if (p->picture > PICTURE_SLOW_MS)
        px_found_warn(ret, subject, NULL, "%s, but the first picture took %.1f s", way,
                      p->picture / 1e3);
    else
        px_found_ok(ret, subject, "%s, encrypted, %s %dx%d: login %.0f ms, picture %.0f ms", way,
                    p->codec, p->width, p->height, p->login, p->picture);
    px_findings_value(ret, p->picture, "ms");
}

void px_verify_remote(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const args[] = {NULL};
    struct px_probing_report report;
    if (can_reach(desk, "remote", true, ret) && probe(desk, "remote", args, &report, ret))
        judge_picture("remote", &report, false, ret);
}

void px_verify_relay(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const args[] = {"--relay", NULL};
    struct px_probing_report report;
    if (can_reach(desk, "relay", true, ret) && probe(desk, "relay", args, &report, ret))
        judge_picture("relay", &report, true, ret);
}

static void judge_clicks(const struct px_probing_report *p, struct px_findings *ret) {
    if (p->n_samples == 0) {
        px_found_fail(ret, "latency", NULL, "of %u clicks none showed in time: %s", p->n_asked,
                      p->note);
        return;
    }
    if (p->p50 > CLICK_SLOW_MS || p->n_samples < p->n_asked / 2)
        px_found_warn(ret, "latency", "look at the load of the host: phoenix ls, top",
                      "click to picture %.0f ms, 95 %% within %.0f ms (%u clicks)", p->p50, p->p95,
                      p->n_samples);
    else
        px_found_ok(ret, "latency", "click to picture %.1f ms, 95 %% within %.1f ms (%u clicks)",
                    p->p50, p->p95, p->n_samples);
    px_findings_value(ret, p->p50, "ms");
}

void px_verify_latency(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    struct px_probing_report report;
    struct px_error err = {0};
    struct px_aim aim;
    if (!can_reach(desk, "latency", desk->d->rec->spec.remote.input, ret))
        return;
    const int r = px_aim_open(desk->fleet, desk->d->rec->spec.name, &aim, &err);
    if (r == -EBUSY)
        px_found_skip(ret, "latency", "%s: no clicks are made", err.msg);
    else if (r < 0)
        px_found_error(ret, "latency", &err);
    else {
        px_cleanup_free char *at = px_asprintf("%d,%d", aim.x, aim.y);
        const char *const args[] = {"--target", at, "--latency", PRESSES, NULL};
        if (probe(desk, "latency", args, &report, ret))
            judge_clicks(&report, ret);
    }
    px_aim_close(&aim);
}

void px_verify_files(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const args[] = {"--no-picture", "--files", FILE_BYTES, NULL};
    struct px_probing_report report;
    if (!can_reach(desk, "files", desk->d->rec->spec.remote.files, ret) ||
        !probe(desk, "files", args, &report, ret))
        return;
    if (report.files_error[0])
        px_found_fail(ret, "files", NULL, "%s", report.files_error);
    else {
        px_found_ok(ret, "files", FILE_BYTES " bytes there in %.0f ms, back in %.0f ms, the same",
                    report.put, report.get);
        px_findings_value(ret, report.put + report.get, "ms");
    }
}

/* Tunnels are raw bytes, which a WebSocket does not carry. */
static bool is_behind_proxy(const struct px_verify_desk *desk) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    return px_remote_load(desk->fleet, desk->d, &remote, NULL) >= 0 && remote.proxy;
}

void px_verify_tunnel(const void *data, struct px_findings *ret) {
    const struct px_verify_desk *desk = data;
    static const char *const args[] = {"--no-picture", "--tunnel", JUPYTER_TARGET, NULL};
    struct px_probing_report report;
    if (!px_ready_has_jupyter(desk->fleet, desk->d)) {
        px_found_skip(ret, "tunnel", "nothing there to reach: JupyterLab does not run");
        return;
    }
    if (is_behind_proxy(desk)) {
        px_found_skip(ret, "tunnel", "the server is behind a proxy, which carries no tunnels");
        return;
    }
    if (!can_reach(desk, "tunnel", desk->d->rec->spec.remote.tunnel, ret) ||
        !probe(desk, "tunnel", args, &report, ret))
        return;
    if (report.tunnel_error[0])
        px_found_fail(ret, "tunnel", NULL, "%s", report.tunnel_error);
    else if (strncmp(report.line, "HTTP/", 5) != 0)
        px_found_fail(ret, "tunnel", NULL, "JupyterLab says '%s'", report.line);
    else {
        px_found_ok(ret, "tunnel", "to JupyterLab: %s after %.1f ms", report.line, report.tunnel);
        px_findings_value(ret, report.tunnel, "ms");
    }
}
