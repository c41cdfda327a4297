/* bench/server_load.h - what the files of server-load share; each failure ends the program */
#pragma once
#include "proto/rendezvous.h"
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

struct target {
    struct sockaddr_in addr;
    const char *key;
    int pid, seconds;
    size_t n;
};

_Noreturn void die(const char *what);
double cpu_s(int pid); /* CPU seconds of the server so far */
struct sockaddr_in source(size_t i);
int tcp_from(const struct target *t, size_t i, const struct sockaddr_in *to);
size_t encode(const struct px_rdv_msg *msg, uint8_t out[512]);
void send_frame(int fd, const uint8_t *msg, size_t size);

int64_t now_ns(void);
double us_at(const int64_t *ns, size_t n, size_t percent); /* of sorted times; 0: there are none */
void print_times(const char *what, int64_t *ns, size_t n); /* sorts them */

/* server_load_relay.c */
void relay(const struct target *t);
void echo(const struct target *t);
