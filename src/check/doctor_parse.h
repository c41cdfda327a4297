/* src/check/doctor_parse.h - texts of /proc that the doctor reads; pure
 * Source: proc(5), cgroups(7). */
#pragma once
#include "check/doctor.h"

/* Layout and controllers from /proc/self/mountinfo and, on v2, /sys/fs/cgroup/cgroup.controllers.
 */
void px_doctor_parse_cgroups(const char *mountinfo, const char *controllers,
                             struct px_host_facts *ret);
/* Type of the file system that holds @path (absolute, no symlinks); "?" when unknown. */
void px_doctor_parse_fs(const char *mountinfo, const char *path, char *ret, size_t size);
/* Bytes of a line "MemTotal:  16384 kB"; 0: no such line. */
uint64_t px_doctor_parse_meminfo(const char *text, const char *key);
