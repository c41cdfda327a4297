/* src/check/findings.h - what a check found, one line each: verdict, subject, facts, the fix
 *
 * Zeroed is empty. Not thread-safe. */
#pragma once
#include "base/cleanup.h"
#include <stddef.h>

enum px_verdict { PX_VERDICT_OK, PX_VERDICT_WARN, PX_VERDICT_FAIL };

struct px_finding {
    enum px_verdict verdict;
    char *subject; /* "cgroups" */
    char *text;    /* what was found */
    char *fix;     /* a command, or what to do; NULL: nothing to do */
};

struct px_findings {
    struct px_finding *items;
    size_t n, cap;
};

void px_findings_fini(struct px_findings *list);
/* @fix may be NULL. */
void px_findings_add(struct px_findings *list, enum px_verdict verdict, const char *subject,
                     const char *fix, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
size_t px_findings_count(const struct px_findings *list, enum px_verdict verdict);
const char *px_verdict_word(enum px_verdict verdict); /* "ok", "warn", "fail" */
struct json_t;
/* {"ok": bool, "findings": [{"verdict", "subject", "text", "fix"}]}; the reference is the caller's.
 */
struct json_t *px_findings_to_json(const struct px_findings *list);
