/* src/desktop/worker.c - many desktops at once: a process each, with a bound */
#include "desktop/worker.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include <assert.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define WORKERS_MAX 256

/* What a worker writes: one write(2) no longer than PIPE_BUF, so that messages never mix. */
struct message {
    size_t job;
    bool final; /* the job's result; else an event */
    int result;
    enum px_event_kind kind;
    int64_t elapsed_us;
    char text[512];
    struct px_error err;
};
_Static_assert(sizeof(struct message) <= PIPE_BUF, "a message is one atomic write");

struct worker {
    pid_t pid; /* 0: no process */
    int pidfd;
    size_t job;
    int64_t begin_us;
};

struct pool {
    struct px_job *jobs;
    size_t n_jobs, next;
    struct worker *workers;
    size_t n_workers, n_running;
    int pipe_rd, pipe_wr;
    const struct px_events *events; /* lent */
    int n_failed;
    bool stopping;
};

/* In the worker. */
struct sender {
    int fd;
    size_t job;
    int64_t begin_us;
};

static void send_event(void *data, const struct px_event *event) {
    const struct sender *s = data;
    struct message m = {
        .job = s->job, .kind = event->kind, .elapsed_us = px_now_us() - s->begin_us};
    if (event->text)
        snprintf(m.text, sizeof(m.text), "%s", event->text);
    px_fd_write_all(s->fd, &m, sizeof(m));
}

static _Noreturn void work(const struct px_job *job, struct sender *sender, pid_t parent) {
    /* Not SIGKILL: the work stops at its next step and cleans up after itself. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    const struct px_events events = {send_event, sender};
    struct message m = {.job = sender->job, .final = true};
    m.result = job->run(job->data, &events, &m.err);
    m.elapsed_us = px_now_us() - sender->begin_us;
    px_fd_write_all(sender->fd, &m, sizeof(m));
    _exit(0);
}

static int launch(struct pool *pool, struct worker *w) {
    const size_t job = pool->next;
    struct sender sender = {pool->pipe_wr, job, px_now_us()};
    const pid_t parent = getpid();
    fflush(NULL);
    const pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        close(pool->pipe_rd);
        work(&pool->jobs[job], &sender, parent);
    }
    *w = (struct worker){pid, (int)syscall(SYS_pidfd_open, pid, 0), job, sender.begin_us};
    pool->next++;
    pool->n_running++;
    return 0;
}

static void take_result(struct pool *pool, const struct message *m) {
    struct px_job *job = &pool->jobs[m->job];
    job->result = m->result;
    job->err = m->err;
}

/* Reads what is in the pipe. */
static void take_messages(struct pool *pool) {
    struct message m;
    while (read(pool->pipe_rd, &m, sizeof(m)) == (ssize_t)sizeof(m)) {
        assert(m.job < pool->n_jobs);
        if (m.final) {
            take_result(pool, &m);
            continue;
        }
        const struct px_event event = {.kind = m.kind,
                                       .desktop = pool->jobs[m.job].desktop,
                                       .text = m.text,
                                       .elapsed_us = m.elapsed_us};
        px_event_send(pool->events, &event);
    }
}

static void end_worker(struct pool *pool, struct worker *w) {
    int status = 0;
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    px_closep(&w->pidfd);
    w->pid = 0;
    pool->n_running--;
    take_messages(pool); /* its result was written before it ended */
    struct px_job *job = &pool->jobs[w->job];
    if (job->result == -ECANCELED && WIFSIGNALED(status))
        job->result = px_fail(&job->err, -EIO, "the process at work on it was ended by signal %d",
                              WTERMSIG(status));
    if (job->result >= 0)
        return;
    pool->n_failed++;
    const struct px_event event = {.kind = PX_EVENT_FAILED,
                                   .desktop = job->desktop,
                                   .text = "",
                                   .err = &job->err,
                                   .elapsed_us = px_now_us() - w->begin_us};
    px_event_send(pool->events, &event);
}

static void stop_all(struct pool *pool) {
    pool->stopping = true;
    for (size_t i = 0; i < pool->n_workers; i++)
        if (pool->workers[i].pid > 0)
            kill(pool->workers[i].pid, SIGTERM);
}

/* Waits for a message or the end of a worker. */
static void wait_any(struct pool *pool) {
    struct pollfd p[WORKERS_MAX + 1];
    size_t n = 0;
    p[n++] = (struct pollfd){.fd = pool->pipe_rd, .events = POLLIN};
    for (size_t i = 0; i < pool->n_workers; i++)
        p[n++] = (struct pollfd){.fd = pool->workers[i].pid > 0 ? pool->workers[i].pidfd : -1,
                                 .events = POLLIN};
    if (poll(p, n, -1) < 0)
        return; /* a signal: the caller looks */
    if (p[0].revents)
        take_messages(pool);
    for (size_t i = 0; i < pool->n_workers; i++)
        if (p[i + 1].revents)
            end_worker(pool, &pool->workers[i]);
}

static int run_pool(struct pool *pool, struct px_error *err) {
    for (;;) {
        if (px_interrupted() && !pool->stopping)
            stop_all(pool);
        for (size_t i = 0; i < pool->n_workers && !pool->stopping; i++) {
            if (pool->workers[i].pid > 0 || pool->next == pool->n_jobs)
                continue;
            int r = launch(pool, &pool->workers[i]);
            if (r < 0 && pool->n_running == 0)
                return px_fail_sys(err, r, "cannot start a process");
            if (r < 0)
                break; /* when one of those running ends there is room again */
        }
        if (pool->n_running == 0)
            break;
        wait_any(pool);
    }
    return pool->stopping ? px_interrupt_fail(err) : pool->n_failed;
}

int px_workers_run(struct px_job *jobs, size_t n_jobs, unsigned parallel,
                   const struct px_events *events, struct px_error *err) {
    assert(parallel > 0);
    if (n_jobs == 0)
        return 0;
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct pool pool = {
        .jobs = jobs, .n_jobs = n_jobs, .pipe_rd = fds[0], .pipe_wr = fds[1], .events = events};
    pool.n_workers = n_jobs < parallel ? n_jobs : parallel;
    if (pool.n_workers > WORKERS_MAX)
        pool.n_workers = WORKERS_MAX;
    pool.workers = px_new0(struct worker, pool.n_workers);
    for (size_t i = 0; i < n_jobs; i++)
        jobs[i].result = -ECANCELED;
    int r = run_pool(&pool, err);
    close(fds[0]);
    close(fds[1]);
    free(pool.workers);
    return r;
}
