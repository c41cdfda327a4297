/* src/host/fuzz_messages.c - what a client may say once it is in: whatever it is, what is pressed
 * is a key or a button that exists and is let go again, options stay in their bounds, unpacked
 * clipboards below the limit, names of uploads below their directory
 *
 * The bytes are frames as they come from the wire. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/clipboard/content.h"
#include "host/files/listing.h"
#include "host/input/keyboard.h"
#include "host/options.h"
#include "proto/frame.h"
#include "proto/unpack.h"
#include <assert.h>
#include <string.h>

#define FORM_MAX (256 * 1024)
#define WIDTH 1280
#define HEIGHT 720

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pressed {
    bool keys[256], buttons[32];
    uint8_t locks;
};

static void on_key(void *data, uint8_t code, bool down) {
    struct pressed *p = data;
    assert(code >= 8);
    p->keys[code] = down;
}

static void on_button(void *data, uint8_t button, bool down) {
    struct pressed *p = data;
    assert(button >= 1 && button <= 9);
    p->buttons[button] = down;
}

static void on_move(void *data, int x, int y) {
    assert(x >= 0 && x < WIDTH && y >= 0 && y < HEIGHT);
}

static void on_move_by(void *data, int dx, int dy) {
    assert(abs(dx) <= 10000 && abs(dy) <= 10000);
}

static void on_lock(void *data, uint8_t mask, uint8_t on) {
    struct pressed *p = data;
    p->locks = (uint8_t)((p->locks & ~mask) | on);
}

static uint8_t locked(void *data) {
    return ((struct pressed *)data)->locks;
}

/* Letters, digits, modifiers, and a few spare codes. */
static void fill_map(struct px_keymap *map) {
    static const uint32_t modifiers[] = {0xffe1, 0xffe3, 0xffe9, 0xffeb, 0xfe03, 0xffe5, 0xff7f};
    map->min_keycode = 8;
    map->max_keycode = 255;
    map->per_keycode = 4;
    map->syms = px_calloc(248 * 4, sizeof(uint32_t));
    for (unsigned c = 0; c < 240; c++)
        map->syms[c * 4] = 0xff000000 + c;
    for (unsigned c = 0; c < 26; c++) {
        map->syms[(30 + c) * 4] = 'a' + c;
        map->syms[(30 + c) * 4 + 1] = 'A' + c;
    }
    for (unsigned c = 0; c < PX_N_ELEMENTS(modifiers); c++)
        map->syms[(60 + c) * 4] = modifiers[c];
}

static void take_options(struct px_options *o, const Pxs__OptionMessage *m) {
    static const enum px_codec codecs[] = {PX_CODEC_VP8, PX_CODEC_VP9, PX_CODEC_AV1, PX_CODEC_H264,
                                           PX_CODEC_H265};
    px_options_merge(o, m);
    assert(o->quality_percent >= 1 && o->quality_percent <= 10000);
    bool frugal;
    assert(px_options_rate(o, WIDTH, HEIGHT, &frugal) >= 1);
    for (size_t i = 0; i < PX_N_ELEMENTS(codecs); i++) {
        struct px_vstream_opts s = {0};
        px_options_stream(o, codecs[i], &s);
        assert(s.fps >= 1 && s.fps <= 240);
        assert(s.min_quality <= s.max_quality && s.max_quality <= 100);
    }
}

static void take_clipboards(Pxs__Clipboard *const *list, size_t n) {
    struct px_content c = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    for (size_t i = 0; i < n; i++) {
        if (list[i]->format == PX_CLIPBOARD_RGBA && list[i]->compress)
            continue; /* its own limit, 256 MiB, takes the fuzzer's time */
        px_content_take(&c, list[i], FORM_MAX);
    }
    for (int i = 0; i < PX_N_FORMS; i++)
        assert(i == PX_FORM_PNG || c.forms[i].size <= FORM_MAX);
    assert(px_content_print(&c, false, &out) != px_content_is_empty(&c));
    px_content_fini(&c);
}

static bool is_part(const uint8_t *name, size_t size) {
    return size > 0 && !(size == 1 && name[0] == '.') &&
           !(size == 2 && name[0] == '.' && name[1] == '.');
}

static void take_names(const Pxs__FileReceive *r) {
    for (size_t i = 0; i < r->n_files; i++) {
        const ProtobufCBinaryData n = r->files[i]->name;
        if (!px_upload_name_ok(n.data, n.len))
            continue;
        size_t from = 0;
        for (size_t at = 0; at <= n.len; at++)
            if (at == n.len || n.data[at] == '/') {
                assert(is_part(n.data + from, at - from));
                from = at + 1;
            } else
                assert(n.data[at] != '\0');
    }
}

static void take_packed(ProtobufCBinaryData d) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    px_unpack(d.data, d.len, FORM_MAX, &plain, NULL);
    assert(plain.size <= FORM_MAX);
}

static void take(struct px_keyboard *k, struct px_held *h, struct px_options *o,
                 const Pxs__Message *m) {
    switch ((int)m->item_case) {
    case PXS__MESSAGE__ITEM_KEY_EVENT:
        px_keyboard_key(k, h, m->key_event);
        break;
    case PXS__MESSAGE__ITEM_MOUSE_EVENT:
        px_keyboard_mouse(k, h, m->mouse_event);
        break;
    case PXS__MESSAGE__ITEM_POINTER_DEVICE_EVENT:
        px_keyboard_touch(k, h, m->pointer_device_event);
        break;
    case PXS__MESSAGE__ITEM_CLIPBOARD:
        take_clipboards((Pxs__Clipboard *const *)&m->clipboard, 1);
        break;
    case PXS__MESSAGE__ITEM_MULTI_CLIPBOARDS:
        take_clipboards(m->multi_clipboards->clipboards, m->multi_clipboards->n_clipboards);
        break;
    case PXS__MESSAGE__ITEM_FILE_ACTION:
        if (m->file_action->action_case == PXS__FILE_ACTION__ACTION_RECEIVE)
            take_names(m->file_action->receive);
        break;
    case PXS__MESSAGE__ITEM_FILE_RESPONSE:
        if (m->file_response->response_case == PXS__FILE_RESPONSE__RESPONSE_BLOCK)
            take_packed(m->file_response->block->data);
        break;
    case PXS__MESSAGE__ITEM_TERMINAL_ACTION:
        if (m->terminal_action->action_case == PXS__TERMINAL_ACTION__ACTION_DATA)
            take_packed(m->terminal_action->data->data);
        break;
    case PXS__MESSAGE__ITEM_MISC:
        if (m->misc->item_case == PXS__MISC__ITEM_OPTION)
            take_options(o, m->misc->option);
        break;
    default:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct pressed pressed = {0};
    struct px_held held = {0};
    struct px_options options;
    struct px_keyboard k = {
        .sink = {on_key, on_button, on_move, on_move_by, on_lock, locked, &pressed},
        .width = WIDTH,
        .height = HEIGHT};
    px_options_init(&options);
    fill_map(&k.map);
    uint32_t body = 0;
    while (size > 0 && px_frame_parse(data, size, &body, NULL) == PX_PARSE_DONE) {
        const size_t prefix = px_frame_prefix_size(data[0]);
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        if (body > size - prefix || px_message_parse(data + prefix, body, &m, NULL) < 0)
            break;
        take(&k, &held, &options, m);
        data += prefix + body;
        size -= prefix + body;
    }
    px_keyboard_release(&k, &held);
    for (int i = 0; i < 256; i++)
        assert(!pressed.keys[i]);
    for (int i = 0; i < 32; i++)
        assert(!pressed.buttons[i]);
    px_keymap_fini(&k.map);
    return 0;
}
