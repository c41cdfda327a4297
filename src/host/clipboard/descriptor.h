/* src/host/clipboard/descriptor.h - the list of copied files, as clipboards of RDP tell it
 *
 *     u32 count, then for each file 592 bytes, little endian:
 *     0   u32 which fields count: 4 attributes, 8 mode, 0x20 time, 0x40 size, 0x4000 "show
 * progress" 36  u32 attributes: 1 read only, 0x10 directory, 0x80 nothing special 52  u32 mode of
 * Unix, where its flag is set 56  u64 last write, in 100 ns since 1601 64  u32 size, upper half; 68
 * u32 lower half 72  260 x u16 name, UTF-16, relative, ended by 0; '\' or '/' between its parts
 *
 * Pure, any thread. Source: MS-RDPECLIP 2.2.5.2.3.1; the mode is RustDesk's. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>

#define PX_DESCRIPTORS_MAX 10000

struct px_descriptor {
    char *name; /* UTF-8, relative, '/' between its parts, no "..": safe below a directory */
    bool is_dir;
    uint64_t size;
    int64_t mtime_s; /* Unix time; 0: not told */
    uint32_t mode;   /* permission bits; 0: not told */
};

struct px_descriptors {
    struct px_descriptor *list;
    size_t n, cap;
};

void px_descriptors_fini(struct px_descriptors *l);
/* -EBADMSG: not such a list, or a name that is not UTF-16, leads elsewhere or is too long; -E2BIG.
 */
int px_descriptors_parse(const uint8_t *data, size_t size, struct px_descriptors *ret,
                         struct px_error *err);
void px_descriptors_print(const struct px_descriptors *l, struct px_buf *out);
/* Whether @name can be told: UTF-8, relative, at most 259 units of UTF-16. */
bool px_descriptor_name_ok(const char *name);
