/* src/session/probe_main.c - the probe as a program of its own: options and wiring */
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "proto/secure.h"
#include "proto/wss.h"
#include "session/probe.h"
#include <getopt.h>
#include <grp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define PASSWORD_MAX_BYTES 4096
#define MEMORY_MAX_BYTES (UINT64_C(4) << 30) /* addresses, of which little is ever used */
#define NOBODY 65534
#define FILE_TEST_MAX_BYTES (UINT64_C(1) << 30)

static const char usage_text[] =
    "usage: phoenix-probe (--address ADDR[:PORT] | --server [wss://]HOST[:PORT] [--key KEY]\n"
    "                     [--relay | --udp]) --id ID --password-file FILE [--code CODE]\n"
    "                     [options]\n"
    "Looks into a desktop as a user would, and prints what it found as JSON. phoenix-probe(1).\n"
    "  --codec NAME       vp8, vp9, av1, h264 or h265, where the host has it\n"
    "  --444              full colour, where the codec has it\n"
    "  --type TEXT        type it\n"
    "  --click X,Y        click there\n"
    "  --latency N        measure N presses, from the press to the picture that shows it\n"
    "  --target X,Y       where a click surely changes the picture (phoenix-host target)\n"
    "  --clipboard        copy a text each way\n"
    "  --seconds N        watch for so long after all that\n"
    "  --png FILE         write the last picture\n"
    "  --no-picture       only what follows\n"
    "  --files BYTES      a file of that size there, back, and away again\n"
    "  --put FILE --to PATH    send a file\n"
    "  --get PATH --into FILE  fetch a file\n"
    "  --tunnel HOST:PORT ask there for / by HTTP, through a tunnel\n"
    "  --timeout SECONDS  for each step (18)\n"
    "FILE may be fd:N, an open descriptor.\n";

struct args {
    struct px_probe_opts o;
    char *password, *tunnel_host;
    const char *put, *into, *png;
};

static int number(const char *text, double max, double *ret, struct px_error *err) {
    char *end;
    errno = 0;
    const double n = strtod(text, &end);
    if (end == text || *end || errno || !(n >= 0 && n <= max))
        return px_fail(err, -EINVAL, "'%s' is no number from 0 to %.0f", text, max);
    *ret = n;
    return 0;
}

static int point(const char *text, int *x, int *y, struct px_error *err) {
    int end = 0;
    if (sscanf(text, "%d,%d%n", x, y, &end) != 2 || text[end] || *x < 0 || *y < 0)
        return px_fail(err, -EINVAL, "'%s' is not X,Y", text);
    return 0;
}

/* A file, or fd:N. Returns the descriptor. */
static int open_file(const char *name, int flags, struct px_error *err) {
    int fd = -1, end = 0;
    if (sscanf(name, "fd:%d%n", &fd, &end) == 1 && !name[end] && fd >= 0)
        return fd;
    fd = open(name, flags | O_CLOEXEC, 0644);
    return fd < 0 ? px_fail_sys(err, -errno, "cannot open '%s'", name) : fd;
}

/* The second line, if there is one, is the code of the second factor. */
static int read_password(const char *name, struct args *a, struct px_error *err) {
    const int fd = open_file(name, O_RDONLY, err);
    char *text = NULL;
    int r = fd < 0 ? fd : px_fd_read_all(fd, PASSWORD_MAX_BYTES, &text, NULL, err);
    if (r < 0)
        return r;
    char *second = text + strcspn(text, "\n");
    second += *second == '\n';
    second[strcspn(second, "\r\n")] = '\0';
    if (*second && !a->o.code)
        a->o.code = second;
    text[strcspn(text, "\r\n")] = '\0';
    free(a->password);
    a->password = text;
    return 0;
}

static int read_codec(const char *name, struct px_error *err) {
    static const char *const names[] = {"vp8", "vp9", "av1", "h264", "h265"};
    for (size_t i = 0; i < PX_N_ELEMENTS(names); i++)
        if (strcmp(name, names[i]) == 0)
            return 0;
    return px_fail(err, -EINVAL, "'%s' is no codec: vp8, vp9, av1, h264, h265", name);
}

static int read_tunnel(const char *text, struct args *a, struct px_error *err) {
    const char *colon = strrchr(text, ':');
    double port = 0;
    int r = colon && colon > text ? number(colon + 1, 65535, &port, err) : -EINVAL;
    if (r < 0 || port < 1)
        return px_fail(err, -EINVAL, "'%s' is not HOST:PORT", text);
    free(a->tunnel_host);
    a->tunnel_host = px_strndup(text, (size_t)(colon - text));
    a->o.tunnel_host = a->tunnel_host;
    a->o.tunnel_port = (int)port;
    return 0;
}

static const struct option options[] = {{"address", 1, NULL, 'a'},
                                        {"server", 1, NULL, 's'},
                                        {"key", 1, NULL, 'k'},
                                        {"id", 1, NULL, 'i'},
                                        {"password-file", 1, NULL, 'p'},
                                        {"relay", 0, NULL, 'r'},
                                        {"udp", 0, NULL, 'U'},
                                        {"codec", 1, NULL, 'c'},
                                        {"444", 0, NULL, '4'},
                                        {"type", 1, NULL, 't'},
                                        {"click", 1, NULL, 'x'},
                                        {"latency", 1, NULL, 'l'},
                                        {"seconds", 1, NULL, 'd'},
                                        {"png", 1, NULL, 'o'},
                                        {"code", 1, NULL, '2'},
                                        {"target", 1, NULL, 'T'},
                                        {"clipboard", 0, NULL, 'C'},
                                        {"no-picture", 0, NULL, 'n'},
                                        {"files", 1, NULL, 'f'},
                                        {"put", 1, NULL, 'P'},
                                        {"to", 1, NULL, 'q'},
                                        {"get", 1, NULL, 'g'},
                                        {"into", 1, NULL, 'G'},
                                        {"tunnel", 1, NULL, 'u'},
                                        {"timeout", 1, NULL, 'w'},
                                        {"help", 0, NULL, 'h'},
                                        {"version", 0, NULL, 'V'},
                                        {0}};

/* One option; less than 0: it is wrong. */
static int take(int c, struct args *a, struct px_error *err) {
    struct px_probe_opts *o = &a->o;
    double n = 0;
    int r = 0;
    switch (c) {
    case 'a':
        return px_addr_parse(optarg, 21118, &o->address, err);
    case 's':
        o->server = optarg;
        return 0;
    case 'k':
        o->server_key = optarg;
        return 0;
    case 'i':
        o->id = optarg;
        return 0;
    case 'p':
        return read_password(optarg, a, err);
    case 'r':
        o->force_relay = true;
        return 0;
    case 'U':
        o->udp = true;
        return 0;
    case 'c':
        o->codec = optarg;
        return read_codec(optarg, err);
    case '4':
        o->i444 = true;
        return 0;
    case 't':
        o->type = optarg;
        return 0;
    case 'x':
        return point(optarg, &o->click_x, &o->click_y, err);
    case 'T':
        return point(optarg, &o->target_x, &o->target_y, err);
    case 'l':
        r = number(optarg, PX_PROBE_LATENCY_MAX, &n, err);
        o->n_latency = (unsigned)n;
        return r;
    case 'd':
        r = number(optarg, 86400, &n, err);
        o->duration_us = (int64_t)(n * PX_US_PER_S);
        return r;
    case 'w':
        r = number(optarg, 86400, &n, err);
        o->timeout_us = (int64_t)(n * PX_US_PER_S);
        return r;
    case 'o':
        a->png = optarg;
        return 0;
    case '2':
        o->code = optarg;
        return 0;
    case 'C':
        o->clipboard = true;
        return 0;
    case 'n':
        o->no_picture = true;
        return 0;
    case 'f':
        r = number(optarg, (double)FILE_TEST_MAX_BYTES, &n, err);
        o->file_bytes = (uint64_t)n;
        return r;
    case 'P':
        a->put = optarg;
        return 0;
    case 'q':
        o->put_path = optarg;
        return 0;
    case 'g':
        o->get_path = optarg;
        return 0;
    case 'G':
        a->into = optarg;
        return 0;
    case 'u':
        return read_tunnel(optarg, a, err);
    default:
        return -EINVAL;
    }
}

static int check(const struct args *a, struct px_error *err) {
    const struct px_probe_opts *o = &a->o;
    if (!o->server && !o->address.port)
        return px_fail(err, -EINVAL, "where to? --address or --server is missing");
    if (o->server && o->tunnel_host && strncmp(o->server, PX_WSS_SCHEME, 6) == 0)
        return px_fail(err, -EINVAL, "tunnels do not go through a WebSocket");
    if (!o->id)
        return px_fail(err, -EINVAL, "--id is missing");
    if (!a->password)
        return px_fail(err, -EINVAL, "--password-file is missing");
    if (!a->put != !o->put_path || !o->get_path != !a->into)
        return px_fail(err, -EINVAL, "--put goes with --to, --get with --into");
    if (o->no_picture && !o->file_bytes && !a->put && !o->get_path && !o->tunnel_host)
        return px_fail(err, -EINVAL, "--no-picture leaves nothing to do");
    return 0;
}

static int open_files(struct args *a, struct px_error *err) {
    struct px_probe_opts *o = &a->o;
    const int to = O_WRONLY | O_CREAT | O_TRUNC;
    if (a->png && (o->png_fd = open_file(a->png, to, err)) < 0)
        return o->png_fd;
    if (a->put && (o->put_fd = open_file(a->put, O_RDONLY, err)) < 0)
        return o->put_fd;
    if (a->into && (o->get_fd = open_file(a->into, to, err)) < 0)
        return o->get_fd;
    return 0;
}

static int complain(const struct px_error *err, int code) {
    fprintf(stderr, "phoenix-probe: %s%s%s%s\n", err->msg, *err->hint ? " (hint: " : "", err->hint,
            *err->hint ? ")" : "");
    return code;
}

/* What a host sends is decoded here: not as root, with a bound on memory, and never again root. */
static int drop_root(struct px_error *err) {
    const struct rlimit memory = {MEMORY_MAX_BYTES, MEMORY_MAX_BYTES}, none = {0, 0};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_AS, &memory) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0)
        return px_fail_sys(err, -errno, "cannot bound ourselves");
    if (geteuid() != 0)
        return 0;
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0)
        return px_fail_sys(err, -errno, "cannot give up root");
    return 0;
}

static int probe(struct args *a, struct px_error *err) {
    px_cleanup_free struct px_probe_result *result = px_new0(struct px_probe_result, 1);
    int r = open_files(a, err);
    a->o.password = a->password;
    if (r >= 0)
        r = drop_root(err);
    if (r >= 0)
        r = px_probe_run(&a->o, result, err);
    if (r < 0)
        return complain(err, 1);
    json_t *json = px_probe_json(result);
    json_dumpf(json, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(json);
    if (px_stdout_flush(err) < 0)
        return complain(err, 1);
    return px_probe_all_done(result) ? 0 : 1;
}

int main(int argc, char **argv) {
    struct args a = {.o = {.click_x = -1,
                           .click_y = -1,
                           .target_x = -1,
                           .target_y = -1,
                           .png_fd = -1,
                           .timeout_us = 18 * PX_US_PER_S}};
    struct px_error err = {0};
    int c, r = px_secure_init(&err);
    while (r >= 0 && (c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (c == 'h')
            return fputs(usage_text, stdout), 0;
        if (c == 'V')
            return puts("phoenix-probe " PX_VERSION), 0;
        if (c == '?') /* getopt named it */
            return 2;
        r = take(c, &a, &err);
    }
    if (r >= 0 && optind < argc)
        r = px_fail(&err, -EINVAL, "'%s' is one word too many", argv[optind]);
    if (r >= 0)
        r = check(&a, &err);
    r = r < 0 ? complain(&err, 2) : probe(&a, &err);
    if (a.password)
        sodium_memzero(a.password, strlen(a.password));
    free(a.password);
    free(a.tunnel_host);
    return r;
}
