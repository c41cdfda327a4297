/* src/phoenix-server/keep.c - one process starts the server again when it dies, where no service
 * manager does */
#include "base/clock.h"
#include "base/log.h"
#include "phoenix-server/server.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PAUSE_S 1
#define LONGEST_PAUSE_S 60
#define WELL_US (60 * PX_US_PER_S)  /* whoever lived that long is started again soon */
#define BEGUN_US (10 * PX_US_PER_S) /* who called us is waiting for it no longer */

struct keep {
    sigset_t signals, before;
    pid_t server; /* 0: none just now */
    int n_started;
    bool asked; /* to end */
};

/* 0: the time is over. Those that are not ours to act on go to the server. */
static void await_signal(struct keep *k, const struct timespec *at_most) {
    const int sig = sigtimedwait(&k->signals, NULL, at_most);
    if (sig <= 0 || sig == SIGCHLD)
        return;
    k->asked |= sig != SIGHUP;
    if (k->server > 0)
        kill(k->server, sig);
}

/* In the server: it does not outlive us, or nobody would know of it. What a terminal sends to its
 * group comes by us alone: two requests to end would be one to end at once. */
static void be_server(const struct keep *k, pid_t keeper) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(1);
    setpgid(0, 0);
    sigprocmask(SIG_SETMASK, &k->before, NULL);
}

/* How the server ended, as of waitpid(2). */
static int await_end(struct keep *k) {
    int status = 0;
    while (waitpid(k->server, &status, WNOHANG) == 0)
        await_signal(k, NULL);
    k->server = 0;
    return status;
}

/* What ended by itself at the start has said why to who waits for it; so has what was asked to. */
static bool is_over(const struct keep *k, int status, int64_t lived_us) {
    if (k->asked)
        return true;
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == 0 || (k->n_started == 1 && lived_us < BEGUN_US));
}

static void pause_for(struct keep *k, int seconds) {
    const int64_t until = px_now_us() + seconds * PX_US_PER_S;
    for (int64_t left; !k->asked && (left = until - px_now_us()) > 0;)
        await_signal(k, &(struct timespec){.tv_sec = left / PX_US_PER_S,
                                           .tv_nsec = left % PX_US_PER_S * 1000});
}

static void tell(int status, int pause_s) {
    if (WIFSIGNALED(status))
        px_warning("server: died of signal %d (%s): starting again in %d s", WTERMSIG(status),
                   strsignal(WTERMSIG(status)), pause_s);
    else
        px_warning("server: failed: starting again in %d s", pause_s);
}

static void take_signals(struct keep *k) {
    static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP};
    signal(SIGCHLD, SIG_DFL); /* a caller that ignores it would have us wait for ever */
    sigemptyset(&k->signals);
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaddset(&k->signals, signals[i]);
    sigprocmask(SIG_BLOCK, &k->signals, &k->before);
}

int server_keep(struct px_error *err) {
    struct keep k = {0};
    const pid_t keeper = getpid();
    int pause_s = FIRST_PAUSE_S, status = 0;
    take_signals(&k);
    while (!k.asked) {
        const int64_t began_us = px_now_us();
        const pid_t pid = fork();
        if (pid < 0 && k.n_started == 0)
            return px_fail_sys(err, -errno, "cannot start a process");
        if (pid == 0) {
            be_server(&k, keeper);
            return 0;
        }
        if (pid > 0) {
            k.server = pid;
            k.n_started++;
            status = await_end(&k);
            if (is_over(&k, status, px_now_us() - began_us))
                break;
            if (px_now_us() - began_us > WELL_US)
                pause_s = FIRST_PAUSE_S;
            tell(status, pause_s);
        } else { /* what ended the server may have left no room yet */
            px_warning("server: cannot start a process (%s): again in %d s", strerror(errno),
                       pause_s);
        }
        pause_for(&k, pause_s);
        pause_s = pause_s * 2 < LONGEST_PAUSE_S ? pause_s * 2 : LONGEST_PAUSE_S;
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
}
