/* src/phoenix/verbs.h - the verbs there are, one file each */
#pragma once
#include "phoenix/verb.h"

extern const struct px_verb px_verb_help;
extern const struct px_verb px_verb_complete; /* hidden: candidates for the shells' completion */
extern const struct px_verb px_verb_man;      /* hidden: the man page, at build time */
