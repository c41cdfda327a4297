/* src/image/build.c - recipes to images: the order of things */
#include "image/build.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include "image/digest.h"
#include "image/job.h"
#include <string.h>

/* The image's user: the uppermost recipe's that names one. */
static void take_user(struct px_job *job, const struct px_recipe *recipe) {
    if (!recipe->user.name)
        return;
    job->user = recipe->user.name;
    job->uid = recipe->user.uid;
}

static void count_units(struct px_job *job, size_t n_recipes) {
    job->total = job->done;
    for (size_t i = 0; i < n_recipes; i++)
        job->total +=
            (double)job->parts[i].lock->n_debs + 8 + 100.0 * (double)job->parts[i].recipe->n_pip;
}

int px_job_make_layers(struct px_job *job, size_t n_recipes, struct px_error *err) {
    count_units(job, n_recipes);
    for (size_t i = 0; i < n_recipes; i++) {
        struct px_part *part = &job->parts[i];
        take_user(job, part->recipe);
        int r = i == 0 ? px_job_root(job, part, err) : px_job_packages(job, part, err);
        if (r == 0)
            r = px_job_pip(job, part, err);
        if (r == 0)
            r = px_job_files(job, part, err);
        if (r == 0)
            r = px_job_config(job, part, err);
        if (r < 0)
            return px_wrap(err, r, "%s: %s", part->recipe->name, job->stage);
    }
    return 0;
}

static json_t *layers_json(const struct px_job *job) {
    json_t *list = json_array();
    for (size_t i = 0; i < job->n_layers; i++) {
        const struct px_made_layer *l = &job->layers[i];
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:s,s:I}", "digest", l->digest, "kind", l->kind,
                                        "recipe", l->recipe, "size", (json_int_t)l->size_bytes));
    }
    return list;
}

static int by_name(const void *a, const void *b) {
    const struct px_deb *x = a, *y = b;
    int r = strcmp(x->id.name, y->id.name);
    return r ? r : strcmp(x->id.architecture, y->id.architecture);
}

static json_t *packages_json(const struct px_job *job) {
    px_cleanup(px_debs_fini) struct px_debs debs = {0};
    px_job_installed(job, NULL, &debs);
    qsort(debs.items, debs.n, sizeof(*debs.items), by_name);
    json_t *list = json_array();
    for (size_t i = 0; i < debs.n; i++) {
        const struct px_locked_deb *id = &debs.items[i].id;
        json_array_append_new(list, json_pack("{s:s,s:s,s:s}", "name", id->name, "version",
                                              id->version, "architecture", id->architecture));
    }
    return list;
}

static json_t *pip_json(const struct px_job *job) {
    json_t *list = json_array();
    for (size_t i = 0; i < job->chain.n; i++)
        for (size_t k = 0; k < job->parts[i].lock->n_pips; k++) {
            const struct px_locked_pip *pip = &job->parts[i].lock->pips[k];
            json_t *packages = json_array();
            for (size_t j = 0; j < pip->n_requirements; j++)
                json_array_append_new(packages, json_stringn(pip->requirements[j],
                                                             strcspn(pip->requirements[j], " ")));
            json_array_append_new(list,
                                  json_pack("{s:s,s:o}", "venv", pip->venv, "packages", packages));
        }
    return list;
}

static json_t *manifest_json(const struct px_job *job) {
    const struct px_part *top = &job->parts[job->chain.n - 1];
    json_t *m = json_pack("{s:i,s:s,s:s,s:s,s:I,s:o,s:o,s:o}", "format", 1, "recipe",
                          top->recipe->name, "suite", top->lock->suite, "architecture", job->arch,
                          "source_date_epoch", (json_int_t)top->lock->epoch_s, "layers",
                          layers_json(job), "packages", packages_json(job), "pip", pip_json(job));
    if (job->user)
        json_object_set_new(m, "user",
                            json_pack("{s:s,s:I}", "name", job->user, "uid", (json_int_t)job->uid));
    return m;
}

static int put_image(struct px_job *job, struct px_image **ret, struct px_error *err) {
    char digest[PX_DIGEST_TEXT_MAX];
    const char *name = job->opts->name ? job->opts->name : job->chain.items[job->chain.n - 1]->name;
    json_auto_t *manifest = manifest_json(job);
    int r = px_step("image.name", err);
    if (r == 0)
        r = px_store_put_image(&job->store, manifest, name, digest, err);
    if (r == 0 && ret)
        r = px_image_find(job->opts->state_dir, name, ret, err);
    return r;
}

int px_image_build(const struct px_image_opts *opts, struct px_image **ret, struct px_error *err) {
    px_cleanup(px_job_end) struct px_job job;
    int r = px_job_begin(opts, &job, err);
    if (r == 0)
        r = px_job_resolve(&job, opts->lock, err);
    if (r == 0)
        r = px_job_make_layers(&job, job.chain.n, err);
    if (r == 0)
        r = put_image(&job, ret, err);
    if (r < 0)
        return px_wrap(err, px_job_explain(&job, r, err), "image '%s'",
                       opts->name ? opts->name : opts->recipe);
    return 0;
}
