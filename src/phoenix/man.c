/* src/phoenix/man.c - the man page from the table of verbs */
#include "phoenix/man.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "phoenix/help.h"
#include <ctype.h>
#include <string.h>

/* Text that mdoc takes as it stands: no macro at the start of a line, no escape, no hyphen that
 * turns into a dash. @size bytes. */
static void add_text(struct px_buf *out, const char *text, size_t size) {
    bool line_start = true;
    for (size_t i = 0; i < size; i++) {
        if (line_start && (text[i] == '.' || text[i] == '\''))
            px_buf_puts(out, "\\&");
        /* roff wants each sentence on a line of its own, to space it. */
        const bool sentence_ends = text[i] == ' ' && i > 0 && strchr(".?!", text[i - 1]);
        line_start = text[i] == '\n' || sentence_ends;
        if (text[i] == '\\')
            px_buf_puts(out, "\\e");
        else if (sentence_ends)
            px_buf_putc(out, '\n');
        else if (text[i] == '-')
            px_buf_puts(out, "\\-");
        else
            px_buf_putc(out, text[i]);
    }
}

static void add_paragraphs(struct px_buf *out, const char *text) {
    while (*text) {
        const char *end = strstr(text, "\n\n");
        const size_t size = end ? (size_t)(end - text) : strlen(text);
        add_text(out, text, size);
        px_buf_putc(out, '\n');
        text += size;
        if (end)
            px_buf_puts(out, ".Pp\n");
        text += strspn(text, "\n");
    }
}

/* "Fl x , Fl -long Ar ARG" */
static void add_option_macro(struct px_buf *out, const struct px_option *o) {
    if (o->letter)
        px_buf_printf(out, "Fl %c , ", o->letter);
    px_buf_printf(out, "Fl -%s", o->name);
    if (o->arg)
        px_buf_printf(out, " Ar %s", o->arg);
}

static void add_options(struct px_buf *out, const struct px_verb *verb) {
    if (px_verb_n_options(verb) == 0)
        return;
    px_buf_puts(out, ".Bl -tag -width Ds -compact\n");
    for (size_t i = 0; i < px_verb_n_options(verb); i++) {
        const struct px_option *o = &verb->options[i];
        if (o->hidden)
            continue;
        px_buf_puts(out, ".It ");
        add_option_macro(out, o);
        px_buf_putc(out, '\n');
        add_paragraphs(out, o->doc);
    }
    px_buf_puts(out, ".El\n");
}

static void add_positionals(struct px_buf *out, const struct px_verb *verb) {
    if (px_verb_n_positionals(verb) == 0)
        return;
    px_buf_puts(out, ".Pp\n.Bl -tag -width Ds -compact\n");
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++) {
        px_buf_printf(out, ".It Ar %s\n", verb->positionals[i].name);
        add_paragraphs(out, verb->positionals[i].doc);
    }
    px_buf_puts(out, ".El\n");
}

static void add_examples(struct px_buf *out, const struct px_verb *verb) {
    for (size_t i = 0; i < PX_VERB_EXAMPLES_MAX && verb->examples[i].command; i++) {
        px_buf_puts(out, ".Pp\n.Dl ");
        add_text(out, verb->examples[i].command, strlen(verb->examples[i].command));
        px_buf_puts(out, "\n.Pp\n");
        add_paragraphs(out, verb->examples[i].doc);
    }
}

static void add_command(const struct px_verb *program, const struct px_verb *verb,
                        struct px_buf *out) {
    px_cleanup_free char *path = px_verb_path(program, verb);
    px_buf_puts(out, ".Ss ");
    add_text(out, path, strlen(path));
    for (size_t i = 0; i < px_verb_n_positionals(verb); i++) {
        px_cleanup(px_buf_fini) struct px_buf pos = {0};
        px_help_positional(&verb->positionals[i], &pos);
        px_buf_putc(out, ' ');
        add_text(out, px_buf_str(&pos), pos.size);
    }
    px_buf_putc(out, '\n');
    px_cleanup_free char *summary = px_asprintf("%s.", verb->summary);
    summary[0] = (char)toupper((unsigned char)summary[0]);
    add_paragraphs(out, summary);
    if (verb->description) {
        px_buf_puts(out, ".Pp\n");
        add_paragraphs(out, verb->description);
    }
    add_positionals(out, verb);
    if (px_verb_n_options(verb) > 0)
        px_buf_puts(out, ".Pp\n");
    add_options(out, verb);
    add_examples(out, verb);
    if (verb->exits) {
        px_buf_puts(out, ".Pp\nExit code: ");
        add_paragraphs(out, verb->exits);
    }
}

static void add_commands(const struct px_verb *program, const struct px_verb *group,
                         struct px_buf *out) {
    for (size_t i = 0; i < px_verb_n_subs(group); i++) {
        const struct px_verb *verb = group->subs[i];
        if (verb->hidden)
            continue;
        if (verb->subs)
            add_commands(program, verb, out);
        else
            add_command(program, verb, out);
    }
}

void px_man_render(const struct px_verb *program, const char *template_text, struct px_buf *out) {
    while (*template_text) {
        const size_t size = strcspn(template_text, "\n");
        if (strncmp(template_text, "@OPTIONS@", size) == 0 && size > 1)
            add_options(out, program);
        else if (strncmp(template_text, "@COMMANDS@", size) == 0 && size > 1)
            add_commands(program, program, out);
        else {
            px_buf_add(out, template_text, size);
            px_buf_putc(out, '\n');
        }
        template_text += size + (template_text[size] == '\n');
    }
}
