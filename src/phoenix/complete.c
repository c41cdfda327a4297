/* src/phoenix/complete.c - what may stand next on a command line */
#include "phoenix/complete.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "phoenix/args.h"
#include <string.h>

struct completion {
    const struct px_verb *program;
    const struct px_complete_names *names;
    const char *current; /* what is typed so far of the word in question */
    const char *before;  /* goes in front of each candidate: "--color=" */
    struct px_buf *out;
};

static void offer(const struct completion *c, const char *word, const char *doc) {
    if (strncmp(word, c->current, strlen(c->current)) == 0)
        px_buf_printf(c->out, "%s%s\t%s\n", c->before, word, doc ? doc : "");
}

/* Offers each word of @text, which are separated by @separator. */
static void offer_each(const struct completion *c, const char *text, const char *separator) {
    px_cleanup_free char *copy = px_strdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, separator, &save); w; w = strtok_r(NULL, separator, &save))
        offer(c, w, NULL);
}

static bool holds(const char *list, const char *word) {
    const size_t size = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == size && memcmp(p, word, size) == 0)
            return true;
    return false;
}

/* The last of "screen,jup"; what stands there already is not offered again. */
static void offer_listed(const struct completion *c, const char *text) {
    const char *comma = strrchr(c->current, ',');
    const size_t size = comma ? (size_t)(comma - c->current) + 1 : 0;
    px_cleanup_free char *listed = px_strndup(c->current, size);
    px_cleanup_free char *before = px_asprintf("%s%s", c->before, listed);
    px_cleanup_free char *copy = px_strdup(text);
    struct completion last = *c;
    last.before = before;
    last.current = c->current + size;
    char *save = NULL;
    for (char *w = strtok_r(copy, "\n", &save); w; w = strtok_r(NULL, "\n", &save))
        if (!holds(listed, w))
            offer(&last, w, NULL);
}

static void offer_values(const struct completion *c, enum px_completes what, const char *words) {
    px_cleanup(px_buf_fini) struct px_buf list = {0};
    switch (what) {
    case PX_COMPLETE_NOTHING:
        break;
    case PX_COMPLETE_FILE:
        px_buf_puts(c->out, ":files\n");
        break;
    case PX_COMPLETE_WORDS:
        offer_each(c, words, " ");
        break;
    case PX_COMPLETE_DESKTOP:
    case PX_COMPLETE_IMAGE:
    case PX_COMPLETE_RECIPE:
        c->names->add(c->names->data, what, &list);
        offer_each(c, px_buf_str(&list), "\n");
        break;
    case PX_COMPLETE_CHECKS:
        c->names->add(c->names->data, what, &list);
        offer_listed(c, px_buf_str(&list));
        break;
    }
}

static void offer_options(const struct completion *c, const struct px_verb *verb) {
    for (size_t i = 0; i < px_verb_n_options(verb); i++) {
        px_cleanup_free char *word = px_asprintf("--%s", verb->options[i].name);
        if (!verb->options[i].hidden)
            offer(c, word, verb->options[i].doc);
    }
}

static void offer_positional(const struct completion *c, const struct px_args *args) {
    const size_t n = px_verb_n_positionals(args->verb);
    const struct px_positional *last = n > 0 ? &args->verb->positionals[n - 1] : NULL;
    if (args->n_words < n)
        last = &args->verb->positionals[args->n_words];
    else if (!last || !last->many)
        return;
    offer_values(c, last->completes, last->words);
}

static const struct px_option *find(const struct px_verb *verb, const char *name, size_t size) {
    for (size_t i = 0; i < px_verb_n_options(verb); i++)
        if (strlen(verb->options[i].name) == size && memcmp(verb->options[i].name, name, size) == 0)
            return &verb->options[i];
    return NULL;
}

/* The option that @word (its --name or -n) is, NULL: none. */
static const struct px_option *option_of(const struct px_verb *program, const struct px_verb *verb,
                                         const char *word) {
    if (strncmp(word, "--", 2) == 0) {
        const size_t size = strcspn(word + 2, "=");
        const struct px_option *o = find(verb, word + 2, size);
        return o ? o : find(program, word + 2, size);
    }
    for (size_t v = 0; word[0] == '-' && word[1] && !word[2] && v < 2; v++) {
        const struct px_verb *in = v == 0 ? verb : program;
        for (size_t i = 0; i < px_verb_n_options(in); i++)
            if (in->options[i].letter == word[1])
                return &in->options[i];
    }
    return NULL;
}

static void complete_after(struct completion *c, const struct px_args *args, const char *previous,
                           bool options_ended) {
    const struct px_verb *verb = args->verb;
    const struct px_option *o =
        previous && !options_ended ? option_of(c->program, verb, previous) : NULL;
    if (o && o->arg && !strchr(previous, '=')) {
        offer_values(c, o->completes, o->words);
        return;
    }
    const char *equals = strchr(c->current, '=');
    if (!options_ended && strncmp(c->current, "--", 2) == 0 && equals) {
        px_cleanup_free char *before = px_strndup(c->current, (size_t)(equals - c->current) + 1);
        o = option_of(c->program, verb, c->current);
        c->before = before;
        c->current = equals + 1;
        if (o)
            offer_values(c, o->completes, o->words);
        return;
    }
    if (!options_ended && c->current[0] == '-') {
        offer_options(c, verb);
        if (verb != c->program)
            offer_options(c, c->program);
        return;
    }
    for (size_t i = 0; i < px_verb_n_subs(verb); i++)
        if (!verb->subs[i]->hidden)
            offer(c, verb->subs[i]->name, verb->subs[i]->summary);
    if (verb->run)
        offer_positional(c, args);
}

void px_complete(const struct px_verb *program, char *const *words, size_t n_words,
                 const struct px_complete_names *names, struct px_buf *out) {
    /* argv for the parser: the program's name and all but the word being typed. bash cuts
     * "--color=auto" at the '=': put together by leaving the '=' out. */
    px_cleanup_free char **argv = px_new0(char *, n_words + 2);
    char program_name[] = "phoenix", nothing[] = "";
    const char *current = nothing;
    int argc = 0;
    bool options_ended = false;
    argv[argc++] = program_name;
    for (size_t i = 0; i < n_words; i++) {
        const bool cut =
            strcmp(words[i], "=") == 0 && argc > 1 && strncmp(argv[argc - 1], "--", 2) == 0;
        if (i + 1 == n_words)
            current = cut ? nothing : words[i];
        else if (!cut)
            argv[argc++] = words[i];
    }
    for (int i = 1; i < argc; i++)
        options_ended |= strcmp(argv[i], "--") == 0;
    px_cleanup(px_args_fini) struct px_args args = {0};
    px_args_parse(program, argc, argv, &args, NULL); /* as far as it makes sense */
    struct completion c = {program, names, current, "", out};
    complete_after(&c, &args, argc > 1 ? argv[argc - 1] : NULL, options_ended);
}
