/* src/host/encode/scene.c - pictures of a made-up desktop, to measure encoders with */
#include "host/encode/scene.h"
#include <stddef.h>
#include <string.h>

#define GLYPH_W 6
#define GLYPH_H 13
#define PAPER 40
#define INK 200
#define WINDOW_INK 160
#define TITLE_H 20
#define GREY 128
#define MOVE_X 6
#define MOVE_Y 4

const char *const px_scene_names[PX_N_SCENES] = {"typing", "drag", "scroll", "video"};

/* Well mixed numbers from a number (MurmurHash3's last steps). */
static uint32_t mix(uint32_t x) {
    x = (x ^ x >> 16) * 0x85ebca6bu;
    x = (x ^ x >> 13) * 0xc2b2ae35u;
    return x ^ x >> 16;
}

static void fill(struct px_picture *p, struct px_rect r, int plane, uint8_t value) {
    const int shift = plane ? 1 : 0;
    for (int y = r.y >> shift; y < (r.y + r.h) >> shift; y++)
        memset(p->planes[plane] + (ptrdiff_t)y * p->strides[plane] + (r.x >> shift), value,
               (size_t)(r.w >> shift));
}

/* Whether the letter of place @seed has ink there: strokes of one or two pixels, as small fonts
 * have them, of 64 letters; every sixth place is a space. */
static bool inked(uint32_t seed, int x, int y) {
    const uint32_t h = mix(seed);
    if (h % 6 == 0 || x == GLYPH_W - 1 || y < 2 || y > 10)
        return false;
    const uint32_t shape = mix(h >> 8 & 63);
    return (x == 0 && shape & 1) || (x == 4 && shape & 2) || (y == 2 && shape & 4) ||
           (y == 6 && shape & 8) || (y == 10 && shape & 16) || (x == 2 && shape & 32);
}

/* Text in @r, whose lines begin at @top with line @line. */
static void write_text(struct px_picture *p, struct px_rect r, int top, unsigned line, uint8_t ink,
                       uint8_t paper) {
    for (int y = r.y; y < r.y + r.h; y++) {
        uint8_t *at = p->planes[0] + (ptrdiff_t)y * p->strides[0];
        const uint32_t row = (line + (unsigned)((y - top) / GLYPH_H)) * 4096;
        for (int x = r.x; x < r.x + r.w; x++)
            at[x] = inked(row + (uint32_t)(x / GLYPH_W), x % GLYPH_W, (y - top) % GLYPH_H) ? ink
                                                                                           : paper;
    }
}

static struct px_rect whole(const struct px_scene *s) {
    return (struct px_rect){0, 0, s->picture.width, s->picture.height};
}

static void draw_desktop(struct px_scene *s, struct px_rect r) {
    write_text(&s->picture, r, 0, s->line, INK, PAPER);
    fill(&s->picture, r, 1, GREY);
    fill(&s->picture, r, 2, GREY);
}

/* A window's text is its own: it moves with it to the pixel. */
static void draw_window(struct px_scene *s) {
    const struct px_rect w = s->window;
    const struct px_rect title = {w.x, w.y, w.w, TITLE_H};
    for (int y = w.y + TITLE_H; y < w.y + w.h; y++) {
        uint8_t *at = s->picture.planes[0] + (ptrdiff_t)y * s->picture.strides[0];
        const int line = (y - w.y - TITLE_H) / GLYPH_H;
        for (int x = 0; x < w.w; x++)
            at[w.x + x] = inked(0x40000000u + (uint32_t)(line * 4096 + x / GLYPH_W), x % GLYPH_W,
                                (y - w.y - TITLE_H) % GLYPH_H)
                              ? WINDOW_INK
                              : PAPER + 20;
    }
    fill(&s->picture, title, 0, 90);
    fill(&s->picture, w, 1, GREY + 20);
    fill(&s->picture, w, 2, GREY - 10);
}

void px_scene_init(struct px_scene *s, int width, int height) {
    *s = (struct px_scene){
        .window = {width / 8 & ~1, height / 8 & ~1, width / 3 & ~1, height / 3 & ~1}};
    px_picture_init(&s->picture, width, height, false);
    draw_desktop(s, whole(s));
    draw_window(s);
}

void px_scene_fini(struct px_scene *s) {
    px_picture_fini(&s->picture);
}

static void type(struct px_scene *s, struct px_region *ret) {
    const int columns = s->picture.width / GLYPH_W / 2;
    const unsigned n = s->letter++;
    struct px_rect r = {(int)(n % (unsigned)columns) * GLYPH_W, s->picture.height - 2 * GLYPH_H,
                        GLYPH_W, GLYPH_H};
    write_text(&s->picture, r, r.y, 0x80000u + n / (unsigned)columns, INK, PAPER);
    px_region_add(ret, r);
}

static void drag(struct px_scene *s, struct px_region *ret) {
    const struct px_rect was = s->window;
    struct px_rect *w = &s->window;
    const int x = w->x + MOVE_X, y = w->y + MOVE_Y;
    *w = (struct px_rect){x + w->w <= s->picture.width ? x : 0,
                          y + w->h <= s->picture.height ? y : 0, w->w, w->h};
    draw_desktop(s, was);
    draw_window(s);
    px_region_add(ret, was);
    px_region_add(ret, *w);
}

static void scroll(struct px_scene *s, struct px_region *ret) {
    s->line++;
    draw_desktop(s, whole(s));
    px_region_add(ret, whole(s));
}

/* What the film shows at @x, @y, in quarters of a pixel: between the corners of squares of 16x16
 * pixels, each as bright as it happens to be. */
static int pattern(unsigned plane, unsigned x, unsigned y) {
    int corners[2][2];
    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 0; k < 2; k++)
            corners[i][k] =
                60 + (int)(mix(((y >> 6) + i) * 8192 + (x >> 6) + k + plane * 77777) >> 25);
    const int fx = (int)(x & 63), fy = (int)(y & 63);
    return ((corners[0][0] * (64 - fx) + corners[0][1] * fx) * (64 - fy) +
            (corners[1][0] * (64 - fx) + corners[1][1] * fx) * fy) >>
           12;
}

/* Glides by parts of pixels, upper and lower half in different directions, under some grain. */
static void film(struct px_scene *s, struct px_region *ret) {
    struct px_picture *p = &s->picture;
    const unsigned t = s->picture_no++ * 5;
    for (unsigned plane = 0; plane < 3; plane++) {
        const int shift = plane ? 1 : 0;
        for (int y = 0; y < p->height >> shift; y++) {
            uint8_t *at = p->planes[plane] + (ptrdiff_t)y * p->strides[plane];
            uint32_t grain = mix(t * 8192 + (unsigned)y);
            const unsigned glide = 2 * (y << shift) < p->height ? t : (1u << 20) - t / 5 * 3;
            for (int x = 0; x < p->width >> shift; x++) {
                grain = grain * 1664525u + 1013904223u;
                at[x] = (uint8_t)(pattern(plane, ((unsigned)x << shift) * 4 + glide,
                                          ((unsigned)y << shift) * 4 + t / 5) +
                                  (plane ? 0 : (int)(grain >> 31)));
            }
        }
    }
    px_region_add(ret, whole(s));
}

void px_scene_step(struct px_scene *s, enum px_scene_kind content, struct px_region *ret) {
    ret->n = 0;
    switch (content) {
    case PX_SCENE_TYPING:
        type(s, ret);
        break;
    case PX_SCENE_DRAG:
        drag(s, ret);
        break;
    case PX_SCENE_SCROLL:
        scroll(s, ret);
        break;
    case PX_SCENE_VIDEO:
        film(s, ret);
        break;
    }
    px_region_align(ret, s->picture.width, s->picture.height);
}
