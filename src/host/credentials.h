/* src/host/credentials.h - what a client can prove, and what is remembered of it
 *
 *     password         the desktop's own
 *     one-time         made by `phoenix connect --one-time`; good for one login, and for the
 *                      reconnections of that client until it has been away for 30 s
 *     trusted device   a client that gave a right code and asked not to be asked again: 90 days
 *
 * In the state directory (config.h): used-one-time, trusted-devices; hashes only. Loop thread. */
#pragma once
#include "host/config.h"
#include <stddef.h>

struct px_credentials;

struct px_credentials *px_credentials_new(const struct px_host_config *c); /* lent for its life */
void px_credentials_free(struct px_credentials *c);

/* As a client calls itself; texts and bytes are lent. */
struct px_asker {
    const char *my_id, *my_name, *platform;
    const uint8_t *hwid;
    size_t hwid_size;
    uint64_t session_id; /* of all connections that are one session of its user; 0: none */
};

enum px_proof { PX_PROOF_WRONG, PX_PROOF_PASSWORD, PX_PROOF_ONE_TIME, PX_PROOF_RESUMED };

/* Judges @proof in a time that does not tell how much of it was right. A one-time password is used
 * up by it. */
enum px_proof px_credentials_check(struct px_credentials *c, const struct px_asker *who,
                                   const char *challenge, const uint8_t *proof, size_t size);

/* @who is in (both factors, if there are two); returns a handle for px_credentials_left(), or 0. */
uint64_t px_credentials_entered(struct px_credentials *c, const struct px_asker *who);
void px_credentials_left(struct px_credentials *c, uint64_t handle);
/* Nobody resumes from here on, and no code counts as used. */
void px_credentials_forget_sessions(struct px_credentials *c);
/* The same session was in a moment ago, with its second factor. */
bool px_credentials_resumes(const struct px_credentials *c, const struct px_asker *who);

/* @who gives the right code of @step (px_totp_check). False: another client came in with it. What a
 * client is called counts, not where it is: each window that is opened from a client's main page
 * asks for a code, and its way may be another. Forgotten when the host starts anew. */
bool px_credentials_spend(struct px_credentials *c, const struct px_asker *who, int64_t step);

void px_credentials_trust(struct px_credentials *c, const struct px_asker *who, int64_t now_s);
bool px_credentials_trusted(const struct px_credentials *c, const struct px_asker *who,
                            int64_t now_s);
