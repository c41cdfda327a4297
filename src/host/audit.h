/* src/host/audit.h - who was here: a line when a session begins, one when it ends
 *
 *     session 987654321 began: kind=desktop from=10.0.0.9:4711 way=punched auth=password+code ...
 *     session 987654321 ended: kind=desktop from=.. seconds=61 used=input,clipboard in=.. out=..
 *     login of 987654321 refused: reason=password from=..
 *
 * To the log (the desktop's journal) and, if there is one, to the audit file. Refusals, which
 * anybody can cause, are limited to PX_AUDIT_REFUSALS a minute. Loop thread. */
#pragma once
#include <stdint.h>

#define PX_AUDIT_REFUSALS 30

struct px_host;
struct px_session;

struct px_audit {
    int fd; /* -1: none */
    int64_t minute;
    unsigned n_refusals; /* in that minute */
};

/* What a session did. */
enum px_use {
    PX_USE_INPUT = 1,
    PX_USE_CLIPBOARD = 2,
    PX_USE_AUDIO = 4,
    PX_USE_FILES = 8,
    PX_USE_TERMINAL = 16,
    PX_USE_TUNNEL = 32,
    PX_USE_SCREENSHOT = 64,
};

void px_audit_began(struct px_host *h, const struct px_session *s);
void px_audit_ended(struct px_host *h, const struct px_session *s);
void px_audit_refused(struct px_host *h, const struct px_session *s, const char *reason);
