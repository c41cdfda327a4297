/* tests/host/holds.c - what a process holds */
#include "holds.h"
#include "base/test.h"
#include <dirent.h>
#include <stdio.h>

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

long holds_kb(pid_t pid) {
    char path[64], line[128];
    long sum = 0, kb;
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "Private_Clean: %ld", &kb) == 1 ||
            sscanf(line, "Private_Dirty: %ld", &kb) == 1)
            sum += kb;
    fclose(file);
    return sum;
}
