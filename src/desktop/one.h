/* src/desktop/one.h - what is done to one desktop, step by step
 *
 * The caller holds the desktop's lock. Every function finishes what a killed one left: each step
 * looks at what is there. Steps carry names (base/step.h) where tests strike: up.files, up.create,
 * up.record, start.gpus, start.net, start.run, start.isolate, stop.run, rm.record, rm.stop, rm.net,
 * rm.destroy, rm.dir. */
#pragma once
#include "desktop/life.h"

/* From phase NEW to READY; READY already is good. */
int px_one_create(const struct px_fleet *fleet, const char *name, const struct px_events *events,
                  struct px_error *err);
/* Starts and waits as @opts say. Runs already: only waits. Remembers that it is wanted. */
int px_one_start(const struct px_fleet *fleet, const char *name, const struct px_life_opts *opts,
                 const struct px_events *events, struct px_error *err);
/* @remember: the user wants it stopped from now on. */
int px_one_stop(const struct px_fleet *fleet, const char *name, bool remember,
                const struct px_life_opts *opts, const struct px_events *events,
                struct px_error *err);
/* Also removes one that is half made, half removed or damaged. */
int px_one_remove(const struct px_fleet *fleet, const char *name, const struct px_events *events,
                  struct px_error *err);
/* The same for one that is half made, perhaps from an older file: with @spec and @source. */
int px_one_finish(const struct px_fleet *fleet, const char *name,
                  const struct px_desktop_spec *spec, const char *source,
                  const struct px_events *events, struct px_error *err);
/* Writes the new @spec (and source) into the record and what can change live into the container.
 * *ret_restart_needed: the rest takes effect at the next start. */
int px_one_update(const struct px_fleet *fleet, const char *name,
                  const struct px_desktop_spec *spec, const char *source, bool *ret_restart_needed,
                  struct px_error *err);
/* A new root over @image with the new @spec; the home stays. Leaves it stopped. */
int px_one_replace(const struct px_fleet *fleet, const char *name,
                   const struct px_desktop_spec *spec, const char *image, const char *source,
                   const struct px_life_opts *opts, const struct px_events *events,
                   struct px_error *err);
