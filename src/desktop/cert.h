/* src/desktop/cert.h - a certificate that signs itself, for a desktop's tunnels
 * ECDSA P-256, for "localhost" and the desktop's name, 825 days. Source: RFC 5280, OpenSSL. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define PX_CERT_FINGERPRINT_MAX (32 * 3) /* "AB:CD:..": SHA-256 as browsers show it, and NUL */

/* Both as PEM, the caller's; *ret_key is secret. */
int px_cert_make(const char *name, int64_t now_s, char **ret_cert, char **ret_key,
                 struct px_error *err);
/* -EINVAL: not a certificate. */
int px_cert_fingerprint(const char *pem, char ret[PX_CERT_FINGERPRINT_MAX], struct px_error *err);
/* Whether it is one, and good for 60 days more. */
bool px_cert_lasts(const char *pem, int64_t now_s);
