/* src/desktop/subid.h - our span of host ids, entered where other tools look: /etc/subuid,
 * /etc/subgid
 *
 * useradd, podman and others hand out ids that no line of these files covers. Our line is
 * "phoenix:FIRST:COUNT" in both. Source: subuid(5), subgid(5); the lock file and its protocol are
 * those of shadow's lib/commonio.c as seen from outside: FILE.lock, made by link(2), holding a pid.
 */
#pragma once
#include "desktop/idmap.h"

#define PX_SUBID_OWNER "phoenix"

struct px_subid_line {
    char owner[64];
    struct px_ids ids;
};

/* The entries of a subuid file; lines that are none (blank, comment, damaged) are passed over as
 * shadow does. Pure. The array is the caller's. */
void px_subid_parse(const char *text, size_t size, struct px_subid_line **ret, size_t *ret_n);

/* A span of @count ids that no line but our own covers: our own line's where it is large enough,
 * else the lowest from 1879048192 (0x70000000, above what systemd-nspawn takes, below 2^31, where
 * some programs see negative numbers), else from 1048576. Pure. -ENOSPC: none. */
int px_subid_choose(const struct px_subid_line *lines, size_t n, uint32_t count, struct px_ids *ret,
                    struct px_error *err);
/* -EEXIST: another owner's line overlaps @span; the message names it. Pure. */
int px_subid_check(const struct px_subid_line *lines, size_t n, struct px_ids span,
                   struct px_error *err);

/* Reads subuid and subgid of @etc_dir together. */
int px_subid_load(const char *etc_dir, struct px_subid_line **ret, size_t *ret_n,
                  struct px_error *err);
/* Makes our one line in both files of @etc_dir say @span; idempotent. count 0: removes it. */
int px_subid_write(const char *etc_dir, struct px_ids span, struct px_error *err);
