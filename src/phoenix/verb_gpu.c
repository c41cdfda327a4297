/* src/phoenix/verb_gpu.c - `phoenix gpu` */
#include "phoenix/gpu_cli.h"
#include "phoenix/verbs.h"

const struct px_verb px_verb_gpu = {
    .name = "gpu",
    .summary = "this machine's NVIDIA cards, and who has them",
    .subs = (const struct px_verb *const[]){&px_verb_gpu_ls, &px_verb_gpu_top, &px_verb_gpu_attach,
                                            &px_verb_gpu_detach, &px_verb_gpu_check,
                                            &px_verb_gpu_ready, &px_verb_gpu_cdi, NULL},
};
