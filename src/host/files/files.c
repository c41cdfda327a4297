/* src/host/files/files.c - a file transfer session: listing, both directions, resume */
#include "host/files/files.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/files/changes.h"
#include "host/files/job.h"
#include "host/files/reader.h"
#include "host/session.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define JOBS_MAX 64
#define QUEUE_MAX_BYTES (512 * 1024) /* more would only delay other messages */

struct px_files {
    struct px_session *session;
    struct px_reader *reader;
    struct px_job *jobs[JOBS_MAX];
    size_t n_jobs;
    bool pumping;
};

/* ---- jobs ---- */

static struct px_job *find(const struct px_files *f, int32_t id) {
    for (size_t i = 0; i < f->n_jobs; i++)
        if (px_job_id(f->jobs[i]) == id)
            return f->jobs[i];
    return NULL;
}

static void end_job(struct px_files *f, struct px_job *j) {
    for (size_t i = 0; i < f->n_jobs; i++)
        if (f->jobs[i] == j) {
            px_reader_drop(f->reader, px_job_serial(j));
            f->jobs[i] = f->jobs[--f->n_jobs];
            px_job_free(j);
            return;
        }
}

static bool keep(struct px_files *f, struct px_job *j) {
    if (!j)
        return false;
    struct px_job *old = find(f, px_job_id(j));
    if (old)
        end_job(f, old);
    if (f->n_jobs == JOBS_MAX) {
        px_files_send_error(f->session, px_job_id(j), -1, "too many transfers at once");
        px_job_free(j);
        return false;
    }
    f->jobs[f->n_jobs++] = j;
    return true;
}

/* A block of each job in turn, while the queue is short. */
static void pump(struct px_files *f) {
    bool any = true;
    if (f->pumping)
        return;
    f->pumping = true;
    while (any && !f->session->ended) {
        any = false;
        for (size_t i = 0; i < f->n_jobs; i++) {
            if (px_conn_queued_bytes(f->session->conn) >= QUEUE_MAX_BYTES) {
                f->pumping = false;
                return;
            }
            if (!px_job_pump(f->jobs[i], &any))
                end_job(f, f->jobs[i--]);
        }
    }
    f->pumping = false;
}

void px_files_dry(struct px_files *f) {
    pump(f);
}

void px_files_tick(struct px_files *f) {
    pump(f);
}

/* ---- browsing ---- */

static char *copy(ProtobufCBinaryData d) {
    return px_strndup((const char *)d.data, d.len);
}

static ProtobufCBinaryData bytes(char *text) {
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)text};
}

/* What @q->path takes over is a path of px_files_path(), so @asked is short and holds no NUL. */
static void ask(struct px_files *f, struct px_read *q) {
    const int32_t id = q->id;
    const bool told = q->what == PX_READ_FILES; /* the others have no words for a failure */
    if (!q->path) {
        if (told)
            px_files_send_error(f->session, id, -1, "no usable path");
        return;
    }
    if (px_reader_ask(f->reader, q) < 0 && told)
        px_files_send_error(f->session, id, -1, "too many directories are being read");
}

static void read_dir(struct px_files *f, const Pxs__ReadDir *m, enum px_read_what what) {
    struct px_read q = {.what = what, .hidden = m->include_hidden, .path = px_files_path(m->path)};
    q.asked = q.path ? copy(m->path) : NULL;
    ask(f, &q);
}

static void read_all(struct px_files *f, const Pxs__AllFiles *m) {
    struct px_read q = {.what = PX_READ_FILES,
                        .hidden = m->include_hidden,
                        .id = m->id,
                        .path = px_files_path(m->path)};
    q.asked = q.path ? copy(m->path) : NULL;
    ask(f, &q);
}

static void read_first(struct px_files *f, const struct px_session *s) {
    const bool named = *s->files_dir;
    struct px_read q = {.what = PX_READ_DIR,
                        .hidden = s->files_hidden,
                        .path = px_strdup(named ? s->files_dir : px_files_home()),
                        .otherwise = named ? px_strdup(px_files_home()) : NULL};
    ask(f, &q);
}

static void start_download(struct px_files *f, const Pxs__FileSend *m) {
    struct px_job *j = px_job_download(f->session, m);
    if (!keep(f, j))
        return;
    struct px_read q = {.what = PX_READ_FILES,
                        .hidden = m->include_hidden,
                        .id = m->id,
                        .serial = px_job_serial(j),
                        .path = px_strdup(px_job_path(j))};
    if (px_reader_ask(f->reader, &q) < 0) {
        px_files_send_error(f->session, m->id, -1, "too many directories are being read");
        end_job(f, j);
    }
}

/* ---- what was read ---- */

static void send_dir(struct px_files *f, struct px_read *q, char *path) {
    px_cleanup_free Pxs__FileEntry **entries = px_listing_pointers(&q->list);
    Pxs__FileDirectory d = PXS__FILE_DIRECTORY__INIT;
    d.id = q->id;
    d.path = bytes(path);
    d.n_entries = q->list.n;
    d.entries = entries;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIR;
    r.dir = &d;
    px_files_send_response(f->session, &r);
}

static void send_empty_dirs(struct px_files *f, struct px_read *q) {
    const struct px_listing *l = &q->list;
    Pxs__EmptyDirs e = PXS__EMPTY_DIRS__INIT;
    px_cleanup_free Pxs__FileDirectory *dirs = px_new0(Pxs__FileDirectory, l->n ? l->n : 1);
    px_cleanup_free Pxs__FileDirectory **list = px_new0(Pxs__FileDirectory *, l->n ? l->n : 1);
    for (size_t i = 0; i < l->n; i++) {
        dirs[i] = (Pxs__FileDirectory)PXS__FILE_DIRECTORY__INIT;
        dirs[i].path = l->entries[i].name;
        list[i] = &dirs[i];
    }
    e.path = bytes(q->asked);
    e.n_empty_dirs = l->n;
    e.empty_dirs = list;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_EMPTY_DIRS;
    r.empty_dirs = &e;
    px_files_send_response(f->session, &r);
}

static void begin_download(struct px_files *f, struct px_read *q) {
    struct px_job *j = find(f, q->id);
    if (!j || px_job_serial(j) != q->serial)
        return;
    if (q->r < 0)
        px_files_send_error(f->session, q->id, -1, q->err.msg);
    if (q->r < 0 || !px_job_listed(j, &q->list))
        end_job(f, j);
    else
        pump(f);
}

static void on_read(void *data, struct px_read *q) {
    struct px_files *f = data;
    if (f->session->ended)
        return;
    if (q->serial)
        begin_download(f, q);
    else if (q->what == PX_READ_EMPTY_DIRS)
        send_empty_dirs(f, q); /* of what cannot be read: none */
    else if (q->r >= 0)
        send_dir(f, q, q->what == PX_READ_DIR ? q->path : q->asked);
    else if (q->what == PX_READ_FILES)
        px_files_send_error(f->session, q->id, -1, q->err.msg);
}

/* ---- create, remove, rename ---- */

static void answer(struct px_files *f, int32_t id, int32_t file_num, int r) {
    if (r < 0)
        px_files_send_error(f->session, id, file_num, strerror(-r));
    else
        px_files_send_done(f->session, id, file_num);
}

static void take_action(struct px_files *f, const Pxs__FileAction *a) {
    struct px_job *j = NULL;
    px_cleanup_free char *path = NULL;
    switch (a->action_case) {
    case PXS__FILE_ACTION__ACTION_READ_DIR:
        read_dir(f, a->read_dir, PX_READ_DIR);
        break;
    case PXS__FILE_ACTION__ACTION_SEND:
        start_download(f, a->send);
        break;
    case PXS__FILE_ACTION__ACTION_RECEIVE:
        (void)keep(f, px_job_upload(f->session, a->receive));
        break;
    case PXS__FILE_ACTION__ACTION_CREATE:
        path = px_files_path(a->create->path);
        answer(f, a->create->id, 0, path ? px_mkdir_p(AT_FDCWD, path, 0755, NULL) : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_REMOVE_DIR:
        path = px_files_path(a->remove_dir->path);
        answer(f, a->remove_dir->id, 0,
               !path                      ? -EINVAL
               : a->remove_dir->recursive ? px_remove_empty_dirs(path)
               : rmdir(path) < 0          ? -errno
                                          : 0);
        break;
    case PXS__FILE_ACTION__ACTION_REMOVE_FILE:
        path = px_files_path(a->remove_file->path);
        answer(f, a->remove_file->id, a->remove_file->file_num,
               path && unlink(path) == 0 ? 0
               : path                    ? -errno
                                         : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_RENAME:
        path = px_files_path(a->rename->path);
        answer(f, a->rename->id, 0, path ? px_rename_entry(path, a->rename->new_name) : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_ALL_FILES:
        read_all(f, a->all_files);
        break;
    case PXS__FILE_ACTION__ACTION_READ_EMPTY_DIRS:
        read_dir(f, a->read_empty_dirs, PX_READ_EMPTY_DIRS);
        break;
    case PXS__FILE_ACTION__ACTION_CANCEL:
        j = find(f, a->cancel->id);
        if (j) {
            px_job_cancel(j);
            end_job(f, j);
        }
        break;
    case PXS__FILE_ACTION__ACTION_SEND_CONFIRM:
        j = find(f, a->send_confirm->id);
        if (j && !px_job_confirm(j, a->send_confirm))
            end_job(f, j);
        pump(f);
        break;
    case PXS__FILE_ACTION__ACTION__NOT_SET:
    default:
        break;
    }
}

static void take_response(struct px_files *f, const Pxs__FileResponse *r) {
    struct px_job *j = NULL;
    bool goes_on = true;
    switch (r->response_case) {
    case PXS__FILE_RESPONSE__RESPONSE_DIGEST:
        j = find(f, r->digest->id);
        goes_on = !j || px_job_digest(j, r->digest);
        break;
    case PXS__FILE_RESPONSE__RESPONSE_BLOCK:
        j = find(f, r->block->id);
        goes_on = !j || px_job_block(j, r->block);
        break;
    case PXS__FILE_RESPONSE__RESPONSE_DONE:
        j = find(f, r->done->id);
        goes_on = !j || px_job_done(j, r->done);
        break;
    case PXS__FILE_RESPONSE__RESPONSE_ERROR:
        j = find(f, r->error->id);
        goes_on = !j || px_job_error(j, r->error);
        break;
    case PXS__FILE_RESPONSE__RESPONSE_DIR:
    case PXS__FILE_RESPONSE__RESPONSE_EMPTY_DIRS:
    case PXS__FILE_RESPONSE__RESPONSE__NOT_SET:
    default:
        break;
    }
    if (j && !goes_on)
        end_job(f, j);
}

void px_files_message(struct px_files *f, const Pxs__Message *m) {
    if (m->item_case == PXS__MESSAGE__ITEM_FILE_ACTION)
        take_action(f, m->file_action);
    else if (m->item_case == PXS__MESSAGE__ITEM_FILE_RESPONSE)
        take_response(f, m->file_response);
}

struct px_files *px_files_new(struct px_session *s) {
    struct px_files *f = px_new0(struct px_files, 1);
    f->session = s;
    f->reader = px_reader_new(s->host->loop, on_read, f);
    read_first(f, s);
    return f;
}

void px_files_free(struct px_files *f) {
    if (!f)
        return;
    px_reader_free(f->reader);
    /* Half done uploads stay: the client may come back and go on. */
    while (f->n_jobs > 0)
        px_job_free(f->jobs[--f->n_jobs]);
    free(f);
}
