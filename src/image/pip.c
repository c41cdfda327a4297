/* src/image/pip.c - venvs */
#include "image/job.h"

int px_job_pip(struct px_job *job, struct px_part *part, struct px_error *err) {
    if (part->recipe->n_pip == 0)
        return 0;
    return px_fail(err, -ENOSYS, "pip layers are not done yet");
}
