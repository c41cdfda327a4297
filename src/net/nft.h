/* src/net/nft.h - commands to the kernel's nf_tables, through libnftables
 *
 * Not thread-safe (libnftables is not). Source: libnftables(3), linux/netfilter/nf_tables.h. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* Runs all commands of @text as one transaction: all or nothing. What they print is added to @out
 * (NULL: dropped), as JSON where @json.
 * -ENOENT: a table, chain or set that is named does not exist. -EOPNOTSUPP: the kernel lacks what
 * is asked for (also a whole family). -EPERM. Everything else is -EIO. */
int px_nft_run(const char *text, bool json, struct px_buf *out, struct px_error *err);

/* The kernel's count of changes to the rule set of this network namespace, ours and others'. */
int px_nft_generation(uint32_t *ret, struct px_error *err);

/* Whether the kernel has the family, "bridge" or "netdev"; asks by a dry transaction. */
bool px_nft_has_family(const char *family);
