/* src/base/test.h - cmocka and what it needs, and small helpers for unit tests */
#pragma once
/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* keep this order */
#include <cmocka.h>

#include "base/error.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define px_assert_ok(expr)                                                                         \
    do {                                                                                           \
        int px_r_ = (expr);                                                                        \
        if (px_r_ < 0)                                                                             \
            fail_msg("%s: %d (%s)", #expr, px_r_, strerrorname_np(-px_r_));                        \
    } while (0)

/* The same where @error tells why. */
#define px_assert_ok_err(expr, error)                                                              \
    do {                                                                                           \
        int px_r_ = (expr);                                                                        \
        if (px_r_ < 0)                                                                             \
            fail_msg("%s: %s", #expr, (error)->msg);                                               \
    } while (0)

#define px_assert_contains(text, part)                                                             \
    do {                                                                                           \
        if (!strstr((text), (part)))                                                               \
            fail_msg("'%s' is not in '%s'", (part), (text));                                       \
    } while (0)
