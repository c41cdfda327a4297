/* src/desktop/png.c - pictures as PNG */
#include "desktop/png.h"
#include "base/alloc.h"
#include <png.h>

#define COMPRESSION                                                                                \
    3 /* a desktop of 1920x1080 in a tenth of a second, a tenth larger than at 9                   \
       */

struct writer {
    png_structp png;
    png_infop info;
    uint8_t *line;
    struct px_buf *out;
    struct px_error *err;
};

static void on_write(png_structp png, png_bytep data, size_t size) {
    const struct writer *w = png_get_io_ptr(png);
    px_buf_add(w->out, data, size);
}

static void on_flush(png_structp png) {
}

static void on_error(png_structp png, png_const_charp text) {
    const struct writer *w = png_get_error_ptr(png);
    px_fail(w->err, -EIO, "PNG: %s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) {
}

/* Holds the jump target: has no variable of its own that a jump could spoil. */
static int write_all(const struct writer *w, uint32_t width_px, uint32_t height_px,
                     void (*row)(void *data, uint32_t y, uint8_t *rgb), void *data) {
    if (setjmp(png_jmpbuf(w->png)))
        return -EIO;
    png_set_IHDR(w->png, w->info, width_px, height_px, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(w->png, COMPRESSION);
    png_set_filter(w->png, PNG_FILTER_TYPE_BASE, PNG_FILTER_SUB | PNG_FILTER_UP);
    png_write_info(w->png, w->info);
    for (uint32_t y = 0; y < height_px; y++) {
        row(data, y, w->line);
        png_write_row(w->png, w->line);
    }
    png_write_end(w->png, NULL);
    return 0;
}

int px_png_write(uint32_t width_px, uint32_t height_px,
                 void (*row)(void *data, uint32_t y, uint8_t *rgb), void *data, struct px_buf *png,
                 struct px_error *err) {
    const size_t before = png->size;
    struct px_error unused;
    struct writer w = {.out = png, .err = err ? err : &unused};
    w.line = px_new0(uint8_t, (size_t)width_px * 3);
    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    int r = -ENOMEM;
    if (w.info) {
        png_set_write_fn(w.png, &w, on_write, on_flush);
        r = write_all(&w, width_px, height_px, row, data);
    } else {
        px_fail(err, r, "PNG: no memory");
    }
    png_destroy_write_struct(&w.png, &w.info);
    free(w.line);
    if (r < 0)
        png->size = before;
    return r;
}
