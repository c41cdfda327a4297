/* src/phoenix/verb_image.c - `phoenix image`: the group and what only reads */
#include "base/alloc.h"
#include "base/text.h"
#include "phoenix/image_cli.h"
#include "phoenix/span.h"
#include "phoenix/verbs.h"
#include <jansson.h>

static json_t *image_json(const struct px_image *i) {
    json_t *layers = json_array();
    for (size_t n = 0; n < i->n_layers; n++)
        json_array_append_new(layers, json_string(i->layers[n]));
    return json_pack("{s:s, s:s, s:s, s:s?, s:i, s:I, s:I, s:o}", "digest", i->digest, "name",
                     i->name ? i->name : "", "recipe", i->recipe ? i->recipe : "", "user", i->user,
                     "uid", (int)i->uid, "size_bytes", (json_int_t)i->size_bytes, "created",
                     (json_int_t)i->created_s, "layers", layers);
}

static int ls(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    struct px_image **images = NULL;
    size_t n = 0;
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_image_list(host->state_dir, &images, &n, err)) < 0)
        return r;
    json_t *json = json_array();
    px_cleanup(px_table_freep) struct px_table *t =
        px_table_new("NAME", "DIGEST", "RECIPE", "SIZE>", "LAYERS>", "BUILT", NULL);
    for (size_t i = 0; i < n; i++) {
        char size[PX_SIZE_TEXT_MAX], age[PX_SPAN_TEXT_MAX];
        json_array_append_new(json, image_json(images[i]));
        px_table_cell(t, PX_BOLD, "%s", images[i]->name ? images[i]->name : "");
        px_table_cell(t, PX_PLAIN, "%.19s", images[i]->digest);
        px_table_cell(t, PX_PLAIN, "%s", images[i]->recipe ? images[i]->recipe : "");
        px_table_cell(t, PX_PLAIN, "%s", px_size_human(images[i]->size_bytes, size));
        px_table_cell(t, PX_PLAIN, "%zu", images[i]->n_layers);
        px_table_cell(t, PX_PLAIN, "%s ago", px_span_since_epoch(images[i]->created_s, age));
    }
    px_image_list_free(images, n);
    if (cli->json) {
        px_cli_json(cli, json_pack("{s:o}", "images", json));
        return 0;
    }
    json_decref(json);
    if (n == 0)
        px_cli_note(cli, "no images yet: 'phoenix image build desktop' makes one");
    else
        px_table_print(t, &cli->out);
    return 0;
}

/* With the manifest: packages and their versions. */
static int show_json(struct px_cli *cli, const struct px_host_spec *host, const struct px_image *i,
                     struct px_error *err) {
    json_t *manifest = NULL;
    int r = px_image_manifest(host->state_dir, i->digest, &manifest, err);
    if (r < 0)
        return r;
    json_t *all = image_json(i);
    json_object_set_new(all, "manifest", manifest);
    px_cli_json(cli, all);
    return 0;
}

static int check(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_image_check(host->state_dir, cli->args.words[0], err)) < 0)
        return r;
    px_cli_note(cli, "every byte is as it was built");
    return 0;
}

static int show(struct px_cli *cli, struct px_error *err) {
    const struct px_host_spec *host = NULL;
    px_cleanup(px_image_freep) struct px_image *i = NULL;
    int r = px_cli_host(cli, &host, err);
    if (r < 0 || (r = px_image_find(host->state_dir, cli->args.words[0], &i, err)) < 0)
        return r;
    if (cli->json)
        return show_json(cli, host, i, err);
    char size[PX_SIZE_TEXT_MAX], age[PX_SPAN_TEXT_MAX];
    px_cli_fact(cli, "image", "%s", i->name && i->name[0] ? i->name : "(no name)");
    px_cli_fact(cli, "digest", "%s", i->digest);
    px_cli_fact(cli, "recipe", "%s", i->recipe);
    px_cli_fact(cli, "built", "%s ago", px_span_since_epoch(i->created_s, age));
    px_cli_fact(cli, "size", "%s", px_size_human(i->size_bytes, size));
    px_cli_fact(cli, "user", "%s (uid %u)", i->user ? i->user : "none", i->uid);
    for (size_t n = 0; n < i->n_layers; n++)
        px_cli_fact(cli, n == 0 ? "layers" : "", "%s", i->layers[n]);
    return 0;
}

static const struct px_verb verb_ls = {
    .name = "ls",
    .summary = "list images",
    .examples = {{"phoenix image ls", "All images of this host, the newest first."}},
    .needs_root = true,
    .run = ls,
};
static const struct px_verb verb_show = {
    .name = "show",
    .summary = "show all about an image",
    .positionals = {{.name = "IMAGE",
                     .doc = "its name, or the beginning of its digest",
                     .completes = PX_COMPLETE_IMAGE}},
    .examples = {{"phoenix image show desktop", "Digest, size, layers."}},
    .needs_root = true,
    .run = show,
};

static const struct px_verb verb_check = {
    .name = "check",
    .summary = "read an image again and compare it with its digest",
    .positionals = {{.name = "IMAGE",
                     .doc = "its name, or the beginning of its digest",
                     .completes = PX_COMPLETE_IMAGE}},
    .examples = {{"phoenix image check desktop", "After a crash, or when a disk is in doubt."}},
    .needs_root = true,
    .run = check,
};

const struct px_verb px_verb_image = {
    .name = "image",
    .summary = "build images and look after them",
    .subs = (const struct px_verb *const[]){&px_verb_image_build, &verb_ls, &verb_show, &verb_check,
                                            &px_verb_image_lock, &px_verb_image_rm,
                                            &px_verb_image_gc, NULL},
};
