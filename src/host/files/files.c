/* src/host/files/files.c - a file transfer session: listing, both directions, resume */
#include "host/files/files.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/files/job_private.h"
#include "host/session.h"
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#define JOBS_MAX 64
#define QUEUE_MAX_BYTES (512 * 1024) /* more would only delay other messages */

struct px_files {
    struct px_session *session;
    struct px_job *jobs[JOBS_MAX];
    size_t n_jobs;
    bool pumping;
};

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

static const char *home(void) {
    const char *h = getenv("HOME");
    const struct passwd *pw = h && *h == '/' ? NULL : getpwuid(getuid());
    return pw ? pw->pw_dir : h && *h == '/' ? h : "/";
}

/* The caller's; NULL: holds a NUL or is too long. "" is the home directory. */
static char *take_path(ProtobufCBinaryData p) {
    if (p.len > 4096 || (p.len && memchr(p.data, 0, p.len)))
        return NULL;
    if (p.len == 0)
        return px_strdup(home());
    char *path = px_strndup((const char *)p.data, p.len);
    if (*path == '/')
        return path;
    char *full = px_asprintf("%s/%s", home(), path);
    free(path);
    return full;
}

struct px_job *px_job_new(struct px_session *s, int32_t id, ProtobufCBinaryData path) {
    char *p = path.len ? take_path(path) : NULL;
    if (!p) {
        px_files_send_error(s, id, -1, "no usable path");
        return NULL;
    }
    struct px_job *j = px_new0(struct px_job, 1);
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
            f->jobs[i] = f->jobs[--f->n_jobs];
            px_job_free(j);
            return;
        }
}

static void keep(struct px_files *f, struct px_job *j) {
    if (!j)
        return;
    struct px_job *old = find(f, px_job_id(j));
    if (old)
        end_job(f, old);
    if (f->n_jobs == JOBS_MAX) {
        px_files_send_error(f->session, px_job_id(j), -1, "too many transfers at once");
        px_job_free(j);
        return;
    }
    f->jobs[f->n_jobs++] = j;
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

static bool send_dir(struct px_files *f, const char *path, bool hidden) {
    struct px_listing l = {0};
    px_cleanup_free char *real = realpath(path, NULL);
    if (!real || px_listing_dir(real, hidden, &l, NULL) < 0)
        return false;
    px_cleanup_free Pxs__FileEntry **entries = px_listing_pointers(&l);
    Pxs__FileDirectory d = PXS__FILE_DIRECTORY__INIT;
    d.path = (ProtobufCBinaryData){strlen(real), (uint8_t *)real};
    d.n_entries = l.n;
    d.entries = entries;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIR;
    r.dir = &d;
    px_files_send_response(f->session, &r);
    px_listing_fini(&l);
    return true;
}

static void all_files(struct px_files *f, const Pxs__AllFiles *m) {
    struct px_error err = {0};
    struct px_listing l = {0};
    px_cleanup_free char *path = take_path(m->path);
    if (!path || px_listing_files(path, m->include_hidden, &l, &err) < 0) {
        px_files_send_error(f->session, m->id, -1, path ? err.msg : "no usable path");
        return;
    }
    px_cleanup_free Pxs__FileEntry **entries = px_listing_pointers(&l);
    Pxs__FileDirectory d = PXS__FILE_DIRECTORY__INIT;
    d.id = m->id;
    d.path = m->path;
    d.n_entries = l.n;
    d.entries = entries;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIR;
    r.dir = &d;
    px_files_send_response(f->session, &r);
    px_listing_fini(&l);
}

static void empty_dirs(struct px_files *f, const Pxs__ReadDir *m) {
    struct px_listing l = {0};
    px_cleanup_free char *path = take_path(m->path);
    Pxs__EmptyDirs e = PXS__EMPTY_DIRS__INIT;
    if (path)
        (void)px_listing_empty_dirs(path, m->include_hidden, &l, NULL);
    px_cleanup_free Pxs__FileDirectory *dirs = px_new0(Pxs__FileDirectory, l.n ? l.n : 1);
    px_cleanup_free Pxs__FileDirectory **list = px_new0(Pxs__FileDirectory *, l.n ? l.n : 1);
    for (size_t i = 0; i < l.n; i++) {
        dirs[i] = (Pxs__FileDirectory)PXS__FILE_DIRECTORY__INIT;
        dirs[i].path = l.entries[i].name;
        list[i] = &dirs[i];
    }
    e.path = m->path;
    e.n_empty_dirs = l.n;
    e.empty_dirs = list;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_EMPTY_DIRS;
    r.empty_dirs = &e;
    px_files_send_response(f->session, &r);
    px_listing_fini(&l);
}

/* ---- create, remove, rename ---- */

static void answer(struct px_files *f, int32_t id, int32_t file_num, int r) {
    if (r < 0)
        px_files_send_error(f->session, id, file_num, strerror(-r));
    else
        px_files_send_done(f->session, id, file_num);
}

/* Removes a tree of directories that holds nothing else. */
static int remove_empty(int at, const char *name, int depth) {
    px_cleanup_close int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    px_cleanup_closedir DIR *dir = fd < 0 || depth > 64 ? NULL : fdopendir(fd);
    if (!dir)
        return depth > 64 ? -ELOOP : -errno;
    px_take_fd(&fd);
    const struct dirent *e;
    while ((e = readdir(dir))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        const int r = remove_empty(dirfd(dir), e->d_name, depth + 1);
        if (r < 0)
            return r == -ENOTDIR ? -ENOTEMPTY : r;
    }
    return unlinkat(at, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

static int rename_entry(const char *path, ProtobufCBinaryData new_name) {
    if (!px_file_component_ok(new_name.data, new_name.len))
        return -EINVAL;
    const char *slash = strrchr(path, '/');
    px_cleanup_free char *to = px_asprintf("%.*s/%.*s", (int)(slash - path), path,
                                           (int)new_name.len, (const char *)new_name.data);
    /* Not over another file: the client asked for a name, not for a loss. */
    return renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

static void take_action(struct px_files *f, const Pxs__FileAction *a) {
    struct px_job *j = NULL;
    px_cleanup_free char *path = NULL;
    switch (a->action_case) {
    case PXS__FILE_ACTION__ACTION_READ_DIR:
        path = take_path(a->read_dir->path);
        if (path)
            send_dir(f, path, a->read_dir->include_hidden);
        break;
    case PXS__FILE_ACTION__ACTION_SEND:
        keep(f, px_job_download(f->session, a->send));
        pump(f);
        break;
    case PXS__FILE_ACTION__ACTION_RECEIVE:
        keep(f, px_job_upload(f->session, a->receive));
        break;
    case PXS__FILE_ACTION__ACTION_CREATE:
        path = take_path(a->create->path);
        answer(f, a->create->id, 0, path ? px_mkdir_p(AT_FDCWD, path, 0755, NULL) : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_REMOVE_DIR:
        path = take_path(a->remove_dir->path);
        answer(f, a->remove_dir->id, 0,
               !path                      ? -EINVAL
               : a->remove_dir->recursive ? remove_empty(AT_FDCWD, path, 0)
               : rmdir(path) < 0          ? -errno
                                          : 0);
        break;
    case PXS__FILE_ACTION__ACTION_REMOVE_FILE:
        path = take_path(a->remove_file->path);
        answer(f, a->remove_file->id, a->remove_file->file_num,
               path && unlink(path) == 0 ? 0
               : path                    ? -errno
                                         : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_RENAME:
        path = take_path(a->rename->path);
        answer(f, a->rename->id, 0, path ? rename_entry(path, a->rename->new_name) : -EINVAL);
        break;
    case PXS__FILE_ACTION__ACTION_ALL_FILES:
        all_files(f, a->all_files);
        break;
    case PXS__FILE_ACTION__ACTION_READ_EMPTY_DIRS:
        empty_dirs(f, a->read_empty_dirs);
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
    if (!*s->files_dir || !send_dir(f, s->files_dir, s->files_hidden))
        send_dir(f, home(), s->files_hidden);
    return f;
}

void px_files_free(struct px_files *f) {
    if (!f)
        return;
    /* Half done uploads stay: the client may come back and go on. */
    while (f->n_jobs > 0)
        px_job_free(f->jobs[--f->n_jobs]);
    free(f);
}
