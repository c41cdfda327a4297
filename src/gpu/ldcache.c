/* src/gpu/ldcache.c - the dynamic linker's cache */
#include "gpu/ldcache.h"
#include "base/alloc.h"
#include <ctype.h>
#include <string.h>

#define OLD_MAGIC "ld.so-1.7.0"
#define MAGIC "glibc-ld.so.cache1.1"
#define EXTENSION_MAGIC 0xeaa42174u
#define TAG_HWCAPS 1
#define LITTLE_ENDIAN_FILE 2 /* header.flags: says the byte order since glibc 2.33 */
#define LIBS_MAX 65536u
#define HWCAPS_MAX 4096u

/* The ABI of 64-bit glibc libraries: FLAG_ELF_LIBC6 (3) and the machine's bits. */
#if defined(__x86_64__)
#define OUR_FLAGS 0x0303
#elif defined(__aarch64__)
#define OUR_FLAGS 0x0a03
#else
#define OUR_FLAGS 0x0003
#endif

struct header {
    char magic[20];
    uint32_t n_libs, strings_size;
    uint8_t flags, pad[3];
    uint32_t extension;
    uint32_t unused[3];
};
struct entry {
    int32_t flags;
    uint32_t key, value, osversion;
    uint64_t hwcap;
};
struct extension {
    uint32_t magic, n;
};
struct section {
    uint32_t tag, flags, offset, size;
};
_Static_assert(sizeof(struct header) == 48 && sizeof(struct entry) == 24, "glibc's layout");

/* Where the new header is: at 0, or behind a table of the old form. */
static size_t find_header(const char *data, size_t size) {
    uint32_t n = 0;
    if (size < 16 || memcmp(data, OLD_MAGIC, sizeof(OLD_MAGIC) - 1) != 0)
        return 0;
    memcpy(&n, data + 12, sizeof(n));
    return n > LIBS_MAX ? size : (16 + (size_t)n * 12 + 7) & ~(size_t)7;
}

/* The string at @offset, when it ends before the data does. */
static const char *string_at(const char *data, size_t size, uint32_t offset) {
    return offset < size && memchr(data + offset, '\0', size - offset) ? data + offset : NULL;
}

static int parse_hwcaps(const char *data, size_t size, const struct section *s,
                        struct px_ldcache *ret) {
    const size_t n = s->size / sizeof(uint32_t);
    if (n > HWCAPS_MAX || s->offset > size || s->size > size - s->offset)
        return -EINVAL;
    ret->hwcaps = px_new0(const char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t offset;
        memcpy(&offset, data + s->offset + i * sizeof(offset), sizeof(offset));
        ret->hwcaps[ret->n_hwcaps] = string_at(data, size, offset);
        if (!ret->hwcaps[ret->n_hwcaps++])
            return -EINVAL;
    }
    return 0;
}

static int parse_extension(const char *data, size_t size, uint32_t at, struct px_ldcache *ret) {
    struct extension ext;
    if (at == 0)
        return 0;
    if (at > size || size - at < sizeof(ext))
        return -EINVAL;
    memcpy(&ext, data + at, sizeof(ext));
    if (ext.magic != EXTENSION_MAGIC || ext.n > 64 ||
        size - at - sizeof(ext) < ext.n * sizeof(struct section))
        return -EINVAL;
    for (uint32_t i = 0; i < ext.n; i++) {
        struct section s;
        memcpy(&s, data + at + sizeof(ext) + i * sizeof(s), sizeof(s));
        if (s.tag == TAG_HWCAPS && !ret->hwcaps && parse_hwcaps(data, size, &s, ret) < 0)
            return -EINVAL;
    }
    return 0;
}

static int parse(const char *data, size_t size, struct px_ldcache *ret) {
    struct header h;
    const size_t begin = find_header(data, size);
    if (begin > size || size - begin < sizeof(h))
        return -EINVAL;
    data += begin;
    size -= begin;
    memcpy(&h, data, sizeof(h));
    if (memcmp(h.magic, MAGIC, sizeof(h.magic)) != 0 || h.n_libs > LIBS_MAX ||
        size - sizeof(h) < h.n_libs * sizeof(struct entry))
        return -EINVAL;
    ret->libs = px_new0(struct px_ldcache_lib, h.n_libs + 1);
    ret->cap = h.n_libs + 1;
    for (uint32_t i = 0; i < h.n_libs; i++) {
        struct entry e;
        memcpy(&e, data + sizeof(h) + i * sizeof(e), sizeof(e));
        struct px_ldcache_lib *lib = &ret->libs[ret->n_libs++];
        *lib = (struct px_ldcache_lib){.flags = e.flags,
                                       .osversion = e.osversion,
                                       .hwcap = e.hwcap,
                                       .key = string_at(data, size, e.key),
                                       .value = string_at(data, size, e.value)};
        if (!lib->key || !lib->value)
            return -EINVAL;
    }
    return parse_extension(data, size, h.extension, ret);
}

int px_ldcache_parse(const char *data, size_t size, struct px_ldcache *ret, struct px_error *err) {
    *ret = (struct px_ldcache){0};
    if (size <= PX_LDCACHE_MAX_BYTES && parse(data, size, ret) == 0)
        return 0;
    px_ldcache_fini(ret);
    return px_fail(err, -EINVAL, "not a linker cache of the form glibc has written since 2.2");
}

void px_ldcache_fini(struct px_ldcache *cache) {
    free(cache->libs);
    free(cache->hwcaps);
    *cache = (struct px_ldcache){0};
}

size_t px_ldcache_drop_dir(struct px_ldcache *cache, const char *dir) {
    const size_t n = strlen(dir);
    size_t kept = 0;
    for (size_t i = 0; i < cache->n_libs; i++)
        if (strncmp(cache->libs[i].value, dir, n) != 0 || cache->libs[i].value[n] != '/')
            cache->libs[kept++] = cache->libs[i];
    const size_t dropped = cache->n_libs - kept;
    cache->n_libs = kept;
    return dropped;
}

void px_ldcache_add(struct px_ldcache *cache, const char *key, const char *value) {
    size_t kept = 0;
    for (size_t i = 0; i < cache->n_libs; i++)
        if (cache->libs[i].flags != OUR_FLAGS || strcmp(cache->libs[i].key, key) != 0)
            cache->libs[kept++] = cache->libs[i];
    cache->n_libs = kept;
    px_grow(cache->libs, &cache->cap, kept + 1);
    cache->libs[cache->n_libs++] =
        (struct px_ldcache_lib){.flags = OUR_FLAGS, .key = key, .value = value};
}

const char *px_ldcache_find(const struct px_ldcache *cache, const char *key) {
    for (size_t i = 0; i < cache->n_libs; i++)
        if (cache->libs[i].flags == OUR_FLAGS && strcmp(cache->libs[i].key, key) == 0)
            return cache->libs[i].value;
    return NULL;
}

/* The linker's order of names: runs of digits by their value, a digit above anything else. */
static int compare_names(const char *a, const char *b) {
    while (*a) {
        const bool digit_a = isdigit((unsigned char)*a), digit_b = isdigit((unsigned char)*b);
        if (digit_a != digit_b)
            return digit_a ? 1 : -1;
        if (!digit_a) {
            if (*a != *b)
                return *a - *b;
            a++;
            b++;
            continue;
        }
        uint32_t value_a = 0, value_b = 0;
        for (; isdigit((unsigned char)*a); a++)
            value_a = value_a * 10 + (uint32_t)(*a - '0');
        for (; isdigit((unsigned char)*b); b++)
            value_b = value_b * 10 + (uint32_t)(*b - '0');
        if (value_a != value_b)
            return value_a > value_b ? 1 : -1;
    }
    return *a - *b;
}

struct sorted {
    const struct px_ldcache_lib *lib;
    size_t place; /* keeps equal names in the order in which they were: the better ABI is first */
};

static int descending(const void *a, const void *b) {
    const struct sorted *x = a, *y = b;
    int r = compare_names(y->lib->key, x->lib->key);
    return r ? r : x->place < y->place ? -1 : 1;
}

static uint32_t put_string(struct px_buf *strings, size_t base, const char *s) {
    const uint32_t offset = (uint32_t)(base + strings->size);
    px_buf_add(strings, s, strlen(s) + 1);
    return offset;
}

static void put_extension(const struct px_ldcache *cache, const uint32_t *names,
                          struct px_buf *out) {
    while (out->size % 4)
        px_buf_putc(out, '\0');
    struct header h;
    memcpy(&h, out->data, sizeof(h));
    h.extension = (uint32_t)out->size;
    memcpy(out->data, &h, sizeof(h));
    const struct extension ext = {.magic = EXTENSION_MAGIC, .n = 1};
    const struct section s = {.tag = TAG_HWCAPS,
                              .offset = (uint32_t)(out->size + sizeof(ext) + sizeof(s)),
                              .size = (uint32_t)(cache->n_hwcaps * sizeof(uint32_t))};
    px_buf_add(out, &ext, sizeof(ext));
    px_buf_add(out, &s, sizeof(s));
    px_buf_add(out, names, cache->n_hwcaps * sizeof(uint32_t));
}

void px_ldcache_print(struct px_ldcache *cache, struct px_buf *out) {
    px_cleanup(px_buf_fini) struct px_buf strings = {0};
    px_cleanup_free struct sorted *order = px_new0(struct sorted, cache->n_libs + 1);
    px_cleanup_free uint32_t *names = px_new0(uint32_t, cache->n_hwcaps + 1);
    const size_t base = sizeof(struct header) + cache->n_libs * sizeof(struct entry);
    for (size_t i = 0; i < cache->n_libs; i++)
        order[i] = (struct sorted){&cache->libs[i], i};
    if (cache->n_libs > 0)
        qsort(order, cache->n_libs, sizeof(*order), descending);
    struct header h = {.n_libs = (uint32_t)cache->n_libs, .flags = LITTLE_ENDIAN_FILE};
    memcpy(h.magic, MAGIC, sizeof(h.magic));
    px_buf_add(out, &h, sizeof(h));
    for (size_t i = 0; i < cache->n_libs; i++) {
        const struct px_ldcache_lib *lib = order[i].lib;
        struct entry e = {.flags = lib->flags, .osversion = lib->osversion, .hwcap = lib->hwcap};
        e.key = put_string(&strings, base, lib->key);
        e.value = put_string(&strings, base, lib->value);
        px_buf_add(out, &e, sizeof(e));
    }
    for (size_t i = 0; i < cache->n_hwcaps; i++)
        names[i] = put_string(&strings, base, cache->hwcaps[i]);
    px_buf_add(out, px_buf_str(&strings), strings.size);
    memcpy(&h, out->data, sizeof(h));
    h.strings_size = (uint32_t)strings.size;
    memcpy(out->data, &h, sizeof(h));
    if (cache->n_hwcaps > 0)
        put_extension(cache, names, out);
}
