/* src/desktop/ready.c - waiting until a started desktop is of use */
#include "desktop/ready.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "desktop/files.h"
#include "desktop/room.h"
#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>

#define DEFAULT_TIMEOUT_US (120 * PX_US_PER_S)
#define POLL_US (20 * PX_US_PER_MS)
#define JUPYTER_PORT 8888
#define JUPYTER_POLL_US (50 * PX_US_PER_MS)

/* What the image promises; docs/image.md. */
#define SESSION_FILE "/usr/lib/phoenix/session-env"
#define PAINTED_FILE "/run/phoenix-session/painted"
static const char *const jupyter_units[] = {"/usr/lib/systemd/system/phoenix-jupyter.service",
                                            "/etc/systemd/system/phoenix-jupyter.service"};

/* The container's owner decides what it is, so it is only looked at. */
bool px_ready_is_inside(const struct px_fleet *fleet, const struct px_desktop *d,
                        const char *path) {
    px_cleanup_close int root = px_fleet_backend(fleet)->root(&d->c, NULL);
    if (root < 0)
        return false;
    px_cleanup_close int fd = px_open_in_root(root, path, O_PATH | O_NOFOLLOW, 0, NULL);
    return fd >= 0;
}

bool px_ready_has_session(const struct px_fleet *fleet, const struct px_desktop *d) {
    return px_ready_is_inside(fleet, d, SESSION_FILE);
}

bool px_ready_has_jupyter(const struct px_fleet *fleet, const struct px_desktop *d) {
    if (!d->rec->spec.jupyter || d->rec->address.s_addr == 0)
        return false;
    for (size_t i = 0; i < PX_N_ELEMENTS(jupyter_units); i++)
        if (px_ready_is_inside(fleet, d, jupyter_units[i]))
            return true;
    return false;
}

char *px_ready_jupyter_url(const struct px_desktop *d) {
    char address[INET_ADDRSTRLEN];
    px_cleanup_free char *token = NULL;
    if (d->rec->address.s_addr == 0 || px_files_jupyter_token(d, &token, NULL) < 0)
        return NULL;
    inet_ntop(AF_INET, &d->rec->address, address, sizeof(address));
    return px_asprintf("http://%s:%d/lab?token=%s", address, JUPYTER_PORT, token);
}

static size_t drop(char *data, size_t size, size_t n, void *user) {
    return size * n;
}

/* A request that only the holder of the token may make, when @headers has it. Returns HTTP's
 * status; less than 0: no answer. */
static int ask_jupyter(CURL *curl, const char *url, struct curl_slist *headers) {
    long status = 0;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2000L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* it is on our own bridge */
    curl_easy_setopt(curl, CURLOPT_MAXFILESIZE, 65536L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
    if (curl_easy_perform(curl) != CURLE_OK)
        return -ETIMEDOUT;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

static char *jupyter_status_url(const struct px_desktop *d) {
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &d->rec->address, address, sizeof(address));
    return px_asprintf("http://%s:%d/api/status", address, JUPYTER_PORT);
}

int px_ready_ask_jupyter(const struct px_desktop *d, bool with_token, struct px_error *err) {
    px_cleanup_free char *token = NULL;
    int r = with_token ? px_files_jupyter_token(d, &token, err) : 0;
    if (r < 0)
        return r;
    px_cleanup_free char *header = px_asprintf("Authorization: token %s", token ? token : "");
    px_cleanup_free char *url = jupyter_status_url(d);
    struct curl_slist *headers = with_token ? curl_slist_append(NULL, header) : NULL;
    CURL *curl = curl_easy_init();
    r = ask_jupyter(curl, url, headers);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return r < 0 ? px_fail(err, r, "JupyterLab does not answer") : r;
}

/* A thing to wait for: looked at again and again. */
struct wait {
    const struct px_fleet *fleet;
    const struct px_desktop *d;
    int64_t deadline_us;
    const char *what; /* "the desktop to paint" */
    const char *unit; /* to look at when it does not come */
    bool (*there)(void *data);
    void *data;
    int64_t poll_us;
};

static int late(const struct wait *w, struct px_error *err) {
    const char *name = w->d->rec->spec.name;
    px_fail(err, -ETIMEDOUT, "no sign of %s in time", w->what);
    if (px_inotify_left(PX_INOTIFY_PER_DESKTOP) == 0)
        return px_hint(err, -ETIMEDOUT, "this host's inotify instances are used up: %s",
                       PX_INOTIFY_RAISE);
    return px_hint(err, -ETIMEDOUT,
                   "`phoenix verify %s` says what is not well, `phoenix logs %s --unit %s` more",
                   name, name, w->unit);
}

static int wait_for(const struct wait *w, struct px_error *err) {
    while (!w->there(w->data)) {
        struct px_container_info info = {0};
        int r = px_fleet_backend(w->fleet)->info(&w->d->c, false, &info, err);
        if (r < 0)
            return r;
        if (info.state == PX_CONTAINER_STOPPED || info.state == PX_CONTAINER_ABSENT) {
            px_fail(err, -ESRCH, "it stopped while we waited for %s", w->what);
            return px_hint(err, -ESRCH, "`phoenix logs %s` tells more", w->d->rec->spec.name);
        }
        if (px_interrupted())
            return px_interrupt_fail(err);
        if (px_now_us() > w->deadline_us)
            return late(w, err);
        px_sleep_us(w->poll_us);
    }
    return 0;
}

bool px_ready_painted(const struct px_fleet *fleet, const struct px_desktop *d) {
    return px_ready_is_inside(fleet, d, PAINTED_FILE);
}

static bool painted(void *data) {
    const struct wait *w = data;
    return px_ready_painted(w->fleet, w->d);
}

struct jupyter {
    CURL *curl;
    struct curl_slist *headers;
    char *url;
};

static bool jupyter_there(void *data) {
    const struct jupyter *j = data;
    return ask_jupyter(j->curl, j->url, j->headers) == 200;
}

static int wait_jupyter(struct wait *w, struct px_error *err) {
    px_cleanup_free char *token = NULL;
    int r = px_files_jupyter_token(w->d, &token, err);
    if (r < 0)
        return r;
    px_cleanup_free char *header = px_asprintf("Authorization: token %s", token);
    px_cleanup_free char *url = jupyter_status_url(w->d);
    struct jupyter j = {curl_easy_init(), curl_slist_append(NULL, header), url};
    w->what = "JupyterLab's answer";
    w->unit = "phoenix-jupyter";
    w->there = jupyter_there;
    w->data = &j;
    w->poll_us = JUPYTER_POLL_US;
    r = wait_for(w, err);
    curl_slist_free_all(j.headers);
    curl_easy_cleanup(j.curl);
    return r;
}

static void say(const struct px_events *events, const char *text) {
    const struct px_event event = {.kind = PX_EVENT_STEP, .desktop = "", .text = text};
    px_event_send(events, &event);
}

int px_ready_wait(const struct px_fleet *fleet, const struct px_desktop *d, enum px_wait_for level,
                  int64_t timeout_us, const struct px_events *events, struct px_error *err) {
    if (level == PX_WAIT_NOTHING)
        return 0;
    const int64_t timeout = timeout_us > 0 ? timeout_us : DEFAULT_TIMEOUT_US;
    const int64_t deadline = px_now_us() + timeout;
    say(events, "waiting for systemd");
    int r = px_fleet_backend(fleet)->wait_ready(&d->c, timeout, err);
    if (r < 0 || level == PX_WAIT_SYSTEM)
        return r;
    struct wait w = {.fleet = fleet, .d = d, .deadline_us = deadline};
    if (px_ready_has_session(fleet, d)) {
        say(events, "waiting for the desktop to paint");
        w.what = "the painted desktop";
        w.unit = "phoenix-desktop";
        w.there = painted;
        w.data = &w;
        w.poll_us = POLL_US;
        r = wait_for(&w, err);
    }
    if (r == 0 && px_ready_has_jupyter(fleet, d)) {
        say(events, "waiting for JupyterLab");
        r = wait_jupyter(&w, err);
    }
    return r;
}
