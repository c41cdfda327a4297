/* bench/patch.c - a screen whose picture tells which input it shows
 *
 *     patch typing|drag|scroll|still
 *
 * Covers the screen with text. In its upper left corner 16 squares show a number in binary, white
 * is 1, lowest bit first: with typing how many keys and buttons were pressed, with drag where the
 * dragged window is, with scroll how many lines went by (60 a second; a button stops it, and the
 * next goes on; keys type meanwhile). Who looks at the screen from afar reads there what has
 * arrived. Ends with its X server. */
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <xcb/xcb.h>

#define SQUARE 16
#define N_BITS 16
#define LINE 13 /* of the font "fixed", 6x13 */
#define GLYPH 6
#define TOP 32 /* lines begin here */
#define BOX_WIDTH 640
#define BOX_HEIGHT 400
#define SCROLL_HZ 60

struct screen {
    xcb_connection_t *x;
    xcb_window_t window, box;
    int width, height;
    xcb_gcontext_t text, paper, ink;
    unsigned value, random;
    int column, row; /* where typing goes on */
    int timer;       /* of scrolling */
    bool scrolling;
};

static xcb_gcontext_t gc(struct screen *s, uint32_t front, uint32_t back) {
    const xcb_gcontext_t id = xcb_generate_id(s->x);
    const xcb_font_t font = xcb_generate_id(s->x);
    const uint32_t values[] = {front, back, font, 0};
    xcb_open_font(s->x, font, 5, "fixed");
    xcb_create_gc(s->x, id, s->window,
                  XCB_GC_FOREGROUND | XCB_GC_BACKGROUND | XCB_GC_FONT | XCB_GC_GRAPHICS_EXPOSURES,
                  values);
    return id;
}

static void open_screen(struct screen *s) {
    s->x = xcb_connect(NULL, NULL);
    if (xcb_connection_has_error(s->x)) {
        fputs("patch: no X server at $DISPLAY\n", stderr);
        exit(1);
    }
    const xcb_screen_t *root = xcb_setup_roots_iterator(xcb_get_setup(s->x)).data;
    const uint32_t values[] = {0x202020, 1,
                               XCB_EVENT_MASK_KEY_PRESS | XCB_EVENT_MASK_BUTTON_PRESS |
                                   XCB_EVENT_MASK_POINTER_MOTION | XCB_EVENT_MASK_EXPOSURE};
    s->width = root->width_in_pixels;
    s->height = root->height_in_pixels;
    s->window = xcb_generate_id(s->x);
    xcb_create_window(s->x, XCB_COPY_FROM_PARENT, s->window, root->root, 0, 0, (uint16_t)s->width,
                      (uint16_t)s->height, 0, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_OVERRIDE_REDIRECT | XCB_CW_EVENT_MASK, values);
    s->text = gc(s, 0xd0d0d0, 0x202020);
    s->paper = gc(s, 0x000000, 0);
    s->ink = gc(s, 0xffffff, 0);
    xcb_map_window(s->x, s->window);
}

/* A line of words, other ones each time. */
static void write_line(struct screen *s, xcb_window_t to, int x, int y, int n_glyphs) {
    static const char *const words[] = {
        "int",    "return",   "struct", "static", "(x, y)", "= 0x7f;",  "const", "while",
        "if (r)", "buffer->", "size",   "{ }",    "error",  "\"text\"", "++i",   "/* why */"};
    char line[512] = "";
    size_t n = 0;
    while (n < (size_t)n_glyphs && n < 255) {
        s->random = s->random * 1103515245u + 12345u;
        n += (size_t)snprintf(line + n, sizeof(line) - n, "%s ", words[s->random >> 16 & 15]);
    }
    if (n > (size_t)n_glyphs)
        n = (size_t)n_glyphs;
    /* An X request takes 255 glyphs: the rest in a second one. */
    const size_t first = n > 250 ? 250 : n;
    xcb_image_text_8(s->x, (uint8_t)first, to, s->text, (int16_t)x, (int16_t)(y + 11), line);
    if (n > first)
        xcb_image_text_8(s->x, (uint8_t)(n - first), to, s->text, (int16_t)(x + (int)first * GLYPH),
                         (int16_t)(y + 11), line + first);
    if (n_glyphs > (int)n && n >= 255) /* a wide screen */
        write_line(s, to, x + (int)n * GLYPH, y, n_glyphs - (int)n);
}

static void show_value(struct screen *s) {
    for (unsigned i = 0; i < N_BITS; i++) {
        const xcb_rectangle_t r = {(int16_t)(i * SQUARE), 0, SQUARE, SQUARE};
        xcb_poly_fill_rectangle(s->x, s->window, s->value >> i & 1 ? s->ink : s->paper, 1, &r);
    }
}

static void fill(struct screen *s) {
    for (int y = TOP; y + LINE <= s->height; y += LINE)
        write_line(s, s->window, 0, y, s->width / GLYPH);
}

static void open_box(struct screen *s) {
    const uint32_t values[] = {0x303860, 0xc0c0ff, 1};
    s->box = xcb_generate_id(s->x);
    xcb_create_window(s->x, XCB_COPY_FROM_PARENT, s->box, s->window, 100, 100, BOX_WIDTH,
                      BOX_HEIGHT, 4, XCB_WINDOW_CLASS_INPUT_OUTPUT, XCB_COPY_FROM_PARENT,
                      XCB_CW_BACK_PIXEL | XCB_CW_BORDER_PIXEL, values);
    xcb_map_window(s->x, s->box);
    for (int y = 0; y + LINE <= BOX_HEIGHT; y += LINE)
        write_line(s, s->box, 4, y, BOX_WIDTH / GLYPH - 2);
}

static void type(struct screen *s) {
    const char c = (char)('a' + s->value % 26);
    xcb_image_text_8(s->x, 1, s->window, s->text, (int16_t)(s->column * GLYPH),
                     (int16_t)(TOP + s->row * LINE + 11), &c);
    if (++s->column >= 80) {
        s->column = 0;
        s->row = (s->row + 1) % 40;
    }
    s->value++;
    show_value(s);
}

/* The window under the box is not asked to draw itself: what the box uncovers is written anew. */
static void drag(struct screen *s, int x, int y) {
    const uint32_t at[] = {(uint32_t)x, (uint32_t)(y < TOP ? TOP : y)};
    xcb_configure_window(s->x, s->box, XCB_CONFIG_WINDOW_X | XCB_CONFIG_WINDOW_Y, at);
    s->value = (unsigned)x;
    show_value(s);
}

static void redraw(struct screen *s, const xcb_expose_event_t *e) {
    for (int y = TOP + (e->y - TOP) / LINE * LINE; y < e->y + e->height; y += LINE)
        if (y >= TOP && y + LINE <= s->height)
            write_line(s, s->window, e->x, y, e->width / GLYPH + 1);
    show_value(s);
}

static void scroll(struct screen *s) {
    const int rows = (s->height - TOP) / LINE;
    xcb_copy_area(s->x, s->window, s->window, s->text, 0, TOP + LINE, 0, TOP, (uint16_t)s->width,
                  (uint16_t)((rows - 1) * LINE));
    write_line(s, s->window, 0, TOP + (rows - 1) * LINE, s->width / GLYPH);
    s->value++;
    show_value(s);
}

static void set_scrolling(struct screen *s, bool on) {
    const struct timespec each = {0, on ? 1000000000 / SCROLL_HZ : 0};
    const struct itimerspec every = {each, each};
    timerfd_settime(s->timer, 0, &every, NULL);
    s->scrolling = on;
}

static void take_event(struct screen *s, const char *mode, const xcb_generic_event_t *e) {
    const uint8_t type_of = e->response_type & 0x7f;
    if (type_of == XCB_EXPOSE && strcmp(mode, "drag") == 0)
        redraw(s, (const void *)e);
    if ((type_of == XCB_KEY_PRESS || type_of == XCB_BUTTON_PRESS) && strcmp(mode, "typing") == 0)
        type(s);
    if (type_of == XCB_BUTTON_PRESS && strcmp(mode, "scroll") == 0)
        set_scrolling(s, !s->scrolling);
    if (type_of == XCB_KEY_PRESS && strcmp(mode, "scroll") == 0 && !s->scrolling)
        type(s);
    if (type_of == XCB_MOTION_NOTIFY && s->box) {
        const xcb_motion_notify_event_t *m = (const void *)e;
        if (m->state & XCB_BUTTON_MASK_1)
            drag(s, m->event_x, m->event_y);
    }
}

int main(int argc, char **argv) {
    struct screen s = {.random = 7};
    const char *mode = argc > 1 ? argv[1] : "";
    open_screen(&s);
    s.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (strcmp(mode, "scroll") == 0)
        set_scrolling(&s, true);
    free(xcb_get_input_focus_reply(s.x, xcb_get_input_focus(s.x), NULL)); /* it is mapped */
    xcb_set_input_focus(s.x, XCB_INPUT_FOCUS_POINTER_ROOT, s.window, XCB_CURRENT_TIME);
    fill(&s);
    show_value(&s);
    if (strcmp(mode, "drag") == 0)
        open_box(&s);
    xcb_flush(s.x);
    while (!xcb_connection_has_error(s.x)) {
        struct pollfd fds[] = {{.fd = xcb_get_file_descriptor(s.x), .events = POLLIN},
                               {.fd = s.timer, .events = POLLIN}};
        uint64_t ticks;
        xcb_generic_event_t *e;
        if (poll(fds, 2, -1) > 0 && fds[1].revents && read(s.timer, &ticks, sizeof(ticks)) > 0)
            scroll(&s);
        while ((e = xcb_poll_for_event(s.x))) {
            take_event(&s, mode, e);
            free(e);
        }
        xcb_flush(s.x);
    }
    return 0;
}
