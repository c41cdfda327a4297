/* src/spec/test_bad.h - tables of bad files and what is said about them */
#pragma once
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/test.h"

struct px_bad_case {
    const char *text;
    const char *said; /* "message (hint: advice)" */
};

typedef int (*px_bad_parse)(const char *name, const char *text, size_t size, void **ret,
                            struct px_error *err);

/* Every text, with @before and @after round it, is refused with what the table says. */
static inline void px_check_bad(const struct px_bad_case *cases, size_t n, const char *name,
                                const char *before, const char *after, px_bad_parse parse) {
    for (size_t i = 0; i < n; i++) {
        struct px_error err = {0};
        void *ret = NULL;
        px_cleanup_free char *text = px_asprintf("%s%s%s", before, cases[i].text, after);
        assert_int_equal(parse(name, text, strlen(text), &ret, &err), -EINVAL);
        assert_null(ret);
        px_cleanup_free char *said =
            err.hint[0] ? px_asprintf("%s (hint: %s)", err.msg, err.hint) : px_strdup(err.msg);
        assert_string_equal(said, cases[i].said);
    }
}
