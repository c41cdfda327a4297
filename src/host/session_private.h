/* src/host/session_private.h - what session.c (a session's life) and session_in.c (what comes in)
 * share. Loop thread. */
#pragma once
#include "host/session.h"

/* Every way to a login comes through here. */
void px_session_start_login(struct px_session *s);
/* Says why, and ends it. */
void px_session_refuse_unencrypted(struct px_session *s);

/* of px_conn_ops */
void px_session_on_frame(void *data, const uint8_t *body, size_t size);
void px_session_on_raw(void *data, const uint8_t *bytes, size_t size);
