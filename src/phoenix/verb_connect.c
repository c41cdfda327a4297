/* src/phoenix/verb_connect.c - `phoenix connect` */
#include "desktop/remote.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/verbs.h"
#include <jansson.h>
#include <string.h>

/* For RustDesk clients; none where the host file names no server or phoenix-host is not built. */
static int load_remote(const struct px_fleet *fleet, const char *name, struct px_remote *ret) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    px_cleanup_free char *bundle = px_remote_bundle();
    int r = bundle ? px_desktop_open(fleet, name, &d, NULL) : -ENOENT;
    return r < 0 ? r : px_remote_load(fleet, d, ret, NULL);
}

static void print_remote(struct px_cli *cli, const struct px_remote *remote) {
    px_cli_fact(cli, "RustDesk ID", "%s", remote->id);
    px_cli_fact(cli, "password", "%s", remote->password);
    px_cli_fact(cli, "ID server", "%s", remote->server);
    px_cli_fact(cli, "key", "%s", remote->key);
    px_cli_fact(cli, "link", "rustdesk://connection/new/%s?password=%s", remote->id,
                remote->password);
}

/* Jupyter through a client's "TCP tunneling": TLS, for the tunnel itself is not encrypted. */
static void print_tunnel(struct px_cli *cli, const struct px_remote *remote, const char *url) {
    const char *path = strstr(url, "/lab");
    if (!remote->fingerprint || !path)
        return;
    px_cli_fact(cli, "by tunnel", "remote host jupyter, ports 8888; then https://localhost:8888%s",
                path);
    px_cli_fact(cli, "certificate", "SHA-256 %s", remote->fingerprint);
}

static json_t *remote_json(const struct px_remote *remote) {
    return json_pack("{ss ss ss ss ss*}", "id", remote->id, "password", remote->password, "server",
                     remote->server, "key", remote->key, "tunnel_certificate_sha256",
                     remote->fingerprint);
}

static int print(struct px_cli *cli, const struct px_fleet *fleet, const struct px_status *s,
                 struct px_error *err) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    if (strcmp(s->state, "running") != 0) {
        px_fail(err, -ESRCH, "desktop '%s' is %s", s->name, s->state);
        return px_hint(err, -ESRCH, "`phoenix start %s` starts it", s->name);
    }
    if (s->has_session && load_remote(fleet, s->name, &remote) == 0)
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
    return 0;
}

static void print_json(struct px_cli *cli, const struct px_fleet *fleet,
                       const struct px_status *s) {
    px_cleanup(px_remote_fini) struct px_remote remote = {0};
    json_t *o = px_cli_status_json(s, 1);
    if (s->has_session && load_remote(fleet, s->name, &remote) == 0)
        json_object_set_new(json_array_get(json_object_get(o, "desktops"), 0), "rustdesk",
                            remote_json(&remote));
    px_cli_json(cli, o);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    struct px_status *list = NULL;
    size_t n = 0;
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
        print_json(cli, fleet, list);
    else
        r = print(cli, fleet, &list[0], err);
    px_status_list_free(list, n);
    return r;
}

const struct px_verb px_verb_connect = {
    .name = "connect",
    .summary = "say how to reach a desktop",
    .positionals = {{.name = "NAME", .doc = "name of a desktop", .completes = PX_COMPLETE_DESKTOP}},
    .examples = {{"phoenix connect alice",
                  "What to type into a RustDesk client, its Jupyter URL with the token, and "
                  "the commands that open a shell and show the screen."}},
    .needs_root = true,
    .run = run,
};
