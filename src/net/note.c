/* src/net/note.c - what px_net remembers between calls */
#include "net/note.h"
#include "base/alloc.h"
#include "base/file.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#define NOTE_MAX_BYTES (16 * 1024 * 1024)
#define PORTS_MAX 100000

uint64_t px_digest(const char *text) {
    uint64_t h = 14695981039346656037U;
    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * 1099511628211U;
    return h;
}

void px_loaded_fini(struct px_loaded *note) {
    free(note->ports);
    *note = (struct px_loaded){0};
}

static bool same(const struct px_net_port *a, const struct px_net_port *b) {
    return strcmp(a->ifname, b->ifname) == 0 && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           a->address.s_addr == b->address.s_addr && a->internet == b->internet;
}

/* Where the port of @ifname is, or belongs. */
static size_t place_of(const struct px_loaded *note, const char *ifname) {
    size_t low = 0, high = note->n_ports;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (strcmp(note->ports[mid].ifname, ifname) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

const struct px_net_port *px_loaded_find(const struct px_loaded *note, const char *ifname) {
    const size_t i = place_of(note, ifname);
    return i < note->n_ports && strcmp(note->ports[i].ifname, ifname) == 0 ? &note->ports[i] : NULL;
}

bool px_loaded_has(const struct px_loaded *note, const struct px_net_port *port) {
    const struct px_net_port *found = px_loaded_find(note, port->ifname);
    return found && same(found, port);
}

void px_loaded_drop(struct px_loaded *note, const char *ifname) {
    if (!px_loaded_find(note, ifname))
        return;
    const size_t i = place_of(note, ifname);
    note->n_ports--;
    memmove(&note->ports[i], &note->ports[i + 1], (note->n_ports - i) * sizeof(*note->ports));
}

void px_loaded_add(struct px_loaded *note, const struct px_net_port *port) {
    px_loaded_drop(note, port->ifname);
    const size_t i = place_of(note, port->ifname);
    px_grow(note->ports, &note->cap, note->n_ports + 1);
    memmove(&note->ports[i + 1], &note->ports[i], (note->n_ports - i) * sizeof(*note->ports));
    note->ports[i] = *port;
    note->n_ports++;
}

static json_t *port_to_json(const struct px_net_port *p) {
    char mac[18], address[INET_ADDRSTRLEN];
    snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", p->mac[0], p->mac[1], p->mac[2],
             p->mac[3], p->mac[4], p->mac[5]);
    inet_ntop(AF_INET, &p->address, address, sizeof(address));
    return json_pack("{s:s, s:s, s:s, s:b}", "ifname", p->ifname, "mac", mac, "address", address,
                     "internet", p->internet);
}

char *px_loaded_print(const struct px_loaded *note) {
    char digest[17];
    snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)note->digest);
    json_t *ports = json_array();
    for (size_t i = 0; i < note->n_ports; i++)
        json_array_append_new(ports, port_to_json(&note->ports[i]));
    px_cleanup(json_decrefp) json_t *root =
        json_pack("{s:s, s:I, s:s, s:s, s:o}", "place", note->place, "generation",
                  (json_int_t)note->generation, "family", px_rules_family_name(note->family),
                  "digest", digest, "ports", ports);
    return json_dumps(root, JSON_INDENT(1));
}

/* As port_to_json writes it, and nothing else. */
static bool mac_parse(const char *text, uint8_t ret[6]) {
    for (size_t i = 0; i < 17; i++)
        if (i % 3 == 2 ? text[i] != ':' : !isxdigit((unsigned char)text[i]))
            return false;
    for (size_t i = 0; i < 6; i++)
        ret[i] = (uint8_t)strtoul(text + 3 * i, NULL, 16);
    return text[17] == '\0';
}

static bool port_from_json(json_t *json, struct px_net_port *ret) {
    const char *ifname, *mac, *address;
    int internet = 0;
    *ret = (struct px_net_port){0};
    if (json_unpack(json, "{s:s, s:s, s:s, s:b}", "ifname", &ifname, "mac", &mac, "address",
                    &address, "internet", &internet) < 0)
        return false;
    ret->internet = internet != 0;
    if (strlen(ifname) >= sizeof(ret->ifname))
        return false;
    strcpy(ret->ifname, ifname);
    return mac_parse(mac, ret->mac) && inet_pton(AF_INET, address, &ret->address) == 1;
}

int px_loaded_parse(const char *text, size_t size, struct px_loaded *ret, struct px_error *err) {
    px_cleanup(json_decrefp) json_t *root = json_loadb(text, size, 0, NULL);
    json_int_t generation = 0;
    const char *place, *family, *digest;
    json_t *ports;
    if (!root ||
        json_unpack(root, "{s:s, s:I, s:s, s:s, s:o}", "place", &place, "generation", &generation,
                    "family", &family, "digest", &digest, "ports", &ports) < 0 ||
        strlen(place) >= PX_PLACE_MAX || generation < 0 || generation > UINT32_MAX ||
        !json_is_array(ports) || json_array_size(ports) > PORTS_MAX)
        return px_fail(err, -EINVAL, "not a note about loaded rules");
    struct px_loaded note = {.generation = (uint32_t)generation,
                             .family =
                                 strcmp(family, "netdev") == 0 ? PX_RULES_NETDEV : PX_RULES_BRIDGE,
                             .digest = strtoull(digest, NULL, 16)};
    strcpy(note.place, place);
    for (size_t i = 0; i < json_array_size(ports); i++) {
        struct px_net_port port;
        if (!port_from_json(json_array_get(ports, i), &port)) {
            px_loaded_fini(&note);
            return px_fail(err, -EINVAL, "not a note about loaded rules: port %zu", i);
        }
        px_loaded_add(&note, &port);
    }
    *ret = note;
    return 0;
}

/* Settings do not outlive a boot, so neither does what we know of them. */
static char *boot_id(void) {
    char *text = NULL;
    if (px_file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text, NULL, NULL) < 0)
        return px_strdup("unknown");
    text[strcspn(text, "\n")] = 0;
    return text;
}

/* The kernel counts generations per network namespace, from 1 at boot: a note of another place
 * could fit by accident, and no rules would be loaded at all. */
static void here(char ret[PX_PLACE_MAX]) {
    px_cleanup_free char *boot = boot_id();
    struct stat st = {0};
    stat("/proc/self/ns/net", &st);
    snprintf(ret, PX_PLACE_MAX, "%.40s:%llu", boot, (unsigned long long)st.st_ino);
}

static char *loaded_path(const struct px_host_spec *host) {
    return px_asprintf("%s/net-%s.json", host->run_dir, host->network.bridge);
}

void px_loaded_read(const struct px_host_spec *host, struct px_loaded *ret) {
    px_cleanup_free char *path = loaded_path(host), *text = NULL;
    size_t size = 0;
    *ret = (struct px_loaded){0};
    char place[PX_PLACE_MAX];
    here(place);
    if (px_file_read(AT_FDCWD, path, NOTE_MAX_BYTES, &text, &size, NULL) >= 0)
        px_loaded_parse(text, size, ret, NULL);
    if (strcmp(ret->place, place) != 0)
        px_loaded_fini(ret);
}

int px_loaded_write(const struct px_host_spec *host, const struct px_loaded *note,
                    struct px_error *err) {
    struct px_loaded placed = *note;
    here(placed.place);
    px_cleanup_free char *path = loaded_path(host), *text = px_loaded_print(&placed);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, err);
}

static int remove_file(const char *path, struct px_error *err) {
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    return px_fail_sys(err, -errno, "cannot remove '%s'", path);
}

int px_loaded_remove(const struct px_host_spec *host, struct px_error *err) {
    px_cleanup_free char *path = loaded_path(host);
    return remove_file(path, err);
}

static char *host_path(const struct px_host_spec *host) {
    return px_asprintf("%s/net.json", host->state_dir);
}

char *px_host_note_print(const struct px_host_note *note, const char *boot) {
    json_t *forwarders = json_array();
    for (size_t i = 0; i < note->n_forwarders; i++)
        json_array_append_new(forwarders, json_string(note->forwarders[i]));
    px_cleanup(json_decrefp) json_t *root =
        json_pack("{s:s, s:b, s:b, s:o}", "boot", boot, "ip_forward_set", note->forward_set,
                  "accept_redirects", note->accept_redirects, "forwarders", forwarders);
    return json_dumps(root, JSON_INDENT(1));
}

int px_host_note_parse(const char *text, size_t size, const char *boot, struct px_host_note *ret,
                       struct px_error *err) {
    px_cleanup(json_decrefp) json_t *root = json_loadb(text, size, 0, NULL);
    struct px_host_note note = {0};
    const char *noted;
    int set = 0, redirects = 0;
    json_t *forwarders;
    if (!root ||
        json_unpack(root, "{s:s, s:b, s:b, s:o}", "boot", &noted, "ip_forward_set", &set,
                    "accept_redirects", &redirects, "forwarders", &forwarders) < 0 ||
        strcmp(noted, boot) != 0 || !json_is_array(forwarders))
        return px_fail(err, -EINVAL, "no note about this boot");
    note.forward_set = set != 0;
    note.accept_redirects = redirects != 0;
    for (size_t i = 0; i < json_array_size(forwarders); i++) {
        const char *name = json_string_value(json_array_get(forwarders, i));
        /* It becomes part of a path below /proc/sys. */
        if (!name || !*name || strlen(name) >= IFNAMSIZ || strchr(name, '/') || *name == '.')
            return px_fail(err, -EINVAL, "a note about no interface");
        if (note.n_forwarders < PX_FORWARDERS_MAX)
            strcpy(note.forwarders[note.n_forwarders++], name);
    }
    *ret = note;
    return 0;
}

void px_host_note_read(const struct px_host_spec *host, struct px_host_note *ret) {
    px_cleanup_free char *path = host_path(host), *text = NULL, *boot = boot_id();
    size_t size = 0;
    *ret = (struct px_host_note){0};
    if (px_file_read(AT_FDCWD, path, NOTE_MAX_BYTES, &text, &size, NULL) >= 0)
        px_host_note_parse(text, size, boot, ret, NULL);
}

int px_host_note_write(const struct px_host_spec *host, const struct px_host_note *note,
                       struct px_error *err) {
    px_cleanup_free char *path = host_path(host), *boot = boot_id();
    px_cleanup_free char *text = px_host_note_print(note, boot);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

int px_host_note_remove(const struct px_host_spec *host, struct px_error *err) {
    px_cleanup_free char *path = host_path(host);
    return remove_file(path, err);
}
