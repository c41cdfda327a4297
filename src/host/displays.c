/* src/host/displays.c - the parts of the X screen that clients know as displays */
#include "host/displays.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xcb/randr.h>

void px_displays_init(struct px_displays *l, int width, int height) {
    *l = (struct px_displays){.n = 1};
    l->list[0].area = (struct px_rect){0, 0, width, height};
    strcpy(l->list[0].name, "0");
}

static void name_of(struct px_xdisplay *d, xcb_atom_t atom, char *to, size_t cap) {
    xcb_get_atom_name_reply_t *r =
        xcb_get_atom_name_reply(d->x, xcb_get_atom_name(d->x, atom), NULL);
    if (r)
        snprintf(to, cap, "%.*s", xcb_get_atom_name_name_length(r), xcb_get_atom_name_name(r));
    free(r);
}

/* Cut to the screen and made even, inwards; empty: nothing of it is seen. */
static struct px_rect fit(const xcb_randr_monitor_info_t *m, int width, int height) {
    const int left = m->x > 0 ? (m->x + 1) & ~1 : 0, top = m->y > 0 ? (m->y + 1) & ~1 : 0;
    int right = m->x + m->width, bottom = m->y + m->height;
    right = (right < width ? right : width) & ~1;
    bottom = (bottom < height ? bottom : height) & ~1;
    if (right <= left || bottom <= top)
        return (struct px_rect){0};
    return (struct px_rect){left, top, right - left, bottom - top};
}

struct found {
    struct px_display display;
    bool primary;
};

static int order(const void *a, const void *b) {
    const struct found *l = a, *r = b;
    if (l->primary != r->primary)
        return l->primary ? -1 : 1;
    if (l->display.area.x != r->display.area.x)
        return l->display.area.x < r->display.area.x ? -1 : 1;
    return l->display.area.y - r->display.area.y;
}

void px_displays_read(struct px_displays *l, struct px_xdisplay *d, int width, int height) {
    struct found found[PX_DISPLAYS_MAX];
    int n = 0;
    px_displays_init(l, width, height);
    if (!d || !d->randr_event)
        return;
    xcb_randr_get_monitors_reply_t *r =
        xcb_randr_get_monitors_reply(d->x, xcb_randr_get_monitors(d->x, d->root, 1), NULL);
    xcb_randr_monitor_info_iterator_t it = {0};
    if (r)
        it = xcb_randr_get_monitors_monitors_iterator(r);
    for (; it.rem && n < PX_DISPLAYS_MAX; xcb_randr_monitor_info_next(&it)) {
        const struct px_rect area = fit(it.data, width, height);
        if (!area.w)
            continue;
        found[n] = (struct found){.display.area = area, .primary = it.data->primary};
        name_of(d, it.data->name, found[n].display.name, sizeof(found[n].display.name));
        n++;
    }
    free(r);
    if (n < 2)
        return;
    qsort(found, (size_t)n, sizeof(found[0]), order);
    for (int i = 0; i < n; i++)
        l->list[i] = found[i].display;
    l->n = n;
}

void px_displays_watch(struct px_xdisplay *d) {
    /* A monitor that is set or deleted is told as a ConfigureNotify of the root window only; the
     * active window (focus.h) as a property of it. A client has one mask for a window. */
    const uint32_t mask = XCB_EVENT_MASK_STRUCTURE_NOTIFY | XCB_EVENT_MASK_PROPERTY_CHANGE;
    xcb_change_window_attributes(d->x, d->root, XCB_CW_EVENT_MASK, &mask);
    if (d->randr_event)
        xcb_randr_select_input(d->x, d->root,
                               XCB_RANDR_NOTIFY_MASK_SCREEN_CHANGE |
                                   XCB_RANDR_NOTIFY_MASK_CRTC_CHANGE |
                                   XCB_RANDR_NOTIFY_MASK_OUTPUT_CHANGE);
}

bool px_displays_is_event(const struct px_xdisplay *d, const xcb_generic_event_t *e) {
    const uint8_t type = e->response_type & 0x7f;
    if (type == XCB_CONFIGURE_NOTIFY)
        return true;
    return d->randr_event && (type == d->randr_event + XCB_RANDR_SCREEN_CHANGE_NOTIFY ||
                              type == d->randr_event + XCB_RANDR_NOTIFY);
}

struct px_rect px_displays_view(const struct px_displays *l, int i) {
    return l->n == 1 ? (struct px_rect){0} : l->list[i].area;
}

int px_displays_at(const struct px_displays *l, int x, int y) {
    for (int i = 0; i < l->n; i++) {
        const struct px_rect a = l->list[i].area;
        if (x >= a.x && y >= a.y && x < a.x + a.w && y < a.y + a.h)
            return i;
    }
    return 0;
}
