/* src/image/full.c - builds that fail because the disk is full */
#include "image/job.h"
#include <string.h>
#include <sys/statvfs.h>

#define FULL_BLOCKS 64 /* that few free: whatever failed, failed for want of room */
#define FULL_INODES 8

bool px_line_tells_full(const char *line) {
    /* strerror(3) of ENOSPC and EDQUOT, which C, Perl, Python and shells print; apt, which counts
     * before it begins; programs run with LC_ALL=C.UTF-8. */
    static const char *const words[] = {"No space left on device", "Disk quota exceeded",
                                        "You don't have enough free space"};
    for (size_t i = 0; i < PX_N_ELEMENTS(words); i++)
        if (strstr(line, words[i]))
            return true;
    return false;
}

/* f_bfree: builds run as root, who may use what a file system reserves. Some (btrfs) do not count
 * inodes and say 0 of 0. */
static bool disk_is_full(const char *dir) {
    struct statvfs vfs;
    return statvfs(dir, &vfs) == 0 &&
           (vfs.f_bfree < FULL_BLOCKS || (vfs.f_files > 0 && vfs.f_ffree < FULL_INODES));
}

void px_job_look_full(struct px_job *job, const char *line) {
    if (!job->full && job->store.dir)
        job->full = px_line_tells_full(line) || disk_is_full(job->store.dir);
}

int px_job_explain(struct px_job *job, int r, struct px_error *err) {
    if (r == -EIO || r == -EBADMSG || r == -EDQUOT) {
        px_job_look_full(job, err ? err->msg : "");
        if (job->full) {
            if (err)
                err->hint[0] = '\0'; /* about whatever else the program seemed to fail for */
            r = px_wrap(err, -ENOSPC, "no space left in '%s'", job->store.dir);
        }
    }
    if (r == -ENOSPC)
        return px_hint(err, r, "make room in '%s' (phoenix image gc) and run it again",
                       job->store.dir ? job->store.dir : job->opts->state_dir);
    return r == -EIO && job->log_path ? px_hint(err, r, "the log is %s", job->log_path) : r;
}
