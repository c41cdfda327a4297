/* src/phoenix-server/commands.h - what the files of the admin commands share: commands.c (the
 * table, and what is of both halves), commands_id.c, commands_relay.c. Main thread. */
#pragma once
#include "phoenix-server/admin.h"
#include "phoenix-server/server.h"

#define ADMIN_LIST_MAX 1000 /* entries of one answer */

const char *admin_arg(const struct admin_call *c, size_t i); /* NULL: there is none */
json_t *admin_addr(const struct px_addr *a);

/* commands_id.c */
int admin_on_list(struct admin_call *c, struct px_error *err);
int admin_on_find(struct admin_call *c, struct px_error *err);
int admin_on_drop(struct admin_call *c, struct px_error *err);
int admin_on_free(struct admin_call *c, struct px_error *err);
int admin_on_relays(struct admin_call *c, struct px_error *err);
int admin_on_always_relay(struct admin_call *c, struct px_error *err);
int admin_on_punches(struct admin_call *c, struct px_error *err);
int admin_on_ip_changes(struct admin_call *c, struct px_error *err);

/* commands_relay.c */
int admin_on_usage(struct admin_call *c, struct px_error *err);
int admin_on_bandwidth(struct admin_call *c, struct px_error *err);
int admin_on_listed(struct admin_call *c, struct px_error *err);
