/* src/phoenix/reach_cli.c - how to reach desktops, said after `phoenix up` */
#include "phoenix/reach_cli.h"
#include "base/alloc.h"
#include "desktop/remote.h"
#include "phoenix/fleet_cli.h"
#include <string.h>

/* URLs are long and must be copied whole: they have a table of their own. */
static void print_jupyter(struct px_cli *cli, const struct px_status *list, size_t n) {
    px_cleanup(px_table_freep) struct px_table *t = px_table_new("DESKTOP", "JUPYTER", NULL);
    size_t n_rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (!list[i].jupyter_url)
            continue;
        px_table_cell(t, PX_PLAIN, "%s", list[i].name);
        px_table_cell(t, PX_PLAIN, "%s", list[i].jupyter_url);
        n_rows++;
    }
    if (n_rows > 0) {
        px_cli_puts(cli, "\n");
        px_table_print(t, &cli->out);
    }
}

/* False: this desktop takes no RustDesk clients now. */
static bool load_remote(const struct px_fleet *fleet, const struct px_status *s,
                        struct px_remote *ret) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    return s->has_session && strcmp(s->state, "running") == 0 &&
           px_desktop_open(fleet, s->name, &d, NULL) >= 0 &&
           px_remote_load(fleet, d, ret, NULL) >= 0;
}

/* Clients go by the https of their API server, whether there is one or not. */
void px_cli_remote_server(struct px_cli *cli, const struct px_remote *remote) {
    px_cli_fact(cli, "ID server", "%s", remote->server);
    if (remote->proxy)
        px_cli_fact(cli, "API server", "https://%s, and Use WebSocket", remote->proxy);
    px_cli_fact(cli, "key", "%s", remote->key);
}

/* All of them have the same server. */
static void print_remote(struct px_cli *cli, const struct px_fleet *fleet,
                         const struct px_status *list, size_t n) {
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("DESKTOP", "RUSTDESK ID", "PASSWORD", NULL);
    px_cleanup(px_remote_fini) struct px_remote last = {0};
    px_cleanup_free char *bundle = px_remote_bundle();
    const char *name = NULL;
    size_t n_rows = 0;
    for (size_t i = 0; bundle && i < n; i++) {
        struct px_remote remote = {0};
        if (!load_remote(fleet, &list[i], &remote))
            continue;
        name = list[i].name;
        n_rows++;
        px_table_cell(t, PX_PLAIN, "%s", name);
        px_table_cell(t, PX_PLAIN, "%s", remote.id);
        px_table_cell(t, PX_PLAIN, "%s", remote.password);
        px_remote_fini(&last);
        last = remote;
    }
    if (n_rows == 0)
        return;
    px_cli_puts(cli, "\n");
    px_table_print(t, &cli->out);
    px_cli_puts(cli, "\n");
    px_cli_remote_server(cli, &last);
    px_cli_fact(cli, "link and QR", "phoenix connect %s", n_rows == 1 ? name : "NAME");
}

static void print_state(struct px_cli *cli, const struct px_status *list, size_t n) {
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("DESKTOP", "STATE", "ADDRESS", "GPUS", "USER", "SCREEN", NULL);
    for (size_t i = 0; i < n; i++) {
        const struct px_status *s = &list[i];
        px_table_cell(t, PX_BOLD, "%s", s->name);
        px_table_cell(t, px_cli_state_colour(s), "%s", s->state);
        px_table_cell(t, PX_PLAIN, "%s", s->address);
        px_table_cell(t, PX_PLAIN, "%s", s->gpus);
        px_table_cell(t, PX_PLAIN, "%s", s->user);
        if (s->has_session)
            px_table_cell(t, PX_PLAIN, "phoenix screenshot %s", s->name);
        else
            px_table_cell(t, PX_DIM, "none in this image");
    }
    px_table_print(t, &cli->out);
}

int px_cli_print_reach(struct px_cli *cli, const struct px_fleet *fleet, const char *const *names,
                       size_t n_names, struct px_error *err) {
    struct px_status *list = NULL;
    size_t n = 0;
    if (n_names == 0)
        return 0;
    int r = px_status_list(fleet, names, n_names, &(struct px_status_opts){0}, &list, &n, err);
    if (r < 0)
        return r;
    if (cli->json)
        px_cli_json(cli, px_cli_status_json(list, n));
    else {
        print_state(cli, list, n);
        print_jupyter(cli, list, n);
        print_remote(cli, fleet, list, n);
        px_cli_note_renewal(cli, list, n);
    }
    px_status_list_free(list, n);
    return 0;
}
