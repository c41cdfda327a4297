/* src/phoenix-server/config.h - options: one table for flags, the file, --help and the man page
 *
 * Every option has the same name as a flag (--port=21116) and in the file (port = 21116); a flag
 * wins over the file, the file over the default. Texts belong to the config. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "proto/addr.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PX_CONFIG_PROXIES_MAX 16

struct px_config {
    char *bind, *key, *only, *data_dir, *relay_servers, *rendezvous_servers, *mask, *local_ip;
    char *trusted_proxies, *admin_socket, *metrics, *log_level, *host, *answer_check;
    char *config_file, *import_dir;
    uint64_t port, relay_port, threads, serial, uid;
    uint64_t max_peers, max_connections, max_waiting, connections_per_source, connection_rate;
    uint64_t register_burst, register_ids_per_day, udp_probe_rate, rmem;
    uint64_t total_bandwidth, single_bandwidth, limit_speed; /* kbit/s, 0: none */
    uint64_t online_seconds, idle_seconds, keepalive_seconds, wait_seconds, drain_seconds;
    bool always_use_relay, open_relay_requests, http, respawn;
    bool help, version; /* flags only */
};

enum px_option_kind { PX_OPTION_TEXT, PX_OPTION_NUMBER, PX_OPTION_MBIT, PX_OPTION_YESNO };
struct px_option {
    const char *name;
    char letter; /* 0: none */
    enum px_option_kind kind;
    uint16_t offset;
    const char *fallback; /* the default, as text */
    uint64_t min, max;    /* of a number */
    const char *value, *help;
};
extern const struct px_option px_options[];
extern const size_t px_n_options;

void px_config_init(struct px_config *c);
void px_config_fini(struct px_config *c);
/* -EINVAL: the message names the word and what was expected. */
int px_config_flags(struct px_config *c, int argc, char **argv, struct px_error *err);
/* @text is the content of file @name; options in @given (bit per table entry) stay as they are. */
int px_config_parse(struct px_config *c, const char *name, const char *text, uint64_t given,
                    struct px_error *err);
/* Flags, then the file they name or the default one where it exists. */
int px_config_load(struct px_config *c, int argc, char **argv, struct px_error *err);
void px_config_help(FILE *out);
