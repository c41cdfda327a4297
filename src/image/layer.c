/* src/image/layer.c - one layer: from the store where its inputs were built before, else made */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/step.h"
#include "image/digest.h"
#include "image/job.h"
#include "image/tidy.h"
#include <string.h>

/* Everything that decides what comes out. The epoch is the recipe's, as the layer bears it. */
static void make_key(const struct px_job *job, const struct px_layer_recipe *what,
                     char ret[PX_DIGEST_TEXT_MAX]) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_buf_printf(&b, "phoenix-key %d\n%s\n%s\nepoch %jd\n", PX_LAYER_FORMAT, what->kind, job->arch,
                  (intmax_t)what->part->lock->epoch_s);
    for (size_t i = 0; i < job->n_layers; i++)
        px_buf_printf(&b, "lower %s\n", job->layers[i].digest);
    px_buf_puts(&b, what->key_text);
    px_digest_bytes(b.data, b.size, ret);
}

static void add_layer(struct px_job *job, const struct px_layer_recipe *what, const char *digest,
                      uint64_t size_bytes) {
    px_grow(job->layers, &job->layers_cap, job->n_layers + 1);
    struct px_made_layer *l = &job->layers[job->n_layers++];
    *l = (struct px_made_layer){
        .size_bytes = size_bytes, .kind = what->kind, .recipe = what->part->recipe->name};
    strcpy(l->digest, digest);
}

struct place { /* paths below the build's directory; absolute and relative to layers/ */
    char *dir, *tree;
    char *rel_tree, *rel_work, *rel_root;
    const char *rel_empty;
    const char **lower; /* relative, as the sandbox takes them */
    char **lower_names; /* owned */
    size_t n_lower;
};

static void place_fini(struct place *p) {
    free(p->dir);
    free(p->tree);
    free(p->rel_tree);
    free(p->rel_work);
    free(p->rel_root);
    for (size_t i = 0; p->lower_names && i < p->n_lower; i++)
        free(p->lower_names[i]);
    free(p->lower_names);
    free(p->lower);
}

static int place_init(const struct px_job *job, const char *name, struct place *p,
                      struct px_error *err) {
    const size_t n = job->n_layers;
    p->dir = px_asprintf("%s/%s", job->tmp, name);
    p->tree = px_asprintf("%s/tree", p->dir);
    p->rel_tree = px_asprintf("../tmp/build/%s/tree", name);
    p->rel_work = px_asprintf("../tmp/build/%s.work", name);
    p->rel_root = px_asprintf("../tmp/build/%s.root", name);
    p->rel_empty = "../tmp/build/empty";
    p->lower = px_new0(const char *, n + 1);
    p->lower_names = px_new0(char *, n + 1);
    for (size_t i = 0; i < n; i++)
        p->lower[i] = p->lower_names[p->n_lower++] = px_store_layer_name(job->layers[i].digest);
    px_cleanup_free char *root = px_asprintf("%s.root", p->dir);
    px_cleanup_free char *empty = px_asprintf("%s/empty", job->tmp);
    int r = px_mkdir_p(AT_FDCWD, p->tree, 0755, err);
    if (r == 0)
        r = px_mkdir_p(AT_FDCWD, root, 0755, err);
    return r < 0 ? r : px_mkdir_p(AT_FDCWD, empty, 0755, err);
}

/* A volatile overlay's work directory serves once. */
int px_job_fresh_work(const struct px_sandbox *sb, struct px_error *err) {
    px_cleanup_free char *work = px_asprintf("%s/%s", sb->dir, sb->work);
    int r = px_rm_rf(AT_FDCWD, work, err);
    return r < 0 ? r : px_mkdir_p(AT_FDCWD, work, 0700, err);
}

int px_job_run(struct px_job *job, struct px_sandbox *sb, const char *const *argv,
               const char *const *more_env, struct px_error *err) {
    px_cleanup_free char *epoch = NULL;
    px_cleanup_free const char **env = px_new0(const char *, 32);
    static const char *const base[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
        "LC_ALL=C.UTF-8", "LANG=C.UTF-8", "TERM=dumb", "TZ=UTC", "DEBIAN_FRONTEND=noninteractive",
        "DEBCONF_NONINTERACTIVE_SEEN=true",
        /* what depends on hashing order or on when it ran must not differ between builds */
        "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"};
    size_t n = 0;
    for (; n < PX_N_ELEMENTS(base); n++)
        env[n] = base[n];
    for (size_t i = 0; more_env && more_env[i] && n < 30; i++)
        env[n++] = more_env[i];
    int64_t epoch_s = 0;
    for (size_t i = 0; i < job->chain.n; i++)
        if (strcmp(job->chain.items[i]->name, job->recipe) == 0)
            epoch_s = job->parts[i].lock->epoch_s;
    env[n] = epoch = px_asprintf("SOURCE_DATE_EPOCH=%jd", (intmax_t)epoch_s);
    int r = px_job_fresh_work(sb, err);
    if (r < 0)
        return r;
    struct px_proc_opts opts = {
        .argv = argv, .env = env, .on_line = px_job_on_line, .data = job, .log_fd = -1};
    return px_sandbox_check(sb, &opts, err);
}

int px_job_script(struct px_job *job, struct px_sandbox *sb, const char *script,
                  struct px_error *err) {
    const char *argv[] = {"/bin/sh", "-e", "-c", script, NULL};
    return px_job_run(job, sb, argv, NULL, err);
}

static int finish(struct px_job *job, const struct px_layer_recipe *what, const struct place *p,
                  const char *key, struct px_error *err) {
    px_cleanup_free char *layers = px_asprintf("%s/layers", job->store.dir);
    px_cleanup_free const char **lower = px_new0(const char *, p->n_lower + 1);
    px_cleanup_free char **paths = px_new0(char *, p->n_lower + 1);
    for (size_t i = 0; i < p->n_lower; i++)
        lower[i] = paths[i] = px_asprintf("%s/%s", layers, p->lower[i]);
    struct px_tidy_opts tidy = {.tree = p->tree,
                                .lower = lower,
                                .n_lower = p->n_lower,
                                .epoch_s = what->part->lock->epoch_s};
    struct px_tree_digest got = {0};
    px_job_item(job, "storing the layer", 0);
    int r = px_step("image.tidy", err);
    if (r == 0)
        r = px_tidy(&tidy, err);
    if (r == 0)
        r = px_tree_digest(p->tree, 0, -1, &got, err);
    if (r == 0)
        r = px_step("image.store", err);
    if (r == 0)
        r = px_store_put_layer(&job->store, p->dir, got.digest, key, got.size_bytes, err);
    if (r == 0)
        add_layer(job, what, got.digest, got.size_bytes);
    for (size_t i = 0; i < p->n_lower; i++)
        free(paths[i]);
    return r;
}

static void sandbox_for(const struct place *p, const char *layers, struct px_sandbox *ret) {
    *ret = (struct px_sandbox){
        .dir = layers,
        .lower = p->n_lower ? p->lower : &p->rel_empty,
        .n_lower = p->n_lower ? p->n_lower : 1,
        .upper = p->rel_tree,
        .work = p->rel_work,
        .root = p->rel_root,
    };
}

static int make(struct px_job *job, const struct px_layer_recipe *what, const char *key,
                struct px_error *err) {
    px_cleanup(place_fini) struct place p = {0};
    px_cleanup_free char *layers = px_asprintf("%s/layers", job->store.dir);
    px_cleanup_free char *name = px_asprintf("%zu", job->n_layers);
    struct px_sandbox sb;
    int r = place_init(job, name, &p, err);
    if (r < 0)
        return r;
    sandbox_for(&p, layers, &sb);
    r = what->make(job, (struct px_part *)(uintptr_t)what->part, &sb, what->data, err);
    return r < 0 ? r : finish(job, what, &p, key, err);
}

int px_job_scratch(struct px_job *job,
                   int (*fn)(struct px_job *, struct px_sandbox *, void *, struct px_error *),
                   void *data, struct px_error *err) {
    px_cleanup(place_fini) struct place p = {0};
    px_cleanup_free char *layers = px_asprintf("%s/layers", job->store.dir);
    struct px_sandbox sb;
    int r = place_init(job, "scratch", &p, err);
    if (r < 0)
        return r;
    sandbox_for(&p, layers, &sb);
    r = fn(job, &sb, data, err);
    px_rm_rf(AT_FDCWD, p.dir, NULL); /* what stays goes with the whole directory */
    return r;
}

int px_job_layer(struct px_job *job, const struct px_layer_recipe *what, struct px_error *err) {
    char key[PX_DIGEST_TEXT_MAX], digest[PX_DIGEST_TEXT_MAX];
    uint64_t size_bytes = 0;
    px_cleanup_free char *step = px_asprintf("image.%s", what->kind);
    make_key(job, what, key);
    px_job_stage(job, what->part->recipe->name, what->kind, what->units);
    int r = px_step(step, err);
    if (r < 0)
        return r;
    if (px_store_find_layer(&job->store, key, digest, &size_bytes))
        add_layer(job, what, digest, size_bytes);
    else
        r = make(job, what, key, err);
    px_job_stage_done(job);
    return r;
}
