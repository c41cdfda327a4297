/* src/phoenix/verbs.h - the verbs there are, one file each */
#pragma once
#include "phoenix/verb.h"

extern const struct px_verb px_verb_up, px_verb_plan, px_verb_ls, px_verb_show, px_verb_start,
    px_verb_stop, px_verb_restart, px_verb_rm, px_verb_shell, px_verb_exec, px_verb_logs,
    px_verb_screenshot, px_verb_connect, px_verb_probe, px_verb_verify, px_verb_image, px_verb_gpu,
    px_verb_net, px_verb_doctor, px_verb_schema, px_verb_help;
extern const struct px_verb px_verb_complete; /* hidden: candidates for the shells' completion */
extern const struct px_verb px_verb_man;      /* hidden: the man page, at build time */
