/* src/host/files/changes.h - what a client changes without a transfer
 * As the desktop's user; links are never followed by the last component. */
#pragma once
#include "proto/session.h"

/* Removes a tree of directories that holds nothing else; -ENOTEMPTY: it does. */
int px_remove_empty_dirs(const char *path);
/* @path, absolute, gets another name in its directory; -EEXIST: that is there. */
int px_rename_entry(const char *path, ProtobufCBinaryData new_name);
