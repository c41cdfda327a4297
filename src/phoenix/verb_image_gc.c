/* src/phoenix/verb_image_gc.c - `phoenix image rm` and `phoenix image gc`: images leave */
#include "base/alloc.h"
#include "base/text.h"
#include "phoenix/fleet_cli.h"
#include "phoenix/image_cli.h"
#include <jansson.h>

struct in_use { /* digests of the images that desktops run on */
    int lock;   /* held until they are removed: no `up` takes one in between */
    const char **digests;
    struct px_status *list; /* owns them */
    size_t n;
};

static void in_use_fini(struct in_use *u) {
    px_closep(&u->lock);
    free(u->digests);
    px_status_list_free(u->list, u->n);
}

static int look(struct px_cli *cli, struct in_use *ret, struct px_error *err) {
    px_cleanup(px_fleet_freep) struct px_fleet *fleet = NULL;
    px_cleanup(px_progress_freep) struct px_progress *progress =
        px_progress_new(&cli->err, cli->quiet);
    const struct px_events events = px_cli_events(progress);
    int r = px_cli_fleet(cli, &fleet, err);
    if (r < 0)
        return r;
    ret->lock = px_up_lock(fleet, &events, err);
    if (ret->lock < 0)
        return ret->lock;
    r = px_status_list(fleet, NULL, 0, &(struct px_status_opts){0}, &ret->list, &ret->n, err);
    if (r < 0)
        return r;
    ret->digests = px_new0(const char *, ret->n + 1);
    for (size_t i = 0; i < ret->n; i++) {
        /* Its image may be any of them: better none is thrown away. */
        if (!ret->list[i].rec) {
            px_fail(err, -EBADMSG, "desktop '%s' is damaged: nobody knows its image",
                    ret->list[i].name);
            return px_hint(err, -EBADMSG, "phoenix rm %s", ret->list[i].name);
        }
        ret->digests[i] = ret->list[i].rec->image;
    }
    return 0;
}

static void print_gone(struct px_cli *cli, const struct px_image_gc *gone) {
    char size[PX_SIZE_TEXT_MAX];
    if (cli->json)
        px_cli_json(cli, json_pack("{s:i, s:i, s:I}", "images", (int)gone->n_images, "layers",
                                   (int)gone->n_layers, "bytes", (json_int_t)gone->bytes));
    else
        px_cli_printf(cli, "%u images and %u layers removed, %s freed\n", gone->n_images,
                      gone->n_layers, px_size_human(gone->bytes, size));
}

static int rm(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    px_cleanup(in_use_fini) struct in_use used = {.lock = -1};
    struct px_image_gc all = {0};
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = look(cli, &used, err)) < 0)
        return r;
    for (size_t i = 0; i < cli->args.n_words; i++) {
        struct px_image_gc gone = {0};
        r = px_image_rm(host->state_dir, cli->args.words[i], used.digests, used.n, &gone, err);
        if (r < 0)
            return r;
        all.n_images += gone.n_images;
        all.n_layers += gone.n_layers;
        all.bytes += gone.bytes;
    }
    print_gone(cli, &all);
    return 0;
}

static int gc(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    px_cleanup(in_use_fini) struct in_use used = {.lock = -1};
    struct px_image_gc gone = {0};
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = look(cli, &used, err)) < 0)
        return r;
    r = px_image_gc(host->state_dir, used.digests, used.n, px_cli_flag(cli, "packages"), &gone,
                    err);
    if (r < 0)
        return r;
    print_gone(cli, &gone);
    return 0;
}

const struct px_verb px_verb_image_rm = {
    .name = "rm",
    .summary = "remove images",
    .description = "Refused while a desktop runs on one. Layers that other images have stay.",
    .positionals = {{.name = "IMAGE",
                     .many = true,
                     .doc = "names, or beginnings of digests",
                     .completes = PX_COMPLETE_IMAGE}},
    .examples = {{"phoenix image rm lab", "Removes the image 'lab'."}},
    .needs_root = true,
    .run = rm,
};

const struct px_verb px_verb_image_gc = {
    .name = "gc",
    .summary = "remove what no name and no desktop needs",
    .description =
        "Images without a name that no desktop runs on, layers that no image has, what killed "
        "builds left, and logs older than 30 days.",
    .options = {{.name = "packages",
                 .doc = "also the fetched packages; the next build fetches them again"}},
    .examples = {{"phoenix image gc", "Makes room."}},
    .needs_root = true,
    .run = gc,
};
