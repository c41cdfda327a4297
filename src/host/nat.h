/* src/host/nat.h - what kind of NAT lies between us and the ID server
 *
 * Two TCP connections from one port of ours to two ports of the server, which tells each how it
 * looks from there: the same port both times is a NAT that can be punched through (or none).
 * Loop thread. Source: rendezvous protocol, TestNatRequest. */
#pragma once
#include "proto/addr.h"
#include <uv.h>

struct px_nat_test;

/* @done gets an enum px_nat_type once, from the loop; not after px_nat_test_cancel(). */
struct px_nat_test *px_nat_test_start(uv_loop_t *loop, const struct px_addr *server,
                                      void (*done)(void *data, int type), void *data);
void px_nat_test_cancel(struct px_nat_test *t); /* takes NULL */
