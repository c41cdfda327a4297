/* src/phoenix-host/main.c - the host program: options and wiring */
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "host/encode/av.h"
#include "host/reconfigure.h"
#include "target.h"
#include <getopt.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SETTLE_MS 200 /* several files may change together */

struct program {
    uv_loop_t loop;
    struct px_host_config config;
    struct px_host host;
    uv_signal_t term, interrupt;
    uv_fs_event_t watch; /* of the directory that the configuration lies in */
    uv_timer_t settle;
    const char *path;
    bool again; /* the configuration has changed: start anew with it */
};

static void usage(FILE *to) {
    fputs("usage: phoenix-host --config FILE [--log-level LEVEL] [--print-ports]\n"
          "       phoenix-host target|libraries\n"
          "Shows this desktop to RustDesk clients. See phoenix-host(1).\n",
          to);
}

/* What it was not linked with and opens when it needs it, but for drivers: a bundle has it, too. */
static int print_libraries(void) {
    px_cleanup_free char *path = NULL;
    struct px_error err = {0};
    int r = px_av_find(&path, &err);
    if (r >= 0) {
        puts(path);
        r = px_stdout_flush(&err);
    }
    if (r < 0)
        fprintf(stderr, "phoenix-host: %s\n", err.msg);
    return r < 0;
}

static void stop(struct program *p) {
    uv_close((uv_handle_t *)&p->term, NULL);
    uv_close((uv_handle_t *)&p->interrupt, NULL);
    uv_close((uv_handle_t *)&p->watch, NULL);
    uv_close((uv_handle_t *)&p->settle, NULL);
    px_host_stop(&p->host);
}

static void on_signal(uv_signal_t *s, int signum) {
    stop(s->data);
}

/* What cannot be taken over while sessions go on ends them; they come back by themselves. A wrong
 * configuration changes nothing. */
static void on_settled(uv_timer_t *t) {
    struct program *p = t->data;
    struct px_host_config config = {0};
    struct px_error err = {0};
    if (px_host_config_load(p->path, &config, &err) < 0) {
        px_error("the changed configuration is not taken: %s", err.msg);
        return;
    }
    p->again = !px_host_can_take(&p->host, &config);
    px_info("the configuration has changed%s", p->again ? ": starting anew" : "");
    if (!p->again)
        px_host_take(&p->host, &config);
    px_host_config_fini(&config);
    if (p->again)
        stop(p);
}

static void on_file(uv_fs_event_t *w, const char *name, int events, int status) {
    struct program *p = w->data;
    const char *slash = strrchr(p->path, '/');
    if (status == 0 && name && strcmp(name, slash ? slash + 1 : p->path) == 0)
        uv_timer_start(&p->settle, on_settled, SETTLE_MS, 0);
}

static void watch_config(struct program *p) {
    char dir[PATH_MAX];
    const char *slash = strrchr(p->path, '/');
    snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - p->path) : 1, slash ? p->path : ".");
    uv_fs_event_init(&p->loop, &p->watch);
    uv_timer_init(&p->loop, &p->settle);
    p->watch.data = p->settle.data = p;
    if (uv_fs_event_start(&p->watch, on_file, *dir ? dir : "/", 0) < 0)
        px_warning("changes of '%s' take effect at the next start", p->path);
}

static void catch_signals(struct program *p) {
    signal(SIGPIPE, SIG_IGN);
    uv_signal_init(&p->loop, &p->term);
    uv_signal_init(&p->loop, &p->interrupt);
    p->term.data = p->interrupt.data = p;
    uv_signal_start(&p->term, on_signal, SIGTERM);
    uv_signal_start(&p->interrupt, on_signal, SIGINT);
}

/* An encoder's pictures are given back to the system when it closes, instead of being kept for the
 * next one; threads that do not hold memory get no arenas of their own. */
static void tune_memory(void) {
    mallopt(M_MMAP_THRESHOLD, 1024 * 1024);
    mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
    mallopt(M_ARENA_MAX, 2);
}

static int serve(struct program *p, bool print_ports, struct px_error *err) {
    p->again = false;
    p->host = (struct px_host){0};
    p->host.loop = &p->loop;
    p->host.config = &p->config;
    uv_loop_init(&p->loop);
    int r = px_host_start(&p->host, err);
    if (r >= 0) {
        catch_signals(p);
        watch_config(p);
        for (size_t i = 0; print_ports && i < p->host.n_listeners; i++)
            printf("%d\n", px_host_port(&p->host, i));
        fflush(stdout);
    }
    uv_run(&p->loop, UV_RUN_DEFAULT);
    uv_loop_close(&p->loop);
    return r;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"log-level", required_argument, NULL, 'l'},
        {"print-ports", no_argument, NULL, 'p'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0}};
    static struct program p;
    struct px_error err = {0};
    enum px_log_level level = PX_LOG_INFO;
    const char *config = NULL;
    bool print_ports = false;
    int o;
    if (argc == 2 && strcmp(argv[1], "target") == 0)
        return px_target_main();
    if (argc == 2 && strcmp(argv[1], "libraries") == 0)
        return print_libraries();
    while ((o = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (o == 'c')
            config = optarg;
        else if (o == 'p')
            print_ports = true;
        else if (o == 'V')
            return puts("phoenix-host " PX_VERSION), 0;
        else if (o == 'h')
            return usage(stdout), 0;
        else if (o != 'l')
            return usage(stderr), 2;
        else if (px_log_parse_level(optarg, &level, &err) < 0) {
            fprintf(stderr, "phoenix-host: %s\n", err.msg);
            return 2;
        }
    }
    if (!config || optind < argc)
        return usage(stderr), 2;
    px_log_set_level(level);
    tune_memory();
    int r = px_secure_init(&err);
    p.path = config;
    do {
        if (r >= 0)
            r = px_host_config_load(config, &p.config, &err);
        if (r >= 0)
            r = serve(&p, print_ports, &err);
        px_host_config_fini(&p.config);
    } while (r >= 0 && p.again);
    if (r < 0)
        fprintf(stderr, "phoenix-host: %s%s%s%s\n", err.msg, *err.hint ? " (hint: " : "", err.hint,
                *err.hint ? ")" : "");
    return r < 0;
}
