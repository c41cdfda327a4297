/* src/base/error.c - one error: a code, what happened, what to do next */
#include "base/error.h"
#include "base/text.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void begin(struct px_error *err, int code,
                                                        const char *fmt, va_list ap) {
    err->code = code;
    err->hint[0] = '\0';
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    px_text_clean(err->msg);
}

int px_fail(struct px_error *err, int code, const char *fmt, ...) {
    assert(code < 0);
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    begin(err, code, fmt, ap);
    va_end(ap);
    return code;
}

int px_fail_sys(struct px_error *err, int code, const char *fmt, ...) {
    assert(code < 0);
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    begin(err, code, fmt, ap);
    va_end(ap);
    size_t used = strlen(err->msg);
    snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", strerrordesc_np(-code));
    return code;
}

int px_wrap(struct px_error *err, int code, const char *fmt, ...) {
    assert(code < 0);
    if (!err)
        return code;
    char inner[PX_ERROR_MSG_MAX];
    memcpy(inner, err->msg, sizeof(inner));
    inner[sizeof(inner) - 1] = '\0';
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    px_text_clean(err->msg);
    size_t used = strlen(err->msg);
    snprintf(err->msg + used, sizeof(err->msg) - used, ": %s", inner);
    px_text_clean(err->msg); /* it may have been cut in a character */
    err->code = code;
    return code;
}

int px_hint(struct px_error *err, int code, const char *fmt, ...) {
    if (!err || err->hint[0] != '\0')
        return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
    va_end(ap);
    px_text_clean(err->hint);
    return code;
}
