/* tests/host/ports.h - ports of loopback for what a test listens on
 *
 * Below those that the kernel gives to clients: one of these may have been another test's a moment
 * ago, or be it a moment after its listener has gone. Not thread-safe. */
#pragma once
#include <stdint.h>

/* The first of @n ports in a row that nobody has, for TCP or UDP; each call gives others. */
uint16_t ports_free(unsigned n);
/* A socket that listens (TCP, 127.0.0.1); the caller's to close. */
int ports_listen(uint16_t *ret_port);
