/* src/check/findings.c - what a check found */
#include "check/findings.h"
#include "base/alloc.h"
#include <assert.h>
#include "base/text.h"
#include <jansson.h>
#include <math.h>
#include <string.h>

void px_findings_fini(struct px_findings *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].subject);
        free(list->items[i].text);
        free(list->items[i].fix);
        free(list->items[i].unit);
    }
    free(list->items);
    *list = (struct px_findings){0};
}

void px_findings_add(struct px_findings *list, enum px_verdict verdict, const char *subject,
                     const char *fix, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *text = px_vasprintf(fmt, ap);
    va_end(ap);
    px_grow(list->items, &list->cap, list->n + 1);
    list->items[list->n++] = (struct px_finding){.verdict = verdict,
                                                 .subject = px_strdup(subject),
                                                 .text = text,
                                                 .fix = px_strdup_null(fix)};
}

void px_found_error(struct px_findings *list, const char *subject, const struct px_error *err) {
    px_findings_add(list, PX_VERDICT_FAIL, subject, err->hint[0] ? err->hint : NULL, "%s",
                    err->msg);
}

void px_findings_value(struct px_findings *list, double value, const char *unit) {
    assert(list->n > 0 && unit);
    struct px_finding *f = &list->items[list->n - 1];
    free(f->unit);
    f->unit = px_strdup(unit);
    f->value = value;
}

size_t px_findings_count(const struct px_findings *list, enum px_verdict verdict) {
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++)
        n += list->items[i].verdict == verdict;
    return n;
}

const char *px_verdict_word(enum px_verdict verdict) {
    switch (verdict) {
    case PX_VERDICT_OK:
        return "ok";
    case PX_VERDICT_WARN:
        return "warn";
    case PX_VERDICT_FAIL:
        return "fail";
    case PX_VERDICT_SKIP:
        return "skip";
    }
    assert(!"a verdict");
    return "";
}

struct json_t *px_findings_to_json(const struct px_findings *list) {
    json_t *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        const struct px_finding *f = &list->items[i];
        json_t *o =
            json_pack("{s:s, s:s, s:s, s:s*, s:s*}", "verdict", px_verdict_word(f->verdict),
                      "subject", f->subject, "text", f->text, "fix", f->fix, "unit", f->unit);
        if (f->unit)
            json_object_set_new(o, "value", json_real(f->value));
        json_array_append_new(items, o);
    }
    return json_pack("{s:b, s:o}", "ok", px_findings_count(list, PX_VERDICT_FAIL) == 0, "findings",
                     items);
}

static int verdict_of(const char *word, enum px_verdict *ret) {
    for (int v = PX_VERDICT_OK; v <= PX_VERDICT_SKIP; v++)
        if (strcmp(word, px_verdict_word((enum px_verdict)v)) == 0) {
            *ret = (enum px_verdict)v;
            return 0;
        }
    return -EBADMSG;
}

static int take_finding(const json_t *o, struct px_findings *list) {
    const char *word, *subject, *text, *fix = NULL, *unit = NULL;
    double value = 0;
    enum px_verdict verdict;
    if (json_unpack((json_t *)o, "{s:s, s:s, s:s, s?s, s?s, s?F}", "verdict", &word, "subject",
                    &subject, "text", &text, "fix", &fix, "unit", &unit, "value", &value) < 0 ||
        verdict_of(word, &verdict) < 0 || !isfinite(value))
        return -EBADMSG;
    px_findings_add(list, verdict, subject, fix, "%s", text);
    struct px_finding *f = &list->items[list->n - 1];
    px_text_clean(f->subject);
    px_text_clean(f->text);
    if (f->fix)
        px_text_clean(f->fix);
    if (unit) {
        px_findings_value(list, value, unit);
        px_text_clean(f->unit);
    }
    return 0;
}

int px_findings_parse(const char *text, size_t size, struct px_findings *list,
                      struct px_error *err) {
    px_cleanup(px_findings_fini) struct px_findings found = {0};
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    const json_t *items = json_object_get(root, "findings"), *item;
    size_t i;
    int r = json_is_array(items) ? 0 : -EBADMSG;
    if (json_array_size(items) > PX_FINDINGS_MAX)
        r = -E2BIG;
    json_array_foreach(items, i, item) {
        if (r < 0)
            break;
        r = take_finding(item, &found);
    }
    json_decref(root);
    if (r < 0)
        return px_fail(err, r, r == -E2BIG ? "too many findings" : "these are no findings");
    px_grow(list->items, &list->cap, list->n + found.n);
    if (found.n > 0)
        memcpy(list->items + list->n, found.items, found.n * sizeof(*found.items));
    list->n += found.n;
    found.n = 0;
    return 0;
}
