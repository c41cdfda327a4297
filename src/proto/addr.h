/* src/proto/addr.h - an IP address with port, and its blurred form inside messages
 *
 * One normal form: IPv4 is held as ::ffff:a.b.c.d, however it came (mapped, compatible or plain),
 * so that two addresses are the same exactly when the structs are. ::1 stays IPv6, and so does a
 * "::" that somebody wrote; in a blurred address it is 0.0.0.0, as the official server reads it.
 *
 * Blurred ("mangled") IPv4: V = (port + (t mod 2^16)) + t*2^17 + (ip + t)*2^49, stored little
 * endian, trailing zero bytes stripped; t is any 32-bit number. IPv6: 16 bytes and the port, little
 * endian. The same address has many encodings: never compare the bytes. Pure functions, any thread.
 * Source: rustdesk/hbb_common src/lib.rs (AddrMangle). */
#pragma once
#include "base/error.h"
#include "proto/wire.h"
#include <sys/socket.h>

struct px_addr {
    uint8_t ip[16];
    uint16_t port;
};

#define PX_ADDR_MANGLED_MAX_BYTES 18
#define PX_ADDR_TEXT_MAX 56 /* "[....]:65535" with its NUL */

struct px_addr px_addr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);
bool px_addr_is_v4(const struct px_addr *a);
bool px_addr_is_loopback(const struct px_addr *a);
bool px_addr_equal(const struct px_addr *a, const struct px_addr *b);
bool px_addr_same_ip(const struct px_addr *a, const struct px_addr *b);

/* Total: any input gives an address, as the official server reads it. */
struct px_addr px_addr_unmangle(struct px_bytes in);
/* Returns the length, 0..18. */
size_t px_addr_mangle(const struct px_addr *a, uint32_t t, uint8_t out[PX_ADDR_MANGLED_MAX_BYTES]);

/* -EAFNOSUPPORT: neither IPv4 nor IPv6. */
int px_addr_from_sockaddr(const struct sockaddr *sa, struct px_addr *ret);
/* For a dual-stack socket (@v6) or a plain IPv4 one; returns the length to pass on. */
socklen_t px_addr_to_sockaddr(const struct px_addr *a, bool v6, struct sockaddr_storage *ret);

/* "1.2.3.4:80", "[2001:db8::1]:80"; returns @out. */
char *px_addr_text(const struct px_addr *a, char out[PX_ADDR_TEXT_MAX]);
char *px_addr_ip_text(const struct px_addr *a, char out[PX_ADDR_TEXT_MAX]);
/* An address literal with or without port (brackets round IPv6 with one). -EINVAL. */
int px_addr_parse(const char *text, uint16_t default_port, struct px_addr *ret,
                  struct px_error *err);

/* A block of addresses, "10.0.0.0/8" or one address. */
struct px_addr_block {
    uint8_t ip[16];
    uint8_t bits; /* of the 128, IPv4 counts from 96 */
};
int px_addr_block_parse(const char *text, struct px_addr_block *ret, struct px_error *err);
bool px_addr_in_block(const struct px_addr *a, const struct px_addr_block *block);
