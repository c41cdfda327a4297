/* src/base/step.c - named steps of long work, where a test can strike */
#include "base/step.h"
#include "base/cleanup.h"
#include "base/interrupt.h"
#include "base/log.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    int sig;
} signals[] = {{"KILL", SIGKILL}, {"TERM", SIGTERM}, {"INT", SIGINT}, {"STOP", SIGSTOP}};

int px_step(const char *name, struct px_error *err) {
    px_debug("step %s", name);
    const char *want = getenv("PHOENIX_TEST_STEP");
    const size_t n = strlen(name);
    if (!want || strncmp(want, name, n) != 0 || want[n] != '=')
        return px_interrupted() ? px_interrupt_fail(err) : 0;
    for (size_t i = 0; i < PX_N_ELEMENTS(signals); i++)
        if (strcmp(want + n + 1, signals[i].word) == 0)
            kill(getpid(), signals[i].sig);
    if (strcmp(want + n + 1, "ERROR") == 0)
        return px_fail(err, -EIO, "step %s was told to fail by PHOENIX_TEST_STEP", name);
    return px_interrupted() ? px_interrupt_fail(err) : 0;
}
