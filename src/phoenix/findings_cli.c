/* src/phoenix/findings_cli.c - findings of doctor (and its likes) on the screen */
#include "phoenix/findings_cli.h"
#include "base/alloc.h"
#include <jansson.h>

static enum px_colour colour_of(enum px_verdict verdict) {
    switch (verdict) {
    case PX_VERDICT_OK:
        return PX_GOOD;
    case PX_VERDICT_WARN:
        return PX_WARN;
    case PX_VERDICT_FAIL:
        return PX_BAD;
    }
    return PX_PLAIN;
}

static void print_one(struct px_cli *cli, const struct px_finding *f, size_t subject_width) {
    px_cleanup(px_buf_fini) struct px_buf line = {0};
    const bool colour = cli->out.colour;
    px_buf_printf(&line, "%s%-4s%s  ", px_colour_on(colour_of(f->verdict), colour),
                  px_verdict_word(f->verdict), px_colour_off(colour_of(f->verdict), colour));
    const size_t used = px_text_add(&line, f->subject, 0);
    px_buf_printf(&line, "%*s  ", (int)(subject_width - used), "");
    px_text_add(&line, f->text, 0);
    px_buf_putc(&line, '\n');
    if (f->fix) {
        px_buf_printf(&line, "%*s%sfix: ", (int)subject_width + 8, "",
                      px_colour_on(PX_DIM, colour));
        px_text_add(&line, f->fix, 0);
        px_buf_printf(&line, "%s\n", px_colour_off(PX_DIM, colour));
    }
    px_cli_puts(cli, px_buf_str(&line));
}

int px_cli_print_findings(struct px_cli *cli, const struct px_findings *list) {
    const size_t n_bad = px_findings_count(list, PX_VERDICT_FAIL);
    const size_t n_warn = px_findings_count(list, PX_VERDICT_WARN);
    size_t width = 0;
    for (size_t i = 0; i < list->n; i++) {
        const size_t w = px_text_width(list->items[i].subject);
        width = w > width ? w : width;
    }
    if (cli->json)
        px_cli_json(cli, px_findings_to_json(list));
    for (size_t i = 0; i < list->n && !cli->json; i++)
        if (!cli->quiet || list->items[i].verdict != PX_VERDICT_OK)
            print_one(cli, &list->items[i], width);
    if (!cli->json && !cli->quiet)
        px_cli_note(cli, "%zu to mend, %zu to look at", n_bad, n_warn);
    return n_bad > 0 ? PX_EXIT_FINDINGS : PX_EXIT_DONE;
}
