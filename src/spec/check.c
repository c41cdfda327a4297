/* src/spec/check.c - what single values of our files must look like */
#include "spec/check.h"
#include "base/cleanup.h"
#include "base/server_name.h"
#include "base/text.h"
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define PATH_BYTES_MAX 1024

static bool only(const char *text, const char *set) {
    return text[strspn(text, set)] == '\0';
}

static bool in_words(const char *text, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(text, words[i]) == 0)
            return true;
    return false;
}

static bool has_dot_dot(const char *path) {
    for (const char *p = path; (p = strstr(p, "..")); p += 2)
        if ((p == path || p[-1] == '/') && (p[2] == '/' || p[2] == '\0'))
            return true;
    return false;
}

int px_check_path(const char *text, struct px_error *err) {
    if (text[0] != '/')
        return px_fail(err, -EINVAL, "expected an absolute path such as /data, found '%.60s'",
                       text);
    if (strlen(text) > PATH_BYTES_MAX)
        return px_fail(err, -EINVAL, "the path has more than %d bytes", PATH_BYTES_MAX);
    if (text[strspn(text, "/")] == '\0')
        return px_fail(err, -EINVAL, "'/' cannot be used here");
    if (has_dot_dot(text) || strstr(text, "//"))
        return px_fail(err, -EINVAL, "path '%.200s' must not hold '..' or '//'", text);
    return 0;
}

int px_check_relative(const char *text, struct px_error *err) {
    if (text[0] == '/')
        return px_fail(err, -EINVAL,
                       "expected a path relative to the recipe's folder, found '%.60s'", text);
    if (strlen(text) > PATH_BYTES_MAX)
        return px_fail(err, -EINVAL, "the path has more than %d bytes", PATH_BYTES_MAX);
    if (has_dot_dot(text))
        return px_fail(err, -EINVAL, "path '%.200s' must not leave the recipe's folder by '..'",
                       text);
    return 0;
}

/* Names that Debian's base-passwd, systemd and the packages of our recipes give to others. */
static const char *const system_users[] = {
    "root",
    "daemon",
    "bin",
    "sys",
    "sync",
    "games",
    "man",
    "lp",
    "mail",
    "news",
    "uucp",
    "proxy",
    "www-data",
    "backup",
    "list",
    "irc",
    "gnats",
    "_apt",
    "nobody",
    "nogroup",
    "messagebus",
    "polkitd",
    "sshd",
    "systemd-network",
    "systemd-resolve",
    "systemd-timesync",
    "systemd-coredump",
    "systemd-journal",
    "systemd-oom",
    "rtkit",
    "avahi",
    "pulse",
    "pipewire",
    "colord",
    "geoclue",
    "usbmux",
    "tss",
    "dnsmasq",
    "uuidd",
    "adm",
    "sudo",
    "shadow",
    "staff",
    "users",
    "utmp",
    "tty",
    "disk",
};

int px_check_group(const char *text, struct px_error *err) {
    if (strlen(text) > 32 || !strchr(LOWER "_", text[0]) || !only(text, LOWER DIGITS "_-"))
        return px_fail(err, -EINVAL,
                       "'%.60s' is no user or group name: a-z, 0-9, '_' and '-', at most 32, not "
                       "beginning with a digit or '-'",
                       text);
    return 0;
}

int px_check_user(const char *text, struct px_error *err) {
    int r = px_check_group(text, err);
    if (r < 0)
        return r;
    if (in_words(text, system_users, PX_N_ELEMENTS(system_users)))
        return px_fail(err, -EINVAL, "user '%s' belongs to the system: choose another name", text);
    return 0;
}

int px_check_recipe_name(const char *text, struct px_error *err) {
    if (strlen(text) > 63 || !strchr(LOWER DIGITS, text[0]) || !only(text, LOWER DIGITS "._-"))
        return px_fail(err, -EINVAL,
                       "'%.60s' is no recipe name: a-z, 0-9, '.', '_' and '-', at most 63", text);
    return 0;
}

int px_check_suite(const char *text, struct px_error *err) {
    if (px_check_recipe_name(text, NULL) < 0)
        return px_fail(err, -EINVAL, "'%.60s' is no Debian suite, such as trixie", text);
    return 0;
}

int px_check_image(const char *text, struct px_error *err) {
    static const char prefix[] = "sha256:";
    if (strncmp(text, prefix, sizeof(prefix) - 1) != 0) {
        int r = px_check_recipe_name(text, NULL);
        return r < 0 ? px_fail(err, r,
                               "'%.60s' is no image: expected a name such as desktop, or "
                               "sha256:...",
                               text)
                     : 0;
    }
    const char *hex = text + sizeof(prefix) - 1;
    const size_t n = strlen(hex);
    if (n < 6 || n > 64 || !only(hex, DIGITS "abcdef"))
        return px_fail(err, -EINVAL,
                       "'%.80s' is no digest: expected sha256: and 6 to 64 hex digits", text);
    return 0;
}

int px_check_unit(const char *text, struct px_error *err) {
    static const char *const suffixes[] = {"service",   "socket", "timer",  "mount",
                                           "automount", "swap",   "target", "path",
                                           "slice",     "scope",  "device"};
    const char *dot = strrchr(text, '.');
    if (strlen(text) > 255 || !only(text, LOWER UPPER DIGITS ":-_.\\@") || text[0] == '.')
        return px_fail(err, -EINVAL, "'%.80s' is no name of a systemd unit", text);
    if (dot && in_words(dot + 1, suffixes, PX_N_ELEMENTS(suffixes)))
        return 0;
    px_fail(err, -EINVAL, "unit '%.80s' lacks its kind, such as .service or .socket", text);
    return px_hint(err, -EINVAL, "did you mean '%.80s.service'?", text);
}

int px_check_package(const char *text, struct px_error *err) {
    const size_t name = strspn(text, LOWER DIGITS "+.-");
    const char *p = text + name;
    bool good = name >= 2 && strchr(LOWER DIGITS, text[0]) && text[name - 1] != '-';
    if (good && *p == ':') { /* an architecture */
        const size_t n = strspn(p + 1, LOWER DIGITS "-");
        good = n > 0;
        p += 1 + n;
    }
    if (good && (*p == '=' || *p == '/')) { /* a version or a suite */
        const size_t n = strspn(p + 1, LOWER UPPER DIGITS ".+:~_-");
        good = n > 0;
        p += 1 + n;
    }
    if (good && *p == '\0')
        return 0;
    const bool several = text[strcspn(text, " ,")] != '\0';
    px_fail(err, -EINVAL, "'%.80s' is no Debian package name", text);
    return several ? px_hint(err, -EINVAL, "one package per entry") : -EINVAL;
}

int px_check_bridge(const char *text, struct px_error *err) {
    /* "all" and "default" are folders beside the interfaces in /proc/sys/net. */
    static const char *const taken[] = {"lo", "all", "default", ".", ".."};
    if (strlen(text) >= IFNAMSIZ || !only(text, LOWER UPPER DIGITS "_.-") || text[0] == '-')
        return px_fail(err, -EINVAL,
                       "'%.60s' is no interface name: at most 15 of a-z, A-Z, 0-9, '_', '.' and "
                       "'-'",
                       text);
    if (in_words(text, taken, PX_N_ELEMENTS(taken)))
        return px_fail(err, -EINVAL, "no bridge can be named '%s'", text);
    return 0;
}

int px_check_timezone(const char *text, struct px_error *err) {
    unsigned parts = 1;
    for (const char *p = text; *p; p++)
        parts += *p == '/';
    if (strlen(text) > 64 || !only(text, LOWER UPPER DIGITS "_+-/") || parts > 3 ||
        text[0] == '/' || text[strlen(text) - 1] == '/' || strstr(text, "//"))
        return px_fail(err, -EINVAL,
                       "expected a time zone such as Europe/Berlin or UTC, found '%.60s'", text);
    return 0;
}

/* One layout, "de(nodeadkeys)"; how long it is, 0: it is none. */
static size_t layout_length(const char *p) {
    size_t n = strchr(LOWER, *p) && *p ? strspn(p, LOWER DIGITS "_-") : 0;
    if (n == 0 || p[n] != '(')
        return n;
    const size_t variant = strspn(p + n + 1, LOWER UPPER DIGITS "_.-");
    return variant > 0 && p[n + 1 + variant] == ')' ? n + variant + 2 : 0;
}

int px_check_keyboard(const char *text, struct px_error *err) {
    const char *p = text;
    for (unsigned i = 0; i < 4 && strlen(text) < 128; i++) {
        const size_t n = layout_length(p);
        p += n;
        if (n > 0 && *p == '\0')
            return 0;
        if (n == 0 || *p++ != ',')
            break;
    }
    return px_fail(err, -EINVAL,
                   "expected an XKB layout such as us or de(nodeadkeys), found '%.60s'", text);
}

int px_parse_number(const char *text, unsigned max, unsigned *ret) {
    unsigned v = 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return -EINVAL;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9')
            return -EINVAL;
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (unsigned)(*p - '0'), &v))
            return -ERANGE;
    }
    if (v > max)
        return -ERANGE;
    *ret = v;
    return 0;
}

#define EXPECTED_SERVER "expected a host name or address, or " PX_WSS_SCHEME "HOST, found '%.60s'"

/* Other schemes lead to the same host, but not in a way that there is. */
static int wrong_scheme(const char *text, const char *rest, struct px_error *err) {
    const int host = (int)strcspn(rest, "/");
    px_fail(err, -EINVAL, EXPECTED_SERVER, text);
    if (host == 0)
        return -EINVAL;
    if (strncmp(text, "https:", 6) == 0)
        return px_hint(err, -EINVAL, "did you mean " PX_WSS_SCHEME "%.*s?", host, rest);
    return px_hint(err, -EINVAL, "write %.*s; what it speaks is found out", host, rest);
}

int px_check_server(const char *text, struct px_error *err) {
    struct px_server_name s;
    const char *scheme = strstr(text, "://");
    if (scheme && strncmp(text, PX_WSS_SCHEME, strlen(PX_WSS_SCHEME)) != 0)
        return wrong_scheme(text, scheme + 3, err);
    const int r = px_server_name_parse(text, &s);
    if (r == -ERANGE)
        return px_fail(err, -EINVAL, "the port in '%.60s' is none from 1 to 65535", text);
    if (r < 0)
        return px_fail(err, -EINVAL, EXPECTED_SERVER, text);
    if (*s.rest == '\0' || (s.wss && strcmp(s.rest, "/") == 0))
        return 0;
    px_fail(err, -EINVAL, EXPECTED_SERVER, text);
    if (s.wss && *s.rest == '/')
        px_hint(err, -EINVAL, "write %.*s; the paths are fixed", (int)(s.rest - text), text);
    return -EINVAL;
}

int px_parse_address(const char *text, struct in_addr *ret, struct px_error *err) {
    struct in_addr a;
    if (inet_pton(AF_INET, text, &a) != 1)
        return px_fail(err, -EINVAL, "expected an IPv4 address such as 10.88.0.20, found '%.60s'",
                       text);
    const unsigned first = ntohl(a.s_addr) >> 24;
    if (first == 0 || first == 127 || first >= 224)
        return px_fail(err, -EINVAL, "'%s' is no address that a machine on a network can have",
                       text);
    *ret = a;
    return 0;
}

/* Whether the whole of @net/@prefix lies in one of the private blocks (RFC 1918). */
static bool is_private(uint32_t net, unsigned prefix) {
    return (prefix >= 8 && net >> 24 == 10) || (prefix >= 12 && net >> 20 == (172 << 4 | 1)) ||
           (prefix >= 16 && net >> 16 == (192 << 8 | 168));
}

int px_parse_range(const char *text, struct in_addr *ret, unsigned *ret_prefix,
                   struct px_error *err) {
    char address[INET_ADDRSTRLEN + 1] = "", base[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    struct in_addr a;
    unsigned prefix = 0;
    if (slash && (size_t)(slash - text) < sizeof(address))
        memcpy(address, text, (size_t)(slash - text));
    if (inet_pton(AF_INET, address, &a) != 1 || px_parse_number(slash + 1, 32, &prefix) < 0)
        return px_fail(err, -EINVAL, "expected a range such as 10.88.0.0/16, found '%.60s'", text);
    if (prefix < 8 || prefix > 29)
        return px_fail(err, -EINVAL, "the prefix of '%s' must be from /8 to /29", text);
    const uint32_t net = ntohl(a.s_addr) & ~(UINT32_MAX >> prefix);
    if (!is_private(net, prefix)) {
        px_fail(err, -EINVAL, "'%s' is no private range", text);
        return px_hint(err, -EINVAL, "take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16");
    }
    const struct in_addr first = {.s_addr = htonl(net)};
    if (first.s_addr != a.s_addr) {
        px_fail(err, -EINVAL, "'%s' is an address within a range, not a range", text);
        return px_hint(err, -EINVAL, "did you mean %s/%u?",
                       inet_ntop(AF_INET, &first, base, sizeof(base)), prefix);
    }
    *ret = a;
    *ret_prefix = prefix;
    return 0;
}

int px_parse_port(const char *text, uint16_t *ret, bool *ret_udp, struct px_error *err) {
    char number[8] = "";
    const size_t n = strcspn(text, "/");
    unsigned port = 0;
    if (n < sizeof(number))
        memcpy(number, text, n);
    const bool udp = strcmp(text + n, "/udp") == 0;
    const bool tcp = text[n] == '\0' || strcmp(text + n, "/tcp") == 0;
    if (px_parse_number(number, 65535, &port) < 0 || port == 0 || (!udp && !tcp))
        return px_fail(err, -EINVAL,
                       "expected a port from 1 to 65535, such as 8080, 8080/tcp or 53/udp, found "
                       "'%.60s'",
                       text);
    *ret = (uint16_t)port;
    *ret_udp = udp;
    return 0;
}

int px_parse_mode(const char *text, unsigned *ret, struct px_error *err) {
    const size_t n = strlen(text);
    unsigned mode = 0;
    if (n < 3 || n > 4 || !only(text, "01234567"))
        return px_fail(err, -EINVAL, "expected an octal mode such as 0755, found '%.60s'", text);
    for (const char *p = text; *p; p++)
        mode = mode * 8 + (unsigned)(*p - '0');
    *ret = mode;
    return 0;
}
