/* src/image/digest.h - the digest of a layer, and making a tree fit for one
 *
 * The digest is sha256 over a canonical text that names everything in the tree which a container
 * can see, see docs/image-format.md for it. Same content, same digest, wherever the tree lies;
 * times of access and change, inode numbers and block allocation do not count. Any thread; one call
 * may use several threads. Source: EVP_DigestInit(3). */
#pragma once
#include "base/error.h"
#include "image/image.h"
#include <stdbool.h>
#include <stdint.h>

struct px_tree_digest {
    char digest[PX_DIGEST_TEXT_MAX]; /* "sha256:..." */
    uint64_t size_bytes;             /* files and directories, in blocks of 4 KiB */
    uint64_t n_entries;
};

/* @n_threads 0: one per core. @text_fd: the canonical text is written there, too (-1: nowhere). */
int px_tree_digest(const char *tree, unsigned n_threads, int text_fd, struct px_tree_digest *ret,
                   struct px_error *err);

/* "sha256:..." of some bytes. */
void px_digest_bytes(const void *data, size_t size, char ret[PX_DIGEST_TEXT_MAX]);
/* 64 hex digits of a file's content. */
int px_digest_file(int dir_fd, const char *path, char ret_hex[65], struct px_error *err);
/* Whether @text is "sha256:" and 64 lower case hex digits; only then is it used in a path. */
bool px_digest_valid(const char *text);
/* Whether @text is 64 lower case hex digits. */
bool px_digest_hex_valid(const char *text);
