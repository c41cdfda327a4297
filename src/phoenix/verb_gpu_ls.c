/* src/phoenix/verb_gpu_ls.c - `phoenix gpu ls` */
#include "base/alloc.h"
#include "base/text.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/gpu_cli.h"
#include <jansson.h>
#include <string.h>

/* Names of the desktops that have @uuid, with commas; the caller's. */
static char *holders(const struct px_status *list, size_t n, const char *uuid) {
    struct px_buf b = {0};
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; list[i].rec && k < list[i].rec->gpus.n; k++) {
            const struct px_gpu_grant *g = &list[i].rec->gpus.items[k];
            char budget[PX_SIZE_TEXT_MAX];
            if (strcasecmp(g->uuid, uuid) != 0)
                continue;
            px_buf_printf(&b, "%s%s", b.size ? ", " : "", list[i].name);
            if (g->mode == PX_GPU_SHARED && g->memory_bytes > 0)
                px_buf_printf(&b, " (%s)", px_size_human(g->memory_bytes, budget));
        }
    return px_buf_take(&b);
}

static void add_row(struct px_table *t, size_t index, const struct px_gpu_card *c,
                    const struct px_gpu_mig *mig, char *who) {
    char memory[PX_SIZE_TEXT_MAX] = "";
    const uint64_t bytes = mig ? mig->memory_bytes : c->memory_bytes;
    if (bytes > 0)
        px_size_human(bytes, memory);
    px_table_cell(t, PX_PLAIN, "%zu", index);
    px_table_cell(t, PX_BOLD, "%s", mig ? mig->uuid : c->uuid);
    px_table_cell(t, PX_PLAIN, "%s", c->address);
    px_table_cell(t, PX_PLAIN, "%s", mig ? mig->name : c->name);
    px_table_cell(t, PX_PLAIN, "%s", memory);
    if (c->cc_major > 0)
        px_table_cell(t, PX_PLAIN, "%u.%u", c->cc_major, c->cc_minor);
    else
        px_table_cell(t, PX_PLAIN, "%s", "");
    px_table_cell(t, PX_PLAIN, "%s", c->encoder == 1 ? "yes" : c->encoder == 0 ? "no" : "");
    px_table_cell(t, PX_PLAIN, "%s", who);
    px_table_cell(t, PX_BAD, "%s", c->trouble);
    free(who);
}

static void print_links(struct px_cli *cli, const struct px_gpu_host *host) {
    for (size_t i = 0; i < host->n_cards; i++)
        for (size_t k = i + 1; k < host->n_cards; k++)
            px_cli_printf(cli, "%zu - %zu: %s, %s\n", i, k, px_gpu_link_word(host->links[i][k]),
                          host->nvlink[i][k] ? "NVLink, peer access"
                          : host->peer[i][k] ? "peer access"
                                             : "no peer access");
}

static void print_table(struct px_cli *cli, const struct px_gpu_host *host,
                        const struct px_status *list, size_t n) {
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("#", "UUID", "ADDRESS", "NAME", "MEMORY>", "COMPUTE", "ENCODER", "DESKTOPS",
                     "PROBLEM~", NULL);
    for (size_t i = 0; i < host->n_cards; i++) {
        const struct px_gpu_card *c = &host->cards[i];
        add_row(t, i, c, NULL, c->mig ? px_strdup("in MIG mode") : holders(list, n, c->uuid));
        for (size_t k = 0; k < c->n_migs; k++)
            add_row(t, i, c, &c->migs[k], holders(list, n, c->migs[k].uuid));
    }
    if (host->n_cards > 0)
        px_table_print(t, &cli->out);
    print_links(cli, host);
    if (host->module[0])
        px_cli_note(cli, "driver %s (%s module), libraries %s", host->module,
                    host->open_module ? "open" : "proprietary",
                    host->libraries[0] ? host->libraries : "none");
    if (host->why[0])
        px_cli_note(cli, "%s (%s)", host->why, host->fix);
    for (size_t i = 0; i < host->n_cards; i++)
        if (host->cards[i].trouble[0] && host->cards[i].fix[0])
            px_cli_note(cli, "%s: %s", host->cards[i].address, host->cards[i].fix);
}

static json_t *names_json(const struct px_status *list, size_t n, const char *uuid) {
    json_t *names = json_array();
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; list[i].rec && k < list[i].rec->gpus.n; k++)
            if (strcasecmp(list[i].rec->gpus.items[k].uuid, uuid) == 0)
                json_array_append_new(names, json_string(list[i].name));
    return names;
}

static json_t *card_json(const struct px_gpu_host *host, size_t i, const struct px_status *list,
                         size_t n) {
    const struct px_gpu_card *c = &host->cards[i];
    json_t *migs = json_array();
    for (size_t k = 0; k < c->n_migs; k++)
        json_array_append_new(migs, json_pack("{ss ss sI so}", "uuid", c->migs[k].uuid, "name",
                                              c->migs[k].name, "memory_bytes",
                                              (json_int_t)c->migs[k].memory_bytes, "desktops",
                                              names_json(list, n, c->migs[k].uuid)));
    json_t *o = json_pack("{sI ss ss ss ss sI sI sb sb so so}", "index", (json_int_t)i, "uuid",
                          c->uuid, "address", c->address, "name", c->name, "driver", c->driver,
                          "memory_bytes", (json_int_t)c->memory_bytes, "numa_node",
                          (json_int_t)c->numa_node, "mig", c->mig, "mig_capable", c->mig_capable,
                          "mig_devices", migs, "desktops", names_json(list, n, c->uuid));
    if (c->minor >= 0)
        json_object_set_new(o, "minor", json_integer(c->minor));
    if (c->encoder >= 0)
        json_object_set_new(o, "encoder", json_boolean(c->encoder));
    if (c->cc_major > 0)
        json_object_set_new(o, "compute", json_sprintf("%u.%u", c->cc_major, c->cc_minor));
    if (c->trouble[0]) {
        json_object_set_new(o, "problem", json_string(c->trouble));
        json_object_set_new(o, "fix", json_string(c->fix));
    }
    return o;
}

static json_t *links_json(const struct px_gpu_host *host) {
    json_t *links = json_array();
    for (size_t i = 0; i < host->n_cards; i++)
        for (size_t k = i + 1; k < host->n_cards; k++)
            json_array_append_new(links, json_pack("{s[II] ss sb sb}", "cards", (json_int_t)i,
                                                   (json_int_t)k, "way",
                                                   px_gpu_link_word(host->links[i][k]), "peer",
                                                   host->peer[i][k], "nvlink", host->nvlink[i][k]));
    return links;
}

static void print_json(struct px_cli *cli, const struct px_gpu_host *host,
                       const struct px_status *list, size_t n) {
    json_t *cards = json_array();
    for (size_t i = 0; i < host->n_cards; i++)
        json_array_append_new(cards, card_json(host, i, list, n));
    json_t *o = json_pack("{ss ss ss sb so so}", "state", px_gpu_state_word(host->state), "module",
                          host->module, "libraries", host->libraries, "open_module",
                          host->open_module, "cards", cards, "links", links_json(host));
    if (host->why[0]) {
        json_object_set_new(o, "problem", json_string(host->why));
        json_object_set_new(o, "fix", json_string(host->fix));
    }
    px_cli_json(cli, o);
}

static int run(struct px_cli *cli, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup_free struct px_gpu_host *host = px_gpu_look_here();
    struct px_status *list = NULL;
    size_t n = 0;
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0 ||
        (r = px_status_list(fleet, NULL, 0, &(struct px_status_opts){0}, &list, &n, err)) < 0)
        return r;
    if (cli->json)
        print_json(cli, host, list, n);
    else
        print_table(cli, host, list, n);
    px_status_list_free(list, n);
    return 0;
}

const struct px_verb px_verb_gpu_ls = {
    .name = "ls",
    .summary = "list the cards and the desktops that have them",
    .description = "What the driver tells of each card, what ails it and what to do about that, "
                   "and how the cards reach each other.",
    .examples = {{"phoenix gpu ls", "All cards."},
                 {"phoenix gpu ls --json | jq -r '.cards[].uuid'", "Their UUIDs."}},
    .needs_root = true,
    .run = run,
};
