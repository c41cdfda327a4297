/* src/phoenix/args.c - from argv to a verb, its options and its words */
#include "phoenix/args.h"
#include "base/alloc.h"
#include "base/text.h"
#include <assert.h>
#include <string.h>

struct parse {
    const struct px_verb *program;
    int argc;
    char *const *argv;
    int at;
    struct px_args *ret;
};

static void give(struct px_args *args, const struct px_option *option, const char *value) {
    px_grow(args->given, &args->cap_given, args->n_given + 1);
    args->given[args->n_given++] = (struct px_args_given){option, value};
    args->help |= strcmp(option->name, "help") == 0;
    args->version |= strcmp(option->name, "version") == 0;
}

static void add_word(struct px_args *args, const char *word) {
    px_grow(args->words, &args->cap_words, args->n_words + 1);
    args->words[args->n_words++] = word;
}

/* By long name of @size bytes, or by letter where @name is NULL. */
static const struct px_option *find_in(const struct px_verb *verb, const char *name, size_t size,
                                       char letter) {
    for (size_t i = 0; i < px_verb_n_options(verb); i++) {
        const struct px_option *o = &verb->options[i];
        if (name ? strlen(o->name) == size && memcmp(o->name, name, size) == 0
                 : o->letter == letter)
            return o;
    }
    return NULL;
}

static const struct px_option *find_option(const struct parse *p, const char *name, size_t size,
                                           char letter) {
    const struct px_option *o = find_in(p->ret->verb, name, size, letter);
    return o || p->ret->verb == p->program ? o : find_in(p->program, name, size, letter);
}

/* "phoenix up" for messages. */
static const char *said_path(const struct parse *p, char out[128]) {
    px_cleanup_free char *path = px_verb_path(p->program, p->ret->verb);
    snprintf(out, 128, "%s", path);
    return out;
}

static int fail_unknown_option(const struct parse *p, const char *name, struct px_error *err) {
    const char *names[2 * PX_VERB_OPTIONS_MAX];
    size_t n = 0;
    const struct px_verb *verbs[] = {p->ret->verb, p->program};
    for (size_t v = 0; v < 2; v++)
        for (size_t i = 0; i < px_verb_n_options(verbs[v]); i++)
            if (!verbs[v]->options[i].hidden)
                names[n++] = verbs[v]->options[i].name;
    char path[128];
    const char *near = px_suggest(name, names, n);
    px_fail(err, -EINVAL, "unknown option '--%s' for '%s'", name, said_path(p, path));
    return near ? px_hint(err, -EINVAL, "did you mean '--%s'?", near)
                : px_hint(err, -EINVAL, "'%s --help' lists the options", path);
}

static int check_word_of(const char *what, const char *value, const char *words,
                         struct px_error *err) {
    px_cleanup_free char *copy = px_strdup(words);
    const char *list[16];
    size_t n = 0;
    char *save = NULL;
    for (char *w = strtok_r(copy, " ", &save); w && n < PX_N_ELEMENTS(list);
         w = strtok_r(NULL, " ", &save)) {
        if (strcmp(w, value) == 0)
            return 0;
        list[n++] = w;
    }
    const char *near = px_suggest(value, list, n);
    px_fail(err, -EINVAL, "%s '%s' is not one of: %s", what, value, words);
    return near ? px_hint(err, -EINVAL, "did you mean '%s'?", near) : -EINVAL;
}

static int take_option(struct parse *p, const struct px_option *o, const char *inline_value,
                       struct px_error *err) {
    const char *value = inline_value;
    if (!o->arg && value)
        return px_fail(err, -EINVAL, "option '--%s' takes no value, found '%s'", o->name, value);
    if (o->arg && !value) {
        if (p->at >= p->argc)
            return px_fail(err, -EINVAL, "option '--%s' needs a value: %s", o->name, o->arg);
        value = p->argv[p->at++];
    }
    if (value && o->words) {
        char what[64];
        snprintf(what, sizeof(what), "--%s", o->name);
        int r = check_word_of(what, value, o->words, err);
        if (r < 0)
            return r;
    }
    give(p->ret, o, value);
    return 0;
}

static int take_long(struct parse *p, const char *text, struct px_error *err) {
    const size_t size = strcspn(text, "=");
    const struct px_option *o = find_option(p, text, size, 0);
    if (!o) {
        px_cleanup_free char *name = px_strndup(text, size);
        return fail_unknown_option(p, name, err);
    }
    return take_option(p, o, text[size] == '=' ? text + size + 1 : NULL, err);
}

static int take_short(struct parse *p, const char *letters, struct px_error *err) {
    for (; *letters; letters++) {
        const struct px_option *o = find_option(p, NULL, 0, *letters);
        char path[128];
        if (!o) {
            px_fail(err, -EINVAL, "unknown option '-%c' for '%s'", *letters, said_path(p, path));
            return px_hint(err, -EINVAL, "'%s --help' lists the options", path);
        }
        if (o->arg)
            return take_option(p, o, letters[1] ? letters + 1 : NULL, err);
        give(p->ret, o, NULL);
    }
    return 0;
}

static int fail_unknown_verb(const struct parse *p, const char *word, struct px_error *err) {
    const struct px_verb *group = p->ret->verb;
    const char *names[64];
    size_t n = 0;
    for (size_t i = 0; i < px_verb_n_subs(group) && n < PX_N_ELEMENTS(names); i++)
        if (!group->subs[i]->hidden)
            names[n++] = group->subs[i]->name;
    char path[128];
    const char *near = px_suggest(word, names, n);
    px_fail(err, -EINVAL, "unknown command '%s %s'", said_path(p, path), word);
    return near ? px_hint(err, -EINVAL, "did you mean '%s %s'?", path, near)
                : px_hint(err, -EINVAL, "'%s --help' lists the commands", path);
}

static int take_word(struct parse *p, const char *word, struct px_error *err) {
    struct px_args *ret = p->ret;
    if (!ret->verb->run) {
        const struct px_verb *verb = px_verb_find(ret->verb, word);
        if (!verb)
            return fail_unknown_verb(p, word, err);
        if (ret->verb != p->program)
            ret->group = ret->verb;
        ret->verb = verb;
        return 0;
    }
    add_word(ret, word);
    return 0;
}

/* Whether the next word and all behind it are somebody else's (`exec NAME CMD -l`). */
static bool verbatim_from_here(const struct px_args *args) {
    if (!args->verb->run)
        return false;
    size_t n = px_verb_n_positionals(args->verb);
    return n > 0 && args->verb->positionals[n - 1].verbatim && args->n_words >= n - 1;
}

static int take_one(struct parse *p, bool *options_end, struct px_error *err) {
    const char *word = p->argv[p->at];
    if (!*options_end && strcmp(word, "--") == 0) {
        p->at++;
        *options_end = true;
        return 0;
    }
    if (!*options_end && word[0] == '-' && word[1] != '\0') {
        p->at++;
        return word[1] == '-' ? take_long(p, word + 2, err) : take_short(p, word + 1, err);
    }
    p->at++;
    if (verbatim_from_here(p->ret))
        *options_end = true;
    return take_word(p, word, err);
}

static int check_words(const struct parse *p, struct px_error *err) {
    const struct px_args *args = p->ret;
    const struct px_verb *verb = args->verb;
    const size_t n = px_verb_n_positionals(verb);
    const bool open_end =
        n > 0 && (verb->positionals[n - 1].many || verb->positionals[n - 1].verbatim);
    char path[128];
    for (size_t i = args->n_words; i < n; i++)
        if (!verb->positionals[i].optional) {
            px_fail(err, -EINVAL, "%s is missing after '%s'", verb->positionals[i].name,
                    said_path(p, path));
            return px_hint(err, -EINVAL, "'%s --help' explains it", path);
        }
    if (args->n_words > n && !open_end) {
        px_fail(err, -EINVAL, "'%s' is one word too many for '%s'", args->words[n],
                said_path(p, path));
        return px_hint(err, -EINVAL, "'%s --help' explains it", path);
    }
    for (size_t i = 0; i < args->n_words && n > 0; i++) {
        const struct px_positional *pos = &verb->positionals[i < n ? i : n - 1];
        int r = pos->words ? check_word_of(pos->name, args->words[i], pos->words, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

int px_args_parse(const struct px_verb *program, int argc, char *const *argv, struct px_args *ret,
                  struct px_error *err) {
    struct parse p = {.program = program, .argc = argc, .argv = argv, .at = 1, .ret = ret};
    bool options_end = false;
    ret->verb = program;
    while (p.at < argc) {
        int r = take_one(&p, &options_end, err);
        if (r < 0)
            return r;
    }
    if (ret->help || ret->version)
        return 0;
    if (!ret->verb->run) {
        char path[128];
        px_fail(err, -EINVAL, "a command is missing after '%s'", said_path(&p, path));
        return px_hint(err, -EINVAL, "'%s --help' lists the commands", path);
    }
    return check_words(&p, err);
}

void px_args_fini(struct px_args *args) {
    free(args->given);
    free(args->words);
    *args = (struct px_args){0};
}

unsigned px_args_count(const struct px_args *args, const char *name) {
    unsigned n = 0;
    for (size_t i = 0; i < args->n_given; i++)
        n += strcmp(args->given[i].option->name, name) == 0;
    return n;
}

const char *px_args_value(const struct px_args *args, const char *name) {
    const char *value = NULL;
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            value = args->given[i].value;
    return value;
}
