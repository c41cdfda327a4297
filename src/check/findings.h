/* src/check/findings.h - what a check found, one line each: verdict, subject, facts, the fix
 *
 * Zeroed is empty. Not thread-safe. As JSON (px_findings_to_json) they also travel from a check's
 * process to verify; that text is read as a stranger's, in bounds. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stddef.h>

enum px_verdict {
    PX_VERDICT_OK,
    PX_VERDICT_WARN, /* works, but look at it */
    PX_VERDICT_FAIL,
    PX_VERDICT_SKIP, /* cannot be looked at here; the text says why */
};

#define PX_FINDINGS_MAX 256
#define PX_FINDINGS_TEXT_MAX_BYTES (256 * 1024) /* of the JSON of all of them */

struct px_finding {
    enum px_verdict verdict;
    char *subject; /* "cgroups" */
    char *text;    /* what was found */
    char *fix;     /* a command, or what to do; NULL: nothing to do */
    char *unit;    /* of @value, "ms"; NULL: it has no value */
    double value;
};

struct px_findings {
    struct px_finding *items;
    size_t n, cap;
};

void px_findings_fini(struct px_findings *list);
/* @fix may be NULL. */
void px_findings_add(struct px_findings *list, enum px_verdict verdict, const char *subject,
                     const char *fix, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
#define px_found_ok(list, subject, ...)                                                            \
    px_findings_add(list, PX_VERDICT_OK, subject, NULL, __VA_ARGS__)
#define px_found_warn(list, subject, fix, ...)                                                     \
    px_findings_add(list, PX_VERDICT_WARN, subject, fix, __VA_ARGS__)
#define px_found_fail(list, subject, fix, ...)                                                     \
    px_findings_add(list, PX_VERDICT_FAIL, subject, fix, __VA_ARGS__)
#define px_found_skip(list, subject, ...)                                                          \
    px_findings_add(list, PX_VERDICT_SKIP, subject, NULL, __VA_ARGS__)
/* A failure of the check itself, with the error's hint as the fix. */
void px_found_error(struct px_findings *list, const char *subject, const struct px_error *err);
/* Gives the last finding a figure for programs; @unit "ms", "bytes". */
void px_findings_value(struct px_findings *list, double value, const char *unit);
size_t px_findings_count(const struct px_findings *list, enum px_verdict verdict);
const char *px_verdict_word(enum px_verdict verdict); /* "ok", "warn", "fail", "skip" */
struct json_t;
/* {"ok": bool, "findings": [{"verdict", "subject", "text", "fix", "value", "unit"}]}; absent fields
 * are left out; the reference is the caller's. */
struct json_t *px_findings_to_json(const struct px_findings *list);
/* Adds what such a text holds; pure. -EBADMSG: it is none; -E2BIG: more than PX_FINDINGS_MAX. @list
 * is unchanged then. */
int px_findings_parse(const char *text, size_t size, struct px_findings *list,
                      struct px_error *err);
