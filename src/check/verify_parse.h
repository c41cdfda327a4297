/* src/check/verify_parse.h - what a desktop says, read in bounds; pure, any thread */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define PX_VERIFY_TEXT_MAX 256

/* The first word of @text, cleaned and cut; "" where there is none. */
void px_verify_word(const char *text, char *ret, size_t size);
/* The first word of each line, with commas, "..." where there is no more room. Returns the number
 * of lines that have one. */
size_t px_verify_first_words(const char *text, char ret[PX_VERIFY_TEXT_MAX]);

struct px_verify_map { /* the only line of a uid_map */
    uint32_t inside, outside, count;
};
/* -EBADMSG: not exactly one line. Source: user_namespaces(7). */
int px_verify_idmap(const char *text, struct px_verify_map *ret);

struct px_verify_status { /* of /proc/PID/status; what is absent is 0 */
    unsigned seccomp, n_filters;
    uint64_t cap_bounding;
};
void px_verify_proc_status(const char *text, struct px_verify_status *ret);

struct px_verify_result_line {
    double value, ms;
    char device[64]; /* cleaned */
};
/* The last line "RESULT VALUE MS DEVICE". -EBADMSG: there is none. */
int px_verify_result(const char *text, struct px_verify_result_line *ret);
