/* src/image/resolve.c - the locks of a build: read, or made from what Debian serves now */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/step.h"
#include "base/text.h"
#include "image/digest.h"
#include "image/job.h"
#include <string.h>
#include <sys/statvfs.h>

#define ROOM_BYTES (64 << 20) /* lists, logs, what programs write on the way */

static int open_apt(struct px_job *job, struct px_error *err) {
    if (job->apt)
        return 0;
    const struct px_recipe *bottom = job->chain.items[0];
    px_cleanup(px_buf_fini) struct px_buf components = {0};
    for (size_t i = 0; i < bottom->components.n; i++)
        px_buf_printf(&components, "%s%s", i ? " " : "", bottom->components.items[i]);
    struct px_apt_opts opts = {
        .images = job->store.dir,
        .suite = bottom->suite,
        .components = components.size ? px_buf_str(&components) : "main",
        .architecture = job->arch,
        .log_fd = job->log_fd,
        .on_line = px_job_on_line,
        .data = job,
    };
    return px_apt_open(&opts, &job->apt, err);
}

/* Reads the paragraphs of what is in the pool; @missing gets the rest, lent by the lock. */
static int read_pool(struct px_job *job, const struct px_part *part, struct px_debs *ret,
                     struct px_locked_deb *missing, size_t *n_missing, struct px_error *err) {
    for (size_t i = 0; i < part->lock->n_debs; i++) {
        const struct px_locked_deb *id = &part->lock->debs[i];
        if (!px_pool_has_deb(job->store.dir, id->sha256)) {
            missing[(*n_missing)++] = *id;
            continue;
        }
        struct px_debs one = {.items = px_new0(struct px_deb, 1), .n = 1};
        int r = px_pool_get_deb(job->store.dir, id, &one.items[0], err);
        if (r == 0)
            px_debs_add(ret, &one.items[0]);
        px_debs_fini(&one);
        if (r < 0)
            return r;
    }
    return 0;
}

static uint64_t download_bytes(const struct px_job *job, const struct px_debs *debs) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < debs->n; i++)
        if (!px_pool_has_deb(job->store.dir, debs->items[i].id.sha256))
            bytes += debs->items[i].id.size_bytes;
    return bytes;
}

int px_job_room(const struct px_job *job, uint64_t bytes, struct px_error *err) {
    struct statvfs vfs;
    if (statvfs(job->store.dir, &vfs) < 0)
        return px_fail_sys(err, -errno, "cannot tell the free space in '%s'", job->store.dir);
    uint64_t free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    if (free_bytes >= bytes + ROOM_BYTES)
        return 0;
    char a[PX_SIZE_TEXT_MAX], b[PX_SIZE_TEXT_MAX];
    px_fail(err, -ENOSPC, "needs about %s in '%s', which has %s free",
            px_size_human(bytes + ROOM_BYTES, a), job->store.dir, px_size_human(free_bytes, b));
    return px_hint(err, -ENOSPC, "make room there (phoenix image gc), or choose another state_dir");
}

static int fetch_debs(struct px_job *job, const char *recipe, const struct px_debs *debs,
                      struct px_error *err) {
    px_cleanup_free char *tmp = NULL;
    size_t n = 0;
    for (size_t i = 0; i < debs->n; i++)
        n += !px_pool_has_deb(job->store.dir, debs->items[i].id.sha256);
    if (n == 0)
        return 0;
    const double units = PX_UNITS_FETCH * (double)n;
    if (job->total < job->done + units + (double)debs->n) /* they will be installed, too */
        job->total = job->done + units + (double)debs->n;
    px_job_stage(job, recipe, "download", units);
    int r = px_step("image.fetch", err);
    if (r == 0)
        r = px_job_room(job, download_bytes(job, debs), err);
    if (r == 0)
        r = open_apt(job, err);
    if (r == 0)
        r = px_store_tmp(&job->store, "fetch", &tmp, err);
    if (r == 0)
        r = px_apt_fetch(job->apt, debs, tmp, err);
    px_job_stage_done(job);
    return r < 0 ? r : px_rm_rf(AT_FDCWD, tmp, err);
}

int px_job_fetch(struct px_job *job, struct px_part *part, struct px_error *err) {
    px_cleanup(px_debs_fini) struct px_debs debs = {0};
    px_cleanup_free struct px_locked_deb *missing =
        px_new0(struct px_locked_deb, part->lock->n_debs + 1);
    size_t n_missing = 0;
    if (part->debs.n > 0)
        return fetch_debs(job, part->recipe->name, &part->debs, err);
    int r = read_pool(job, part, &debs, missing, &n_missing, err);
    if (r == 0 && n_missing > 0)
        r = open_apt(job, err);
    if (r == 0)
        r = n_missing ? px_apt_show(job->apt, missing, n_missing, &debs, err) : 0;
    if (r == 0 && n_missing > 0)
        r = fetch_debs(job, part->recipe->name, &debs, err);
    if (r < 0)
        return r;
    part->debs = debs;
    debs = (struct px_debs){0};
    return 0;
}

void px_job_installed(const struct px_job *job, const struct px_part *part, struct px_debs *ret) {
    for (size_t i = 0; i < job->chain.n; i++) {
        const struct px_lockfile *lock = job->parts[i].lock;
        px_cleanup(px_debs_fini) struct px_debs debs = {0};
        for (size_t k = 0; k < lock->n_debs; k++)
            px_debs_add(&debs, &(struct px_deb){.id = lock->debs[k], .control = (char[]){""}});
        px_debs_merge(ret, &debs);
        if (&job->parts[i] == part)
            break;
    }
}

static int64_t max_time(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The time that the image's files bear: that of its youngest package, so that the same packages
 * give the same image whenever it is built. */
static int find_epoch(struct px_job *job, const struct px_debs *debs, int64_t below, int64_t *ret,
                      struct px_error *err) {
    int64_t epoch = below;
    for (size_t i = 0; i < debs->n; i++) {
        int64_t t = 0;
        int r = px_pool_deb_time(job->store.dir, debs->items[i].id.sha256, &t, err);
        if (r < 0)
            return r;
        epoch = max_time(epoch, t);
    }
    *ret = epoch;
    return 0;
}

static void take_debs(struct px_lockfile *lock, const struct px_debs *debs) {
    lock->debs = px_new0(struct px_locked_deb, debs->n);
    for (size_t i = 0; i < debs->n; i++)
        px_locked_deb_copy(&debs->items[i].id, &lock->debs[lock->n_debs++]);
    px_lockfile_sort(lock); /* as one that is read: a layer's key must not tell them apart */
}

/* Lock of @part from what Debian serves now; pip's part is left for the pip layer. */
static int make_lock(struct px_job *job, struct px_part *part, const struct px_part *below,
                     const struct px_debs *installed, struct px_error *err) {
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = px_new0(struct px_lockfile, 1);
    char digest[PX_DIGEST_TEXT_MAX];
    int r = px_recipe_inputs(part->recipe, digest, err);
    if (r < 0)
        return r;
    lock->recipe = px_strdup(part->recipe->name);
    lock->suite = px_strdup(job->chain.items[0]->suite);
    lock->architecture = px_strdup(job->arch);
    lock->inputs = px_strdup(digest);
    if (part->recipe->packages.n > 0 || !below) {
        r = open_apt(job, err);
        if (r == 0)
            r = px_apt_resolve(job->apt, installed, &part->recipe->packages, &part->debs, err);
        if (r == 0)
            r = fetch_debs(job, part->recipe->name, &part->debs, err);
    }
    if (r == 0)
        r = find_epoch(job, &part->debs, below ? below->lock->epoch_s : 0, &lock->epoch_s, err);
    if (r < 0)
        return r;
    take_debs(lock, &part->debs);
    part->lock = px_take_ptr(lock);
    return 0;
}

static int stale(const struct px_part *part, const char *why, struct px_error *err) {
    px_fail(err, -ESTALE, "'%s/%s' does not fit: %s", part->recipe->dir, PX_LOCKFILE_NAME, why);
    return px_hint(err, -ESTALE, "make it anew: phoenix image lock %s", part->recipe->name);
}

static int read_lock(struct px_job *job, struct px_part *part, const struct px_part *below,
                     struct px_error *err) {
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = NULL;
    char inputs[PX_DIGEST_TEXT_MAX], digest[PX_DIGEST_TEXT_MAX];
    int r = px_lockfile_load(part->recipe->dir, &lock, err);
    if (r == 0)
        r = px_recipe_inputs(part->recipe, inputs, err);
    if (r < 0)
        return r;
    if (strcmp(lock->inputs, inputs) != 0)
        return stale(part, "the recipe's packages changed after it was made", err);
    if (strcmp(lock->architecture, job->arch) != 0)
        return stale(part, "it was made for another architecture", err);
    if (strcmp(lock->suite, job->chain.items[0]->suite) != 0)
        return stale(part, "it was made for another suite", err);
    if (lock->n_pips != part->recipe->n_pip)
        return stale(part, "it lacks pip packages", err);
    if (below)
        px_lockfile_digest(below->lock, digest);
    if (!below != !lock->below || (below && strcmp(lock->below, digest) != 0))
        return stale(part, "the recipe below has another lock", err);
    part->lock = px_take_ptr(lock);
    part->from_file = true;
    return 0;
}

static int resolve_part(struct px_job *job, size_t i, enum px_lock_use use,
                        struct px_debs *installed, struct px_error *err) {
    struct px_part *part = &job->parts[i];
    const struct px_part *below = i > 0 ? &job->parts[i - 1] : NULL;
    int r = -ENOENT;
    part->recipe = job->chain.items[i];
    if (use != PX_LOCK_IGNORE)
        r = read_lock(job, part, below, err);
    if (r == -ENOENT && use == PX_LOCK_REQUIRE)
        return px_hint(err, r, "make it: phoenix image lock %s", part->recipe->name);
    if (r == -ENOENT)
        return make_lock(job, part, below, installed, err);
    return r;
}

int px_job_resolve(struct px_job *job, enum px_lock_use use, struct px_error *err) {
    px_cleanup(px_debs_fini) struct px_debs installed = {0};
    job->parts = px_new0(struct px_part, job->chain.n);
    px_job_stage(job, job->chain.items[job->chain.n - 1]->name, "package lists", 0);
    int r = px_step("image.resolve", err);
    for (size_t i = 0; i < job->chain.n && r == 0; i++) {
        r = resolve_part(job, i, use, &installed, err);
        /* The paragraphs of a lock that was read matter only where something above is resolved. */
        bool above_unlocked = false;
        for (size_t k = i + 1; k < job->chain.n; k++) {
            px_cleanup_free char *path =
                px_asprintf("%s/%s", job->chain.items[k]->dir, PX_LOCKFILE_NAME);
            above_unlocked |= use == PX_LOCK_IGNORE || !px_exists(AT_FDCWD, path);
        }
        if (r == 0 && above_unlocked && job->parts[i].debs.n == 0 && job->parts[i].lock->n_debs > 0)
            r = px_job_fetch(job, &job->parts[i], err);
        if (r == 0)
            px_debs_merge(&installed, &job->parts[i].debs);
        if (r < 0)
            return px_wrap(err, r, "recipe '%s'", job->chain.items[i]->name);
    }
    return r;
}
