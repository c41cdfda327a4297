/* src/spec/yaml_text.c - the text below the YAML: what is no text, and what libyaml's errors mean
 */
#include "spec/yaml_text.h"
#include "base/cleanup.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

int px_yaml_check_text(const char *name, const char *text, size_t size, struct px_error *err) {
    const uint8_t *p = (const uint8_t *)text;
    if (size >= 2 && ((p[0] == 0xff && p[1] == 0xfe) || (p[0] == 0xfe && p[1] == 0xff)))
        return px_fail(err, -EINVAL, "%s: the text is UTF-16: save it as UTF-8", name);
    unsigned line = 1;
    bool blank = true;
    for (size_t i = 0, n = 0; i < size; i += n) {
        n = px_utf8_length(p + i, size - i);
        if (n == 0)
            return px_fail(err, -EINVAL, "%s:%u: byte 0x%02x is not UTF-8 text", name, line, p[i]);
        if ((p[i] < 0x20 && p[i] != '\t' && p[i] != '\n' && p[i] != '\r') || p[i] == 0x7f)
            return px_fail(err, -EINVAL, "%s:%u: byte 0x%02x: this is no text file", name, line,
                           p[i]);
        line += p[i] == '\n';
        blank = blank && (strchr(" \t\r\n", p[i]) || (i == 0 && n == 3 && p[0] == 0xef));
    }
    return blank ? px_fail(err, -EINVAL, "%s: the file is empty", name) : 0;
}

/* Whether line @at (from 0) has a tab before its first other character. */
static bool tab_indents(const char *text, size_t size, size_t at) {
    const char *p = text, *end = text + size;
    for (; at > 0 && p; at--) {
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    while (p && p < end && *p == ' ')
        p++;
    return p && p < end && *p == '\t';
}

/* libyaml's words, which speak of its grammar, and ours. */
static const struct {
    const char *theirs, *ours;
} words[] = {
    {"mapping values are not allowed in this context",
     "a ':' where no key can stand: check the indentation, or put quotes round text holding ': '"},
    {"did not find expected key", "expected a key: check the indentation and the quotes"},
    {"could not find expected ':'", "expected 'key: value', found no ':'"},
    {"did not find expected '-' indicator",
     "expected '- ' as in the entries above: check the indentation"},
    {"block sequence entries are not allowed in this context",
     "a list's '- ' cannot begin here: put it on a line of its own"},
    {"did not find expected ',' or ']'", "expected ',' or ']': a '[' is still open"},
    {"did not find expected ',' or '}'", "expected ',' or '}': a '{' is still open"},
    {"did not find expected node content", "expected a value: check commas and brackets"},
    {"found unexpected end of stream", "the file ends inside quotes"},
    {"did not find expected <document start>",
     "expected the file to end here: check the indentation"},
    {"found character that cannot start any token",
     "text cannot begin with this character ('@', '`' or '%'): put quotes round it"},
    {"found unknown escape character",
     "an unknown escape: inside \"...\" a backslash is special, inside '...' it is not"},
    {"did not find expected whitespace or line break",
     "expected a blank after the '&', '*' or '!' word: put quotes round text that begins so"},
    {"did not find expected alphabetic or numeric character",
     "text cannot begin with '*' or '&': put quotes round it"},
};

int px_yaml_explain(const char *name, const char *text, size_t size, const yaml_parser_t *yaml,
                    struct px_error *err) {
    if (yaml->error == YAML_MEMORY_ERROR)
        return px_fail(err, -ENOMEM, "%s: no memory to parse it", name);
    if (yaml->error == YAML_READER_ERROR)
        return px_fail(err, -EINVAL, "%s: unreadable at byte %zu: %s", name, yaml->problem_offset,
                       yaml->problem ? yaml->problem : "bad text");
    const char *what = yaml->problem ? yaml->problem : "not YAML";
    const size_t at = yaml->problem_mark.line, from = yaml->context_mark.line;
    const bool tab_at = tab_indents(text, size, at);
    if (tab_at || (yaml->context && tab_indents(text, size, from)))
        return px_fail(err, -EINVAL, "%s:%zu: tabs cannot indent YAML: use spaces", name,
                       (tab_at ? at : from) + 1);
    for (size_t i = 0; i < PX_N_ELEMENTS(words); i++)
        if (strcmp(what, words[i].theirs) == 0)
            what = words[i].ours;
    /* Where it began tells more than where it was noticed, when that is another line. */
    if (yaml->context && from < at)
        return px_fail(err, -EINVAL, "%s:%zu: %s (it began in line %zu)", name, at + 1, what,
                       from + 1);
    return px_fail(err, -EINVAL, "%s:%zu: %s", name, at + 1, what);
}
