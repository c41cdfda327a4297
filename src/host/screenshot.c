/* src/host/screenshot.c - pictures that clients ask for */
#include "host/screenshot.h"
#include "base/alloc.h"
#include "host/capture/shot.h"
#include "host/session.h"
#include <string.h>

struct px_shot {
    uv_work_t work;
    struct px_session *session; /* NULL: gone meanwhile */
    char *display, *sid;
    struct px_rect area;
    struct px_buf png;
    int r;
    struct px_error err;
};

static void answer(struct px_session *s, const char *sid, const char *msg,
                   const struct px_buf *png) {
    Pxs__ScreenshotResponse a = PXS__SCREENSHOT_RESPONSE__INIT;
    a.sid = (char *)sid;
    a.msg = (char *)msg;
    if (png)
        a.data = (ProtobufCBinaryData){png->size, (uint8_t *)png->data};
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_SCREENSHOT_RESPONSE;
    m.screenshot_response = &a;
    px_session_send(s, &m);
}

static void work(uv_work_t *w) {
    struct px_shot *shot = px_container_of(w, struct px_shot, work);
    shot->r = px_shot_png(shot->display, shot->area, &shot->png, &shot->err);
}

static void on_done(uv_work_t *w, int status) {
    struct px_shot *shot = px_container_of(w, struct px_shot, work);
    struct px_session *s = shot->session;
    if (s) {
        s->shot = NULL;
        const bool good = status == 0 && shot->r >= 0;
        answer(s, shot->sid,
               good     ? ""
               : status ? "The desktop ends"
                        : shot->err.msg,
               good ? &shot->png : NULL);
    }
    px_buf_fini(&shot->png);
    free(shot->display);
    free(shot->sid);
    free(shot);
}

void px_screenshot_request(struct px_session *s, const Pxs__ScreenshotRequest *r) {
    char id[PX_PEER_TEXT_MAX];
    if (s->shot) {
        answer(s, r->sid, "The screenshot before this one is not done yet", NULL);
        return;
    }
    if (r->display < 0 || r->display >= s->host->displays.n) {
        answer(s, r->sid, "There is no such display", NULL);
        return;
    }
    struct px_shot *shot = px_new0(struct px_shot, 1);
    shot->session = s;
    shot->area = px_displays_view(&s->host->displays, r->display);
    shot->display = px_strdup(s->host->config->display);
    shot->sid = px_strdup(r->sid);
    px_host_audit(s->host, "session %s takes a screenshot", px_peer_text(s->my_id, id));
    s->shot = shot;
    if (uv_queue_work(s->host->loop, &shot->work, work, on_done) < 0)
        on_done(&shot->work, UV_ECANCELED);
}

void px_screenshot_forget(struct px_session *s) {
    if (s->shot)
        s->shot->session = NULL;
    s->shot = NULL;
}
