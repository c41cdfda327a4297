/* src/spec/diff.h - what changed between two specs of one desktop, and what it takes to apply it
 *
 * Pure; any thread. */
#pragma once
#include "base/cleanup.h"
#include "spec/desktop.h"

enum px_effect {                    /* in rising order: the strongest of a diff decides */
                 PX_EFFECT_LIVE,    /* memory, cores, pids, a larger disk, autostart, remote */
                 PX_EFFECT_RESTART, /* mounts, network, gpus, shm, nesting, fuse, display, keyboard,
                                       jupyter */
                 PX_EFFECT_REPLACE, /* image, user, timezone, a smaller disk, disk limit given or
                                       taken: a new root */
};

struct px_spec_change {
    const char *key;           /* the file's key, "network.address"; static */
    char *old_text, *new_text; /* as one would write it in the file: "4GiB", "none" */
    enum px_effect effect;
};

struct px_spec_diff {
    struct px_spec_change *changes;
    size_t n;
    enum px_effect effect; /* the strongest; only where n > 0 */
};

/* Names and lines are not compared. n is 0 where nothing differs. */
struct px_spec_diff *px_spec_diff_new(const struct px_desktop_spec *old_spec,
                                      const struct px_desktop_spec *new_spec);
/* Adds a change that is not in the specs (an image rebuilt under the same name). Texts are copied.
 */
void px_spec_diff_add(struct px_spec_diff *diff, const char *key, const char *old_text,
                      const char *new_text, enum px_effect effect);
struct px_spec_diff *px_spec_diff_free(struct px_spec_diff *diff);
PX_DEFINE_CLEANUP(struct px_spec_diff *, px_spec_diff_free)
const char *px_effect_word(enum px_effect effect); /* "live", "restart", "replace" */
