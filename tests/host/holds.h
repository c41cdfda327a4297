/* tests/host/holds.h - what a process holds: file descriptors, threads, memory of its own */
#pragma once
#include <sys/types.h>

unsigned holds_fds(pid_t pid);
unsigned holds_threads(pid_t pid);
long holds_kb(pid_t pid); /* private memory, of smaps_rollup */
