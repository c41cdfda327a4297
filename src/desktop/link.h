/* src/desktop/link.h - a link that opens a desktop in a RustDesk client
 *
 *     rustdesk://connection/new/ID@SERVER?key=KEY&password=PASSWORD
 *
 * It names the server and its key, so that a client needs no settings for it; one that has the
 * server in its settings takes it as well. Pure; any thread.
 * Source: RustDesk 1.4.9, flutter/lib/common.dart (what a link is taken apart to) and src/client.rs
 * (what an ID with a server means). */
#pragma once

/* The caller's, with the password in it: to be wiped. @server: HOST or HOST:PORT;
 * NULL: the client has it, and how to get there, in its settings. */
char *px_link_make(const char *id, const char *server, const char *key, const char *password);
