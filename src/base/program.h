/* src/base/program.h - finding our other programs
 *
 * They lie beside ours, in a neighbouring folder of the build tree, or where they are installed. */
#pragma once
#include "base/error.h"

/* Path of @name, the caller's. @folders: NULL-terminated, absolute, or relative to the folder of
 * the running program; tried in their order. -ENOENT: in none of them. */
int px_program_find(const char *name, const char *const *folders, char **ret, struct px_error *err);
