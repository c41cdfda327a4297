/* tests/host/messages.c - messages of every kind, made by chance */
#include "messages.h"
#include "proto/session.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#define DEPTH_MAX 4
#define BYTES_MAX 4000

static uint32_t state = 1;

void messages_seed(uint32_t seed) {
    state = seed;
}

uint32_t messages_random(uint32_t below) {
    state = state * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)(state >> 8) * below) >> 24);
}

#define rnd messages_random

static void add_varint(struct px_buf *out, uint64_t v) {
    while (v >= 128) {
        px_buf_putc(out, (char)(v | 128));
        v >>= 7;
    }
    px_buf_putc(out, (char)v);
}

static uint64_t number(void) {
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   3,
                                   4,
                                   7,
                                   9,
                                   16,
                                   38,
                                   100,
                                   255,
                                   256,
                                   1000,
                                   16385,
                                   65535,
                                   65536,
                                   65537,
                                   99999,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   UINT64_MAX,
                                   UINT64_MAX - 1,
                                   1ull << 40};
    return rnd(3) ? odd[rnd(sizeof(odd) / sizeof(odd[0]))] : rnd(1 << 20);
}

static void add_zstd(struct px_buf *out) {
    static const size_t sizes[] = {0, 1, 100, 65536, 1 << 20, 3 << 20};
    static char zeros[3 << 20];
    char packed[BYTES_MAX];
    const size_t n =
        ZSTD_compress(packed, sizeof(packed), zeros, sizes[rnd(sizeof(sizes) / sizeof(*sizes))], 1);
    if (!ZSTD_isError(n))
        px_buf_add(out, packed, n);
}

static char work_dir[128];

void messages_dir(const char *dir) {
    snprintf(work_dir, sizeof(work_dir), "%s", dir);
}

static void add_path(struct px_buf *out) {
    static const char *const names[] = {"",       "/a",    "/a/b", "/large",
                                        "/a/b/c", "/\xff", "/ ",   "/a//b"};
    px_buf_printf(out, "%s%s", work_dir, names[rnd(sizeof(names) / sizeof(*names))]);
}

static void add_value(struct px_buf *out) {
    static const char *const words[] = {"",         "/",           "..",
                                        "../x",     "/etc/passwd", "/nowhere/at/all",
                                        "a/b",      "x",           "caf\xc3\xa9",
                                        "\xff\xfe", "%s%n",        "1.4.9",
                                        "{}",       "127.0.0.1:1", "localhost",
                                        "a\nb",     "\x1b[2J",     "123456789",
                                        "shot-1",   "/dev/zero",   "/proc/self/mem"};
    switch (rnd(6)) {
    case 0:
        add_zstd(out);
        break;
    case 1:
        for (uint32_t n = rnd(BYTES_MAX); n > 0; n--)
            px_buf_putc(out, (char)rnd(256));
        break;
    default:
        px_buf_puts(out, words[rnd(sizeof(words) / sizeof(*words))]);
        break;
    }
}

static void add_message(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *only,
                        int depth, struct px_buf *out);

static void add_field(const ProtobufCFieldDescriptor *f, int depth, struct px_buf *out) {
    px_cleanup(px_buf_fini) struct px_buf v = {0};
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        if (strcmp(f->name, "path") == 0 && rnd(5))
            add_path(&v);
        else
            add_value(&v);
        break;
    case PROTOBUF_C_TYPE_MESSAGE:
        if (depth < DEPTH_MAX)
            add_message(f->descriptor, NULL, depth + 1, &v);
        break;
    default:
        add_varint(out, f->id << 3);
        add_varint(out, number());
        return;
    }
    add_varint(out, f->id << 3 | 2);
    add_varint(out, v.size);
    px_buf_add(out, v.data, v.size);
}

/* Most of its fields, and of those that exclude each other mostly one; @only: that one for sure. */
static void add_message(const ProtobufCMessageDescriptor *d, const ProtobufCFieldDescriptor *only,
                        int depth, struct px_buf *out) {
    unsigned n_oneof = 0;
    for (unsigned i = 0; i < d->n_fields; i++)
        n_oneof += (d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    unsigned chosen = n_oneof ? rnd(n_oneof) : 0, at = 0;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
            if (only ? f == only : at++ == chosen)
                add_field(f, depth, out);
            continue;
        }
        unsigned times = rnd(4) != 0;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            times = rnd(4);
        while (times-- > 0)
            add_field(f, depth, out);
    }
}

/* A oneof within it is what makes a kind: Misc, FileAction, TerminalAction, ... */
static unsigned inner_kinds(const ProtobufCFieldDescriptor *f) {
    unsigned n = 0;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        return 1;
    const ProtobufCMessageDescriptor *d = f->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++)
        n += (d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    return n ? n : 1;
}

unsigned messages_kinds(void) {
    const ProtobufCMessageDescriptor *d = &pxs__message__descriptor;
    unsigned n = 0;
    for (unsigned i = 0; i < d->n_fields; i++)
        n += inner_kinds(&d->fields[i]);
    return n;
}

static const ProtobufCFieldDescriptor *inner(const ProtobufCMessageDescriptor *d, unsigned at) {
    for (unsigned i = 0; i < d->n_fields; i++)
        if (d->fields[i].flags & PROTOBUF_C_FIELD_FLAG_ONEOF && at-- == 0)
            return &d->fields[i];
    return NULL;
}

void messages_make(unsigned i, struct px_buf *out, char ret_name[64]) {
    const ProtobufCMessageDescriptor *d = &pxs__message__descriptor;
    unsigned f = 0;
    for (; i >= inner_kinds(&d->fields[f]); f++)
        i -= inner_kinds(&d->fields[f]);
    const ProtobufCFieldDescriptor *field = &d->fields[f], *member = NULL;
    px_cleanup(px_buf_fini) struct px_buf v = {0};
    if (field->type != PROTOBUF_C_TYPE_MESSAGE) {
        add_field(field, 0, out);
    } else {
        member = inner(field->descriptor, i);
        add_message(field->descriptor, member, 1, &v);
        add_varint(out, field->id << 3 | 2);
        add_varint(out, v.size);
        px_buf_add(out, v.data, v.size);
    }
    if (ret_name)
        snprintf(ret_name, 64, "%s%s%s", field->name, member ? "." : "",
                 member ? member->name : "");
}

void messages_mutate(struct px_buf *b) {
    for (uint32_t changes = rnd(4); changes > 0 && b->size > 0; changes--)
        switch (rnd(4)) {
        case 0:
            b->data[rnd((uint32_t)b->size)] ^= (char)(1u << rnd(8));
            break;
        case 1:
            b->data[rnd((uint32_t)b->size)] = (char)rnd(256);
            break;
        case 2:
            px_buf_putc(b, (char)rnd(256));
            break;
        case 3:
            b->size -= rnd((uint32_t)b->size);
            break;
        }
}

/* ---- what is safe to send ---- */

static bool is_below(ProtobufCBinaryData path, const char *dir) {
    const size_t n = strlen(dir);
    return path.len >= n && memcmp(path.data, dir, n) == 0 &&
           (path.len == n || path.data[n] == '/') && !memmem(path.data, path.len, "..", 2);
}

static bool file_action_is_harmless(const Pxs__FileAction *a, const char *dir) {
    switch ((int)a->action_case) {
    case PXS__FILE_ACTION__ACTION_READ_DIR:
        return is_below(a->read_dir->path, dir);
    case PXS__FILE_ACTION__ACTION_SEND:
        return is_below(a->send->path, dir);
    case PXS__FILE_ACTION__ACTION_RECEIVE:
        return is_below(a->receive->path, dir);
    case PXS__FILE_ACTION__ACTION_CREATE:
        return is_below(a->create->path, dir);
    case PXS__FILE_ACTION__ACTION_REMOVE_DIR:
        return is_below(a->remove_dir->path, dir);
    case PXS__FILE_ACTION__ACTION_REMOVE_FILE:
        return is_below(a->remove_file->path, dir);
    case PXS__FILE_ACTION__ACTION_RENAME:
        return is_below(a->rename->path, dir);
    case PXS__FILE_ACTION__ACTION_ALL_FILES:
        return is_below(a->all_files->path, dir);
    case PXS__FILE_ACTION__ACTION_READ_EMPTY_DIRS:
        return is_below(a->read_empty_dirs->path, dir);
    case PXS__FILE_ACTION__ACTION_CANCEL:
    case PXS__FILE_ACTION__ACTION_SEND_CONFIRM:
    case PXS__FILE_ACTION__ACTION__NOT_SET:
        return true;
    }
    return false;
}

/* Small letters, or what unpacks to nothing but zeros, or not at all. */
static bool input_is_harmless(const Pxs__TerminalData *d) {
    static uint8_t plain[4 << 20];
    if (d->compressed) {
        const size_t n = ZSTD_decompress(plain, sizeof(plain), d->data.data, d->data.len);
        for (size_t i = 0; !ZSTD_isError(n) && i < n; i++)
            if (plain[i])
                return false;
        return true;
    }
    for (size_t i = 0; i < d->data.len; i++)
        if (d->data.data[i] < 'a' || d->data.data[i] > 'z')
            return false;
    return true;
}

bool messages_harmless(const struct px_buf *body, const char *dir) {
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    if (px_message_parse((const uint8_t *)body->data, body->size, &m, NULL) < 0)
        return true; /* nor does the host */
    if (m->item_case == PXS__MESSAGE__ITEM_FILE_ACTION)
        return file_action_is_harmless(m->file_action, dir);
    if (m->item_case == PXS__MESSAGE__ITEM_TERMINAL_ACTION &&
        m->terminal_action->action_case == PXS__TERMINAL_ACTION__ACTION_DATA)
        return input_is_harmless(m->terminal_action->data);
    return true;
}
