/* src/phoenix-server/admin.h - the table of admin commands: for the socket, and for the client's
 * help. Main thread. */
#pragma once
#include "base/error.h"
#include <jansson.h>
#include <stdio.h>

struct server;

struct admin_call {
    struct server *server;
    json_t *args;   /* strings, lent */
    json_t *result; /* of the caller to release; NULL: nothing to tell */
};

/* Does what @request asks for. Any error is for the one who asked. */
int admin_execute(struct admin_call *c, const json_t *request, struct px_error *err);

/* What "help" answers; the caller's. */
json_t *admin_commands(void);
void admin_print_commands(FILE *out);
void admin_print_man(FILE *out);
