/* src/image/job.h - a build in progress, shared by the files that make its layers
 *
 * Internal to src/image. One thread. */
#pragma once
#include "image/apt.h"
#include "image/build.h"
#include "image/chain.h"
#include "image/lockfile.h"
#include "image/pool.h"
#include "image/sandbox.h"
#include "image/store.h"

/* Raised when the same inputs are to give another layer: what tidy removes, what scripts do. */
#define PX_LAYER_FORMAT 1

#define PX_UNITS_FETCH 0.3 /* of progress: a package's download, its installation being 1 */

struct px_part {                    /* one recipe of the chain */
    const struct px_recipe *recipe; /* lent by the chain */
    struct px_lockfile *lock;       /* read or made on the spot */
    bool from_file;                 /* the lock was read */
    struct px_debs debs; /* the lock's packages as an index has them; empty until needed */
};

struct px_made_layer {
    char digest[PX_DIGEST_TEXT_MAX];
    uint64_t size_bytes;
    const char *kind, *recipe; /* static; lent by the chain */
};

struct px_job {
    const struct px_image_opts *opts;
    struct px_store store;
    struct px_chain chain;
    struct px_part *parts; /* one per recipe, the lowest first */
    char *tmp, *arch;
    struct px_apt *apt; /* open once needed */
    char *log_path;
    int log_fd;
    bool full; /* the disk was, at some time while a program ran */

    struct px_made_layer *layers;
    size_t n_layers, layers_cap;
    const char *user; /* lent by a recipe; NULL: none so far */
    uint32_t uid;

    /* progress: units of about one package */
    double total, done, limit; /* limit: where the stage at hand ends */
    double shown;              /* highest fraction that was reported */
    const char *recipe, *stage;
};

int px_job_begin(const struct px_image_opts *opts, struct px_job *job, struct px_error *err);
void px_job_end(struct px_job *job);

/* Progress. begin: a stage worth @units begins. */
void px_job_stage(struct px_job *job, const char *recipe, const char *stage, double units);
void px_job_item(struct px_job *job, const char *item, double units);
void px_job_stage_done(struct px_job *job);
/* A line of a program's output: to the log, and what apt and dpkg say to the progress. */
void px_job_on_line(void *data, const char *line);

/* resolve.c: fills job->parts[].lock. */
int px_job_resolve(struct px_job *job, enum px_lock_use use, struct px_error *err);
/* Makes sure that the part's packages are in the pool, and fills part->debs. */
int px_job_fetch(struct px_job *job, struct px_part *part, struct px_error *err);
/* -ENOSPC where the store has not @bytes of room and some more. */
int px_job_room(const struct px_job *job, uint64_t bytes, struct px_error *err);
/* Adds all packages that the tree has once @part's are in, without their paragraphs. */
void px_job_installed(const struct px_job *job, const struct px_part *part, struct px_debs *ret);

/* layer.c: the layer that @key_text and the layers below it make: taken from the store, or made by
 * @make, which runs its steps with @sb. */
struct px_layer_recipe {
    const char *kind;
    const struct px_part *part;
    const char *key_text;
    double units; /* of progress */
    int (*make)(struct px_job *job, struct px_part *part, struct px_sandbox *sb, void *data,
                struct px_error *err);
    void *data;
};
int px_job_layer(struct px_job *job, const struct px_layer_recipe *what, struct px_error *err);
/* Runs a shell script inside the layer at hand. */
int px_job_script(struct px_job *job, struct px_sandbox *sb, const char *script,
                  struct px_error *err);
/* Runs a program with @sb; @argv, @env may be NULL for the default. */
int px_job_run(struct px_job *job, struct px_sandbox *sb, const char *const *argv,
               const char *const *more_env, struct px_error *err);

/* Before each px_sandbox_call: a volatile overlay's work directory serves once. */
int px_job_fresh_work(const struct px_sandbox *sb, struct px_error *err);
/* Calls @fn with a tree of the layers so far, whose changes are thrown away. */
int px_job_scratch(struct px_job *job,
                   int (*fn)(struct px_job *, struct px_sandbox *, void *, struct px_error *),
                   void *data, struct px_error *err);

/* build.c: all layers of the lower @n_recipes recipes. */
int px_job_make_layers(struct px_job *job, size_t n_recipes, struct px_error *err);
/* full.c: whether a program's line tells of a full disk or a quota that is used up. */
bool px_line_tells_full(const char *line);
/* Looks at the disk and at @line, "" for none, and remembers in job->full what it saw: a failing
 * program gives room back before we come to look, and its log may lack the words for want of room.
 */
void px_job_look_full(struct px_job *job, const char *line);
/* Turns what a program's failure was about into an error of ours, with advice; returns its code. */
int px_job_explain(struct px_job *job, int r, struct px_error *err);

/* One file per kind of layer; each does nothing where the recipe asks for nothing. */
int px_job_root(struct px_job *job, struct px_part *part, struct px_error *err);
int px_job_packages(struct px_job *job, struct px_part *part, struct px_error *err);
int px_job_pip(struct px_job *job, struct px_part *part, struct px_error *err);
int px_job_files(struct px_job *job, struct px_part *part, struct px_error *err);
int px_job_config(struct px_job *job, struct px_part *part, struct px_error *err);
