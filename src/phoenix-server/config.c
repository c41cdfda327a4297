/* src/phoenix-server/config.c - options */
#include "phoenix-server/config.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_FILE "/etc/phoenix/server.conf"
#define FILE_MAX_BYTES (1024u * 1024)
#define AT(member) offsetof(struct px_config, member)
#define ANY UINT32_MAX

const struct px_option px_options[] = {
    {"port", 'p', PX_OPTION_NUMBER, AT(port), "21116", 3, 65533, "PORT",
     "ID server's main port P (UDP, TCP); P-2, P-1 and P+2 follow"},
    {"relay-port", 0, PX_OPTION_NUMBER, AT(relay_port), "0", 0, 65533, "PORT",
     "relay's port R; R+2 follows. 0: P+1, where clients look for it"},
    {"bind", 'b', PX_OPTION_TEXT, AT(bind), "", 0, 0, "ADDRESS",
     "listen on this address only. Empty: on all, IPv4 and IPv6"},
    {"host", 0, PX_OPTION_TEXT, AT(host), "", 0, 0, "NAME",
     "name under which clients reach this server; only shown. Empty: a local address"},
    {"key", 'k', PX_OPTION_TEXT, AT(key), "-", 0, 0, "KEY",
     "-: the pair in the data directory, made on first start, and clients must know it. "
     "Base64 of a secret key: that pair. Empty: sign, but let clients without the key in"},
    {"only", 0, PX_OPTION_TEXT, AT(only), "both", 0, 0, "HALF", "id, relay, or both"},
    {"data-dir", 0, PX_OPTION_TEXT, AT(data_dir), "", 0, 0, "DIRECTORY",
     "keys, peers, lists. Empty: $STATE_DIRECTORY, else /var/lib/phoenix-server for root, else "
     "~/.local/state/phoenix-server"},
    {"uid", 0, PX_OPTION_NUMBER, AT(uid), "0", 0, ANY - 1, "UID",
     "started as root: become this user and group, with nothing else of root's, before anything is "
     "opened. 0: stay"},
    {"respawn", 0, PX_OPTION_YESNO, AT(respawn), "no", 0, 0, "YES|NO",
     "start again after a crash, as a service manager does, from a process beside: after 1 s, then "
     "2, 4 and up to 60"},
    {"relay-servers", 'r', PX_OPTION_TEXT, AT(relay_servers), "", 0, 0, "HOST[:PORT],...",
     "relays to propose, in turn while they answer. Empty: clients use this host, port P+1"},
    {"always-use-relay", 0, PX_OPTION_YESNO, AT(always_use_relay), "no", 0, 0, "YES|NO",
     "no direct connections between clients"},
    {"threads", 0, PX_OPTION_NUMBER, AT(threads), "0", 0, 64, "N", "0: one per processor"},
    {"trusted-proxies", 0, PX_OPTION_TEXT, AT(trusted_proxies), "", 0, 0, "ADDRESS[/BITS],...",
     "reverse proxies whose X-Real-IP and X-Forwarded-For are believed"},
    {"admin-socket", 0, PX_OPTION_TEXT, AT(admin_socket), "", 0, 0, "PATH",
     "for phoenix-server ctl. Empty: $RUNTIME_DIRECTORY/admin.sock, else in the data directory"},
    {"metrics", 0, PX_OPTION_TEXT, AT(metrics), "", 0, 0, "ADDRESS:PORT",
     "Prometheus metrics at /metrics. Empty: none"},
    {"http", 0, PX_OPTION_YESNO, AT(http), "yes", 0, 0, "YES|NO",
     "answer 404 on port P-2, where clients look for an API; without an answer they keep trying "
     "over port P"},
    {"log-level", 0, PX_OPTION_TEXT, AT(log_level), "info", 0, 0, "LEVEL",
     "error, warning, info or debug"},
    {"total-bandwidth", 0, PX_OPTION_MBIT, AT(total_bandwidth), "0", 0, ANY, "MBIT",
     "of all relayed sessions, shared fairly when it is short. 0: no limit"},
    {"single-bandwidth", 0, PX_OPTION_MBIT, AT(single_bandwidth), "0", 0, ANY, "MBIT",
     "of one relayed session, both directions together. 0: no limit"},
    {"limit-speed", 0, PX_OPTION_MBIT, AT(limit_speed), "32", 0, ANY, "MBIT",
     "of a session with a member in blacklist.txt. 0: no limit"},
    {"max-peers", 0, PX_OPTION_NUMBER, AT(max_peers), "2000000", 256, ANY, "N",
     "devices known at once; past that, ones that never sent a heartbeat go first"},
    {"max-connections", 0, PX_OPTION_NUMBER, AT(max_connections), "20000", 16, ANY, "N",
     "open at once, of each half"},
    {"max-waiting", 0, PX_OPTION_NUMBER, AT(max_waiting), "5000", 1, ANY, "N",
     "relay connections that wait for their partner"},
    {"connections-per-source", 0, PX_OPTION_NUMBER, AT(connections_per_source), "500", 0, ANY, "N",
     "open at once from one address (IPv6: /64). 0: no limit"},
    {"connection-rate", 0, PX_OPTION_NUMBER, AT(connection_rate), "50", 0, ANY, "N",
     "new ones per second from one address, with a burst of ten seconds' worth. 0: no limit"},
    {"register-burst", 0, PX_OPTION_NUMBER, AT(register_burst), "32", 0, ANY, "N",
     "key registrations of one address until it pauses for a minute. 0: no limit"},
    {"register-ids-per-day", 0, PX_OPTION_NUMBER, AT(register_ids_per_day), "300", 0, 1500, "N",
     "different IDs that one address registers in a day. 0: no limit"},
    {"udp-probe-rate", 0, PX_OPTION_NUMBER, AT(udp_probe_rate), "20", 0, ANY, "N",
     "NAT tests by UDP answered per second and address. 0: none"},
    {"online-seconds", 0, PX_OPTION_NUMBER, AT(online_seconds), "30", 1, 3600, "N",
     "how long after its last heartbeat a device counts as online"},
    {"idle-seconds", 0, PX_OPTION_NUMBER, AT(idle_seconds), "30", 1, 3600, "N",
     "silent connections, and relayed sessions without traffic, are closed"},
    {"wait-seconds", 0, PX_OPTION_NUMBER, AT(wait_seconds), "30", 1, 3600, "N",
     "how long a relay connection waits for its partner"},
    {"keepalive-seconds", 0, PX_OPTION_NUMBER, AT(keepalive_seconds), "20", 1, 50, "N",
     "sign of life on registrations over TCP and WebSocket"},
    {"drain-seconds", 0, PX_OPTION_NUMBER, AT(drain_seconds), "10", 0, 3600, "N",
     "how long relayed sessions may go on after SIGTERM"},
    {"open-relay-requests", 0, PX_OPTION_YESNO, AT(open_relay_requests), "no", 0, 0, "YES|NO",
     "forward RequestRelay also from addresses that were not given the way to the device before"},
    {"answer-check", 0, PX_OPTION_TEXT, AT(answer_check), "ip", 0, 0, "WHAT",
     "ip: a device's answers must come from its registered address. id: the right ID is enough"},
    {"rmem", 'M', PX_OPTION_NUMBER, AT(rmem), "4194304", 0, INT32_MAX, "BYTES",
     "UDP receive buffer. 0: the system's default"},
    {"serial", 's', PX_OPTION_NUMBER, AT(serial), "0", 0, INT32_MAX, "N",
     "number of the list below; clients with a lower one are sent it"},
    {"rendezvous-servers", 'R', PX_OPTION_TEXT, AT(rendezvous_servers), "", 0, 0, "HOST,...",
     "list of ID servers for clients that have none set"},
    {"mask", 0, PX_OPTION_TEXT, AT(mask), "", 0, 0, "ADDRESS/BITS",
     "the local network, when this server stands in it (deprecated)"},
    {"local-ip", 0, PX_OPTION_TEXT, AT(local_ip), "", 0, 0, "ADDRESS",
     "with mask: the relay's address for its members (deprecated)"},
    {"config", 'c', PX_OPTION_TEXT, AT(config_file), "", 0, 0, "FILE",
     "options, one per line: name = value. Empty: " DEFAULT_FILE " if there is one"},
    {"import", 0, PX_OPTION_TEXT, AT(import_dir), "", 0, 0, "DIRECTORY",
     "take over keys and devices of the official server from there, then exit"},
};
const size_t px_n_options = PX_N_ELEMENTS(px_options);
_Static_assert(PX_N_ELEMENTS(px_options) <= 64, "a set of options is 64 bits");

static void *place(struct px_config *c, const struct px_option *o) {
    return (char *)c + o->offset;
}

static int set_number(const struct px_option *o, const char *text, uint64_t *ret,
                      struct px_error *err) {
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno || n < o->min || n > o->max)
        return px_fail(err, -EINVAL, "%s: '%s' is not a number from %llu to %llu", o->name, text,
                       (unsigned long long)o->min, (unsigned long long)o->max);
    *ret = n;
    return 0;
}

/* Megabits with decimals, as the official relay takes them; kept in units of 1024 bit. */
static int set_mbit(const struct px_option *o, const char *text, uint64_t *ret,
                    struct px_error *err) {
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || !(n >= 0 && n < 1e6))
        return px_fail(err, -EINVAL, "%s: '%s' is not a number of megabits per second", o->name,
                       text);
    *ret = (uint64_t)llround(n * 1024);
    return 0;
}

static int set_yesno(const struct px_option *o, const char *text, bool *ret, struct px_error *err) {
    static const char *const yes[] = {"yes", "y", "true", "on", "1"}, *const no[] = {"no", "n",
                                                                                     "false", "off",
                                                                                     "0"};
    for (size_t i = 0; i < PX_N_ELEMENTS(yes); i++)
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    return px_fail(err, -EINVAL, "%s: '%s' is neither yes nor no", o->name, text);
}

static int set_option(struct px_config *c, const struct px_option *o, const char *text,
                      struct px_error *err) {
    switch (o->kind) {
    case PX_OPTION_NUMBER:
        return set_number(o, text, place(c, o), err);
    case PX_OPTION_MBIT:
        return set_mbit(o, text, place(c, o), err);
    case PX_OPTION_YESNO:
        return set_yesno(o, text, place(c, o), err);
    case PX_OPTION_TEXT:
        break;
    }
    char **to = place(c, o);
    free(*to);
    *to = px_strdup(text);
    return 0;
}

void px_config_init(struct px_config *c) {
    *c = (struct px_config){0};
    for (size_t i = 0; i < px_n_options; i++)
        (void)set_option(c, &px_options[i], px_options[i].fallback, NULL);
}

void px_config_fini(struct px_config *c) {
    for (size_t i = 0; i < px_n_options; i++)
        if (px_options[i].kind == PX_OPTION_TEXT)
            free(*(char **)place(c, &px_options[i]));
    *c = (struct px_config){0};
}

/* As the official server reads them: case and '_' for '-' do not matter. */
static bool same_name(const char *name, const char *text, size_t size) {
    if (strlen(name) != size)
        return false;
    for (size_t i = 0; i < size; i++) {
        const char ch = text[i] == '_' ? '-' : (char)tolower((unsigned char)text[i]);
        if (ch != name[i])
            return false;
    }
    return true;
}

static const struct px_option *find_option(const char *text, size_t size) {
    for (size_t i = 0; i < px_n_options; i++)
        if (same_name(px_options[i].name, text, size))
            return &px_options[i];
    return NULL;
}

static int unknown(struct px_error *err, const char *where, const char *name, size_t size) {
    const char *names[64];
    px_cleanup_free char *word = px_strndup(name, size);
    for (size_t i = 0; i < px_n_options; i++)
        names[i] = px_options[i].name;
    const char *near = px_suggest(word, names, px_n_options);
    px_fail(err, -EINVAL, "%s: no option '%s'", where, word);
    return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : -EINVAL;
}

static int take_flag(struct px_config *c, int argc, char **argv, int *i, uint64_t *given,
                     struct px_error *err) {
    const char *arg = argv[*i], *value = NULL;
    const struct px_option *o = NULL;
    if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0) {
        c->help = true;
        return 0;
    }
    if (strcmp(arg, "--version") == 0 || strcmp(arg, "-V") == 0) {
        c->version = true;
        return 0;
    }
    if (arg[0] == '-' && arg[1] == '-') {
        size_t size = strcspn(arg + 2, "=");
        o = find_option(arg + 2, size);
        if (!o)
            return unknown(err, "command line", arg + 2, size);
        value = arg[2 + size] ? arg + 2 + size + 1 : NULL;
    } else if (arg[0] == '-' && arg[1]) {
        for (size_t k = 0; k < px_n_options && !o; k++)
            if (px_options[k].letter == arg[1])
                o = &px_options[k];
        value = arg[2] ? arg + 2 : NULL;
    }
    if (!o)
        return px_fail(err, -EINVAL, "no option or command '%s'", arg);
    if (!value && o->kind == PX_OPTION_YESNO)
        value = "yes";
    if (!value && *i + 1 >= argc)
        return px_fail(err, -EINVAL, "%s needs a value (%s)", arg, o->value);
    if (!value)
        value = argv[++*i];
    *given |= UINT64_C(1) << (o - px_options);
    return set_option(c, o, value, err);
}

static int take_flags(struct px_config *c, int argc, char **argv, uint64_t *given,
                      struct px_error *err) {
    for (int i = 1; i < argc; i++) {
        int r = take_flag(c, argc, argv, &i, given, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_config_flags(struct px_config *c, int argc, char **argv, struct px_error *err) {
    uint64_t given = 0;
    return take_flags(c, argc, argv, &given, err);
}

static int parse_line(struct px_config *c, const char *where, char *line, uint64_t given,
                      struct px_error *err) {
    char *p = line + strspn(line, " \t\r");
    if (!*p || *p == '#' || *p == ';')
        return 0;
    size_t size = strcspn(p, " \t=");
    char *value = p + size;
    value += strspn(value, " \t");
    if (size == 0 || *value != '=')
        return px_fail(err, -EINVAL, "%s: expected 'name = value', found '%.60s'", where, p);
    value += 1 + strspn(value + 1, " \t");
    for (size_t n = strlen(value); n && strchr(" \t\r", value[n - 1]); n--)
        value[n - 1] = '\0';
    const struct px_option *o = find_option(p, size);
    if (!o)
        return unknown(err, where, p, size);
    if (given >> (o - px_options) & 1)
        return 0;
    int r = set_option(c, o, value, err);
    return r < 0 ? px_wrap(err, r, "%s", where) : 0;
}

int px_config_parse(struct px_config *c, const char *name, const char *text, uint64_t given,
                    struct px_error *err) {
    px_cleanup_free char *copy = px_strdup(text);
    char *next = copy;
    for (int n = 1; next; n++) {
        char where[512], *line = strsep(&next, "\n");
        snprintf(where, sizeof(where), "%s:%d", name, n);
        int r = parse_line(c, where, line, given, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_config_load(struct px_config *c, int argc, char **argv, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    uint64_t given = 0;
    int r = take_flags(c, argc, argv, &given, err);
    if (r < 0 || c->help || c->version)
        return r;
    const bool named = c->config_file[0];
    px_cleanup_free char *path = px_strdup(named ? c->config_file : DEFAULT_FILE);
    r = px_file_read(AT_FDCWD, path, FILE_MAX_BYTES, &text, NULL, err);
    if (r == -ENOENT && !named)
        return 0;
    return r < 0 ? r : px_config_parse(c, path, text, given, err);
}

void px_config_help(FILE *out) {
    fputs("Usage: phoenix-server [OPTIONS]\n"
          "       phoenix-server ctl [--socket=PATH] [--json] COMMAND   (see phoenix-server ctl "
          "--help)\n\n"
          "ID server and relay for RustDesk clients. Options (also lines of the config file):\n",
          out);
    for (size_t i = 0; i < px_n_options; i++) {
        const struct px_option *o = &px_options[i];
        char left[64];
        snprintf(left, sizeof(left), "%c%c%c --%s=%s", o->letter ? '-' : ' ',
                 o->letter ? o->letter : ' ', o->letter ? ',' : ' ', o->name, o->value);
        fprintf(out, "  %s\n        %s%s%s%s\n", left, o->help, o->fallback[0] ? " (" : "",
                o->fallback, o->fallback[0] ? ")" : "");
    }
    fputs(
        "\nExamples:\n"
        "  phoenix-server --host=id.example.com\n"
        "  phoenix-server --only=relay --key=PUBLIC-KEY      # a further relay on another machine\n"
        "  phoenix-server ctl list                           # which devices are known\n",
        out);
}
