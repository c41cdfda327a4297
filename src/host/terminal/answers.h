/* src/host/terminal/answers.h - what clients are told of their terminals. Loop thread. */
#pragma once
#include "proto/session.h"

struct px_session;

void px_terminal_say_opened(struct px_session *s, Pxs__TerminalOpened *o); /* @o lent */
/* Output, whole characters; compressed where that makes it smaller. */
void px_terminal_say_data(struct px_session *s, int32_t id, const uint8_t *data, size_t size);
void px_terminal_say_error(struct px_session *s, int32_t id, const char *text);
void px_terminal_say_closed(struct px_session *s, int32_t id, int code);
