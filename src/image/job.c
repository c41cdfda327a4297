/* src/image/job.c - a build in progress: begin, end, log, progress */
#include "image/job.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

static int open_log(struct px_job *job, const char *name, struct px_error *err) {
    char when[32];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
    job->log_path = px_asprintf("%s/logs/%s-%s.log", job->store.dir, name, when);
    job->log_fd = open(job->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (job->log_fd < 0)
        return px_fail_sys(err, -errno, "cannot write '%s'", job->log_path);
    if (job->opts->on_log)
        job->opts->on_log(job->opts->data, job->log_path);
    return 0;
}

int px_job_begin(const struct px_image_opts *opts, struct px_job *job, struct px_error *err) {
    *job = (struct px_job){.opts = opts, .log_fd = -1, .store = {.lock_fd = -1}};
    if (geteuid() != 0) {
        px_fail(err, -EPERM, "images can be built by root only");
        return px_hint(err, -EPERM, "run it with sudo");
    }
    int r = px_chain_load(opts->recipes_dir, opts->recipe, &job->chain, err);
    const char *name = opts->name;
    if (r == 0 && !name)
        name = job->chain.items[job->chain.n - 1]->name;
    if (r == 0)
        r = px_image_name_check(name, err);
    if (r == 0)
        r = px_store_open(opts->state_dir, opts->wait_ms, &job->store, err);
    if (r == 0 && strpbrk(job->store.dir, " \t\n[]"))
        r = px_fail(err, -EINVAL,
                    "state directory '%s' has a blank or bracket, which apt cannot take",
                    opts->state_dir);
    if (r == 0)
        r = px_store_tmp(&job->store, "build", &job->tmp, err);
    if (r == 0)
        r = px_apt_architecture(&job->arch, err);
    return r < 0 ? r : open_log(job, name, err);
}

void px_job_end(struct px_job *job) {
    if (job->tmp)
        px_rm_rf(AT_FDCWD, job->tmp, NULL);
    px_apt_close(job->apt);
    for (size_t i = 0; job->parts && i < job->chain.n; i++) {
        px_lockfile_free(job->parts[i].lock);
        px_debs_fini(&job->parts[i].debs);
    }
    free(job->parts);
    free(job->layers);
    free(job->tmp);
    free(job->arch);
    px_closep(&job->log_fd);
    free(job->log_path);
    px_chain_fini(&job->chain);
    px_store_close(&job->store); /* last: gives the lock back */
    *job = (struct px_job){.log_fd = -1, .store = {.lock_fd = -1}};
}

static void report(struct px_job *job, const char *item) {
    if (!job->opts->on_progress)
        return;
    double fraction = job->total > 0 ? job->done / job->total : 0;
    if (fraction > 1)
        fraction = 1;
    if (fraction < job->shown) /* there turned out to be more to do */
        fraction = job->shown;
    job->shown = fraction;
    struct px_image_progress p = {
        .recipe = job->recipe, .stage = job->stage, .item = item, .fraction = fraction};
    job->opts->on_progress(job->opts->data, &p);
}

static void log_line(struct px_job *job, const char *line) {
    px_cleanup_free char *text = px_asprintf("%s\n", line);
    px_fd_write_all(job->log_fd, text, strlen(text)); /* a full disk shows up where it matters */
}

void px_job_stage(struct px_job *job, const char *recipe, const char *stage, double units) {
    job->recipe = recipe;
    job->stage = stage;
    job->limit = job->done + units;
    px_cleanup_free char *line = px_asprintf("== %s: %s", recipe, stage);
    log_line(job, line);
    report(job, "");
}

void px_job_item(struct px_job *job, const char *item, double units) {
    job->done += units;
    if (job->done > job->limit)
        job->done = job->limit;
    report(job, item);
}

void px_job_stage_done(struct px_job *job) {
    job->done = job->limit;
    report(job, "");
}

/* What apt and dpkg say of each package, and how much of it is done by then: fetching is counted in
 * a stage of its own, a package's installation as one. */
static const struct {
    const char *begin;
    double units;
} said[] = {{"Unpacking ", 0.6},
            {"Setting up ", 0.4},
            {"Get:", PX_UNITS_FETCH},
            {"Collecting ", 1},
            {"Processing triggers for ", 0}};

void px_job_on_line(void *data, const char *line) {
    struct px_job *job = data;
    px_job_look_full(job, line);
    log_line(job, line);
    for (size_t i = 0; i < PX_N_ELEMENTS(said); i++) {
        size_t n = strlen(said[i].begin);
        if (strncmp(line, said[i].begin, n) != 0)
            continue;
        char item[80];
        const char *word = line + n;
        if (said[i].begin[0] == 'G') { /* Get:5 http://... suite/component arch NAME arch version */
            if (!strstr(line, " http"))
                return;
            for (int k = 0; k < 4 && word; k++)
                word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL;
            if (!word)
                return;
        }
        snprintf(item, sizeof(item), "%.*s", (int)strcspn(word, " "), word);
        px_job_item(job, item, said[i].units);
        return;
    }
}

int px_image_log_tail(const char *path, size_t n_lines, char **ret, struct px_error *err) {
    px_cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return px_fail_sys(err, -errno, "cannot open '%s'", path);
    char text[16 * 1024 + 1];
    off_t size = lseek(fd, 0, SEEK_END), from = size > 16 * 1024 ? size - 16 * 1024 : 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, from);
    if (n < 0)
        return px_fail_sys(err, -errno, "cannot read '%s'", path);
    text[n] = '\0';
    const char *p = text + n;
    for (size_t lines = 0; p > text; p--)
        if (p < text + n && p[-1] == '\n' && ++lines == n_lines)
            break;
    *ret = px_strdup(p);
    return 0;
}
