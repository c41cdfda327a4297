/* src/image/lock.c - writing recipe.lock */
#include "base/alloc.h"
#include "base/file.h"
#include "base/step.h"
#include "image/job.h"
#include <string.h>

static int write_lock(const struct px_part *part, unsigned *changed, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", part->recipe->dir, PX_LOCKFILE_NAME);
    px_cleanup_free char *text = px_lockfile_print(part->lock);
    px_cleanup_free char *before = NULL;
    if (px_file_read(AT_FDCWD, path, PX_LOCKFILE_MAX_BYTES, &before, NULL, NULL) == 0 &&
        strcmp(before, text) == 0)
        return 0;
    ++*changed;
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

/* From the bottom up: each names the one below, pip's packages included. */
static int write_locks(struct px_job *job, unsigned *changed, struct px_error *err) {
    int r = px_step("image.lock", err);
    for (size_t i = 0; i < job->chain.n && r == 0; i++) {
        if (i > 0) {
            char digest[PX_DIGEST_TEXT_MAX];
            px_lockfile_digest(job->parts[i - 1].lock, digest);
            free(job->parts[i].lock->below);
            job->parts[i].lock->below = px_strdup(digest);
        }
        r = write_lock(&job->parts[i], changed, err);
    }
    return r;
}

int px_image_lock(const struct px_image_opts *opts, unsigned *ret_changed, struct px_error *err) {
    px_cleanup(px_job_end) struct px_job job;
    unsigned changed = 0;
    int r = px_job_begin(opts, &job, err);
    if (r == 0)
        r = px_job_resolve(&job, PX_LOCK_IGNORE, err);
    size_t n = 0; /* recipes whose trees pip must be asked in */
    for (size_t i = 0; r == 0 && i < job.chain.n; i++)
        if (job.chain.items[i]->n_pip > 0)
            n = i + 1;
    if (r == 0 && n > 0)
        r = px_job_make_layers(&job, n, err);
    if (r == 0)
        r = write_locks(&job, &changed, err);
    if (r < 0)
        return px_wrap(err, px_job_explain(&job, r, err), "lock of '%s'", opts->recipe);
    if (ret_changed)
        *ret_changed = changed;
    return 0;
}
