/* src/base/text.h - sizes, names, near misses, globs
 *
 * Pure functions, any thread. Sizes are bytes in a uint64_t. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "8GiB", "8 GB", "8g", "512M", "1.5 TiB", "4096": a number, optional blanks, an optional unit in
 * any case. K M G T P and KiB.. are powers of 1024 (as LXC, systemd and Proxmox read them); kB MB
 * GB.. with the B are powers of 1000 (SI, IEC 80000-13). No unit: bytes. -EINVAL: not a size;
 * -ERANGE: above 2^63-1. The message says what was expected. */
int px_size_parse(const char *text, uint64_t *ret, struct px_error *err);
/* The shortest exact form with a binary unit ("8GiB", "1536MiB", "1000B"); returns @out. */
#define PX_SIZE_TEXT_MAX 32
char *px_size_format(uint64_t bytes, char out[PX_SIZE_TEXT_MAX]);
/* For people, one decimal: "1.2 GiB". */
char *px_size_human(uint64_t bytes, char out[PX_SIZE_TEXT_MAX]);

/* A host name label (RFC 1123 2.1, RFC 952): a-z 0-9 and '-', not first or last, 1 to 63 long, here
 * in lower case only. -EINVAL: the message says which rule is broken. */
int px_hostname_check(const char *name, struct px_error *err);

/* Length, 1 to 4, of the UTF-8 character that @p begins with, of @left bytes; 0: it is none.
 * Shortest form only, no surrogates (RFC 3629). */
size_t px_utf8_length(const uint8_t *p, size_t left);
/* Makes one printable line of @text, in place: control characters become blanks, what is no UTF-8
 * becomes '?'. */
void px_text_clean(char *text);

/* What stands behind "KEY:" in a line of @text, without blanks round it, cut to @size; "" without
 * such a line. */
void px_text_field(const char *text, const char *key, char *ret, size_t size);

/* Whether @text matches glob @pattern (fnmatch(3), no flags). */
bool px_glob_match(const char *pattern, const char *text);

/* The entry of @words that @word is most probably a slip of (edits and swaps, bounded by the word's
 * length); NULL: none is near. */
const char *px_suggest(const char *word, const char *const *words, size_t n_words);
