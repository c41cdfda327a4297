/* src/base/text.c - sizes, names, near misses, globs */
#include "base/text.h"
#include "base/cleanup.h"
#include <ctype.h>
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define WORD_MAX 64

/* The multiplier of unit @u; 0: no such unit. */
static uint64_t unit_factor(const char *u) {
    static const char letters[] = "kmgtp";
    if (*u == '\0' || strcasecmp(u, "b") == 0)
        return 1;
    const char *at = strchr(letters, tolower((unsigned char)*u));
    if (!at || *at == '\0')
        return 0;
    const bool si = strcasecmp(u + 1, "b") == 0;
    if (!si && u[1] != '\0' && strcasecmp(u + 1, "i") != 0 && strcasecmp(u + 1, "ib") != 0)
        return 0;
    uint64_t factor = 1;
    for (const char *p = letters; p <= at; p++)
        factor *= si ? 1000 : 1024;
    return factor;
}

int px_size_parse(const char *text, uint64_t *ret, struct px_error *err) {
    const char *p = text;
    while (isspace((unsigned char)*p))
        p++;
    uint64_t whole = 0;
    double fraction = 0, place = 0.1;
    bool any = false, over = false;
    for (; isdigit((unsigned char)*p); p++, any = true)
        over |= __builtin_mul_overflow(whole, UINT64_C(10), &whole) ||
                __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole);
    if (any && *p == '.') {
        if (!isdigit((unsigned char)p[1]))
            any = false;
        for (p++; isdigit((unsigned char)*p); p++, place /= 10)
            fraction += (*p - '0') * place;
    }
    while (isspace((unsigned char)*p))
        p++;
    char unit[8] = "";
    size_t n = 0;
    for (; *p && !isspace((unsigned char)*p) && n + 1 < sizeof(unit); p++)
        unit[n++] = *p;
    unit[n] = '\0';
    while (isspace((unsigned char)*p))
        p++;
    const uint64_t factor = unit_factor(unit);
    if (!any || factor == 0 || *p != '\0')
        return px_fail(
            err, -EINVAL,
            "'%.40s' is not a size: expected a number and a unit, such as 8GiB (1024^3), "
            "8G (the same) or 8GB (1000^3)",
            text);
    uint64_t bytes;
    over |= __builtin_mul_overflow(whole, factor, &bytes) ||
            __builtin_add_overflow(bytes, (uint64_t)llround(fraction * (double)factor), &bytes);
    if (over || bytes > INT64_MAX)
        return px_fail(err, -ERANGE, "'%.40s' is too large a size: at most 8191PiB", text);
    *ret = bytes;
    return 0;
}

static const char *const binary_units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

char *px_size_format(uint64_t bytes, char out[PX_SIZE_TEXT_MAX]) {
    size_t i = 0;
    while (bytes > 0 && bytes % 1024 == 0 && i + 1 < PX_N_ELEMENTS(binary_units)) {
        bytes /= 1024;
        i++;
    }
    snprintf(out, PX_SIZE_TEXT_MAX, "%ju%s", (uintmax_t)bytes, binary_units[i]);
    return out;
}

char *px_size_human(uint64_t bytes, char out[PX_SIZE_TEXT_MAX]) {
    double v = (double)bytes;
    size_t i = 0;
    while (v >= 1024 && i + 1 < PX_N_ELEMENTS(binary_units)) {
        v /= 1024;
        i++;
    }
    snprintf(out, PX_SIZE_TEXT_MAX, i == 0 ? "%.0f %s" : "%.1f %s", v, binary_units[i]);
    return out;
}

int px_hostname_check(const char *name, struct px_error *err) {
    const size_t n = strlen(name);
    if (n == 0)
        return px_fail(err, -EINVAL, "a name cannot be empty");
    if (n > 63)
        return px_fail(err, -EINVAL, "name '%.20s...' is longer than 63 characters", name);
    for (const char *p = name; *p; p++)
        if (!(*p >= 'a' && *p <= 'z') && !(*p >= '0' && *p <= '9') && *p != '-')
            return px_fail(err, -EINVAL,
                           "name '%s' is no host name: only a-z, 0-9 and '-' are allowed", name);
    if (name[0] == '-' || name[n - 1] == '-')
        return px_fail(err, -EINVAL, "name '%s' is no host name: it cannot start or end with '-'",
                       name);
    return 0;
}

size_t px_utf8_length(const uint8_t *p, size_t left) {
    if (left == 0)
        return 0;
    const size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n == 0 || p[0] > 0xf4 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

void px_text_clean(char *text) {
    size_t left = strlen(text);
    uint8_t *p = (uint8_t *)text;
    for (size_t n = 0; left > 0; p += n, left -= n) {
        n = px_utf8_length(p, left);
        /* U+0080 to U+009F are control characters too; a terminal takes 0x9b for ESC [. */
        if (n == 0)
            *p = '?', n = 1;
        else if (*p < 0x20 || *p == 0x7f)
            *p = ' ';
        else if (p[0] == 0xc2 && p[1] < 0xa0)
            p[0] = p[1] = '?';
    }
}

bool px_glob_match(const char *pattern, const char *text) {
    return fnmatch(pattern, text, 0) == 0;
}

static size_t min3(size_t a, size_t b, size_t c) {
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Edits (insert, drop, change, swap of neighbours) from @a to @b, letters' case ignored. */
static size_t distance(const char *a, const char *b) {
    const size_t na = strlen(a), nb = strlen(b);
    if (na >= WORD_MAX || nb >= WORD_MAX)
        return SIZE_MAX;
    size_t d[WORD_MAX][WORD_MAX];
    for (size_t i = 0; i <= na; i++)
        d[i][0] = i;
    for (size_t j = 0; j <= nb; j++)
        d[0][j] = j;
    for (size_t i = 1; i <= na; i++)
        for (size_t j = 1; j <= nb; j++) {
            const int ca = tolower((unsigned char)a[i - 1]), cb = tolower((unsigned char)b[j - 1]);
            d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (ca != cb));
            if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
                cb == tolower((unsigned char)a[i - 2]) && d[i - 2][j - 2] + 1 < d[i][j])
                d[i][j] = d[i - 2][j - 2] + 1;
        }
    return d[na][nb];
}

const char *px_suggest(const char *word, const char *const *words, size_t n_words) {
    const size_t n = strlen(word);
    size_t best = n <= 3 ? 2 : n <= 6 ? 3 : 4; /* one more than we accept */
    const char *found = NULL;
    for (size_t i = 0; i < n_words; i++) {
        const size_t d = distance(word, words[i]);
        if (d < best) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

void px_text_field(const char *text, const char *key, char *ret, size_t size) {
    const size_t n = strlen(key);
    snprintf(ret, size, "%s", "");
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, n) != 0 || line[n] != ':')
            continue;
        const char *value = line + n + 1 + strspn(line + n + 1, " \t");
        size_t used = strcspn(value, "\n");
        while (used > 0 && strchr(" \t", value[used - 1]))
            used--;
        snprintf(ret, size, "%.*s", (int)used, value);
        return;
    }
}
