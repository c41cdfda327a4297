/* src/host/files/files.h - a file transfer session: listing, both directions, resume
 *
 * Serves the files that the desktop's user may touch, as that user. A job never blocks the
 * connection: blocks are read while the queue is nearly empty. Loop thread. */
#pragma once
#include "proto/session.h"

struct px_session;
struct px_files;

/* Sends the first listing. */
struct px_files *px_files_new(struct px_session *s);
void px_files_message(struct px_files *f, const Pxs__Message *m);
void px_files_dry(struct px_files *f);
void px_files_tick(struct px_files *f);
void px_files_free(struct px_files *f);
