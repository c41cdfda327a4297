/* src/check/verify_parse.c - what a desktop says, read in bounds */
#include "check/verify_parse.h"
#include "base/text.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void px_verify_word(const char *text, char *ret, size_t size) {
    text += strspn(text, " \t\n");
    snprintf(ret, size, "%.*s", (int)strcspn(text, " \t\n"), text);
    px_text_clean(ret);
}

size_t px_verify_first_words(const char *text, char ret[PX_VERIFY_TEXT_MAX]) {
    size_t n = 0, used = 0;
    ret[0] = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        char word[64];
        if (*line == '\n' || line[strspn(line, " \t")] == '\n')
            continue;
        px_verify_word(line, word, sizeof(word));
        if (!*word)
            continue;
        const size_t need = strlen(word) + 2;
        if (used + need + 4 < PX_VERIFY_TEXT_MAX)
            used += (size_t)snprintf(ret + used, PX_VERIFY_TEXT_MAX - used, "%s%s",
                                     used ? ", " : "", word);
        else if (used < PX_VERIFY_TEXT_MAX - 4 && strcmp(ret + used - 3, "...") != 0)
            used += (size_t)snprintf(ret + used, PX_VERIFY_TEXT_MAX - used, "...");
        n++;
    }
    return n;
}

int px_verify_idmap(const char *text, struct px_verify_map *ret) {
    struct px_verify_map m;
    int end = 0;
    if (sscanf(text, "%10u %10u %10u%n", &m.inside, &m.outside, &m.count, &end) != 3)
        return -EBADMSG;
    if (text[end + (int)strspn(text + end, " \t\n")] != '\0')
        return -EBADMSG;
    *ret = m;
    return 0;
}

/* The text behind "KEY:" at the start of a line; NULL: none. */
static const char *field(const char *text, const char *key) {
    const size_t n = strlen(key);
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            return line + n + 1;
    return NULL;
}

void px_verify_proc_status(const char *text, struct px_verify_status *ret) {
    const char *seccomp = field(text, "Seccomp"), *filters = field(text, "Seccomp_filters"),
               *caps = field(text, "CapBnd");
    *ret = (struct px_verify_status){
        .seccomp = seccomp ? (unsigned)strtoul(seccomp, NULL, 10) : 0,
        .n_filters = filters ? (unsigned)strtoul(filters, NULL, 10) : 0,
        .cap_bounding = caps ? strtoull(caps, NULL, 16) : 0,
    };
}

int px_verify_result(const char *text, struct px_verify_result_line *ret) {
    int r = -EBADMSG;
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        struct px_verify_result_line found;
        if (sscanf(line, "RESULT %lf %lf %63s", &found.value, &found.ms, found.device) != 3 ||
            !isfinite(found.value) || !isfinite(found.ms))
            continue;
        px_text_clean(found.device);
        *ret = found;
        r = 0;
    }
    return r;
}
