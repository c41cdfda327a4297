/* src/base/interrupt.c - being asked to stop while at work */
#include "base/interrupt.h"
#include "base/cleanup.h"
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static _Atomic int first_signal;
static _Atomic unsigned n_signals;
static _Atomic bool catching;

static void on_signal(int sig) {
    int none = 0;
    atomic_compare_exchange_strong(&first_signal, &none, sig);
    atomic_fetch_add(&n_signals, 1);
}

void px_interrupt_catch(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    /* RESETHAND: the second one kills. No SA_RESTART: a blocking call returns and can look. */
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < PX_N_ELEMENTS(signals); i++) {
        struct sigaction before;
        /* nohup and friends: who asked us to ignore a signal is obeyed. */
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &act, NULL);
    }
    atomic_store(&catching, true);
}

bool px_interrupt_caught(void) {
    return atomic_load(&catching);
}

int px_interrupt_signal(void) {
    return atomic_load(&first_signal);
}

unsigned px_interrupt_count(void) {
    return atomic_load(&n_signals);
}

int px_interrupt_fail(struct px_error *err) {
    int sig = px_interrupt_signal();
    if (sig == SIGINT)
        return px_fail(err, -EINTR, "stopped by Ctrl-C");
    const char *name = sigabbrev_np(sig);
    return px_fail(err, -EINTR, "stopped by SIG%s", name ? name : "?");
}
