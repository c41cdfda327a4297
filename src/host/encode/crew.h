/* src/host/encode/crew.h - threads that share the parts of one picture
 *
 * They sleep between pictures; nobody spins. One owner, who works as well. */
#pragma once
#include "base/cleanup.h"

struct px_crew;

/* @n_threads: with the owner's; at least 1. */
struct px_crew *px_crew_new(unsigned n_threads);
void px_crew_free(struct px_crew *c);
PX_DEFINE_CLEANUP(struct px_crew *, px_crew_free)
/* Runs @work(@data, 0 .. @n - 1), each once, in any order and at the same time; returns when all
 * are done. */
void px_crew_run(struct px_crew *c, int n, void (*work)(void *data, int i), void *data);
