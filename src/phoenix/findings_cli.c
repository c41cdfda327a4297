/* src/phoenix/findings_cli.c - findings of doctor (and its likes) on the screen */
#include "phoenix/findings_cli.h"
#include "base/alloc.h"
#include "check/verify.h"
#include <jansson.h>

static enum px_colour colour_of(enum px_verdict verdict) {
    switch (verdict) {
    case PX_VERDICT_OK:
        return PX_GOOD;
    case PX_VERDICT_WARN:
        return PX_WARN;
    case PX_VERDICT_FAIL:
        return PX_BAD;
    case PX_VERDICT_SKIP:
        return PX_DIM;
    }
    return PX_PLAIN;
}

struct widths {
    size_t desktop, subject; /* desktop 0: no such column */
};

static void widen(size_t *width, const char *text) {
    const size_t w = px_text_width(text);
    *width = w > *width ? w : *width;
}

static void print_one(struct px_cli *cli, const char *desktop, const struct px_finding *f,
                      const struct widths *w) {
    px_cleanup(px_buf_fini) struct px_buf line = {0};
    const bool colour = cli->out.colour;
    const int margin = (int)(w->subject + 8 + (desktop ? w->desktop + 2 : 0));
    if (desktop)
        px_buf_printf(&line, "%-*s  ", (int)w->desktop, desktop);
    px_buf_printf(&line, "%s%-4s%s  ", px_colour_on(colour_of(f->verdict), colour),
                  px_verdict_word(f->verdict), px_colour_off(colour_of(f->verdict), colour));
    const size_t used = px_text_add(&line, f->subject, 0);
    px_buf_printf(&line, "%*s  ", (int)(w->subject - used), "");
    px_text_add(&line, f->text, 0);
    px_buf_putc(&line, '\n');
    if (f->fix) {
        px_buf_printf(&line, "%*s%sfix: ", margin, "", px_colour_on(PX_DIM, colour));
        px_text_add(&line, f->fix, 0);
        px_buf_printf(&line, "%s\n", px_colour_off(PX_DIM, colour));
    }
    px_cli_puts(cli, px_buf_str(&line));
}

/* With --quiet only what is not well. */
static bool is_shown(const struct px_cli *cli, const struct px_finding *f) {
    return !cli->quiet || f->verdict == PX_VERDICT_WARN || f->verdict == PX_VERDICT_FAIL;
}

int px_cli_print_findings(struct px_cli *cli, const struct px_findings *list) {
    const size_t n_bad = px_findings_count(list, PX_VERDICT_FAIL);
    const size_t n_warn = px_findings_count(list, PX_VERDICT_WARN);
    struct widths w = {0};
    for (size_t i = 0; i < list->n; i++)
        widen(&w.subject, list->items[i].subject);
    if (cli->json)
        px_cli_json(cli, px_findings_to_json(list));
    for (size_t i = 0; i < list->n && !cli->json; i++)
        if (is_shown(cli, &list->items[i]))
            print_one(cli, NULL, &list->items[i], &w);
    if (!cli->json && !cli->quiet)
        px_cli_note(cli, "%zu to mend, %zu to look at", n_bad, n_warn);
    return n_bad > 0 ? PX_EXIT_FINDINGS : PX_EXIT_DONE;
}

/* Calls @each for every finding there is. */
static void for_each(const struct px_verify_result *results, size_t n,
                     void (*each)(void *data, const char *desktop, const struct px_finding *f),
                     void *data) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < results[i].n; k++) {
            const struct px_findings *list = &results[i].outcomes[k].findings;
            for (size_t m = 0; m < list->n; m++)
                each(data, results[i].name, &list->items[m]);
        }
}

struct verify_print {
    struct px_cli *cli;
    struct widths w;
};

static void measure_it(void *data, const char *desktop, const struct px_finding *f) {
    struct verify_print *p = data;
    widen(&p->w.desktop, desktop);
    widen(&p->w.subject, f->subject);
}

static void print_it(void *data, const char *desktop, const struct px_finding *f) {
    const struct verify_print *p = data;
    if (is_shown(p->cli, f))
        print_one(p->cli, desktop, f, &p->w);
}

int px_cli_print_verify(struct px_cli *cli, const struct px_verify_result *results, size_t n) {
    const size_t n_bad = px_verify_count(results, n, PX_VERDICT_FAIL);
    struct verify_print p = {.cli = cli};
    if (cli->json) {
        px_cli_json(cli, px_verify_to_json(results, n));
    } else {
        for_each(results, n, measure_it, &p);
        for_each(results, n, print_it, &p);
    }
    if (!cli->json && !cli->quiet)
        px_cli_note(cli, "%zu to mend, %zu to look at", n_bad,
                    px_verify_count(results, n, PX_VERDICT_WARN));
    return n_bad > 0 ? PX_EXIT_FINDINGS : PX_EXIT_DONE;
}
