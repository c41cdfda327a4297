/* src/phoenix/image_cli.c - what the sub-verbs of `phoenix image` share */
#include "phoenix/image_cli.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/interrupt.h"
#include <string.h>

#define TAIL_LINES 25 /* of the log, when it went wrong */

static void on_progress(void *data, const struct px_image_progress *p) {
    struct px_image_work *w = data;
    px_cleanup_free char *text = strcmp(p->recipe, w->recipe) == 0
                                     ? px_strdup(p->stage)
                                     : px_asprintf("%s: %s", p->recipe, p->stage);
    px_progress_set(w->progress, w->recipe, p->fraction, text, p->item);
}

static void on_log(void *data, const char *path) {
    struct px_image_work *w = data;
    free(w->log);
    w->log = px_strdup(path);
}

static void show_log(struct px_cli *cli, const struct px_image_work *w) {
    px_cleanup_free char *tail = NULL;
    if (!w->log || px_image_log_tail(w->log, TAIL_LINES, &tail, NULL) < 0)
        return;
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    px_buf_printf(&text, "--- the last lines of %s\n", w->log);
    for (char *save = NULL, *l = strtok_r(tail, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
        px_text_add(&text, l, 0);
        px_buf_putc(&text, '\n');
    }
    px_buf_puts(&text, "---\n");
    px_fd_write_all(cli->err.fd, text.data, text.size);
}

int px_image_work_begin(struct px_cli *cli, struct px_image_work *work, struct px_image_opts *opts,
                        struct px_error *err) {
    const struct px_host_spec *host = NULL;
    int r = px_cli_host(cli, &host, err);
    if (r < 0)
        return r;
    *work = (struct px_image_work){.progress = px_progress_new(&cli->err, cli->quiet),
                                   .recipe = cli->args.words[0]};
    *opts = (struct px_image_opts){
        .state_dir = host->state_dir,
        .recipes_dir = px_host_recipes_dir(host),
        .recipe = work->recipe,
        .wait_ms = -1,
        .on_progress = on_progress,
        .on_log = on_log,
        .data = work,
    };
    px_interrupt_catch();
    return 0;
}

int px_image_work_end(struct px_cli *cli, struct px_image_work *work, int r) {
    work->progress = px_progress_free(work->progress);
    /* These say it all in one line; the log would only hide it. */
    if (r < 0 && r != -EINTR && r != -ENOENT && r != -EAGAIN && r != -EINVAL)
        show_log(cli, work);
    free(work->log);
    work->log = NULL;
    if (r == -EINVAL)
        px_cli_bad_input(cli, r);
    return r;
}
