/* src/desktop/excess.c - what a desktop file grants that this host does not have */
#include "desktop/excess.h"
#include "base/alloc.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

void px_excess_look(struct px_excess_host *ret) {
    struct sysinfo info = {0};
    *ret = (struct px_excess_host){.cores = (unsigned)get_nprocs()};
    if (sysinfo(&info) == 0)
        ret->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
}

static bool too_many_cores(const struct px_desktop_spec *s, const struct px_excess_host *host) {
    return host->cores > 0 && s->cores > host->cores;
}

static bool too_much_memory(const struct px_desktop_spec *s, const struct px_excess_host *host) {
    return host->memory_bytes > 0 && s->memory_bytes > host->memory_bytes;
}

/* The first that is over; NULL: none. *ret: where it stands and how many others do, the caller's.
 */
static const struct px_desktop_spec *
find(const struct px_desktop_file *file, const struct px_excess_host *host,
     bool (*over)(const struct px_desktop_spec *, const struct px_excess_host *), char **ret) {
    const struct px_desktop_spec *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < file->n_desktops; i++)
        if (over(&file->desktops[i], host) && n++ == 0)
            first = &file->desktops[i];
    if (!first)
        return NULL;
    px_cleanup_free char *others =
        n == 1 ? px_strdup("") : px_asprintf(" and %zu other%s", n - 1, n == 2 ? "" : "s");
    *ret = px_asprintf("%s:%u: desktop '%s'%s", file->path, first->line, first->name, others);
    return first;
}

void px_excess_find(const struct px_desktop_file *file, const struct px_excess_host *host,
                    struct px_excess *ret) {
    px_cleanup_free char *with_cores = NULL, *with_memory = NULL;
    *ret = (struct px_excess){0};
    const struct px_desktop_spec *s = find(file, host, too_many_cores, &with_cores);
    if (s)
        ret->lines[ret->n++] = px_asprintf(
            "%s: cores: %u, but this host has %u, so it gets all of them (hint: without "
            "the key it does, too)",
            with_cores, s->cores, host->cores);
    s = find(file, host, too_much_memory, &with_memory);
    if (s) {
        char wanted[PX_SIZE_TEXT_MAX], there[PX_SIZE_TEXT_MAX];
        ret->lines[ret->n++] = px_asprintf(
            "%s: memory: %s, but this host has %s, so nothing holds it back (hint: name less, so "
            "that one desktop cannot take all)",
            with_memory, px_size_format(s->memory_bytes, wanted),
            px_size_human(host->memory_bytes, there));
    }
}

void px_excess_fini(struct px_excess *e) {
    for (size_t i = 0; i < e->n; i++)
        free(e->lines[i]);
    *e = (struct px_excess){0};
}
