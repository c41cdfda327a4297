/* src/check/doctor_parse.c - texts of /proc that the doctor reads */
#include "check/doctor_parse.h"
#include "base/alloc.h"
#include "base/text.h"
#include <string.h>

/* Fields of one line of mountinfo; point into the line, which is cut up. */
struct mount_line {
    char *point, *type, *options;
};

/* 36 35 98:0 /root /point rw,noatime master:1 - type source super-options */
static bool cut_line(char *line, struct mount_line *ret) {
    char *dash = strstr(line, " - ");
    if (!dash)
        return false;
    *dash = '\0';
    char *save = NULL;
    char *field = strtok_r(line, " ", &save);
    for (int i = 0; field && i < 4; i++)
        field = strtok_r(NULL, " ", &save);
    ret->point = field;
    ret->type = strtok_r(dash + 3, " ", &save);
    char *source = strtok_r(NULL, " ", &save);
    ret->options = strtok_r(NULL, " ", &save);
    return ret->point && ret->type && source && ret->options;
}

/* Whether comma- or blank-separated @list holds @word. */
static bool holds(const char *list, const char *word) {
    const size_t n = strlen(word);
    for (const char *p = list; *p; p += strcspn(p, ", \n"), p += strspn(p, ", \n"))
        if (strncmp(p, word, n) == 0 && (p[n] == '\0' || strchr(", \n", p[n])))
            return true;
    return false;
}

static void note_controllers(const char *list, struct px_host_facts *ret) {
    ret->cg_cpu |= holds(list, "cpu");
    ret->cg_cpuset |= holds(list, "cpuset");
    ret->cg_memory |= holds(list, "memory");
    ret->cg_pids |= holds(list, "pids");
    ret->cg_devices |= holds(list, "devices");
    ret->cg_freezer |= holds(list, "freezer");
}

void px_doctor_parse_cgroups(const char *mountinfo, const char *controllers,
                             struct px_host_facts *ret) {
    px_cleanup_free char *copy = px_strdup(mountinfo);
    bool v1 = false, v2 = false;
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct mount_line m;
        if (!cut_line(line, &m) || strncmp(m.point, "/sys/fs/cgroup", 14) != 0)
            continue;
        v2 |= strcmp(m.type, "cgroup2") == 0;
        if (strcmp(m.type, "cgroup") != 0)
            continue;
        const bool named = holds(m.options, "name=systemd");
        ret->cg_named_systemd |= named;
        v1 |= !named;
        note_controllers(m.options, ret);
    }
    ret->cgroup = v1 && v2 ? PX_CGROUP_HYBRID
                  : v1     ? PX_CGROUP_V1
                  : v2     ? PX_CGROUP_V2
                           : PX_CGROUP_NONE;
    if (ret->cgroup == PX_CGROUP_V2)
        note_controllers(controllers, ret);
}

static bool lies_below(const char *path, const char *point) {
    const size_t n = strlen(point);
    return strcmp(point, "/") == 0 ||
           (strncmp(path, point, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

void px_doctor_parse_fs(const char *mountinfo, const char *path, char *ret, size_t size) {
    px_cleanup_free char *copy = px_strdup(mountinfo);
    size_t longest = 0;
    char *save = NULL;
    snprintf(ret, size, "?");
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        struct mount_line m;
        /* The last of the longest: later mounts hide earlier ones. */
        if (!cut_line(line, &m) || !lies_below(path, m.point) || strlen(m.point) < longest)
            continue;
        longest = strlen(m.point);
        snprintf(ret, size, "%s", m.type);
    }
}

uint64_t px_doctor_parse_meminfo(const char *text, const char *key) {
    char value[64];
    px_text_field(text, key, value, sizeof(value));
    return strtoull(value, NULL, 10) * 1024;
}
