/* bench/relay_ways.h - ways to move bytes between pairs of sockets; for relay_ways.c and
 * relay_uring.c
 *
 * Each runs for ever in a process of its own and ends it when something fails: exit code
 * WAY_FORBIDDEN where the kernel does not permit it, 1 otherwise. pairs[i]: two connected sockets.
 */
#pragma once
#include <stddef.h>

#define WAY_FORBIDDEN 3
#define CHUNK_BYTES (64 * 1024)      /* one read, when copying */
#define IN_FLIGHT_BYTES (512 * 1024) /* of one direction, at most */

_Noreturn void die(const char *what);
void way_uring(int (*pairs)[2], size_t n);        /* multishot recv into provided buffers, send */
void way_uring_zc(int (*pairs)[2], size_t n);     /* the same with send_zc */
void way_uring_splice(int (*pairs)[2], size_t n); /* poll, splice, splice: linked */
