/* src/host/clipboard/content.c - what a clipboard holds */
#include "host/clipboard/content.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "proto/unpack.h"
#include <png.h>
#include <string.h>
#include <zstd.h>

#define PIXELS_MAX_BYTES (256u * 1024 * 1024)

static const int formats[PX_N_MESSAGE_FORMS] = {
    [PX_FORM_TEXT] = PX_CLIPBOARD_TEXT, [PX_FORM_HTML] = PX_CLIPBOARD_HTML,
    [PX_FORM_RTF] = PX_CLIPBOARD_RTF,   [PX_FORM_PNG] = PX_CLIPBOARD_PNG,
    [PX_FORM_SVG] = PX_CLIPBOARD_SVG,
};

void px_content_fini(struct px_content *c) {
    for (int i = 0; i < PX_N_FORMS; i++)
        px_buf_fini(&c->forms[i]);
}

bool px_content_is_empty(const struct px_content *c) {
    for (int i = 0; i < PX_N_FORMS; i++)
        if (c->forms[i].size)
            return false;
    return true;
}

/* The entry's bytes, unpacked; false: broken, too large or empty. */
static bool unpack(const Pxs__Clipboard *item, size_t max_bytes, struct px_buf *out) {
    const ProtobufCBinaryData d = item->content;
    if (item->compress)
        return px_unpack(d.data, d.len, max_bytes, out, NULL) >= 0 && out->size > 0;
    if (d.len == 0 || d.len > max_bytes)
        return false;
    px_buf_add(out, d.data, d.len);
    return true;
}

static void pixels_to_png(const Pxs__Clipboard *item, const struct px_buf *rgba,
                          struct px_buf *out) {
    if (item->width <= 0 || item->height <= 0 ||
        (uint64_t)item->width * (uint64_t)item->height * 4 != rgba->size)
        return;
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)item->width,
                       .height = (png_uint_32)item->height,
                       .format = PNG_FORMAT_RGBA,
                       .flags = PNG_IMAGE_FLAG_FAST};
    png_alloc_size_t need = PNG_IMAGE_PNG_SIZE_MAX(image);
    px_buf_reset(out);
    void *at = px_buf_reserve(out, need);
    if (png_image_write_to_memory(&image, at, &need, 0, rgba->data, 0, NULL))
        out->size = need;
}

void px_content_take(struct px_content *c, const Pxs__Clipboard *item, size_t max_bytes) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    const bool pixels = item->format == PX_CLIPBOARD_RGBA;
    if (!unpack(item, pixels && max_bytes < PIXELS_MAX_BYTES ? PIXELS_MAX_BYTES : max_bytes,
                &plain))
        return;
    if (pixels) {
        pixels_to_png(item, &plain, &c->forms[PX_FORM_PNG]);
        return;
    }
    for (int i = 0; i < PX_N_MESSAGE_FORMS; i++)
        if (formats[i] == item->format) {
            px_buf_reset(&c->forms[i]);
            px_buf_add(&c->forms[i], plain.data, plain.size);
        }
}

/* @packed gets the memory of a compressed form; the caller frees it. */
static void fill(Pxs__Clipboard *item, enum px_content_form form, const struct px_buf *b,
                 uint8_t **packed) {
    *item = (Pxs__Clipboard)PXS__CLIPBOARD__INIT;
    item->format = formats[form];
    item->content = (ProtobufCBinaryData){b->size, (uint8_t *)b->data};
    if (form == PX_FORM_PNG || b->size < 64)
        return;
    *packed = px_calloc(1, b->size);
    const size_t n = ZSTD_compress(*packed, b->size, b->data, b->size, 3);
    if (ZSTD_isError(n) || n >= b->size)
        return;
    item->compress = true;
    item->content = (ProtobufCBinaryData){n, *packed};
}

bool px_content_print(const struct px_content *c, bool only_text, struct px_buf *out) {
    Pxs__Clipboard items[PX_N_MESSAGE_FORMS], *list[PX_N_MESSAGE_FORMS];
    uint8_t *packed[PX_N_MESSAGE_FORMS] = {0};
    size_t n = 0;
    for (int i = 0; i < PX_N_MESSAGE_FORMS; i++)
        if (c->forms[i].size && (!only_text || i == PX_FORM_TEXT)) {
            fill(&items[n], (enum px_content_form)i, &c->forms[i], &packed[n]);
            list[n] = &items[n];
            n++;
        }
    Pxs__MultiClipboards multi = PXS__MULTI_CLIPBOARDS__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    multi.n_clipboards = n;
    multi.clipboards = list;
    m.item_case = only_text ? PXS__MESSAGE__ITEM_CLIPBOARD : PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS;
    if (only_text)
        m.clipboard = &items[0];
    else
        m.multi_clipboards = &multi;
    if (n > 0)
        px_message_print(&m.base, out);
    for (size_t i = 0; i < n; i++)
        free(packed[i]);
    return n > 0;
}
