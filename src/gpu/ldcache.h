/* src/gpu/ldcache.h - the dynamic linker's cache, /etc/ld.so.cache: read, add, write
 *
 * With it the driver's libraries become known inside a desktop without running the image's ldconfig
 * (or any other code of the image) from outside: a change of bytes.
 *
 *     header   "glibc-ld.so.cache1.1", u32 n_libs, u32 strings_size, u8 flags, pad, u32 extension
 *     entries  n_libs x { i32 flags, u32 key, u32 value, u32 osversion, u64 hwcap }
 *     strings  NUL-terminated; key and value are offsets from the header
 *     extension (4-aligned) { u32 magic, u32 n } n x { u32 tag, u32 flags, u32 offset, u32 size }
 *              tag 1: u32 offsets of the names of glibc-hwcaps subdirectories
 *
 * Entries are sorted, the greatest first, digits by value: the linker searches by halves. Numbers
 * are the machine's own byte order. Pure. Source: glibc's sysdeps/generic/dl-cache.h and
 * elf/dl-cache.c. */
#pragma once
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_LDCACHE_MAX_BYTES (16 * 1024 * 1024)

struct px_ldcache_lib {
    int32_t flags; /* kind of ABI */
    uint32_t osversion;
    uint64_t hwcap;
    const char *key, *value; /* "libcuda.so.1", "/usr/lib/libcuda.so.1"; lent by text or caller */
};

struct px_ldcache { /* zeroed is empty */
    struct px_ldcache_lib *libs;
    size_t n_libs, cap;
    const char **hwcaps; /* names of glibc-hwcaps subdirectories; lent by the text */
    size_t n_hwcaps;
};

/* @data is lent to *ret. -EINVAL: not a cache of that form. */
int px_ldcache_parse(const char *data, size_t size, struct px_ldcache *ret, struct px_error *err);
void px_ldcache_fini(struct px_ldcache *cache);
/* Drops the entries whose value lies in directory @dir; how many. */
size_t px_ldcache_drop_dir(struct px_ldcache *cache, const char *dir);
/* Adds a library of the ABI of this program, in place of others of that name and ABI. Both strings
 * are lent. */
void px_ldcache_add(struct px_ldcache *cache, const char *key, const char *value);
/* Sorts and writes the whole file. */
void px_ldcache_print(struct px_ldcache *cache, struct px_buf *out);
/* The value of @key for this program's ABI, lent; NULL: none. */
const char *px_ldcache_find(const struct px_ldcache *cache, const char *key);
