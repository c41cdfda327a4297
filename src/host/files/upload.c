/* src/host/files/upload.c - files from the client
 *
 * Data goes to NAME.download; NAME.digest beside it tells what it will be, so that an interrupted
 * transfer can go on. Everything happens below the target directory's fd, never through a symlink:
 * another program of the user may change names under us. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "host/files/job_private.h"
#include "host/session.h"
#include "proto/unpack.h"
#include <fcntl.h>
#include <jansson.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define BLOCK_MAX_BYTES (1024 * 1024)

static int open_below(int dir_fd, const char *name, int flags, mode_t mode) {
    const struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC | O_NOFOLLOW,
                                 .mode = flags & O_CREAT ? mode : 0,
                                 .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

static bool fail(struct px_job *j, const char *text) {
    px_files_send_error(j->session, j->id, (int32_t)j->file_num, text);
    return false;
}

static char *with(const char *name, const char *suffix) {
    return px_asprintf("%s%s", name, suffix);
}

/* The directory part of @name below the target, made where missing. */
static int make_parents(int dir_fd, const char *name) {
    px_cleanup_free char *part = px_strdup(name);
    for (char *slash = strchr(part, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        const char *last = strrchr(part, '/');
        px_cleanup_free char *up = last ? px_strndup(part, (size_t)(last - part)) : px_strdup(".");
        px_cleanup_close int fd = open_below(dir_fd, up, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 || (mkdirat(fd, last ? last + 1 : part, 0755) < 0 && errno != EEXIST))
            return -errno;
        *slash = '/';
    }
    return 0;
}

/* The open parent of @name and its last part. */
static int open_parent(int dir_fd, const char *name, const char **base) {
    const char *slash = strrchr(name, '/');
    px_cleanup_free char *up = slash ? px_strndup(name, (size_t)(slash - name)) : px_strdup(".");
    *base = slash ? slash + 1 : name;
    return open_below(dir_fd, up, O_RDONLY | O_DIRECTORY, 0);
}

static void remove_below(int dir_fd, const char *name) {
    const char *base;
    px_cleanup_close int fd = open_parent(dir_fd, name, &base);
    if (fd >= 0)
        unlinkat(fd, base, 0);
}

static void close_file(struct px_job *j) {
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

void px_upload_abandon(struct px_job *j) {
    if (j->fd < 0 || !j->name)
        return;
    px_cleanup_free char *part = with(j->name, ".download"), *note = with(j->name, ".digest");
    close_file(j);
    remove_below(j->dir_fd, part);
    remove_below(j->dir_fd, note);
}

/* Names the current file; false: the client speaks of one that it did not announce. */
static bool select_file(struct px_job *j, int32_t n) {
    if (n < 0 || (size_t)n >= j->list.n)
        return fail(j, "no such file in this job");
    if ((size_t)n == j->file_num && j->name)
        return true;
    close_file(j);
    j->file_num = (size_t)n;
    j->offset = 0;
    j->over = false;
    free(j->name);
    const ProtobufCBinaryData name = j->list.entries[n].name;
    if (name.len)
        j->name = px_strndup((const char *)name.data, name.len);
    else {
        const char *slash = strrchr(j->path, '/');
        j->name = px_strdup(slash ? slash + 1 : j->path);
    }
    j->digest = (Pxs__FileDigest)PXS__FILE_DIGEST__INIT;
    return true;
}

static void send_digest(struct px_job *j, Pxs__FileDigest *d) {
    d->id = j->id;
    d->file_num = (int32_t)j->file_num;
    d->is_upload = true;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIGEST;
    r.digest = d;
    px_files_send_response(j->session, &r);
}

static void send_confirm(struct px_job *j) {
    Pxs__FileSendConfirm c = PXS__FILE_SEND_CONFIRM__INIT;
    c.id = j->id;
    c.file_num = (int32_t)j->file_num;
    c.decision_case = PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    a.action_case = PXS__FILE_ACTION__ACTION_SEND_CONFIRM;
    a.send_confirm = &c;
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_ACTION;
    m.file_action = &a;
    px_session_send(j->session, &m);
}

/* Bytes of a partial file that belongs to the same original; 0: none. */
static uint64_t resumable(struct px_job *j, const Pxs__FileDigest *m) {
    px_cleanup_free char *part = with(j->name, ".download"), *note = with(j->name, ".digest");
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    struct stat st;
    px_cleanup_close int fd = open_below(j->dir_fd, note, O_RDONLY | O_NONBLOCK, 0);
    px_cleanup_close int part_fd = open_below(j->dir_fd, part, O_RDONLY | O_NONBLOCK, 0);
    if (!m->is_resume || fd < 0 || part_fd < 0 || fstat(part_fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        px_fd_read_all(fd, 4096, &text, &size, NULL) < 0)
        return 0;
    json_t *o = json_loadb(text, size, 0, NULL);
    const bool same =
        (uint64_t)json_integer_value(json_object_get(o, "size")) == m->file_size &&
        (uint64_t)json_integer_value(json_object_get(o, "modified")) == m->last_modified;
    json_decref(o);
    return same ? (uint64_t)st.st_size : 0;
}

bool px_job_digest(struct px_job *j, const Pxs__FileDigest *m) {
    struct stat st;
    if (!j->upload || !select_file(j, m->file_num))
        return j->upload ? false : true;
    j->digest = *m;
    j->over = false;
    const int r = make_parents(j->dir_fd, j->name);
    if (r < 0)
        return fail(j, strerror(-r));
    Pxs__FileDigest d = *m;
    const uint64_t partial = resumable(j, m);
    if (partial > 0) {
        d.is_identical = true;
        d.transferred_size = partial;
        send_digest(j, &d);
        return true;
    }
    const char *base;
    px_cleanup_close int up = open_parent(j->dir_fd, j->name, &base);
    if (up < 0)
        return fail(j, strerror(errno));
    if (fstatat(up, base, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        j->offset = 0;
        send_confirm(j);
        return true;
    }
    d.last_modified = st.st_mtime > 0 ? (uint64_t)st.st_mtime : 0;
    d.file_size = (uint64_t)st.st_size;
    d.is_resume = false;
    d.is_identical = d.last_modified == m->last_modified && d.file_size == m->file_size;
    send_digest(j, &d);
    return true;
}

bool px_upload_confirm(struct px_job *j, const Pxs__FileSendConfirm *m) {
    if (!select_file(j, m->file_num))
        return false;
    close_file(j);
    j->over = m->decision_case == PXS__FILE_SEND_CONFIRM__DECISION_SKIP && m->skip;
    j->offset = m->decision_case == PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK ? m->offset_blk : 0;
    return true;
}

static void write_note(struct px_job *j) {
    px_cleanup_free char *note = with(j->name, ".digest");
    px_cleanup_close int fd = open_below(j->dir_fd, note, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const Pxs__FileEntry *e = &j->list.entries[j->file_num];
    if (fd >= 0)
        dprintf(fd, "{\"size\":%llu,\"modified\":%llu}\n", (unsigned long long)e->size,
                (unsigned long long)e->modified_time);
}

static bool open_part(struct px_job *j) {
    px_cleanup_free char *part = with(j->name, ".download");
    struct stat st;
    const int r = make_parents(j->dir_fd, j->name);
    if (r < 0)
        return fail(j, strerror(-r));
    j->fd = open_below(j->dir_fd, part, O_WRONLY | O_CREAT | O_NONBLOCK | (j->offset ? 0 : O_TRUNC),
                       0644);
    if (j->fd < 0 || fstat(j->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(j, j->fd < 0 ? strerror(errno) : "not a file");
    if (j->offset > (uint64_t)st.st_size)
        j->offset = (uint64_t)st.st_size;
    if (j->offset == 0)
        write_note(j);
    return true;
}

/* The last block is in: the file takes its name. */
static bool complete(struct px_job *j) {
    px_cleanup_free char *part = with(j->name, ".download"), *note = with(j->name, ".digest");
    const char *base;
    const Pxs__FileEntry *e = &j->list.entries[j->file_num];
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = (time_t)e->modified_time}};
    if (ftruncate(j->fd, (off_t)j->offset) < 0)
        return fail(j, strerror(errno));
    if (e->modified_time)
        (void)futimens(j->fd, times);
    close_file(j);
    px_cleanup_close int up = open_parent(j->dir_fd, part, &base);
    const char *slash = strrchr(j->name, '/');
    const char *final = slash ? slash + 1 : j->name;
    if (up < 0 || renameat(up, base, up, final) < 0)
        return fail(j, strerror(errno));
    remove_below(j->dir_fd, note);
    j->over = true;
    return true;
}

static bool write_all(struct px_job *j, const uint8_t *data, size_t size) {
    while (size > 0) {
        const ssize_t n = pwrite(j->fd, data, size, (off_t)j->offset);
        if (n < 0 && errno != EINTR)
            return fail(j, strerror(errno));
        if (n > 0) {
            data += n;
            size -= (size_t)n;
            j->offset += (uint64_t)n;
        }
    }
    return true;
}

/* The client is asked about a file that exists; when its user says yes, it sends no confirmation:
 * the first block is the answer. */
bool px_job_block(struct px_job *j, const Pxs__FileBlock *m) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    const void *data = m->data.data;
    size_t size = m->data.len;
    if (!j->upload)
        return true;
    if (!select_file(j, m->file_num))
        return false;
    if (j->over)
        return true;
    if (j->fd < 0 && !open_part(j))
        return false;
    if (m->compressed && size > 0) {
        const int r = px_unpack(data, size, BLOCK_MAX_BYTES, &plain, NULL);
        if (r < 0)
            return fail(j, r == -EFBIG ? "a block that unpacks to too much"
                                       : "a block that does not unpack");
        data = plain.data;
        size = plain.size;
    }
    return size == 0 ? complete(j) : write_all(j, data, size);
}

bool px_job_done(struct px_job *j, const Pxs__FileDone *m) {
    if (!j->upload)
        return true;
    px_files_send_done(j->session, j->id, m->file_num);
    return false;
}

bool px_job_error(struct px_job *j, const Pxs__FileError *m) {
    if (!j->upload)
        return true;
    px_files_send_error(j->session, j->id, m->file_num, m->error);
    return false;
}

/* Takes over the client's list; false (answered): a name that leads elsewhere. */
static bool take_list(struct px_job *j, const Pxs__FileReceive *m) {
    if (m->n_files == 0 || m->n_files > PX_LISTING_MAX)
        return fail(j, "too many files, or none");
    for (size_t i = 0; i < m->n_files; i++) {
        const Pxs__FileEntry *e = m->files[i];
        const bool single = m->n_files == 1 && e->name.len == 0;
        if (!single && !px_upload_name_ok(e->name.data, e->name.len)) {
            j->file_num = i;
            return fail(j, "a file name that is not allowed");
        }
        px_grow(j->list.entries, &j->list.cap, j->list.n + 1);
        Pxs__FileEntry *to = &j->list.entries[j->list.n++];
        *to = (Pxs__FileEntry)PXS__FILE_ENTRY__INIT;
        to->size = e->size;
        to->modified_time = e->modified_time;
        to->name = (ProtobufCBinaryData){e->name.len, px_memdup(e->name.data, e->name.len)};
    }
    return true;
}

static bool open_target(struct px_job *j) {
    px_cleanup_free char *dir = px_strdup(j->path);
    struct px_error err = {0};
    if (j->list.n == 1 && j->list.entries[0].name.len == 0) {
        char *slash = strrchr(dir, '/');
        if (!slash || !px_file_component_ok((uint8_t *)slash + 1, strlen(slash + 1)))
            return fail(j, "a path that is not allowed");
        slash[slash == dir] = '\0';
    }
    if (px_mkdir_p(AT_FDCWD, dir, 0755, &err) < 0)
        return fail(j, err.msg);
    j->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return j->dir_fd < 0 ? fail(j, strerror(errno)) : true;
}

struct px_job *px_job_upload(struct px_session *s, const Pxs__FileReceive *m) {
    px_cleanup(px_job_freep) struct px_job *j = px_job_new(s, m->id, m->path);
    if (!j)
        return NULL;
    j->upload = true;
    return take_list(j, m) && open_target(j) ? px_take_ptr(j) : NULL;
}
