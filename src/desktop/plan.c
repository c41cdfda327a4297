/* src/desktop/plan.c - what `up` would do: the desktop file against what there is */
#include "desktop/plan.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "desktop/check.h"
#include <jansson.h>
#include <string.h>

static const struct {
    const char *word, *sign;
} actions[] = {
    [PX_PLAN_NOTHING] = {"nothing", " "}, [PX_PLAN_CREATE] = {"create", "+"},
    [PX_PLAN_FINISH] = {"finish", "~"},   [PX_PLAN_START] = {"start", "~"},
    [PX_PLAN_UPDATE] = {"update", "~"},   [PX_PLAN_RESTART] = {"restart", "~"},
    [PX_PLAN_REPLACE] = {"replace", "!"}, [PX_PLAN_EXTRA] = {"extra", "?"},
    [PX_PLAN_REMOVE] = {"remove", "-"},
};

static enum px_plan_action action_of(enum px_effect effect) {
    switch (effect) {
    case PX_EFFECT_LIVE:
        return PX_PLAN_UPDATE;
    case PX_EFFECT_RESTART:
        return PX_PLAN_RESTART;
    case PX_EFFECT_REPLACE:
        return PX_PLAN_REPLACE;
    }
    return PX_PLAN_NOTHING;
}

/* What a desktop that exists and is whole needs. */
static int compare(const struct px_fleet *fleet, const struct px_desktop *d,
                   struct px_plan_item *item, struct px_error *err) {
    px_cleanup(px_spec_diff_freep) struct px_spec_diff *diff =
        px_spec_diff_new(&d->rec->spec, item->spec);
    if (strcmp(d->rec->image, item->image) != 0 &&
        strcmp(d->rec->spec.image, item->spec->image) == 0) {
        px_cleanup_free char *old = px_asprintf("%.19s", d->rec->image);
        px_cleanup_free char *new = px_asprintf("%.19s", item->image);
        px_spec_diff_add(diff, "image (built anew)", old, new, PX_EFFECT_REPLACE);
    }
    if (diff->n == 0 && !px_grants_equal(&d->rec->gpus, &item->gpus)) {
        px_cleanup_free char *old = px_grants_text(&d->rec->gpus);
        px_cleanup_free char *new = px_grants_text(&item->gpus);
        px_spec_diff_add(diff, "gpus (placed anew)", old, new, PX_EFFECT_RESTART);
    }
    struct px_container_info info = {0};
    int r = px_fleet_backend(fleet)->info(&d->c, false, &info, err);
    if (r < 0)
        return px_wrap(err, r, "desktop '%s'", item->name);
    const bool runs = info.state == PX_CONTAINER_RUNNING || info.state == PX_CONTAINER_STARTING;
    item->action = diff->n > 0 ? action_of(diff->effect) : runs ? PX_PLAN_NOTHING : PX_PLAN_START;
    static const char *const why[] = {
        [PX_PLAN_NOTHING] = "is as the file says",
        [PX_PLAN_START] = "is not running",
        [PX_PLAN_UPDATE] = "changes while it runs",
        [PX_PLAN_RESTART] = "changes at a restart",
        [PX_PLAN_REPLACE] = "needs a new root; /home is kept, all else in it is lost",
    };
    item->why = px_strdup(why[item->action]);
    if (diff->n > 0)
        item->diff = px_take_ptr(diff);
    return 0;
}

static int plan_one(const struct px_fleet *fleet, struct px_plan_item *item, struct px_error *err) {
    px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
    int r = px_desktop_open(fleet, item->name, &d, NULL);
    if (r == -ENOENT) {
        item->action = PX_PLAN_CREATE;
        item->why = px_strdup("is new");
        return 0;
    }
    if (r == -EBADMSG && !px_check_has_record(fleet, item->name)) {
        /* Killed between making its directory and writing its record. */
        item->action = PX_PLAN_CREATE;
        item->why = px_strdup("was begun and has nothing yet");
        return 0;
    }
    if (r < 0)
        return px_desktop_open(fleet, item->name, &d, err);
    if (d->rec->phase == PX_PHASE_READY)
        return compare(fleet, d, item, err);
    item->action = PX_PLAN_FINISH;
    item->why = px_asprintf("is half %s", d->rec->phase == PX_PHASE_NEW ? "made" : "removed");
    return 0;
}

static bool in_file(const struct px_desktop_file *file, const char *name) {
    for (size_t i = 0; i < file->n_desktops; i++)
        if (strcmp(file->desktops[i].name, name) == 0)
            return true;
    return false;
}

/* Desktops that this file made and does not name any more. @items has room. */
static int plan_extra(const struct px_fleet *fleet, const struct px_desktop_file *file,
                      struct px_plan *plan, struct px_error *err) {
    char **names = NULL;
    size_t n = 0;
    int r = px_fleet_names(fleet, NULL, 0, &names, &n, err);
    if (r < 0)
        return r;
    plan->items = px_realloc_array(plan->items, plan->n_items + n + 1, sizeof(*plan->items));
    for (size_t i = 0; i < n; i++) {
        px_cleanup(px_desktop_freep) struct px_desktop *d = NULL;
        if (in_file(file, names[i]) || px_desktop_open(fleet, names[i], &d, NULL) < 0 ||
            plan->source[0] == '\0' || strcmp(d->rec->source, plan->source) != 0)
            continue;
        plan->items[plan->n_items++] = (struct px_plan_item){
            .name = px_strdup(names[i]),
            .action = plan->opts.prune ? PX_PLAN_REMOVE : PX_PLAN_EXTRA,
            .why = px_strdup(plan->opts.prune ? "is not in the file; removed with all its data"
                                              : "is not in the file any more; --prune removes it"),
        };
    }
    px_names_free(names, n);
    return 0;
}

static void count(struct px_plan *plan) {
    for (size_t i = 0; i < plan->n_items; i++) {
        const enum px_plan_action a = plan->items[i].action;
        if (a == PX_PLAN_REPLACE && !plan->opts.replace)
            plan->n_blocked++;
        if (a != PX_PLAN_NOTHING && a != PX_PLAN_EXTRA)
            plan->n_changes++;
    }
}

static char *absolute(const char *path) {
    if (strcmp(path, "-") == 0)
        return px_strdup("");
    char *real = realpath(path, NULL);
    return real ? real : px_strdup(path);
}

int px_plan_make(const struct px_fleet *fleet, const struct px_desktop_file *file,
                 const struct px_plan_opts *opts, struct px_plan **ret, struct px_error *err) {
    px_cleanup(px_plan_freep) struct px_plan *plan = px_new0(struct px_plan, 1);
    plan->opts = *opts;
    plan->source = absolute(file->path);
    plan->items = px_new0(struct px_plan_item, file->n_desktops);
    px_cleanup(px_ledger_freep) struct px_ledger *ledger = NULL;
    int r = px_ledger_open(fleet, &ledger, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < file->n_desktops; i++) {
        const struct px_desktop_spec *spec = &file->desktops[i];
        struct px_plan_item *item = &plan->items[plan->n_items++];
        *item = (struct px_plan_item){.name = px_strdup(spec->name), .spec = spec};
        char why[PX_GPU_WHY_MAX] = "";
        r = px_check_spec(fleet, file, spec, ledger, item->image, &item->gpus, why, err);
        if (why[0])
            item->gpus_why = px_strdup(why);
        if (r < 0 || (r = plan_one(fleet, item, err)) < 0)
            return r;
    }
    r = plan_extra(fleet, file, plan, err);
    if (r < 0)
        return r;
    struct px_excess_host here;
    px_excess_look(&here);
    px_excess_find(file, &here, &plan->excess);
    count(plan);
    *ret = px_take_ptr(plan);
    return 0;
}

struct px_plan *px_plan_free(struct px_plan *plan) {
    if (!plan)
        return NULL;
    for (size_t i = 0; i < plan->n_items; i++) {
        free(plan->items[i].name);
        free(plan->items[i].why);
        free(plan->items[i].gpus_why);
        px_spec_diff_free(plan->items[i].diff);
    }
    free(plan->items);
    free(plan->source);
    px_excess_fini(&plan->excess);
    free(plan);
    return NULL;
}

/* Its image, and what the file says that is not so anyway. */
static void print_new(const struct px_desktop_spec *spec, struct px_buf *b) {
    struct px_desktop_spec usual;
    json_t *json = json_pack("{ss ss}", "name", spec->name, "image", spec->image);
    px_buf_printf(b, "      image: %s\n", spec->image);
    if (json && px_desktop_spec_from_json(json, &usual, NULL) == 0) {
        px_cleanup(px_spec_diff_freep) struct px_spec_diff *diff = px_spec_diff_new(&usual, spec);
        for (size_t i = 0; i < diff->n; i++)
            px_buf_printf(b, "      %s: %s\n", diff->changes[i].key, diff->changes[i].new_text);
        px_desktop_spec_fini(&usual);
    }
    json_decref(json);
}

static void print_diff(const struct px_spec_diff *diff, struct px_buf *b) {
    for (size_t i = 0; diff && i < diff->n; i++)
        px_buf_printf(b, "      %s: %s -> %s  (%s)\n", diff->changes[i].key,
                      diff->changes[i].old_text, diff->changes[i].new_text,
                      px_effect_word(diff->changes[i].effect));
}

char *px_plan_print(const struct px_plan *plan) {
    struct px_buf b = {0};
    size_t n_same = 0;
    for (size_t i = 0; i < plan->n_items; i++) {
        const struct px_plan_item *item = &plan->items[i];
        if (item->action == PX_PLAN_NOTHING) {
            n_same++;
            continue;
        }
        px_buf_printf(&b, "  %s %s %s: %s\n", actions[item->action].sign,
                      actions[item->action].word, item->name, item->why);
        if (item->action == PX_PLAN_CREATE)
            print_new(item->spec, &b);
        print_diff(item->diff, &b);
        if (item->gpus_why)
            px_buf_printf(&b, "      gpus: %s\n", item->gpus_why);
    }
    px_buf_printf(&b, "%zu to change, %zu as the file says", plan->n_changes, n_same);
    if (plan->n_blocked > 0)
        px_buf_printf(&b, ", %zu only with --replace", plan->n_blocked);
    px_buf_putc(&b, '\n');
    return px_buf_take(&b);
}

static json_t *changes_json(const struct px_spec_diff *diff) {
    json_t *list = json_array();
    for (size_t i = 0; diff && i < diff->n; i++)
        json_array_append_new(list,
                              json_pack("{ss ss ss ss}", "key", diff->changes[i].key, "old",
                                        diff->changes[i].old_text, "new", diff->changes[i].new_text,
                                        "effect", px_effect_word(diff->changes[i].effect)));
    return list;
}

static json_t *cards_json(const struct px_gpu_grants *gpus) {
    json_t *list = json_array();
    for (size_t i = 0; i < gpus->n; i++)
        json_array_append_new(list, json_string(gpus->items[i].uuid));
    return list;
}

json_t *px_plan_to_json(const struct px_plan *plan) {
    json_t *items = json_array();
    for (size_t i = 0; i < plan->n_items; i++) {
        const struct px_plan_item *item = &plan->items[i];
        json_t *o =
            json_pack("{ss ss ss so}", "desktop", item->name, "action", actions[item->action].word,
                      "why", item->why, "changes", changes_json(item->diff));
        if (item->image[0] != '\0')
            json_object_set_new(o, "image", json_string(item->image));
        if (item->gpus_why)
            json_object_set_new(
                o, "gpus",
                json_pack("{so ss}", "cards", cards_json(&item->gpus), "why", item->gpus_why));
        json_array_append_new(items, o);
    }
    json_t *warnings = json_array();
    for (size_t i = 0; i < plan->excess.n; i++)
        json_array_append_new(warnings, json_string(plan->excess.lines[i]));
    return json_pack("{ss sI sI so so}", "source", plan->source, "changes",
                     (json_int_t)plan->n_changes, "blocked", (json_int_t)plan->n_blocked,
                     "warnings", warnings, "desktops", items);
}
