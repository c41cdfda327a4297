/* tests/nvenc/played.h - what the two played libraries share
 *
 * PX_PLAYED_DIR names a folder with two files, both of which may be missing:
 *     control   lines "KEY NUMBER", read anew at each call that minds them (played_nvenc.c)
 *     log       one line a call of note; "violation: ..." is a call that NVIDIA's header forbids
 * The libraries are built for tests only and never installed. */
#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static inline FILE *played_file(const char *name, const char *mode) {
    const char *dir = getenv("PX_PLAYED_DIR");
    char path[512];
    if (!dir)
        return NULL;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return fopen(path, mode);
}

static inline long played_control(const char *key, long otherwise) {
    FILE *f = played_file("control", "re");
    char name[64];
    long value;
    while (f && fscanf(f, "%63s %ld", name, &value) == 2)
        if (strcmp(name, key) == 0)
            otherwise = value;
    if (f)
        fclose(f);
    return otherwise;
}

/* @what, a format. One write: several processes may have the file open. */
static inline void played_log(const char *what, ...) __attribute__((format(printf, 1, 2)));
static inline void played_log(const char *what, ...) {
    FILE *f = played_file("log", "ae");
    char line[512];
    va_list args;
    va_start(args, what);
    vsnprintf(line, sizeof(line) - 1, what, args);
    va_end(args);
    strcat(line, "\n");
    if (f) {
        fputs(line, f);
        fclose(f);
    }
}
