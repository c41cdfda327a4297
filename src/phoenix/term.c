/* src/phoenix/term.c - what the output goes to, and text on it */
#include "phoenix/term.h"
#include "base/file.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

static bool wants_colour(bool tty, const char *when) {
    if (when && strcmp(when, "always") == 0)
        return true;
    if (when && strcmp(when, "never") == 0)
        return false;
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return tty && !(no && no[0]) && term && strcmp(term, "dumb") != 0;
}

struct px_term px_term_of(int fd, const char *when) {
    struct px_term t = {.fd = fd, .tty = isatty(fd) == 1};
    t.colour = wants_colour(t.tty, when);
    struct winsize size;
    if (t.tty) {
        bool known = ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0;
        t.width = known ? size.ws_col : 80;
        t.height = known ? size.ws_row : 24;
    }
    return t;
}

void px_term_write(const struct px_term *term, const void *data, size_t size) {
    const int r = px_fd_write_all(term->fd, data, size);
    if (r < 0 && term->error && *term->error == 0)
        *term->error = r;
}

/* One character of UTF-8: its length in bytes, 0 at the end. *ret: the character, or -1 for bytes
 * that are none (then the length is 1). Overlong forms and surrogates are none: RFC 3629. */
static size_t next_char(const char *text, int32_t *ret) {
    const unsigned char *s = (const unsigned char *)text;
    *ret = s[0];
    if (s[0] < 0x80)
        return s[0] != 0;
    const size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    int32_t c = s[0] & (0x7f >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            *ret = -1;
            return 1;
        }
        c = c << 6 | (s[i] & 0x3f);
    }
    const bool bad =
        s[0] < 0xc2 || s[0] > 0xf4 || c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff);
    *ret = bad ? -1 : c;
    return bad ? 1 : n;
}

/* Columns of one character; -1: not to be shown. C1 controls and bidi overrides steer terminals. */
static int char_width(int32_t c) {
    if (c < 0x20 || (c >= 0x7f && c < 0xa0))
        return -1;
    if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069))
        return -1;
    if (c < 0x7f)
        return 1;
    int w = wcwidth((wchar_t)c);
    return w < 0 ? 1 : w; /* a character newer than the C library */
}

size_t px_text_width(const char *text) {
    size_t width = 0;
    int32_t c;
    for (size_t n; (n = next_char(text, &c)) > 0; text += n) {
        int w = char_width(c);
        width += w < 0 ? 1 : (size_t)w;
    }
    return width;
}

size_t px_text_add(struct px_buf *out, const char *text, size_t max) {
    const bool cut = max > 0 && px_text_width(text) > max;
    const size_t room = cut ? max - 1 : SIZE_MAX; /* the last column is for the mark */
    size_t used = 0;
    int32_t c;
    for (size_t n; (n = next_char(text, &c)) > 0; text += n) {
        int w = char_width(c);
        if (used + (w < 0 ? 1 : (size_t)w) > room)
            break;
        if (w < 0)
            px_buf_putc(out, '?');
        else
            px_buf_add(out, text, n);
        used += w < 0 ? 1 : (size_t)w;
    }
    if (!cut)
        return used;
    px_buf_puts(out, "…");
    return used + 1;
}

const char *px_colour_on(enum px_colour colour, bool on) {
    if (!on)
        return "";
    switch (colour) {
    case PX_PLAIN:
        return "";
    case PX_GOOD:
        return "\033[32m";
    case PX_WARN:
        return "\033[33m";
    case PX_BAD:
        return "\033[31m";
    case PX_DIM:
        return "\033[2m";
    case PX_BOLD:
        return "\033[1m";
    }
    return "";
}

const char *px_colour_off(enum px_colour colour, bool on) {
    return on && colour != PX_PLAIN ? "\033[0m" : "";
}

static void wrap_line(struct px_buf *out, const char *line, size_t size, unsigned indent,
                      unsigned width) {
    unsigned used = 0;
    const char *end = line + size;
    while (line < end) {
        const char *blank = memchr(line, ' ', (size_t)(end - line));
        struct px_buf word = {0};
        px_buf_add(&word, line, (size_t)((blank ? blank : end) - line));
        const unsigned w = (unsigned)px_text_width(px_buf_str(&word));
        if (used > 0 && indent + used + 1 + w > width) {
            px_buf_putc(out, '\n');
            used = 0;
        }
        if (used == 0)
            px_buf_printf(out, "%*s", (int)indent, "");
        else
            px_buf_putc(out, ' ');
        used += (used > 0) + w;
        px_buf_add(out, word.data, word.size);
        px_buf_fini(&word);
        line = blank ? blank + 1 : end;
    }
    px_buf_putc(out, '\n');
}

void px_text_wrap(struct px_buf *out, const char *text, unsigned indent, unsigned width) {
    while (true) {
        const size_t n = strcspn(text, "\n");
        wrap_line(out, text, n, indent, width);
        if (text[n] == '\0' || text[n + 1] == '\0')
            return;
        text += n + 1;
    }
}
