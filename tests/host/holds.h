/* tests/host/holds.h - what a process holds: file descriptors, threads, memory of its own */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

unsigned holds_fds(pid_t pid);
unsigned holds_threads(pid_t pid);
long holds_kb(pid_t pid);       /* private memory, of smaps_rollup */
long holds_dirty_kb(pid_t pid); /* of that what was written to, so that no program may share it */
long holds_pss_kb(pid_t pid);   /* with its share of what it has together with others */
bool holds_mapped(pid_t pid, const char *name); /* in its address space, by a part of the name */
