/* src/check/runner.c - checks, each in a process of its own */
#include "check/runner.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include <assert.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LOOK_US (200 * PX_US_PER_MS) /* how often to see whether somebody wants us to stop */
#define SLOTS_MAX 256

struct slot {
    struct px_check_line *line; /* NULL: free */
    size_t at;                  /* its check at work */
    pid_t pid;                  /* 0: none */
    int pidfd, out;
    int64_t begin_us, deadline_us;
    bool late;
    struct px_buf said;
};

struct crew {
    struct px_check_line *lines;
    size_t n_lines, next;
    struct slot *slots;
    size_t n_slots;
    const struct px_check_watch *watch;
};

static void tell(const struct crew *crew, const struct px_check_line *line,
                 const struct px_check *check) {
    if (crew->watch && crew->watch->fn)
        crew->watch->fn(crew->watch->data, line, check);
}

static struct px_check_outcome *outcome_of(const struct slot *s) {
    return &s->line->outcomes[s->at];
}

static int64_t timeout_of(const struct px_check_outcome *o) {
    return o->timeout_us > 0 ? o->timeout_us : o->check->timeout_us;
}

/* In the child. */
static _Noreturn void work(const struct slot *s, int out, pid_t parent) {
    px_cleanup(px_findings_fini) struct px_findings found = {0};
    const struct px_check *check = outcome_of(s)->check;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (getppid() != parent || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0)
        _exit(1);
    /* The first Ctrl-C only asks; whoever runs us decides and ends us. */
    signal(SIGINT, SIG_IGN);
    check->run(s->line->desk, &found);
    json_t *json = px_findings_to_json(&found);
    char *text = json_dumps(json, JSON_COMPACT);
    _exit(text && px_fd_write_all(out, text, strlen(text)) == 0 ? 0 : 1);
}

static int begin_check(struct slot *s, struct px_error *err) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return px_fail_sys(err, -errno, "cannot make a pipe");
    const pid_t parent = getpid();
    fflush(NULL);
    s->pid = fork();
    if (s->pid == 0)
        work(s, fds[1], parent);
    close(fds[1]);
    if (s->pid < 0) {
        const int r = px_fail_sys(err, -errno, "cannot start a process");
        s->pid = 0;
        close(fds[0]);
        return r;
    }
    setpgid(s->pid, s->pid); /* here too: the child may not have come to it before it must end */
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    s->out = fds[0];
    s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    s->begin_us = px_now_us();
    s->deadline_us = s->begin_us + timeout_of(outcome_of(s));
    s->late = false;
    px_buf_reset(&s->said);
    return 0;
}

static void shut(int *fd) {
    px_closep(fd);
    *fd = -1;
}

/* Takes what is in the pipe; closes it at its end, or when too much comes. */
static void hear(struct slot *s) {
    while (s->out >= 0) {
        char chunk[16 * 1024];
        const ssize_t n = read(s->out, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n > 0)
            px_buf_add(&s->said, chunk, (size_t)n);
        if (n <= 0 || s->said.size > PX_FINDINGS_TEXT_MAX_BYTES)
            shut(&s->out);
    }
}

/* What its end and its words come to. */
static void judge(struct slot *s, int status) {
    struct px_check_outcome *o = outcome_of(s);
    const char *name = o->check->name;
    struct px_error err = {0};
    o->elapsed_us = px_now_us() - s->begin_us;
    if (s->late)
        px_found_fail(&o->findings, name, "look whether the desktop hangs", "no end after %.0f s",
                      (double)timeout_of(o) / PX_US_PER_S);
    else if (s->said.size > PX_FINDINGS_TEXT_MAX_BYTES)
        px_found_fail(&o->findings, name, NULL, "it said more than %d bytes",
                      PX_FINDINGS_TEXT_MAX_BYTES);
    else if (WIFSIGNALED(status))
        px_found_fail(&o->findings, name, NULL, "the check died of signal %d: a bug in phoenix",
                      WTERMSIG(status));
    else if (px_findings_parse(px_buf_str(&s->said), s->said.size, &o->findings, &err) < 0)
        px_found_fail(&o->findings, name, NULL, "the check ended with status %d: %s",
                      WEXITSTATUS(status), err.msg);
    else if (o->findings.n == 0)
        px_found_fail(&o->findings, name, NULL, "the check found nothing to say");
}

static void end_check(struct slot *s) {
    int status = 0;
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    kill(-s->pid, SIGKILL); /* children it left behind */
    shut(&s->pidfd);
    hear(s);
    shut(&s->out);
    s->pid = 0;
    judge(s, status);
}

/* Gives a free slot something to do. */
static int go_on(struct crew *crew, struct slot *s, struct px_error *err) {
    while (s->pid == 0) {
        if (s->line && ++s->at == s->line->n) {
            tell(crew, s->line, NULL);
            s->line = NULL;
        }
        if (!s->line) {
            if (crew->next == crew->n_lines)
                return 0;
            s->line = &crew->lines[crew->next++];
            s->at = (size_t)-1;
            continue;
        }
        tell(crew, s->line, outcome_of(s)->check);
        const int r = begin_check(s, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool busy(const struct crew *crew) {
    for (size_t i = 0; i < crew->n_slots; i++)
        if (crew->slots[i].pid > 0)
            return true;
    return false;
}

static void wait_any(struct crew *crew) {
    struct pollfd p[2 * SLOTS_MAX];
    int64_t until = px_now_us() + LOOK_US;
    for (size_t i = 0; i < crew->n_slots; i++) {
        const struct slot *s = &crew->slots[i];
        p[2 * i] = (struct pollfd){.fd = s->pid > 0 ? s->pidfd : -1, .events = POLLIN};
        p[2 * i + 1] = (struct pollfd){.fd = s->pid > 0 ? s->out : -1, .events = POLLIN};
        if (s->pid > 0 && s->deadline_us < until)
            until = s->deadline_us;
    }
    const int64_t left = until - px_now_us();
    if (poll(p, 2 * crew->n_slots, left > 0 ? (int)(left / PX_US_PER_MS) + 1 : 0) < 0)
        return; /* a signal: the caller looks */
    for (size_t i = 0; i < crew->n_slots; i++) {
        struct slot *s = &crew->slots[i];
        if (s->pid == 0)
            continue;
        hear(s);
        const bool wild = s->said.size > PX_FINDINGS_TEXT_MAX_BYTES;
        if (!p[2 * i].revents && !wild && px_now_us() < s->deadline_us)
            continue;
        s->late = !p[2 * i].revents && !wild;
        kill(-s->pid, SIGKILL);
        end_check(s);
    }
}

static int run_crew(struct crew *crew, struct px_error *err) {
    for (;;) {
        if (px_interrupted())
            return px_interrupt_fail(err);
        for (size_t i = 0; i < crew->n_slots; i++) {
            const int r = go_on(crew, &crew->slots[i], err);
            if (r < 0)
                return r;
        }
        if (!busy(crew))
            return 0;
        wait_any(crew);
    }
}

static void crew_fini(struct crew *crew) {
    for (size_t i = 0; i < crew->n_slots; i++) {
        struct slot *s = &crew->slots[i];
        if (s->pid > 0) {
            kill(-s->pid, SIGKILL);
            end_check(s);
        }
        px_buf_fini(&s->said);
    }
    free(crew->slots);
}

int px_checks_run(struct px_check_line *lines, size_t n, unsigned parallel,
                  const struct px_check_watch *watch, struct px_error *err) {
    assert(parallel > 0);
    px_cleanup(crew_fini) struct crew crew = {.lines = lines, .n_lines = n, .watch = watch};
    crew.n_slots = parallel < n ? parallel : n;
    if (crew.n_slots > SLOTS_MAX)
        crew.n_slots = SLOTS_MAX;
    crew.slots = px_new0(struct slot, crew.n_slots);
    for (size_t i = 0; i < crew.n_slots; i++)
        crew.slots[i].pidfd = crew.slots[i].out = -1;
    return run_crew(&crew, err);
}
