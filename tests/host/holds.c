/* tests/host/holds.c - what a process holds */
#include "holds.h"
#include "base/test.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned entries(pid_t pid, const char *dir) {
    char path[64];
    unsigned n = 0;
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, dir);
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2; /* "." and ".." */
}

unsigned holds_fds(pid_t pid) {
    return entries(pid, "fd");
}

unsigned holds_threads(pid_t pid) {
    return entries(pid, "task");
}

static long rollup_kb(pid_t pid, const char *name) {
    char path[64], line[128];
    const size_t n = strlen(name);
    long sum = 0;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (strncmp(line, name, n) == 0)
            sum += strtol(line + n, NULL, 10);
    fclose(file);
    return sum;
}

long holds_kb(pid_t pid) {
    return rollup_kb(pid, "Private_Clean:") + rollup_kb(pid, "Private_Dirty:");
}

long holds_dirty_kb(pid_t pid) {
    return rollup_kb(pid, "Private_Dirty:");
}

long holds_pss_kb(pid_t pid) {
    return rollup_kb(pid, "Pss:");
}

bool holds_mapped(pid_t pid, const char *name) {
    char path[64], line[512];
    bool found = false;
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        found |= strstr(line, name) != NULL;
    fclose(file);
    return found;
}
