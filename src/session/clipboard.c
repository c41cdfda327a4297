/* src/session/clipboard.c - the clipboard, the client's side */
#include "session/clipboard.h"
#include "base/alloc.h"
#include "proto/unpack.h"
#include <string.h>

int px_client_copy(struct px_client *c, const char *utf8, struct px_error *err) {
    Pxs__Clipboard item = PXS__CLIPBOARD__INIT, *items[] = {&item};
    Pxs__MultiClipboards multi = PXS__MULTI_CLIPBOARDS__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    item.format = PX_CLIPBOARD_TEXT;
    item.content = (ProtobufCBinaryData){strlen(utf8), (uint8_t *)(uintptr_t)utf8};
    multi.n_clipboards = 1;
    multi.clipboards = items;
    m.item_case = PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS;
    m.multi_clipboards = &multi;
    return px_client_send(c, &m, err);
}

static char *text_of(const Pxs__Clipboard *c) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    if (c->format != PX_CLIPBOARD_TEXT || c->content.len > PX_CLIP_MAX_BYTES)
        return NULL;
    if (!c->compress)
        return px_strndup(c->content.len ? (const char *)c->content.data : "", c->content.len);
    return px_unpack(c->content.data, c->content.len, PX_CLIP_MAX_BYTES, &plain, NULL) < 0
               ? NULL
               : px_strdup(px_buf_str(&plain));
}

char *px_clipboard_text(const Pxs__Message *m) {
    if (m->item_case == PXS__MESSAGE__ITEM_CLIPBOARD)
        return text_of(m->clipboard);
    char *text = NULL;
    if (m->item_case == PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS)
        for (size_t i = 0; i < m->multi_clipboards->n_clipboards && !text; i++)
            text = text_of(m->multi_clipboards->clipboards[i]);
    return text;
}

int px_client_await_copy(struct px_client *c, const char *utf8, int64_t until_us,
                         struct px_error *err) {
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const int r = px_client_recv(c, until_us, &m, err);
        if (r <= 0)
            return r;
        px_cleanup_free char *text = px_clipboard_text(m);
        if (text && strcmp(text, utf8) == 0)
            return 1;
    }
}
