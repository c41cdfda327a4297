/* src/desktop/programs.h - which phoenix-host runs in each desktop
 *
 * A desktop has the folder of packaging/bundle-host.sh bound in; its program starts from a folder
 * "lib-HASH" there, and goes on as it is when a newer one comes beside it. One look at /proc serves
 * all desktops. What a desktop runs is its owner's word: only compared, never trusted. One thread.
 */
#pragma once
#include "base/cleanup.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PX_PROGRAM_HASH 16 /* hexadecimal digits */

struct px_program {
    ino_t pid_ns; /* whose it is */
    char hash[PX_PROGRAM_HASH + 1];
};

struct px_programs {
    char installed[PX_PROGRAM_HASH + 1]; /* "": none is, or it could not be read */
    struct px_program *list;
    size_t n, cap;
};

/* @bundle: as px_remote_bundle() gives it; NULL: none. */
struct px_programs *px_programs_look(const char *bundle);
struct px_programs *px_programs_free(struct px_programs *p);
PX_DEFINE_CLEANUP(struct px_programs *, px_programs_free)

/* Whether one other than the installed runs in the pid namespace. */
bool px_programs_differ(const struct px_programs *p, ino_t pid_ns);
/* Of the process @pid; 0: it has gone. */
ino_t px_programs_pid_ns(pid_t pid);

/* The HASH of the first "/lib-HASH/" in @text; false: there is none. Pure. */
bool px_program_hash(const char *text, char ret[PX_PROGRAM_HASH + 1]);
