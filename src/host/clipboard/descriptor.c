/* src/host/clipboard/descriptor.c - the list of copied files, as clipboards of RDP tell it */
#include "host/clipboard/descriptor.h"
#include "base/alloc.h"
#include "host/files/listing.h"
#include "proto/wire.h"
#include <string.h>

#define ENTRY_BYTES 592
#define NAME_AT 72
#define NAME_UNITS 260
#define TICKS_PER_S 10000000
#define S_1601_TO_1970 11644473600LL

enum { HAS_ATTRIBUTES = 4, HAS_MODE = 8, HAS_TIME = 0x20, HAS_SIZE = 0x40, HAS_PROGRESS = 0x4000 };
enum { READ_ONLY = 1, DIRECTORY = 0x10, NORMAL = 0x80 };

static void put(uint8_t *p, uint64_t v, int n_bytes) {
    for (int i = 0; i < n_bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void px_descriptors_fini(struct px_descriptors *l) {
    for (size_t i = 0; i < l->n; i++)
        free(l->list[i].name);
    free(l->list);
    *l = (struct px_descriptors){0};
}

/* ---- UTF-16 ---- */

static void add_utf8(struct px_buf *b, uint32_t c) {
    const uint8_t tail = (uint8_t)(0x80 | (c & 0x3f));
    if (c < 0x80)
        px_buf_putc(b, (char)c);
    else if (c < 0x800)
        px_buf_add(b, (uint8_t[]){(uint8_t)(0xc0 | c >> 6), tail}, 2);
    else if (c < 0x10000)
        px_buf_add(
            b, (uint8_t[]){(uint8_t)(0xe0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3f)), tail}, 3);
    else
        px_buf_add(b,
                   (uint8_t[]){(uint8_t)(0xf0 | c >> 18), (uint8_t)(0x80 | (c >> 12 & 0x3f)),
                               (uint8_t)(0x80 | (c >> 6 & 0x3f)), tail},
                   4);
}

/* false: no end, or half a surrogate pair. */
static bool read_name(const uint8_t *p, struct px_buf *out) {
    for (size_t i = 0; i < NAME_UNITS; i++) {
        uint32_t c = px_le16(p + i * 2);
        if (c == 0)
            return true;
        if (c >= 0xdc00 && c < 0xe000)
            return false;
        if (c >= 0xd800 && c < 0xdc00) {
            const uint32_t low = i + 1 < NAME_UNITS ? px_le16(p + ++i * 2) : 0;
            if (low < 0xdc00 || low >= 0xe000)
                return false;
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        }
        add_utf8(out, c == '\\' ? '/' : c);
    }
    return false;
}

/* UTF-16 units of the code point at @p, its bytes in *size; 0: not UTF-8. */
static int read_utf8(const uint8_t *p, size_t *size, uint32_t *ret) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    if (n == 0 || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    if ((n > 1 && c < least[n]) || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        return 0;
    *size = n;
    *ret = c;
    return c < 0x10000 ? 1 : 2;
}

/* Units written to @to (may be NULL); -1: not UTF-8, or too long. */
static int write_name(const char *name, uint8_t *to) {
    int n = 0;
    for (const uint8_t *p = (const uint8_t *)name; *p;) {
        size_t size = 0;
        uint32_t c = 0;
        const int units = read_utf8(p, &size, &c);
        if (units == 0 || n + units >= NAME_UNITS)
            return -1;
        if (to && units == 1)
            put(to + n * 2, c, 2);
        else if (to) {
            put(to + n * 2, 0xd800 + ((c - 0x10000) >> 10), 2);
            put(to + n * 2 + 2, 0xdc00 + ((c - 0x10000) & 0x3ff), 2);
        }
        n += units;
        p += size;
    }
    return n;
}

bool px_descriptor_name_ok(const char *name) {
    /* A backslash would part the name at the other end. */
    return !strchr(name, '\\') && px_upload_name_ok((const uint8_t *)name, strlen(name)) &&
           write_name(name, NULL) > 0;
}

/* ---- entries ---- */

static int parse_entry(const uint8_t *p, struct px_descriptor *to, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf name = {0};
    const uint32_t flags = px_le32(p), attributes = px_le32(p + 36);
    const uint64_t ticks = px_le64(p + 56);
    if (!read_name(p + NAME_AT, &name) || !name.size ||
        !px_upload_name_ok((const uint8_t *)name.data, name.size))
        return px_fail(err, -EBADMSG, "a copied file has a name that is not allowed");
    *to = (struct px_descriptor){.is_dir = flags & HAS_ATTRIBUTES && attributes & DIRECTORY};
    to->size = to->is_dir ? 0 : (uint64_t)px_le32(p + 64) << 32 | px_le32(p + 68);
    if (flags & HAS_TIME && ticks / TICKS_PER_S > S_1601_TO_1970)
        to->mtime_s = (int64_t)(ticks / TICKS_PER_S) - S_1601_TO_1970;
    if (flags & HAS_MODE)
        to->mode = px_le32(p + 52) & 0777;
    to->name = px_buf_take(&name);
    return 0;
}

int px_descriptors_parse(const uint8_t *data, size_t size, struct px_descriptors *ret,
                         struct px_error *err) {
    struct px_descriptors l = {0};
    const uint32_t n = size >= 4 ? px_le32(data) : 0;
    if (n > PX_DESCRIPTORS_MAX)
        return px_fail(err, -E2BIG, "%u files were copied, the limit is %d", n, PX_DESCRIPTORS_MAX);
    if (size != 4 + (size_t)n * ENTRY_BYTES || n == 0)
        return px_fail(err, -EBADMSG, "the list of copied files has a wrong length");
    l.list = px_new0(struct px_descriptor, n);
    for (; l.n < n; l.n++) {
        const int r = parse_entry(data + 4 + l.n * ENTRY_BYTES, &l.list[l.n], err);
        if (r < 0) {
            px_descriptors_fini(&l);
            return r;
        }
    }
    *ret = l;
    return 0;
}

void px_descriptors_print(const struct px_descriptors *l, struct px_buf *out) {
    uint8_t *p = px_buf_reserve(out, 4 + l->n * ENTRY_BYTES);
    memset(p, 0, 4 + l->n * ENTRY_BYTES);
    put(p, (uint32_t)l->n, 4);
    for (size_t i = 0; i < l->n; i++) {
        const struct px_descriptor *d = &l->list[i];
        uint8_t *e = p + 4 + i * ENTRY_BYTES;
        put(e, HAS_ATTRIBUTES | HAS_MODE | HAS_TIME | HAS_SIZE | HAS_PROGRESS, 4);
        put(e + 36, d->is_dir ? DIRECTORY : NORMAL, 4);
        put(e + 52, d->mode, 4);
        put(e + 56, (uint64_t)(d->mtime_s + S_1601_TO_1970) * TICKS_PER_S, 8);
        put(e + 64, (uint32_t)(d->size >> 32), 4);
        put(e + 68, (uint32_t)d->size, 4);
        (void)write_name(d->name, e + NAME_AT);
    }
    out->size += 4 + l->n * ENTRY_BYTES;
}
