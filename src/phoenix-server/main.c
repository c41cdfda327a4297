/* src/phoenix-server/main.c - ID server and relay for RustDesk clients */
#include "base/file.h"
#include "base/log.h"
#include "phoenix-server/server.h"
#include <stdio.h>
#include <string.h>

static int complain(const struct px_error *err, int code) {
    fprintf(stderr, "phoenix-server: %s", err->msg);
    fprintf(stderr, err->hint[0] ? " (hint: %s)\n" : "%s\n", err->hint);
    return code;
}

/* What was asked for, and could not be printed, was not done. */
static int printed(int code) {
    struct px_error err;
    return px_stdout_flush(&err) < 0 ? complain(&err, 1) : code;
}

int main(int argc, char **argv) {
    struct px_error err = {0};
    struct server s = {.dir_fd = -1};
    if (argc > 1 && strcmp(argv[1], "ctl") == 0)
        return printed(ctl_main(argc, argv));
    if (argc == 3 && strcmp(argv[1], "__man") == 0) /* for the build: fills in the manual page */
        return printed(man_main(argv[2]));
    px_config_init(&s.config);
    if (px_config_load(&s.config, argc, argv, &err) < 0) {
        px_config_fini(&s.config);
        return complain(&err, 2);
    }
    if (s.config.help || s.config.version) {
        if (s.config.help)
            px_config_help(stdout);
        else
            printf("phoenix-server %s\n", PX_VERSION);
        px_config_fini(&s.config);
        return printed(0);
    }
    int r = server_become(&s.config, &err);
    if (r == 0 && s.config.respawn && !s.config.import_dir[0])
        r = server_keep(&err);
    server_block_signals();
    if (r < 0) {
        /* told below */
    } else if (s.config.import_dir[0]) {
        r = server_import(&s, &err);
    } else {
        r = server_open(&s, &err);
        if (r == 0)
            r = server_run(&s, &err);
    }
    server_close(&s);
    return r < 0 ? complain(&err, 1) : 0;
}
