/* src/phoenix/verb.c - finding one's way in the table of verbs */
#include "phoenix/verb.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include <assert.h>
#include <string.h>

size_t px_verb_n_options(const struct px_verb *verb) {
    size_t n = 0;
    while (n < PX_VERB_OPTIONS_MAX && verb->options[n].name)
        n++;
    return n;
}

size_t px_verb_n_positionals(const struct px_verb *verb) {
    size_t n = 0;
    while (n < PX_VERB_POSITIONALS_MAX && verb->positionals[n].name)
        n++;
    return n;
}

size_t px_verb_n_subs(const struct px_verb *verb) {
    size_t n = 0;
    while (verb->subs && verb->subs[n])
        n++;
    return n;
}

const struct px_verb *px_verb_find(const struct px_verb *group, const char *name) {
    for (size_t i = 0; i < px_verb_n_subs(group); i++)
        if (strcmp(group->subs[i]->name, name) == 0)
            return group->subs[i];
    return NULL;
}

/* NULL: not in there. */
static char *path_below(const struct px_verb *top, const struct px_verb *verb) {
    if (top == verb)
        return px_strdup(top->name);
    for (size_t i = 0; i < px_verb_n_subs(top); i++) {
        px_cleanup_free char *below = path_below(top->subs[i], verb);
        if (below)
            return px_asprintf("%s %s", top->name, below);
    }
    return NULL;
}

char *px_verb_path(const struct px_verb *program, const struct px_verb *verb) {
    char *path = path_below(program, verb);
    assert(path);
    return path;
}
