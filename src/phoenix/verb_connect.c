/* src/phoenix/verb_connect.c - `phoenix connect` */
#include "desktop/link.h"
#include "desktop/remote.h"
#include "desktop/server.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/qr.h"
#include "phoenix/reach_cli.h"
#include "phoenix/verbs.h"
#include "base/alloc.h"
#include <jansson.h>
#include <sodium.h>
#include <string.h>

#define LOCK_WAIT_MS 5000

/* In place of the password that was there: a new one that stays, or one for a single login. */
static int make_password(const struct px_fleet *fleet, const struct px_desktop *d, bool one_time,
                         struct px_remote *remote, struct px_error *err) {
    char *password = NULL;
    px_cleanup_close int lock = px_desktop_lock(fleet, d->rec->spec.name, false, LOCK_WAIT_MS, err);
    const int r = lock < 0   ? lock
                  : one_time ? px_remote_one_time(fleet, d, &password, err)
                             : px_remote_new_password(fleet, d, &password, err);
    if (r < 0)
        return r;
    sodium_memzero(remote->password, strlen(remote->password));
    free(remote->password);
    remote->password = password;
    return 0;
}

/* For RustDesk clients; none where the host file names no server or phoenix-host is not built. */
static int load_remote(const struct px_cli *cli, const struct px_fleet *fleet, const char *name,
                       struct px_remote *ret, struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    px_cleanup_free char *bundle = px_remote_bundle();
    const bool one_time = px_cli_flag(cli, "one-time");
    const bool make = one_time || px_cli_flag(cli, "new-password");
    int r = bundle ? px_desktop_open(fleet, name, &d, err)
                   : px_fail(err, -ENOENT, "phoenix-host has not been built for desktops");
    if (r >= 0)
        r = px_remote_load(fleet, d, ret, err);
    if (r >= 0 && make)
        r = make_password(fleet, d, one_time, ret, err);
    return make ? r : 0; /* a desktop without remote access has other ways in */
}

static char *link_of(const struct px_remote *remote) {
    const char *server = remote->proxy ? NULL : remote->server;
    return px_link_make(remote->id, server, remote->key, remote->password);
}

static void print_qr(const struct px_cli *cli, const char *link) {
    px_cleanup(px_buf_fini) struct px_buf qr = {0};
    if (cli->out.tty && cli->out.colour && px_qr_print(link, &qr, NULL) == 0)
        px_cli_puts(cli, px_buf_str(&qr));
    if (qr.data)
        sodium_memzero(qr.data, qr.size);
}

static void print_remote(struct px_cli *cli, const struct px_remote *remote) {
    px_cli_fact(cli, "RustDesk ID", "%s", remote->id);
    px_cli_fact(cli, "password", "%s%s", remote->password,
                px_cli_flag(cli, "one-time") ? " (one login within an hour)" : "");
    px_cli_remote_server(cli, remote);
    px_cleanup_free char *link = link_of(remote);
    px_cli_fact(cli, "link", "%s", link);
    print_qr(cli, link);
    if (remote->totp) {
        px_cli_fact(cli, "2nd factor", "%s", remote->totp);
        print_qr(cli, remote->totp);
    }
    sodium_memzero(link, strlen(link));
}

/* Jupyter through a client's "TCP tunneling": TLS, for the tunnel itself is not encrypted. */
static void print_tunnel(struct px_cli *cli, const struct px_remote *remote, const char *url) {
    const char *path = strstr(url, "/lab");
    if (!remote->fingerprint || !path || remote->proxy) /* a WebSocket carries no tunnels */
        return;
    px_cli_fact(cli, "by tunnel", "remote host jupyter, ports 8888; then https://localhost:8888%s",
                path);
    px_cli_fact(cli, "certificate", "SHA-256 %s", remote->fingerprint);
}

static json_t *remote_json(const struct px_cli *cli, const struct px_remote *remote) {
    char *link = link_of(remote);
    json_t *o =
        json_pack("{ss ss ss ss ss sb ss*}", "id", remote->id, "password", remote->password,
                  "server", remote->server, "key", remote->key, "link", link, "one_time",
                  px_cli_flag(cli, "one-time"), "tunnel_certificate_sha256", remote->fingerprint);
    sodium_memzero(link, strlen(link));
    free(link);
    if (remote->totp)
        json_object_set_new(o, "totp", json_string(remote->totp));
    if (remote->proxy)
        json_object_set_new(o, "api_server", json_sprintf("https://%s", remote->proxy));
    return o;
}

static int print(struct px_cli *cli, const struct px_fleet *fleet, const struct px_status *s,
                 struct px_error *err) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    if (strcmp(s->state, "running") != 0) {
        px_fail(err, -ESRCH, "desktop '%s' is %s", s->name, s->state);
        return px_hint(err, -ESRCH, "`phoenix start %s` starts it", s->name);
    }
    int r = s->has_session ? load_remote(cli, fleet, s->name, &remote, err) : 0;
    if (r < 0)
        return r;
    if (remote.id)
        print_remote(cli, &remote);
    px_cli_fact(cli, "shell", "phoenix shell %s", s->name);
    if (s->has_session)
        px_cli_fact(cli, "screen", "phoenix screenshot %s", s->name);
    if (s->jupyter_url)
        px_cli_fact(cli, "Jupyter", "%s", s->jupyter_url);
    if (s->jupyter_url && remote.id)
        print_tunnel(cli, &remote, s->jupyter_url);
    if (s->address[0])
        px_cli_fact(cli, "address", "%s (from this host)", s->address);
    if (remote.id && px_server_check(fleet, s->name, err) < 0)
        px_cli_print_error(&cli->err, err);
    return 0;
}

static int print_json(struct px_cli *cli, const struct px_fleet *fleet, const struct px_status *s,
                      struct px_error *err) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    const int r = s->has_session ? load_remote(cli, fleet, s->name, &remote, err) : 0;
    if (r < 0)
        return r;
    json_t *o = px_cli_status_json(s, 1);
    if (remote.id)
        json_object_set_new(json_array_get(json_object_get(o, "desktops"), 0), "rustdesk",
                            remote_json(cli, &remote));
    px_cli_json(cli, o);
    return 0;
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
    if (px_cli_flag(cli, "one-time") && px_cli_flag(cli, "new-password"))
        return px_cli_bad_input(
            cli, px_fail(err, -EINVAL, "--one-time and --new-password do not go together"));
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    r = px_status_list(fleet, cli->args.words, 1, &(struct px_status_opts){0}, &list, &n, err);
    if (r < 0)
        return r;
    if (n != 1)
        r = px_cli_bad_input(cli, px_fail(err, -EINVAL, "'%s' matches %zu desktops, not one",
                                          cli->args.words[0], n));
    else if (cli->json)
        r = print_json(cli, fleet, list, err);
    else
        r = print(cli, fleet, &list[0], err);
    px_status_list_free(list, n);
    return r;
}

const struct px_verb px_verb_connect = {
    .name = "connect",
    .summary = "say how to reach a desktop",
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .options = {{.name = "one-time",
                 .letter = '1',
                 .doc = "with a new password for one login within an hour, instead of the one that "
                        "stays"},
                {.name = "new-password",
                 .doc = "with a new password that stays; who watches by the old one is out"}},
    .examples = {{"phoenix connect alice --one-time",
                  "Something to hand to a visitor: once used, it opens nothing any more."},
                 {"phoenix connect alice",
                  "What to type into a RustDesk client, its Jupyter URL with the token, and "
                  "the commands that open a shell and show the screen."},
                 {"phoenix connect alice --new-password",
                  "Changes the password: the old one opens nothing any more."}},
    .needs_root = true,
    .run = run,
};
