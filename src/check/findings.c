/* src/check/findings.c - what a check found */
#include "check/findings.h"
#include "base/alloc.h"
#include <assert.h>
#include <jansson.h>

void px_findings_fini(struct px_findings *list) {
    for (size_t i = 0; i < list->n; i++) {
        free(list->items[i].subject);
        free(list->items[i].text);
        free(list->items[i].fix);
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
    }
    assert(!"a verdict");
    return "";
}

struct json_t *px_findings_to_json(const struct px_findings *list) {
    json_t *items = json_array();
    for (size_t i = 0; i < list->n; i++) {
        const struct px_finding *f = &list->items[i];
        json_array_append_new(items, json_pack("{s:s, s:s, s:s, s:s?}", "verdict",
                                               px_verdict_word(f->verdict), "subject", f->subject,
                                               "text", f->text, "fix", f->fix));
    }
    return json_pack("{s:b, s:o}", "ok", px_findings_count(list, PX_VERDICT_FAIL) == 0, "findings",
                     items);
}
