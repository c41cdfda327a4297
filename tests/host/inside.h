/* tests/host/inside.h - a phoenix-host within the test's process, on a thread of its own
 *
 * For what cannot be told from outside: encoders that fail, and what memory holds. The fixture's
 * f.port leads to it. One at a time. */
#pragma once
#include "fixture.h"
#include "host/host.h"

/* @extra as for fixture_host(). @encoders: these instead of its own (NULL); taken. */
void inside_start(const char *extra, struct px_encoders *encoders);
/* A client's connection as if it had come through a server: encrypted. Takes @fd. */
void inside_adopt(int fd);
void inside_wake(void); /* its loop looks at the clock (clock.h) and does what is due */
void inside_stop(void); /* all sessions end; its memory is given back */
