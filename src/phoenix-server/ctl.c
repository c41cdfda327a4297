/* src/phoenix-server/ctl.c - phoenix-server ctl: sends one command to a running server */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "phoenix-server/admin.h"
#include "phoenix-server/server.h"
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE_SOCKET "/run/phoenix-server/admin.sock"

static int connect_to(const char *path, struct px_error *err) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(sa.sun_path))
        return px_fail(err, -ENAMETOOLONG, "socket path '%s' is too long", path);
    strcpy(sa.sun_path, path);
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
        px_fail_sys(err, -errno, "cannot reach the server at '%s'", path);
        return px_hint(err, -EIO, "is it running? --socket or --data-dir name another one");
    }
    return px_take_fd(&fd);
}

static int ask(const char *path, char **words, size_t n, json_t **ret, struct px_error *err) {
    px_cleanup_close int fd = connect_to(path, err);
    px_cleanup_free char *reply = NULL;
    if (fd < 0)
        return fd;
    json_t *args = json_array();
    for (size_t i = 1; i < n; i++)
        json_array_append_new(args, json_string(words[i]));
    json_t *request = json_pack("{s:s, s:o}", "command", words[0], "args", args);
    px_cleanup_free char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text)
        return px_fail(err, -EINVAL, "the command is not valid UTF-8");
    px_cleanup_free char *line = px_asprintf("%s\n", text);
    int r = px_fd_write_all(fd, line, strlen(line));
    if (r < 0)
        return px_fail_sys(err, r, "cannot send the command");
    shutdown(fd, SHUT_WR);
    r = px_fd_read_all(fd, 256u * 1024 * 1024, &reply, NULL, err);
    if (r < 0)
        return r;
    *ret = json_loads(reply, 0, NULL);
    return *ret ? 0 : px_fail(err, -EPROTO, "the server's answer is no JSON");
}

static char *plain(const json_t *v) {
    if (json_is_string(v))
        return px_strdup(json_string_value(v));
    if (json_is_boolean(v))
        return px_strdup(json_is_true(v) ? "yes" : "no");
    char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(6));
    return text ? text : px_strdup("");
}

static void print_object(json_t *o, const char *prefix) {
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        px_cleanup_free char *name = px_asprintf("%s%s", prefix, key);
        if (json_is_object(v)) {
            px_cleanup_free char *inner = px_asprintf("%s.", name);
            print_object(v, inner);
            continue;
        }
        px_cleanup_free char *text = plain(v);
        printf("%-32s %s\n", name, text);
    }
}

static void print_array(json_t *a) {
    size_t i;
    json_t *o, *v;
    const char *key;
    json_array_foreach(a, i, o) {
        const char *gap = "";
        json_object_foreach(o, key, v) {
            px_cleanup_free char *text = plain(v);
            printf("%s%s=%s", gap, key, text);
            gap = "  ";
        }
        printf("\n");
    }
}

static void print_json(const json_t *o) {
    px_cleanup_free char *text = json_dumps(o, JSON_INDENT(2));
    printf("%s\n", text);
}

static int show(json_t *reply, bool as_json, struct px_error *err) {
    json_t *result = json_object_get(reply, "result");
    if (!json_is_true(json_object_get(reply, "ok"))) {
        const char *msg = json_string_value(json_object_get(reply, "error"));
        const char *hint = json_string_value(json_object_get(reply, "hint"));
        px_fail(err, -EIO, "%s", msg ? msg : "refused");
        return hint && *hint ? px_hint(err, -EIO, "%s", hint) : -EIO;
    }
    if (as_json) {
        print_json(result);
    } else if (json_is_array(result)) {
        print_array(result);
    } else {
        print_object(result, "");
    }
    return 0;
}

/* Ours, so that it is there without a server, too. */
static void help(bool as_json) {
    if (as_json) {
        json_auto_t *list = admin_commands();
        print_json(list);
        return;
    }
    printf(
        "Usage: phoenix-server ctl [--socket=PATH | --data-dir=DIRECTORY | --config=PATH] [--json] "
        "COMMAND\n\n"
        "Without options: the socket that the config file names, else the service's.\n\n"
        "Commands:\n");
    admin_print_commands(stdout);
    printf("\nExample:\n  phoenix-server ctl find 123456789\n");
}

/* Options stand before the command; the rest are its arguments. Where the server is comes from its
 * options, so they are read as the server reads them: flags, then the config file. */
static int parse(int argc, char **argv, struct px_config *c, bool *as_json, int *at,
                 struct px_error *err) {
    static const char *const passed[] = {"--data-dir=", "--admin-socket=", "--config="};
    char *flags[PX_N_ELEMENTS(passed) + 2] = {argv[0]};
    px_cleanup_free char *named = NULL;
    int n = 1, r = 0;
    for (*at = 2; *at < argc && argv[*at][0] == '-' && r == 0; ++*at) {
        char *arg = argv[*at];
        bool pass = false;
        for (size_t i = 0; i < PX_N_ELEMENTS(passed); i++)
            pass |= strncmp(arg, passed[i], strlen(passed[i])) == 0;
        if (strcmp(arg, "--json") == 0)
            *as_json = true;
        else if (strcmp(arg, "--help") == 0)
            c->help = true;
        else if (strncmp(arg, "--socket=", 9) == 0 && !named)
            flags[n++] = named = px_asprintf("--admin-socket=%s", arg + 9);
        else if (pass && n < (int)PX_N_ELEMENTS(flags))
            flags[n++] = arg;
        else
            r = px_fail(err, -EINVAL, "ctl: no option '%s'", arg);
    }
    return r < 0 || c->help ? r : px_config_load(c, n, flags, err);
}

/* Root asks the packaged service, whose socket is not in its data directory. */
static char *find_socket(const struct px_config *c) {
    if (!c->admin_socket[0] && !c->data_dir[0] && access(SERVICE_SOCKET, F_OK) == 0)
        return px_strdup(SERVICE_SOCKET);
    return server_socket_path(c);
}

int ctl_main(int argc, char **argv) {
    struct px_config c;
    struct px_error err = {0};
    bool as_json = false;
    json_t *reply = NULL;
    int at = 0;
    px_config_init(&c);
    int r = parse(argc, argv, &c, &as_json, &at, &err), code = 0;
    if (r < 0 || (!c.help && at >= argc)) {
        fprintf(stderr, "phoenix-server: %s\n",
                r < 0 ? err.msg : "ctl: which command? (see --help)");
        code = 2;
    } else if (c.help || strcmp(argv[at], "help") == 0) {
        help(as_json);
    } else {
        px_cleanup_free char *path = find_socket(&c);
        r = ask(path, argv + at, (size_t)(argc - at), &reply, &err);
        if (r == 0)
            r = show(reply, as_json, &err);
        if (r < 0) {
            fprintf(stderr, "phoenix-server: %s", err.msg);
            fprintf(stderr, err.hint[0] ? " (hint: %s)\n" : "%s\n", err.hint);
            code = 1;
        }
    }
    json_decref(reply);
    px_config_fini(&c);
    return code;
}
