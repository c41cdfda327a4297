/* src/host/terminal/shell.h - a login shell of the desktop's user on a terminal of its own */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <sys/types.h>

/* Returns its pid; *fd: the terminal, not blocking, the caller's. -ENOENT: the user has no shell.
 */
pid_t px_shell_start(unsigned rows, unsigned cols, int *fd, struct px_error *err);
void px_shell_set_size(int fd, unsigned rows, unsigned cols); /* at most 1000 each */
/* How much of @text can be shown: all but the beginning of a character at its end. Pure. */
size_t px_utf8_whole(const char *text, size_t size);
