/* src/desktop/programs.c - which phoenix-host runs in each desktop */
#include "desktop/programs.h"
#include "base/alloc.h"
#include "base/file.h"
#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER "/lib-"
#define INSIDE "/opt/phoenix" FOLDER /* as the desktop's processes see it */
#define STARTER_MAX_BYTES 4096

bool px_program_hash(const char *text, char ret[PX_PROGRAM_HASH + 1]) {
    for (const char *at = text; (at = strstr(at, FOLDER)) != NULL;) {
        at += strlen(FOLDER);
        if (strspn(at, "0123456789abcdef") == PX_PROGRAM_HASH && at[PX_PROGRAM_HASH] == '/') {
            memcpy(ret, at, PX_PROGRAM_HASH);
            ret[PX_PROGRAM_HASH] = '\0';
            return true;
        }
    }
    return false;
}

ino_t px_programs_pid_ns(pid_t pid) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

static void look_at(struct px_programs *p, int proc_fd, const char *pid) {
    char path[64], exe[256], hash[PX_PROGRAM_HASH + 1];
    snprintf(path, sizeof(path), "%.20s/exe", pid);
    const ssize_t n = readlinkat(proc_fd, path, exe, sizeof(exe) - 1);
    if (n <= 0)
        return; /* a kernel thread, or gone */
    exe[n] = '\0';
    if (strncmp(exe, INSIDE, strlen(INSIDE)) != 0 || !px_program_hash(exe, hash))
        return;
    const ino_t ns = px_programs_pid_ns((pid_t)atoi(pid));
    if (ns == 0)
        return;
    px_grow(p->list, &p->cap, p->n + 1);
    p->list[p->n].pid_ns = ns;
    memcpy(p->list[p->n++].hash, hash, sizeof(hash));
}

struct px_programs *px_programs_look(const char *bundle) {
    struct px_programs *p = px_new0(struct px_programs, 1);
    px_cleanup_free char *path = px_asprintf("%s/phoenix-host", bundle ? bundle : "");
    px_cleanup_free char *starter = NULL;
    size_t size = 0;
    if (!bundle || px_file_read(AT_FDCWD, path, STARTER_MAX_BYTES, &starter, &size, NULL) < 0 ||
        !px_program_hash(starter, p->installed))
        return p;
    px_cleanup_closedir DIR *dir = opendir("/proc");
    const struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (isdigit((unsigned char)e->d_name[0]))
            look_at(p, dirfd(dir), e->d_name);
    return p;
}

struct px_programs *px_programs_free(struct px_programs *p) {
    free(p ? p->list : NULL);
    free(p);
    return NULL;
}

bool px_programs_differ(const struct px_programs *p, ino_t pid_ns) {
    for (size_t i = 0; i < p->n; i++)
        if (pid_ns != 0 && p->list[i].pid_ns == pid_ns &&
            strcmp(p->list[i].hash, p->installed) != 0)
            return true;
    return false;
}
