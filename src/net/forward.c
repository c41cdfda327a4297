/* src/net/forward.c - routing between interfaces, net.ipv4.ip_forward */
#include "net/forward.h"
#include "base/file.h"
#include "base/log.h"
#include "base/step.h"
#include "net/note.h"
#include <string.h>

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"
#define CONF "/proc/sys/net/ipv4/conf"
#define REDIRECTS CONF "/all/accept_redirects"

static bool is_set(const char *path) {
    px_cleanup_free char *text = NULL;
    return px_file_read(AT_FDCWD, path, 16, &text, NULL, NULL) >= 0 && text[0] != '0';
}

static void conf_path(char ret[128], const char *ifname) {
    snprintf(ret, 128, CONF "/%s/forwarding", ifname);
}

bool px_forward_is_on(void) {
    return is_set(IP_FORWARD);
}

static void note_forwarder(struct px_host_note *note, const char *ifname) {
    char path[128];
    conf_path(path, ifname);
    if (note->n_forwarders < PX_FORWARDERS_MAX && is_set(path))
        memcpy(note->forwarders[note->n_forwarders++], ifname, strlen(ifname) + 1);
}

static int take_note(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    struct px_host_note note = {.forward_set = true, .accept_redirects = is_set(REDIRECTS)};
    px_cleanup_free struct px_link *links = NULL;
    size_t n = 0;
    int r = px_link_list(sock, &links, &n, err);
    note_forwarder(&note, "default");
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (strcmp(links[i].name, host->network.bridge) != 0)
            note_forwarder(&note, links[i].name);
    return r < 0 ? r : px_host_note_write(host, &note, err);
}

int px_forward_on(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    if (px_forward_is_on())
        return 0;
    int r = take_note(sock, host, err); /* first: a note too many does no harm */
    if (r >= 0)
        r = px_step("net.noted", err);
    return r < 0 ? r : px_file_put(AT_FDCWD, IP_FORWARD, "1", err);
}

/* Writing ip_forward has set the others, so they come after it. An interface may be gone by now. */
static int put_back(const struct px_host_note *note, struct px_error *err) {
    char path[128];
    int r = px_file_put(AT_FDCWD, IP_FORWARD, "0", err);
    if (r >= 0)
        r = px_file_put(AT_FDCWD, REDIRECTS, note->accept_redirects ? "1" : "0", err);
    for (size_t i = 0; r >= 0 && i < note->n_forwarders; i++) {
        conf_path(path, note->forwarders[i]);
        r = px_file_put(AT_FDCWD, path, "1", err);
        r = r == -ENOENT ? 0 : r;
    }
    return r;
}

/* Interfaces whose makers route between them and the outside, as we do. */
static bool needs_forwarding(const struct px_link *link) {
    static const char *const prefixes[] = {"docker",  "br-",    "virbr", "lxcbr", "lxdbr",
                                           "incusbr", "podman", "cni",   "wg"};
    if (!link->up)
        return false;
    for (size_t i = 0; i < PX_N_ELEMENTS(prefixes); i++)
        if (strncmp(link->name, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return strcmp(link->kind, "bridge") == 0 && strncmp(link->alias, "phoenix:", 8) == 0;
}

/* The name of an interface that came to live on what we switched on; "": none. */
static int find_other(struct nl_sock *sock, char ret[IFNAMSIZ], struct px_error *err) {
    px_cleanup_free struct px_link *links = NULL;
    size_t n = 0;
    ret[0] = 0;
    int r = px_link_list(sock, &links, &n, err);
    for (size_t i = 0; r >= 0 && i < n; i++)
        if (needs_forwarding(&links[i]))
            memcpy(ret, links[i].name, IFNAMSIZ);
    return r;
}

int px_forward_back(struct nl_sock *sock, const struct px_host_spec *host, struct px_error *err) {
    struct px_host_note note;
    char other[IFNAMSIZ];
    px_host_note_read(host, &note);
    int r = note.forward_set ? find_other(sock, other, err) : 0;
    if (r < 0)
        return r;
    if (note.forward_set && other[0])
        px_warning("net: net.ipv4.ip_forward stays 1: '%s' may need it", other);
    else if (note.forward_set)
        r = put_back(&note, err);
    return r < 0 ? r : px_host_note_remove(host, err);
}
