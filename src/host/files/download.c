/* src/host/files/download.c - files to the client */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "host/files/job_private.h"
#include "host/session.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#define BLOCK_BYTES (128 * 1024)
#define DIGEST_SINCE 1001100 /* client 1.1.10 */

static bool is_packed(const char *path) {
    static const char *const exts[] = {"xz",  "gz",  "zip", "7z",  "rar",
                                       "bz2", "tgz", "png", "jpg", "zst"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < PX_N_ELEMENTS(exts); i++)
        if (strcasecmp(dot + 1, exts[i]) == 0)
            return true;
    return false;
}

static const Pxs__FileEntry *current(const struct px_job *j) {
    return &j->list.entries[j->file_num];
}

static char *path_of(const struct px_job *j) {
    const ProtobufCBinaryData n = current(j)->name;
    return n.len ? px_asprintf("%s/%.*s", j->path, (int)n.len, (const char *)n.data)
                 : px_strdup(j->path);
}

static void close_file(struct px_job *j) {
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

static bool finish(struct px_job *j) {
    if (j->list.n == 1 && j->skipped == 1)
        px_files_send_error(j->session, j->id, 0, "skipped");
    else
        px_files_send_done(j->session, j->id, (int32_t)j->list.n);
    return false;
}

static bool open_file(struct px_job *j) {
    px_cleanup_free char *path = path_of(j);
    struct stat st;
    /* O_NONBLOCK: what was a file when listed may be a pipe by now. */
    j->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (j->fd >= 0 && (fstat(j->fd, &st) < 0 || !S_ISREG(st.st_mode)))
        close_file(j);
    j->packed = is_packed(path);
    if (j->fd >= 0)
        return true;
    px_files_send_error(j->session, j->id, (int32_t)j->file_num, "cannot open the file");
    return false;
}

static void send_digest(struct px_job *j) {
    Pxs__FileDigest d = PXS__FILE_DIGEST__INIT;
    d.id = j->id;
    d.file_num = (int32_t)j->file_num;
    d.last_modified = current(j)->modified_time;
    d.file_size = current(j)->size;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIGEST;
    r.digest = &d;
    px_files_send_response(j->session, &r);
}

/* Goes to file @n or the first after it that opens; asks or starts. */
static bool go_to(struct px_job *j, size_t n) {
    close_file(j);
    for (j->file_num = n; j->file_num < j->list.n; j->file_num++) {
        j->offset = 0;
        if (!open_file(j))
            continue;
        j->sending = j->session->version < DIGEST_SINCE;
        if (!j->sending)
            send_digest(j);
        return true;
    }
    return finish(j);
}

static void send_list(struct px_job *j) {
    Pxs__FileDirectory d = PXS__FILE_DIRECTORY__INIT;
    px_cleanup_free Pxs__FileEntry **entries = px_listing_pointers(&j->list);
    d.id = j->id;
    d.path = (ProtobufCBinaryData){strlen(j->path), (uint8_t *)j->path};
    d.n_entries = j->list.n;
    d.entries = entries;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIR;
    r.dir = &d;
    px_files_send_response(j->session, &r);
}

struct px_job *px_job_download(struct px_session *s, const Pxs__FileSend *m) {
    struct px_job *j = px_job_new(s, m->id, m->path);
    if (j)
        j->from = m->file_num > 0 ? (size_t)m->file_num : 0;
    return j;
}

bool px_job_listed(struct px_job *j, struct px_listing *l) {
    j->list = *l;
    *l = (struct px_listing){0};
    j->listed = true;
    send_list(j);
    return go_to(j, j->from);
}

bool px_download_confirm(struct px_job *j, const Pxs__FileSendConfirm *m) {
    if (!j->listed || j->sending || m->file_num < 0 || (size_t)m->file_num != j->file_num)
        return true;
    if (m->decision_case == PXS__FILE_SEND_CONFIRM__DECISION_SKIP && m->skip) {
        j->skipped++;
        return go_to(j, j->file_num + 1);
    }
    j->offset = m->decision_case == PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK ? m->offset_blk : 0;
    j->sending = true;
    return true;
}

static void send_block(struct px_job *j, const uint8_t *data, size_t size) {
    Pxs__FileBlock b = PXS__FILE_BLOCK__INIT;
    px_cleanup_free uint8_t *packed = NULL;
    b.id = j->id;
    b.file_num = (int32_t)j->file_num;
    b.data = (ProtobufCBinaryData){size, (uint8_t *)data};
    if (size > 0 && !j->packed) {
        packed = px_calloc(1, size);
        const size_t n = ZSTD_compress(packed, size, data, size, 1);
        if (!ZSTD_isError(n) && n < size) {
            b.data = (ProtobufCBinaryData){n, packed};
            b.compressed = true;
        }
    }
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_BLOCK;
    r.block = &b;
    px_files_send_response(j->session, &r);
}

bool px_download_pump(struct px_job *j, bool *sent) {
    uint8_t block[BLOCK_BYTES];
    if (!j->sending)
        return true;
    const ssize_t n = pread(j->fd, block, sizeof(block), (off_t)j->offset);
    *sent = true;
    if (n < 0) {
        px_files_send_error(j->session, j->id, (int32_t)j->file_num, strerror(errno));
        return go_to(j, j->file_num + 1);
    }
    send_block(j, block, (size_t)n);
    j->offset += (uint64_t)n;
    return n > 0 ? true : go_to(j, j->file_num + 1);
}
