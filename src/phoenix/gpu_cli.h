/* src/phoenix/gpu_cli.h - the sub-verbs of `phoenix gpu`, one file each */
#pragma once
#include "phoenix/verb.h"

extern const struct px_verb px_verb_gpu_ls, px_verb_gpu_ready, px_verb_gpu_attach,
    px_verb_gpu_detach, px_verb_gpu_top, px_verb_gpu_check, px_verb_gpu_cdi;
