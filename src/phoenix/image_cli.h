/* src/phoenix/image_cli.h - what the sub-verbs of `phoenix image` share */
#pragma once
#include "image/build.h"
#include "phoenix/cli.h"

extern const struct px_verb px_verb_image_build, px_verb_image_lock, px_verb_image_rm,
    px_verb_image_gc;

/* A build (or lock) on the screen: progress while it goes on, the end of its log when it failed. */
struct px_image_work {
    struct px_progress *progress;
    const char *recipe; /* lent by the words */
    char *log;          /* where the output goes; NULL: not begun */
};

/* Fills @opts in from the verb's words and the host file; @work must outlive it. */
int px_image_work_begin(struct px_cli *cli, struct px_image_work *work, struct px_image_opts *opts,
                        struct px_error *err);
/* Ends the progress; @r is what the work returned, and is returned. */
int px_image_work_end(struct px_cli *cli, struct px_image_work *work, int r);
