/* src/host/banner.c - a strip at the top of the screen that says who watches */
#include "host/banner.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/session.h"
#include <stdio.h>
#include <string.h>
#include <xcb/xfixes.h>

#define FONT "fixed" /* every X server has it built in */
#define PADDING_PX 8
#define BACKGROUND 0xb3261e
#define FOREGROUND 0xffffff
#define RAISE_US PX_US_PER_S
#define SHAPE_INPUT 2 /* X11/extensions/shapeconst.h, ShapeInput */

/* The font's letters are Latin-1. */
static void to_latin1(const char *utf8, char *out, size_t cap) {
    size_t n = 0;
    for (const unsigned char *p = (const unsigned char *)utf8; *p && n + 1 < cap; p++) {
        if (*p < 0x80)
            out[n++] = (char)*p;
        else if ((*p == 0xc2 || *p == 0xc3) && (p[1] & 0xc0) == 0x80) {
            out[n++] = (char)((*p & 3) << 6 | (p[1] & 0x3f));
            p++;
        } else if ((*p & 0xc0) == 0xc0)
            out[n++] = '?';
    }
    out[n] = '\0';
}

void px_banner_text(const struct px_host *h, char *out, size_t cap) {
    unsigned n = 0;
    char names[128] = "", name[PX_PEER_TEXT_MAX];
    size_t at = 0;
    for (const struct px_session *s = h->sessions; s; s = s->next) {
        if (!px_session_is_desktop(s))
            continue;
        px_peer_text(*s->my_name ? s->my_name : s->my_id, name);
        if (at + 4 < sizeof(names)) {
            const int k = snprintf(names + at, sizeof(names) - at, "%s%s", n ? ", " : "", name);
            at = at + (size_t)k < sizeof(names) ? at + (size_t)k : sizeof(names) - 1;
        }
        n++;
    }
    if (n == 0)
        out[0] = '\0';
    else
        snprintf(out, cap, "%u viewer%s: %s", n, n == 1 ? "" : "s", names);
}

void px_banner_forget(struct px_banner *b) {
    *b = (struct px_banner){0};
}

static void take_away(struct px_host *h) {
    struct px_banner *b = &h->banner;
    xcb_free_gc(h->x->x, b->gc);
    xcb_destroy_window(h->x->x, b->window);
    px_banner_forget(b);
}

/* Clicks go to what lies below. */
static void let_clicks_through(struct px_xdisplay *d, xcb_window_t window) {
    const xcb_xfixes_region_t nothing = xcb_generate_id(d->x);
    if (!d->xfixes_event)
        return;
    xcb_xfixes_create_region(d->x, nothing, 0, NULL);
    xcb_xfixes_set_window_shape_region(d->x, window, SHAPE_INPUT, 0, 0, nothing);
    xcb_xfixes_destroy_region(d->x, nothing);
}

static bool make(struct px_host *h) {
    struct px_xdisplay *d = h->x;
    struct px_banner *b = &h->banner;
    const xcb_font_t font = xcb_generate_id(d->x);
    xcb_open_font(d->x, font, strlen(FONT), FONT);
    xcb_query_font_reply_t *f = xcb_query_font_reply(d->x, xcb_query_font(d->x, font), NULL);
    if (!f)
        return false;
    b->char_width = f->max_bounds.character_width;
    b->ascent = f->font_ascent;
    b->height = f->font_ascent + f->font_descent;
    free(f);
    const uint32_t looks[] = {BACKGROUND, 1,
                              XCB_EVENT_MASK_EXPOSURE | XCB_EVENT_MASK_VISIBILITY_CHANGE};
    b->window = xcb_generate_id(d->x);
    xcb_create_window(d->x, XCB_COPY_FROM_PARENT, b->window, d->root, 0, 0, 1, 1, 0,
                      XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, looks);
    const uint32_t colours[] = {FOREGROUND, BACKGROUND, font};
    b->gc = xcb_generate_id(d->x);
    xcb_create_gc(d->x, b->gc, b->window, XCB_GC_FOREGROUND | XCB_GC_BACKGROUND | XCB_GC_FONT,
                  colours);
    xcb_close_font(d->x, font);
    xcb_change_property(d->x, XCB_PROP_MODE_REPLACE, b->window, XCB_ATOM_WM_NAME, XCB_ATOM_STRING,
                        8, strlen("phoenix-host"), "phoenix-host");
    let_clicks_through(d, b->window);
    return true;
}

static void draw(const struct px_host *h) {
    const struct px_banner *b = &h->banner;
    const size_t n = strlen(b->text);
    xcb_image_text_8(h->x->x, (uint8_t)(n < 255 ? n : 255), b->window, b->gc, PADDING_PX,
                     (int16_t)(b->ascent + 2), b->text);
}

static void place(struct px_host *h) {
    struct px_banner *b = &h->banner;
    int width = (int)strlen(b->text) * b->char_width + 2 * PADDING_PX;
    if (width > h->width)
        width = h->width > 0 ? h->width : 1;
    const uint32_t box[] = {(uint32_t)((h->width - width) / 2), 0, (uint32_t)width,
                            (uint32_t)b->height + 4, XCB_STACK_MODE_ABOVE};
    b->screen_width = h->width;
    xcb_configure_window(h->x->x, b->window,
                         XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y | XCB_CONFIG_WINDOW_WIDTH |
                             XCB_CONFIG_WINDOW_HEIGHT | XCB_CONFIG_WINDOW_STACK_MODE,
                         box);
    xcb_map_window(h->x->x, b->window);
    xcb_clear_area(h->x->x, 1, b->window, 0, 0, 0, 0); /* the text comes with the exposure */
}

void px_banner_update(struct px_host *h) {
    struct px_banner *b = &h->banner;
    char utf8[sizeof(b->text)], text[sizeof(b->text)];
    if (!h->x || h->closing)
        return;
    if (h->config->banner)
        px_banner_text(h, utf8, sizeof(utf8));
    else
        utf8[0] = '\0'; /* it may have stood until the configuration changed */
    to_latin1(utf8, text, sizeof(text));
    if (!*text) {
        if (b->window)
            take_away(h);
        return;
    }
    if (h->width <= 0 || (b->window && strcmp(text, b->text) == 0 && b->screen_width == h->width))
        return;
    if (!b->window && !make(h))
        return;
    snprintf(b->text, sizeof(b->text), "%s", text);
    place(h);
}

bool px_banner_event(struct px_host *h, const xcb_generic_event_t *e) {
    struct px_banner *b = &h->banner;
    const uint8_t type = e->response_type & 0x7f;
    if (!b->window)
        return false;
    if (type == XCB_EXPOSE && ((const xcb_expose_event_t *)e)->window == b->window) {
        if (((const xcb_expose_event_t *)e)->count == 0)
            draw(h);
        return true;
    }
    const xcb_visibility_notify_event_t *v = (const xcb_visibility_notify_event_t *)e;
    if (type != XCB_VISIBILITY_NOTIFY || v->window != b->window)
        return false;
    const int64_t now = px_now_us();
    if (v->state != XCB_VISIBILITY_UNOBSCURED && now - b->raised_us > RAISE_US) {
        const uint32_t above = XCB_STACK_MODE_ABOVE;
        b->raised_us = now;
        xcb_configure_window(h->x->x, b->window, XCB_CONFIG_WINDOW_STACK_MODE, &above);
    }
    return true;
}
