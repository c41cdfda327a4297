/* src/phoenix/image_cli.h - sub-verbs of `phoenix image` that have a file of their own */
#pragma once
#include "phoenix/verb.h"

extern const struct px_verb px_verb_image_build, px_verb_image_lock;
