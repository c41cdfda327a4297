/* src/host/files/job_private.h - what download.c and upload.c share */
#pragma once
#include "base/cleanup.h"
#include "host/files/job.h"

struct px_job {
    struct px_session *session; /* lent */
    int32_t id;
    uint64_t serial; /* of all jobs of the program */
    bool upload;
    char *path; /* as the client named it */
    struct px_listing list;
    size_t file_num; /* the current one */
    int fd;          /* of it; -1: none */
    uint64_t offset;
    /* download */
    bool listed; /* its files are known and told */
    bool sending, packed;
    size_t from, skipped;
    /* upload */
    int dir_fd;             /* what names are relative to */
    char *name;             /* of the current file, below dir_fd; NULL: none */
    bool over;              /* the current file: skipped, or whole; more blocks do not count */
    Pxs__FileDigest digest; /* the client's, of the current file */
};

/* NULL: @path is none (an error was answered). */
struct px_job *px_job_new(struct px_session *s, int32_t id, ProtobufCBinaryData path);
PX_DEFINE_CLEANUP(struct px_job *, px_job_free)

bool px_download_confirm(struct px_job *j, const Pxs__FileSendConfirm *m);
bool px_download_pump(struct px_job *j, bool *sent);
bool px_upload_confirm(struct px_job *j, const Pxs__FileSendConfirm *m);
void px_upload_abandon(struct px_job *j);
