/* tests/nvenc/played_test.c - a test program on the played card */
#include "played_test.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/test.h"
#include <stdio.h>

#define LOG_MAX (4 * 1024 * 1024)

/* libx265, which plays the card's H.265, forgets some memory of each encoder. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:libx265";
}

static char dir[64];

static char *path_of(const char *name) {
    return px_asprintf("%s/%s", dir, name);
}

void played_begin(char **argv) {
    if (getenv("PX_PLAYED_DIR")) {
        snprintf(dir, sizeof(dir), "%s", getenv("PX_PLAYED_DIR"));
        return;
    }
    snprintf(dir, sizeof(dir), "/tmp/px-test-played-XXXXXX");
    assert_non_null(mkdtemp(dir));
    setenv("PX_PLAYED_DIR", dir, 1);
    setenv("LD_LIBRARY_PATH", PX_PLAYED_LIBS, 1);
    execv("/proc/self/exe", argv);
    abort();
}

void played_end(void) {
    static const char *const names[] = {"control", "log"};
    for (size_t i = 0; i < 2; i++) {
        px_cleanup_free char *path = path_of(names[i]);
        unlink(path);
    }
    rmdir(dir);
}

void played_set(const char *control) {
    px_cleanup_free char *path = path_of("control");
    px_assert_ok(px_file_replace(AT_FDCWD, path, control, strlen(control), 0600, NULL));
}

void played_reset(const char *control) {
    px_cleanup_free char *path = path_of("log");
    unlink(path);
    played_set(control);
}

static char *read_log(void) {
    px_cleanup_free char *path = path_of("log");
    char *text = NULL;
    return px_file_read(AT_FDCWD, path, LOG_MAX, &text, NULL, NULL) < 0 ? px_strdup("") : text;
}

int played_count(const char *what) {
    px_cleanup_free char *text = read_log();
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

void played_has(const char *what) {
    px_cleanup_free char *text = read_log();
    px_assert_contains(text, what);
    if (strstr(text, "violation"))
        fail_msg("%.300s", strstr(text, "violation"));
}

void played_clean(void) {
    px_cleanup_free char *text = read_log();
    if (strstr(text, "violation"))
        fail_msg("%.300s", strstr(text, "violation"));
    assert_int_equal(played_count("session opened"), played_count("session closed"));
    assert_int_equal(played_count("context made"), played_count("context gone"));
}
