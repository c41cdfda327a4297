/* src/rendezvous/keyfile.h - the server's Ed25519 pair, in the files of the official server
 *
 *     id_ed25519      base64 of 64 bytes: seed, then public key; mode 0600
 *     id_ed25519.pub  base64 of the public key: what users type into their clients
 *
 * Source: rustdesk-server src/common.rs (file names and format). */
#pragma once
#include "base/error.h"
#include "proto/secure.h"
#include <stdbool.h>

#define PX_KEY_TEXT_MAX 256 /* with its NUL */

struct px_server_key {
    bool can_sign;
    uint8_t sk[PX_SIGN_SK_BYTES], pk[PX_SIGN_PK_BYTES];
    char expected[PX_KEY_TEXT_MAX]; /* what clients must present; "": anything */
};

/* Base64 of a public key (44 characters). */
void px_key_text(const uint8_t pk[PX_SIGN_PK_BYTES], char ret[PX_KEY_TEXT_MAX]);
/* Reads the pair in @dir_fd, or makes one where there is none. -EINVAL: the file is no key, or its
 * public half does not belong to the seed. */
int px_key_load(int dir_fd, uint8_t ret_sk[PX_SIGN_SK_BYTES], struct px_error *err);
/* Writes both files. */
int px_key_store(int dir_fd, const uint8_t sk[PX_SIGN_SK_BYTES], struct px_error *err);
/* What --key means: "-" or "_": the pair in @dir_fd is used and asked for; "": it signs, but any
 * client key passes; base64 of a secret key: that pair; any other text is asked for as it is (and
 * the pair signs if that text is its public half). */
int px_key_setup(int dir_fd, const char *option, struct px_server_key *ret, struct px_error *err);
