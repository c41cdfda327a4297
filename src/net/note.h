/* src/net/note.h - what px_net remembers between calls
 *
 * RUN/net-BRIDGE.json (gone with the machine's run time): which rules were loaded last, so that a
 * call which would load the same ones does nothing. STATE/net.json: which setting of the host was
 * changed, to be put back. Neither is needed to be right again: without the first the rules are
 * loaded anew, without the second nothing is put back. Source: our own. */
#pragma once
#include "net/net.h"
#include "net/rules.h"

#define PX_PLACE_MAX 80

struct px_loaded { /* px_loaded_fini() */
    /* Boot and network namespace in which the generation was counted. */
    char place[PX_PLACE_MAX];
    uint32_t generation; /* of the kernel's rule set just after; 0: nothing is known */
    enum px_rules_family family;
    uint64_t digest;           /* of the rules without their ports */
    struct px_net_port *ports; /* sorted by ifname */
    size_t n_ports, cap;
};

/* Nothing there, or nothing of use, is an empty note. */
void px_loaded_read(const struct px_host_spec *host, struct px_loaded *ret);
int px_loaded_write(const struct px_host_spec *host, const struct px_loaded *note,
                    struct px_error *err);
int px_loaded_remove(const struct px_host_spec *host, struct px_error *err);
void px_loaded_fini(struct px_loaded *note);
/* The text form, split off for tests. parse: -EINVAL: not a note. print: the caller's string. */
int px_loaded_parse(const char *text, size_t size, struct px_loaded *ret, struct px_error *err);
char *px_loaded_print(const struct px_loaded *note);

bool px_loaded_has(const struct px_loaded *note, const struct px_net_port *port);
/* The port of that interface, lent; NULL: not there. */
const struct px_net_port *px_loaded_find(const struct px_loaded *note, const char *ifname);
/* Replaces the port of the same interface. */
void px_loaded_add(struct px_loaded *note, const struct px_net_port *port);
void px_loaded_drop(struct px_loaded *note, const char *ifname);

uint64_t px_digest(const char *text); /* FNV-1a */

#define PX_FORWARDERS_MAX 64

/* The host's settings as they were before; valid for one boot of the machine. net.ipv4.ip_forward
 * drags others along: the kernel resets them for every interface when it is written. */
struct px_host_note {
    bool forward_set;      /* net.ipv4.ip_forward was 0 and we set it */
    bool accept_redirects; /* net.ipv4.conf.all.accept_redirects */
    /* Interfaces (or "default") that forwarded all the same. More than fit are not put back. */
    char forwarders[PX_FORWARDERS_MAX][IFNAMSIZ];
    size_t n_forwarders;
};
void px_host_note_read(const struct px_host_spec *host, struct px_host_note *ret);
int px_host_note_write(const struct px_host_spec *host, const struct px_host_note *note,
                       struct px_error *err);
int px_host_note_remove(const struct px_host_spec *host, struct px_error *err);
/* The text form, split off for tests; @boot: the boot's id. parse: -EINVAL: no note of this boot.
 */
int px_host_note_parse(const char *text, size_t size, const char *boot, struct px_host_note *ret,
                       struct px_error *err);
char *px_host_note_print(const struct px_host_note *note, const char *boot);
