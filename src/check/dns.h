/* src/check/dns.h - one question to a name server, and its answer
 *
 * Pure; any thread. Source: RFC 1035 4.1.
 *
 *     0 id   2 flags (0x8000 answer, low 4 bits result)   4 questions   6 answers   8, 10 others
 *     12 questions: name, type, class; answers: name, type, class, ttl (4), length (2), data */
#pragma once
#include "base/error.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define PX_DNS_MAX_BYTES 512

/* The question for the IPv4 address of @name. Returns its size. -EINVAL: no name of a host. */
int px_dns_ask(uint16_t id, const char *name, uint8_t out[PX_DNS_MAX_BYTES], struct px_error *err);
/* Returns the server's result, 0..15 (0: it knows the name; 3: there is no such name), *ret the
 * first address (0.0.0.0: none). -EBADMSG: no answer to question @id. */
int px_dns_parse(const uint8_t *data, size_t size, uint16_t id, struct in_addr *ret,
                 struct px_error *err);
