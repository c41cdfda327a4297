/* src/host/desk_displays.c - the displays of a remote desktop session */
#include "base/log.h"
#include "host/capture/resize.h"
#include "host/session.h"
#include <string.h>

static bool exists(const struct px_host *h, int display) {
    return display >= 0 && display < h->displays.n;
}

void px_desk_send_switch_display(struct px_session *s, int display) {
    Pxs__Resolution now = PXS__RESOLUTION__INIT, original = PXS__RESOLUTION__INIT;
    Pxs__Resolution *modes[] = {&now};
    Pxs__SupportedResolutions list = PXS__SUPPORTED_RESOLUTIONS__INIT;
    Pxs__SwitchDisplay d = PXS__SWITCH_DISPLAY__INIT;
    if (!exists(s->host, display))
        return;
    const struct px_rect a = s->host->displays.list[display].area;
    d.display = display;
    d.x = a.x;
    d.y = a.y;
    now.width = d.width = a.w;
    now.height = d.height = a.h;
    list.n_resolutions = 1;
    list.resolutions = modes;
    d.resolutions = &list;
    d.original_resolution = &original; /* 0x0: any size may be asked for */
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_SWITCH_DISPLAY;
    misc.switch_display = &d;
    px_session_send_misc(s, &misc);
}

void px_desk_change_resolution(struct px_session *s, int display, const Pxs__Resolution *r) {
    struct px_host *h = s->host;
    struct px_error err = {0};
    if (!exists(h, display) || !r || !h->config->permissions.keyboard || !h->x || r->width <= 0 ||
        r->height <= 0)
        return;
    const struct px_rect old = h->displays.list[display].area;
    int width = r->width, height = r->height;
    px_resize_clamp(&width, &height);
    if (width == old.w && height == old.h)
        return;
    if (h->displays.n > 1) { /* their arrangement is the desktop's own; the client learns that */
        px_desk_send_switch_display(s, display);
        return;
    }
    if (px_resize_screen(h->x, width, height, &err) < 0) {
        px_info("screen: stays %dx%d: %s", h->width, h->height, err.msg);
        return;
    }
    if (!h->original_width) {
        h->original_width = old.w;
        h->original_height = old.h;
    }
    /* The clients hear of it when the video thread has seen the new size. */
}

void px_desk_restore_resolution(struct px_host *h) {
    if (h->original_width && h->x && h->displays.n == 1)
        (void)px_resize_screen(h->x, h->original_width, h->original_height, NULL);
    h->original_width = h->original_height = 0;
}

void px_desk_switch_display(struct px_session *s, const Pxs__SwitchDisplay *d) {
    if (!exists(s->host, d->display))
        return;
    if (d->display != s->shown) {
        s->shown = s->followed = d->display;
        px_desk_send_switch_display(s, d->display);
        if (s->version < PX_SEVERAL_SINCE) { /* one at a time, and no capture_displays */
            s->watched = 1u << d->display;
            px_viewer_join(s);
        }
    }
    if (d->width > 0 && d->height > 0) {
        Pxs__Resolution r = PXS__RESOLUTION__INIT;
        r.width = d->width;
        r.height = d->height;
        px_desk_change_resolution(s, d->display, &r);
    }
    px_viewer_refresh(s, d->display);
}

static unsigned mask_of(const struct px_host *h, const int32_t *list, size_t n) {
    unsigned mask = 0;
    for (size_t i = 0; i < n; i++)
        if (exists(h, list[i]))
            mask |= 1u << list[i];
    return mask;
}

void px_desk_capture(struct px_session *s, const Pxs__CaptureDisplays *c) {
    const struct px_host *h = s->host;
    unsigned want = s->watched;
    if (c->n_add)
        want |= mask_of(h, c->add, c->n_add);
    else if (c->n_sub)
        want &= ~mask_of(h, c->sub, c->n_sub);
    else if (mask_of(h, c->set, c->n_set))
        want = mask_of(h, c->set, c->n_set);
    if (want == s->watched)
        return;
    s->watched = want;
    px_viewer_join(s);
}

/* What became of a display that the client knew. */
static void tell(struct px_session *s, const struct px_displays *old) {
    const struct px_displays *now = &s->host->displays;
    for (int i = 0; i < now->n && i < old->n; i++)
        if (memcmp(&now->list[i].area, &old->list[i].area, sizeof(now->list[i].area)) != 0) {
            px_desk_send_switch_display(s, i);
            s->viewers[i].wants_key = true;
        }
    px_login_send_displays(s);
    if (s->shown >= now->n) /* the client falls back to the first by itself */
        s->shown = 0;
    s->watched &= (1u << now->n) - 1;
    if (!s->watched)
        s->watched = 1u << s->shown;
    px_viewer_join(s);
}

void px_desk_displays_changed(struct px_host *h) {
    const struct px_displays old = h->displays;
    if (h->width == 0) /* the video thread has not seen the screen yet */
        return;
    px_displays_read(&h->displays, h->x, h->width, h->height);
    if (memcmp(&old, &h->displays, sizeof(old)) == 0)
        return;
    if (h->displays.n != old.n)
        px_info("screen: %d display%s", h->displays.n, h->displays.n == 1 ? "" : "s");
    for (struct px_session *s = h->sessions; s; s = s->next)
        if (px_session_is_desktop(s))
            tell(s, &old);
}
