/* src/net/resolv.c - name servers of the host, as far as desktops can reach them */
#include "net/resolv.h"
#include "base/cleanup.h"
#include "base/file.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

/* The next word of [*at, end); false: none. Words end at blanks. */
static bool next_word(const char **at, const char *end, const char **word, size_t *size) {
    while (*at < end && isblank((unsigned char)**at))
        (*at)++;
    *word = *at;
    while (*at < end && !isspace((unsigned char)**at) && **at != '\0')
        (*at)++;
    *size = (size_t)(*at - *word);
    return *size > 0;
}

static void add_server(struct px_resolv *resolv, const char *word, size_t size) {
    char text[64];
    struct in_addr a;
    if (size >= sizeof(text))
        return;
    memcpy(text, word, size);
    text[size] = 0;
    if (inet_pton(AF_INET, text, &a) != 1) {
        resolv->ipv6 = resolv->ipv6 || strchr(text, ':') != NULL;
        return;
    }
    const uint32_t n = ntohl(a.s_addr);
    /* 0.0.0.0 is this host, too. */
    if (n >> 24 == 127 || n == 0)
        resolv->loopback = true;
    else if (resolv->n_servers < PX_RESOLV_SERVERS_MAX && !IN_MULTICAST(n) && n != INADDR_NONE)
        resolv->servers[resolv->n_servers++] = a;
}

static bool is_domain(const char *word, size_t size) {
    for (size_t i = 0; i < size; i++)
        if (!isalnum((unsigned char)word[i]) && !strchr("-._", word[i]))
            return false;
    return size < 256;
}

/* The last such line counts. */
static void take_search(struct px_resolv *resolv, const char *at, const char *end) {
    const char *word;
    size_t size, used = 0;
    resolv->search[0] = 0;
    while (next_word(&at, end, &word, &size)) {
        if (!is_domain(word, size) || used + size + 2 > sizeof(resolv->search))
            continue;
        used += (size_t)snprintf(resolv->search + used, sizeof(resolv->search) - used, "%s%.*s",
                                 used ? " " : "", (int)size, word);
    }
}

static void parse_line(struct px_resolv *resolv, const char *at, const char *end) {
    const char *word;
    size_t size;
    if (!next_word(&at, end, &word, &size))
        return;
    if (size == 10 && memcmp(word, "nameserver", 10) == 0) {
        if (next_word(&at, end, &word, &size))
            add_server(resolv, word, size);
    } else if ((size == 6 && memcmp(word, "search", 6) == 0) ||
               (size == 6 && memcmp(word, "domain", 6) == 0))
        take_search(resolv, at, end);
}

void px_resolv_parse(const char *text, size_t size, struct px_resolv *ret) {
    *ret = (struct px_resolv){0};
    for (const char *at = text, *end = text + size; at < end;) {
        const char *eol = memchr(at, '\n', (size_t)(end - at));
        eol = eol ? eol : end;
        parse_line(ret, at, eol);
        at = eol < end ? eol + 1 : end;
    }
}

void px_resolv_print(const struct px_resolv *resolv, struct px_buf *out) {
    char text[INET_ADDRSTRLEN];
    for (size_t i = 0; i < resolv->n_servers; i++)
        px_buf_printf(out, "nameserver %s\n",
                      inet_ntop(AF_INET, &resolv->servers[i], text, sizeof(text)));
    if (resolv->search[0])
        px_buf_printf(out, "search %s\n", resolv->search);
}

static int read_one(const char *path, struct px_resolv *ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, PX_RESOLV_MAX_BYTES, &text, &size, err);
    if (r >= 0)
        px_resolv_parse(text, size, ret);
    return r;
}

int px_resolv_host(const char *path, const char *upstream, struct px_resolv *ret,
                   struct px_error *err) {
    struct px_resolv first = {0}, behind = {0};
    int r = read_one(path, &first, err);
    if (r < 0)
        return px_hint(err, r, "set network.dns in the host file");
    if (first.n_servers == 0 && first.loopback && read_one(upstream, &behind, NULL) >= 0) {
        if (!behind.search[0])
            strcpy(behind.search, first.search);
        first = behind;
    }
    if (first.n_servers > 0) {
        *ret = first;
        return 0;
    }
    px_fail(err, -ENOENT, "%s names no server that desktops can reach (%s)", path,
            first.loopback ? "only this host's loopback"
            : first.ipv6   ? "only IPv6"
                           : "none at all");
    return px_hint(err, -ENOENT, "set network.dns in the host file, for example [9.9.9.9]");
}
