/* src/host/screenshot.h - pictures that clients ask for (Message.screenshot_request)
 * Taken on a worker thread, one at a time per session; answered on the loop, also with why not.
 * Loop thread. */
#pragma once
#include "proto/session.h"

struct px_session;

void px_screenshot_request(struct px_session *s, const Pxs__ScreenshotRequest *r);
/* The session ends: what is under way is thrown away when it is done. */
void px_screenshot_forget(struct px_session *s);
