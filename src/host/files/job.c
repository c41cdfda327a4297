/* src/host/files/job.c - what transfers of both directions share: answers, paths, their life */
#include "base/alloc.h"
#include "host/files/job_private.h"
#include "host/session.h"
#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* ---- answers ---- */

void px_files_send_response(struct px_session *s, Pxs__FileResponse *r) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_RESPONSE;
    m.file_response = r;
    px_session_send(s, &m);
}

void px_files_send_error(struct px_session *s, int32_t id, int32_t file_num, const char *text) {
    Pxs__FileError e = PXS__FILE_ERROR__INIT;
    e.id = id;
    e.file_num = file_num;
    e.error = (char *)text;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_ERROR;
    r.error = &e;
    px_files_send_response(s, &r);
}

void px_files_send_done(struct px_session *s, int32_t id, int32_t file_num) {
    Pxs__FileDone d = PXS__FILE_DONE__INIT;
    d.id = id;
    d.file_num = file_num;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DONE;
    r.done = &d;
    px_files_send_response(s, &r);
}

/* ---- paths ---- */

const char *px_files_home(void) {
    const char *h = getenv("HOME");
    const struct passwd *pw = h && *h == '/' ? NULL : getpwuid(getuid());
    return pw ? pw->pw_dir : h && *h == '/' ? h : "/";
}

char *px_files_path(ProtobufCBinaryData p) {
    if (p.len > 4096 || (p.len && memchr(p.data, 0, p.len)))
        return NULL;
    if (p.len == 0)
        return px_strdup(px_files_home());
    char *path = px_strndup((const char *)p.data, p.len);
    if (*path == '/')
        return path;
    char *full = px_asprintf("%s/%s", px_files_home(), path);
    free(path);
    return full;
}

/* ---- a job ---- */

struct px_job *px_job_new(struct px_session *s, int32_t id, ProtobufCBinaryData path) {
    char *p = path.len ? px_files_path(path) : NULL;
    if (!p) {
        px_files_send_error(s, id, -1, "no usable path");
        return NULL;
    }
    static uint64_t serial;
    struct px_job *j = px_new0(struct px_job, 1);
    j->serial = ++serial;
    j->session = s;
    j->id = id;
    j->path = p;
    j->fd = j->dir_fd = -1;
    return j;
}

void px_job_free(struct px_job *j) {
    if (!j)
        return;
    if (j->fd >= 0)
        close(j->fd);
    if (j->dir_fd >= 0)
        close(j->dir_fd);
    px_listing_fini(&j->list);
    free(j->name);
    free(j->path);
    free(j);
}

int32_t px_job_id(const struct px_job *j) {
    return j->id;
}

uint64_t px_job_serial(const struct px_job *j) {
    return j->serial;
}

const char *px_job_path(const struct px_job *j) {
    return j->path;
}

bool px_job_confirm(struct px_job *j, const Pxs__FileSendConfirm *m) {
    return j->upload ? px_upload_confirm(j, m) : px_download_confirm(j, m);
}

bool px_job_pump(struct px_job *j, bool *sent) {
    return j->upload ? true : px_download_pump(j, sent);
}

void px_job_cancel(struct px_job *j) {
    if (j->upload)
        px_upload_abandon(j);
}
