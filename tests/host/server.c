/* tests/host/server.c - a phoenix-server on loopback, and clients that come through it */
#include "server.h"
#include "base/clock.h"
#include "fixture.h"
#include "ports.h"
#include "session/reach.h"
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

static pid_t pid;
static char address[32], config[192], key[64];
static int port;

static bool is_up(void *data) {
    struct px_client *c = NULL;
    const struct px_addr to = px_addr_v4(127, 0, 0, 1, (uint16_t)port);
    if (px_client_connect(&to, SECOND, &c, NULL) < 0)
        return false;
    px_client_close(c);
    return true;
}

void server_start(void) {
    char data[160], port_arg[32], relay_arg[64], socket_arg[160];
    const bool first = port == 0;
    if (first) {
        port = ports_free(6) + 2; /* from port - 2 to port + 3 */
        snprintf(data, sizeof(data), "%s/server", f.dir);
        assert_int_equal(mkdir(data, 0700), 0);
    }
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    snprintf(data, sizeof(data), "--data-dir=%s/server", f.dir);
    snprintf(socket_arg, sizeof(socket_arg), "--admin-socket=%s/server/admin", f.dir);
    snprintf(port_arg, sizeof(port_arg), "--port=%d", port);
    snprintf(relay_arg, sizeof(relay_arg), "--relay-servers=127.0.0.1:%d", port + 1);
    const char *const argv[] = {getenv("PHOENIX_SERVER"),
                                data,
                                socket_arg,
                                port_arg,
                                relay_arg,
                                "--bind=127.0.0.1",
                                "--threads=1",
                                "--connection-rate=0",
                                "--connections-per-source=0",
                                "--register-burst=0",
                                NULL};
    assert_non_null(argv[0]);
    pid = run(argv);
    assert_true(wait_for(is_up, NULL, 20 * SECOND));
    if (!first)
        return;
    px_cleanup_free char *text = get_file("server/id_ed25519.pub");
    snprintf(key, sizeof(key), "%s", text);
    key[strcspn(key, "\n")] = '\0';
    assert_true(strlen(key) > 40);
    snprintf(config, sizeof(config), "\"server\": {\"address\": \"%s\", \"key\": \"%s\"}", address,
             key);
}

void server_stop(void) {
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

pid_t server_pid(void) {
    return pid;
}

const char *server_config(void) {
    return config;
}

/* A host takes twenty requests a second, whoever asks. */
static void pace(void) {
    static int64_t next;
    const int64_t now = px_now_us();
    if (next > now)
        px_sleep_us(next - now);
    next = px_now_us() + SECOND / 14;
}

int server_reach(bool relay, struct px_client **ret, struct px_error *err) {
    const struct px_probe_opts o = {.id = ID,
                                    .server = address,
                                    .server_key = key,
                                    .force_relay = relay,
                                    .timeout_us = 10 * SECOND};
    pace();
    const int r = px_reach(&o, ret, err);
    if (r >= 0)
        assert_true((*ret)->encrypted);
    return r;
}

struct px_client *server_dial(bool relay) {
    struct px_client *c = NULL;
    struct px_error err = {0};
    px_assert_ok_err(server_reach(relay, &c, &err), &err);
    return c;
}

static bool is_reached(void *data) {
    struct px_client *c = NULL;
    if (server_reach(true, &c, NULL) < 0)
        return false;
    px_client_close(c);
    return true;
}

void server_await_host(void) {
    assert_true(wait_for(is_reached, NULL, 90 * SECOND));
}
