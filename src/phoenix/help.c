/* src/phoenix/help.c - `--help` from the table of verbs */
#include "phoenix/help.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <string.h>

#define LEFT_MAX 26 /* columns of the left side of a list */
#define WIDTH_MAX 100

struct help {
    const struct px_verb *program;
    unsigned width;
    bool colour;
    struct px_buf *out;
};

void px_help_positional(const struct px_positional *pos, struct px_buf *out) {
    const char *dots = pos->many || pos->verbatim ? "..." : "";
    const char *dashes = pos->verbatim ? "-- " : "";
    px_buf_printf(out, pos->optional ? "[%s%s%s]" : "%s%s%s", dashes, pos->name, dots);
}

void px_help_option(const struct px_option *option, struct px_buf *out) {
    if (option->letter)
        px_buf_printf(out, "-%c, ", option->letter);
    px_buf_printf(out, "--%s", option->name);
    if (option->arg)
        px_buf_printf(out, " %s", option->arg);
}

static void heading(const struct help *h, const char *text) {
    px_buf_printf(h->out, "\n%s%s%s\n", px_colour_on(PX_BOLD, h->colour), text,
                  px_colour_off(PX_BOLD, h->colour));
}

/* "  left            doc, wrapped under itself" */
static void entry(const struct help *h, const char *left, size_t left_width, const char *doc) {
    px_cleanup(px_buf_fini) struct px_buf text = {0};
    const unsigned indent = (unsigned)left_width + 4;
    px_text_wrap(&text, doc, indent, h->width);
    const size_t used = px_text_width(left);
    if (used > left_width) {
        px_buf_printf(h->out, "  %s\n%s", left, px_buf_str(&text));
        return;
    }
    px_buf_printf(h->out, "  %s%*s%s", left, (int)(left_width - used + 2), "",
                  px_buf_str(&text) + indent);
}

static size_t fit(size_t width) {
    return width > LEFT_MAX ? LEFT_MAX : width;
}

static void add_subs(const struct help *h, const struct px_verb *verb) {
    size_t left = 0;
    for (size_t i = 0; i < px_verb_n_subs(verb); i++)
        if (!verb->subs[i]->hidden && strlen(verb->subs[i]->name) > left)
            left = strlen(verb->subs[i]->name);
    heading(h, "Commands");
    for (size_t i = 0; i < px_verb_n_subs(verb); i++)
        if (!verb->subs[i]->hidden)
            entry(h, verb->subs[i]->name, fit(left), verb->subs[i]->summary);
}

static void add_positionals(const struct help *h, const struct px_verb *verb) {
    size_t left = 0;
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++)
        if (strlen(verb->positionals[i].name) > left)
            left = strlen(verb->positionals[i].name);
    heading(h, "Arguments");
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++)
        entry(h, verb->positionals[i].name, fit(left), verb->positionals[i].doc);
}

static void add_options(const struct help *h, const char *title, const struct px_verb *verb) {
    size_t left = 0;
    heading(h, title);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < px_verb_n_options(verb); i++) {
            px_cleanup(px_buf_fini) struct px_buf name = {0};
            px_help_option(&verb->options[i], &name);
            if (verb->options[i].hidden)
                continue;
            if (pass == 0)
                left = name.size > left ? name.size : left;
            else
                entry(h, px_buf_str(&name), fit(left), verb->options[i].doc);
        }
}

static void add_examples(const struct help *h, const struct px_verb *verb) {
    heading(h, "Examples");
    for (size_t i = 0; i < PX_VERB_EXAMPLES_MAX && verb->examples[i].command; i++) {
        px_buf_printf(h->out, "  %s\n", verb->examples[i].command);
        px_text_wrap(h->out, verb->examples[i].doc, 6, h->width);
    }
}

static void add_usage(const struct help *h, const struct px_verb *verb) {
    px_cleanup_free char *path = px_verb_path(h->program, verb);
    px_buf_printf(h->out, "Usage: %s", path);
    if (px_verb_n_options(verb) > 0)
        px_buf_puts(h->out, " [OPTIONS]");
    if (verb->subs)
        px_buf_puts(h->out, " COMMAND ...");
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++) {
        px_buf_putc(h->out, ' ');
        px_help_positional(&verb->positionals[i], h->out);
    }
    px_buf_putc(h->out, '\n');
}

void px_help_render(const struct px_verb *program, const struct px_verb *verb, unsigned width,
                    bool colour, struct px_buf *out) {
    if (width == 0)
        width = 80;
    const struct help h = {program, width > WIDTH_MAX ? WIDTH_MAX : width, colour, out};
    add_usage(&h, verb);
    px_cleanup_free char *summary = px_asprintf("%s.", verb->summary);
    if (summary[0] >= 'a' && summary[0] <= 'z')
        summary[0] = (char)(summary[0] - 'a' + 'A');
    px_text_wrap(out, summary, 0, h.width);
    if (verb->description) {
        px_buf_putc(out, '\n');
        px_text_wrap(out, verb->description, 0, h.width);
    }
    if (verb->subs)
        add_subs(&h, verb);
    if (px_verb_n_positionals(verb) > 0)
        add_positionals(&h, verb);
    if (verb != program && px_verb_n_options(verb) > 0)
        add_options(&h, "Options", verb);
    if (verb->examples[0].command)
        add_examples(&h, verb);
    if (verb->exits) {
        heading(&h, "Exit code");
        px_text_wrap(out, verb->exits, 2, h.width);
    }
    if (verb == program)
        add_options(&h, "Options of every command", verb);
    else
        px_buf_printf(out, "\nOptions of every command: %s --help\n", program->name);
}

void px_help_print(const struct px_verb *program, const struct px_verb *verb,
                   const struct px_term *term) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_help_render(program, verb, term->width, term->colour, &out);
    px_term_write(term, out.data, out.size);
}
