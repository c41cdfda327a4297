/* src/host/clipboard/cliprdr.h - files by copy and paste (Message.cliprdr)
 *
 *     copied on the desktop:  H->C format_list; then whenever the client pastes
 *                             C->H format_data_request (descriptors), file_contents_request (bytes)
 *     copied by a client:     C->H format_list, H->C format_data_request; then, when a program of
 *                             the desktop pastes, H->C file_contents_request until all is here
 *
 * No virtual file system (that needs /dev/fuse, which unprivileged containers do not have): a paste
 * waits until the files are here. Loop thread. */
#pragma once
#include "host/clipboard/uris.h"
#include "proto/session.h"
#include <stdbool.h>

struct px_host;
struct px_session;
struct px_cliprdr;

struct px_cliprdr_ops {
    void (*offered)(void *data);   /* a client copied files: the desktop may have them */
    void (*withdrawn)(void *data); /* and now it may not any more */
    void (*fetched)(void *data);   /* what px_cliprdr_get() began has ended */
};

struct px_cliprdr *px_cliprdr_new(struct px_host *h, const struct px_cliprdr_ops *ops, void *data);
void px_cliprdr_free(struct px_cliprdr *c);
/* Whether this client wants files, and may have them. */
bool px_cliprdr_takes(const struct px_session *s);
void px_cliprdr_message(struct px_cliprdr *c, struct px_session *from, const Pxs__Cliprdr *m);
/* The desktop's clipboard holds these files; taken. */
void px_cliprdr_copied(struct px_cliprdr *c, struct px_paths *paths);
/* The clipboard holds something else now. */
void px_cliprdr_forget(struct px_cliprdr *c);
void px_cliprdr_left(struct px_cliprdr *c, const struct px_session *s);
/* What a client copied: 1: *ret (lent) is here; 0: not yet, ops->fetched will tell; -ENOENT: it
 * will not come. @fetch: begins, or tries again. */
int px_cliprdr_get(struct px_cliprdr *c, bool fetch, const struct px_paths **ret);
