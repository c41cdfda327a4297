/* tests/host/fixture.h - an X server, a phoenix-host in front of it, and clients
 *
 * Everything lies in a directory of its own and is gone afterwards, also when a test fails:
 * children die with this process. Ports are chosen by the kernel. */
#pragma once
#include "base/test.h"
#include "session/client.h"
#include "session/decoder.h"
#include <sys/types.h>
#include <xcb/xcb.h>

#define ID "123456789"
#define PASSWORD "correct horse battery"
#define SECOND INT64_C(1000000)
#define PATIENCE (20 * SECOND) /* for what has to come, on a busy machine too */

struct fixture {
    char dir[64], display[24];
    pid_t x_pid, host_pid;
    int port; /* of the direct listener */
    xcb_connection_t *x;
    xcb_window_t root;
    int width, height;
};

extern struct fixture f;

/* Starts the X server; exits the test program with 77 (skipped) where there is none. @dummy: Xorg
 * with the dummy driver, which can resize. */
void fixture_x(bool dummy);
/* A group setup of cmocka: just the X server, without resizing. */
int fixture_start_x(void **state);
/* Starts the host; @extra is JSON put into its configuration ("" or "\"permissions\": {..}"). */
void fixture_host(const char *extra);
/* Writes the identity and the password; $HOME and $XDG_RUNTIME_DIR are the test's folder now. */
void fixture_files(void);
/* Only writes that configuration. */
void fixture_config(const char *extra);
/* Writes it anew for a host that runs, and waits until that has seen it. */
void fixture_change(const char *extra);
void fixture_stop_host(void);
/* Kills the X server; the second one starts an Xvfb in its place. */
void fixture_end_x(void);
void fixture_x_again(void);
int fixture_end(void **state);

/* Files of f.dir; get_file's text is the caller's, "" when there is none. */
void put_file(const char *name, const char *text);
char *get_file(const char *name);
unsigned count_words(const char *text, const char *word);

/* Connected, not logged in. */
struct px_client *dial(void);
/* Logged in for the desktop; @option may be NULL. */
struct px_client *desktop(const Pxs__OptionMessage *option);
struct px_client *login(const struct px_client_login *l);
/* The next message of that kind, others are thrown away; NULL: none within @us. The caller's. */
Pxs__Message *await(struct px_client *c, Pxs__Message__ItemCase kind, int64_t us);
/* The next video frame, decoded into @d (may be NULL). */
Pxs__Message *await_frame(struct px_client *c, struct px_decoder *d, int64_t us);
/* Throws away what comes for @us. */
void drain(struct px_client *c, int64_t us);
/* The host closed the connection within @us. */
bool is_closed(struct px_client *c, int64_t us);
void send_hex(struct px_client *c, const char *hex); /* a body */
void send_option(struct px_client *c, const Pxs__OptionMessage *o);
/* Paints a rectangle of the root window. */
void paint(int x, int y, int w, int h, uint32_t rgb);
/* Starts a program on the display; killed at the end. */
pid_t run(const char *const argv[]);
/* Waits until @check holds, at most @us. */
bool wait_for(bool (*check)(void *data), void *data, int64_t us);
