/* src/spec/remote.c - the remote key of the desktop file: what viewers may do, and how they come */
#include "spec/remote.h"
#include "spec/check.h"
#include "spec/desktop_fields.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define OFF(member) offsetof(struct px_desktop_entry, spec.remote.member)
#define TEXT_MAX 64
#define PATTERN_ADDRESS "^[0-9A-Fa-f.:]*[.:][0-9A-Fa-f.:]*"

/* 4 or 6; 0: no address. */
static int family_of(const char *text) {
    unsigned char raw[16];
    return inet_pton(AF_INET, text, raw) == 1 ? 4 : inet_pton(AF_INET6, text, raw) == 1 ? 6 : 0;
}

/* "10.0.0.0/8", "2001:db8::/32" or one address. */
static int check_block(const char *text, struct px_error *err) {
    char ip[TEXT_MAX] = "";
    unsigned bits = 0;
    const size_t n = strcspn(text, "/");
    if (n < sizeof(ip))
        memcpy(ip, text, n);
    const int family = family_of(ip);
    if (family == 0 ||
        (text[n] == '/' && px_parse_number(text + n + 1, family == 4 ? 32 : 128, &bits) < 0))
        return px_fail(err, -EINVAL,
                       "expected an address or a block of them such as 10.0.0.0/8, found '%.60s'",
                       text);
    return 0;
}

/* "10.88.0.20", "10.88.0.20:21118", "[2001:db8::1]:21118". */
static int check_listen(const char *text, struct px_error *err) {
    char ip[TEXT_MAX] = "";
    unsigned port = 21118;
    const bool brackets = text[0] == '[';
    const char *from = text + brackets;
    const char *end = brackets             ? strchr(text, ']')
                      : family_of(text)    ? text + strlen(text)
                      : strrchr(text, ':') ? strrchr(text, ':')
                                           : text + strlen(text);
    if (end && (size_t)(end - from) < sizeof(ip))
        memcpy(ip, from, (size_t)(end - from));
    const int family = family_of(ip);
    const char *rest = end ? end + brackets : "?";
    const bool good = family && (family == 6) >= brackets &&
                      (*rest == '\0' ||
                       (*rest == ':' && px_parse_number(rest + 1, 65535, &port) == 0 && port > 0));
    if (good)
        return 0;
    px_fail(err, -EINVAL,
            "expected an address of the desktop, with a port or without, such as 10.88.0.20:21118, "
            "found '%.60s'",
            text);
    return strspn(text, "0123456789") == strlen(text)
               ? px_hint(err, -EINVAL, "for a port on all addresses: 0.0.0.0:%s", text)
               : -EINVAL;
}

static const struct px_field block_item = {.kind = PX_FIELD_STRING,
                                           .expected = "an address or block such as 10.0.0.0/8",
                                           .check = check_block,
                                           .pattern = PATTERN_ADDRESS "(/[0-9]{1,3})?$"};
static const struct px_field listen_item = {.kind = PX_FIELD_STRING,
                                            .expected = "an address such as 10.88.0.20:21118",
                                            .check = check_listen,
                                            .pattern = "^\\[?[0-9A-Fa-f.:]+\\]?(:[0-9]{1,5})?$"};

const struct px_field px_remote_fields[] = {
    {.key = "input",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers may use mouse and keyboard; without, they only watch.",
     .fallback = "true",
     .aka = "keyboard mouse control",
     .offset = OFF(input)},
    {.key = "clipboard",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the clipboard is shared with viewers.",
     .fallback = "true",
     .aka = "copy paste",
     .offset = OFF(clipboard)},
    {.key = "files",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers may transfer files, as the desktop's user.",
     .fallback = "true",
     .aka = "file file_transfer transfer",
     .offset = OFF(files)},
    {.key = "audio",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers hear the desktop.",
     .fallback = "true",
     .aka = "sound",
     .offset = OFF(audio)},
    {.key = "tunnel",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers may open TCP tunnels to the desktop's own ports.",
     .fallback = "true",
     .aka = "tunnels port_forward forward",
     .offset = OFF(tunnel)},
    {.key = "terminal",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers may open terminals.",
     .fallback = "true",
     .aka = "shell console",
     .offset = OFF(terminal)},
    {.key = "recording",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether viewers' clients offer to record the session. A picture that is seen can be "
            "kept: this is a wish, not a lock.",
     .fallback = "true",
     .aka = "record",
     .offset = OFF(recording)},
    {.key = "banner",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the screen says who watches.",
     .fallback = "true",
     .aka = "notice indicator",
     .offset = OFF(banner)},
    {.key = "totp",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether logins need a second factor: a code of six digits from an app. "
            "`phoenix connect` shows what the app wants to scan.",
     .fallback = "false",
     .aka = "2fa two_factor otp mfa",
     .offset = OFF(totp)},
    {.key = "trusted_devices",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether a client may be spared the code for 90 days, if its user says so.",
     .fallback = "true",
     .aka = "trusted trust",
     .offset = OFF(trusted_devices)},
    {.key = "allow",
     .kind = PX_FIELD_LIST,
     .doc = "Addresses and blocks of them that may come in; an empty list is all. Through a "
            "server, the address is the one that the server saw.",
     .expected = "a list such as [10.0.0.0/8]",
     .item = &block_item,
     .offset = OFF(allow),
     .n_offset = OFF(n_allow),
     .item_size = sizeof(char *),
     .unique = true,
     .max = PX_REMOTE_ALLOW_MAX,
     .aka = "allow_addresses allowlist whitelist"},
    {.key = "direct",
     .kind = PX_FIELD_LIST,
     .doc = "Addresses of the desktop on which it also takes clients without a server, with a "
            "port or with 21118. Not encrypted, and clients do not warn: only for networks where "
            "nobody listens.",
     .expected = "a list such as [10.88.0.20:21118]",
     .item = &listen_item,
     .offset = OFF(direct),
     .n_offset = OFF(n_direct),
     .item_size = sizeof(char *),
     .unique = true,
     .max = PX_REMOTE_DIRECT_MAX,
     .aka = "listen direct_port direct_access"},
    {.key = "punching",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether clients may come without the relay where they can.",
     .fallback = "true",
     .aka = "punch p2p hole_punching",
     .offset = OFF(punching)},
    {.key = "discovery",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether clients that look around on the LAN are told ID, user and host name. They see "
            "desktops on networks without NAT, and from the host itself.",
     .fallback = "false",
     .aka = "lan lan_discovery discover broadcast",
     .offset = OFF(discovery)},
    {0},
};
