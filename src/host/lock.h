/* src/host/lock.h - locking the screen, as clients ask for it: now, or when they have left
 *
 * What locks is a program of the desktop's (lock_command; in phoenix's images lock-session), for
 * only the desktop knows what locker it has and whether its user could unlock it again. It ends
 * with 0 when the screen is locked (with --check: when it could be); else a line on its standard
 * output says why not, and the client shows that. Loop thread. */
#pragma once
#include <stdbool.h>

struct px_host;
struct px_session;

struct px_lock_run; /* the program at work; ends by itself, or with px_lock_close() */

/* A viewer without the keyboard gets nothing of all this.
 * @s wants the screen locked. Nothing happens while its last wish is at work. */
void px_lock_now(struct px_session *s);
/* @s wants it locked when it leaves: tells it once where that cannot be. */
void px_lock_check(struct px_session *s);
/* @s leaves; @last: nobody else looks at the desktop. Locks then, if anybody who left wants it. */
void px_lock_left(struct px_session *s, bool last);
/* The host ends: kills what is at work. */
void px_lock_close(struct px_host *h);
