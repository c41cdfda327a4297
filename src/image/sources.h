/* src/image/sources.h - where this machine's apt gets Debian from
 *
 * Reads apt's own source lists (one-line and deb822 style), picks the entries that are Debian's,
 * and writes the same mirrors' list for the suite that an image is made of. So whatever the machine
 * is set up with (mirror, cache, proxy) is used, and no address is written anywhere by us. Parsing
 * is pure. Source: sources.list(5). */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stddef.h>

struct px_apt_source { /* one suite at one address */
    char *uri, *suite;
    char *signed_by; /* a path, or a key block as deb822 has it; NULL: apt's trusted keys */
    int has_main;    /* "main" is among its components */
};

struct px_apt_sources {
    struct px_apt_source *items;
    size_t n, cap;
};

/* Adds the binary entries of @text; what is disabled or cannot be read is skipped, as one broken
 * entry of a third party must not be in the way. @deb822: the style of *.sources files. */
void px_apt_sources_parse(const char *text, size_t size, int deb822, struct px_apt_sources *ret);
/* All of /etc/apt/sources.list and sources.list.d below @etc_apt ("/etc/apt"). */
int px_apt_sources_read(const char *etc_apt, struct px_apt_sources *ret, struct px_error *err);
/* A *.sources text for @suite (its -updates and -security, too, where the machine has them) with
 * @components; @codename is the machine's own suite. Debian's entries are those of that suite with
 * component main whose keys, where named, are Debian's. -ENOENT: none. */
int px_apt_sources_derive(const struct px_apt_sources *have, const char *codename,
                          const char *suite, const char *components, char **ret,
                          struct px_error *err);
void px_apt_sources_fini(struct px_apt_sources *sources);
