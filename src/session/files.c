/* src/session/files.c - file transfer, the client's side */
#include "session/files.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "proto/unpack.h"
#include <string.h>

#define BLOCK_BYTES (64 * 1024)
#define BLOCK_MAX_BYTES (1024 * 1024)

struct job {
    struct px_client *c;
    int32_t id;
    int64_t until_us;
};

static struct job begin(struct px_client *c, int64_t timeout_us) {
    return (struct job){c, ++c->n_jobs, px_now_us() + timeout_us};
}

static int send_action(struct job *j, Pxs__FileAction *a, struct px_error *err) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_ACTION;
    m.file_action = a;
    return px_client_send(j->c, &m, err);
}

static int send_response(struct job *j, Pxs__FileResponse *r, struct px_error *err) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_FILE_RESPONSE;
    m.file_response = r;
    return px_client_send(j->c, &m, err);
}

static ProtobufCBinaryData text(const char *s) {
    return (ProtobufCBinaryData){strlen(s), (uint8_t *)(uintptr_t)s};
}

static int refused(const char *why, struct px_error *err) {
    char clean[PX_PEER_TEXT_MAX];
    return px_fail(err, -EIO, "the host: %s", px_peer_text(why, clean));
}

static bool is_of(const struct job *j, const Pxs__FileResponse *r) {
    switch (r->response_case) {
    case PXS__FILE_RESPONSE__RESPONSE_DIR:
        return r->dir->id == j->id;
    case PXS__FILE_RESPONSE__RESPONSE_BLOCK:
        return r->block->id == j->id;
    case PXS__FILE_RESPONSE__RESPONSE_ERROR:
        return r->error->id == j->id;
    case PXS__FILE_RESPONSE__RESPONSE_DONE:
        return r->done->id == j->id;
    case PXS__FILE_RESPONSE__RESPONSE_DIGEST:
        return r->digest->id == j->id;
    case PXS__FILE_RESPONSE__RESPONSE_EMPTY_DIRS:
    case PXS__FILE_RESPONSE__RESPONSE__NOT_SET:
    default:
        return false;
    }
}

/* The next word about the job: a response, or the host's send_confirm. 1: *ret is the caller's;
 * 0: none until then. */
static int next(struct job *j, int64_t until_us, Pxs__Message **ret, struct px_error *err) {
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const int r = px_client_recv(j->c, until_us, &m, err);
        if (r <= 0)
            return r;
        const bool confirm = m->item_case == PXS__MESSAGE__ITEM_FILE_ACTION &&
                             m->file_action->action_case == PXS__FILE_ACTION__ACTION_SEND_CONFIRM &&
                             m->file_action->send_confirm->id == j->id;
        const bool response =
            m->item_case == PXS__MESSAGE__ITEM_FILE_RESPONSE && is_of(j, m->file_response);
        if (response && m->file_response->response_case == PXS__FILE_RESPONSE__RESPONSE_ERROR)
            return refused(m->file_response->error->error, err);
        if (confirm || response) {
            *ret = px_take_ptr(m);
            return 1;
        }
    }
}

static int await(struct job *j, Pxs__Message **ret, struct px_error *err) {
    const int r = next(j, j->until_us, ret, err);
    return r == 0 ? px_fail(err, -ETIMEDOUT, "the host does not go on with the file") : r;
}

static int confirm(struct job *j, struct px_error *err) {
    Pxs__FileSendConfirm ok = PXS__FILE_SEND_CONFIRM__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    ok.id = j->id;
    ok.decision_case = PXS__FILE_SEND_CONFIRM__DECISION_OFFSET_BLK;
    a.action_case = PXS__FILE_ACTION__ACTION_SEND_CONFIRM;
    a.send_confirm = &ok;
    return send_action(j, &a, err);
}

/* ---- here to there ---- */

/* Waits until the host wants the bytes; a file that is there is overwritten. */
static int await_confirm(struct job *j, struct px_error *err) {
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        int r = await(j, &m, err);
        if (r < 0)
            return r;
        if (m->item_case == PXS__MESSAGE__ITEM_FILE_ACTION)
            return 0;
        if (m->file_response->response_case == PXS__FILE_RESPONSE__RESPONSE_DIGEST)
            return confirm(j, err);
    }
}

static int send_block(struct job *j, const uint8_t *data, size_t size, struct px_error *err) {
    Pxs__FileBlock b = PXS__FILE_BLOCK__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    b.id = j->id;
    b.data = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)data};
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_BLOCK;
    r.block = &b;
    return send_response(j, &r, err);
}

static int send_bytes(struct job *j, int fd, uint64_t size, struct px_error *err) {
    px_cleanup_free uint8_t *block = px_calloc(1, BLOCK_BYTES);
    while (size > 0) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const size_t want = size < BLOCK_BYTES ? (size_t)size : BLOCK_BYTES;
        const ssize_t n = read(fd, block, want);
        if (n <= 0)
            return px_fail_sys(err, n < 0 ? -errno : -ENODATA, "cannot read the file");
        if (px_now_us() > j->until_us)
            return px_fail(err, -ETIMEDOUT, "the host takes the file too slowly");
        int r = send_block(j, block, (size_t)n, err);
        if (r >= 0)
            r = next(j, 0, &m, err); /* probes are answered, errors heard */
        if (r < 0)
            return r;
        size -= (uint64_t)n;
    }
    return send_block(j, NULL, 0, err);
}

static int send_done(struct job *j, struct px_error *err) {
    Pxs__FileDone done = PXS__FILE_DONE__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    done.id = j->id;
    done.file_num = 1;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DONE;
    r.done = &done;
    return send_response(j, &r, err);
}

static int await_done(struct job *j, struct px_error *err) {
    for (;;) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        const int r = await(j, &m, err);
        if (r < 0)
            return r;
        if (m->item_case == PXS__MESSAGE__ITEM_FILE_RESPONSE &&
            m->file_response->response_case == PXS__FILE_RESPONSE__RESPONSE_DONE)
            return 0;
    }
}

static int offer(struct job *j, const char *path, uint64_t size, struct px_error *err) {
    Pxs__FileEntry entry = PXS__FILE_ENTRY__INIT, *entries[] = {&entry};
    Pxs__FileReceive receive = PXS__FILE_RECEIVE__INIT;
    Pxs__FileDigest digest = PXS__FILE_DIGEST__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    Pxs__FileResponse r = PXS__FILE_RESPONSE__INIT;
    entry.entry_type = PX_FILE_FILE;
    entry.size = size;
    entry.modified_time = (uint64_t)time(NULL);
    receive.id = j->id;
    receive.path = text(path); /* a single file without a name: path is the target itself */
    receive.n_files = 1;
    receive.files = entries;
    receive.total_size = size;
    a.action_case = PXS__FILE_ACTION__ACTION_RECEIVE;
    a.receive = &receive;
    digest.id = j->id;
    digest.last_modified = entry.modified_time;
    digest.file_size = size;
    r.response_case = PXS__FILE_RESPONSE__RESPONSE_DIGEST;
    r.digest = &digest;
    const int sent = send_action(j, &a, err);
    return sent < 0 ? sent : send_response(j, &r, err);
}

int px_client_put(struct px_client *c, const char *path, int fd, uint64_t size, int64_t timeout_us,
                  struct px_error *err) {
    struct job j = begin(c, timeout_us);
    int r = offer(&j, path, size, err);
    if (r >= 0)
        r = await_confirm(&j, err);
    if (r >= 0)
        r = send_bytes(&j, fd, size, err);
    if (r >= 0)
        r = send_done(&j, err);
    if (r >= 0)
        r = await_done(&j, err);
    return r < 0 ? r : 0;
}

/* ---- there to here ---- */

struct download {
    struct job job;
    int fd;
    uint64_t size, max_bytes;
    bool ended;
};

static int take_block(struct download *d, const Pxs__FileBlock *b, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    const uint8_t *data = b->data.data;
    size_t size = b->data.len;
    if (size == 0) {
        d->ended = true;
        return 0;
    }
    if (b->compressed) {
        const int r = px_unpack(data, size, BLOCK_MAX_BYTES, &plain, err);
        if (r < 0)
            return r;
        data = (const uint8_t *)plain.data;
        size = plain.size;
    }
    if (size > BLOCK_MAX_BYTES || d->size + size > d->max_bytes)
        return px_fail(err, -EFBIG, "the host sends more than %ju bytes", (uintmax_t)d->max_bytes);
    d->size += size;
    const int r = px_fd_write_all(d->fd, data, size);
    return r < 0 ? px_fail_sys(err, r, "cannot write the file") : 0;
}

/* 1: the file is whole. */
static int take_response(struct download *d, const Pxs__FileResponse *r, struct px_error *err) {
    switch (r->response_case) {
    case PXS__FILE_RESPONSE__RESPONSE_DIR:
        return r->dir->n_entries == 1 ? 0 : px_fail(err, -EISDIR, "it is a directory");
    case PXS__FILE_RESPONSE__RESPONSE_DIGEST:
        return r->digest->file_size > d->max_bytes
                   ? px_fail(err, -EFBIG, "the file is larger than %ju bytes",
                             (uintmax_t)d->max_bytes)
                   : confirm(&d->job, err);
    case PXS__FILE_RESPONSE__RESPONSE_BLOCK:
        return take_block(d, r->block, err);
    case PXS__FILE_RESPONSE__RESPONSE_DONE:
        return d->ended ? 1 : px_fail(err, -EIO, "the host ends before the file does");
    case PXS__FILE_RESPONSE__RESPONSE_ERROR:
    case PXS__FILE_RESPONSE__RESPONSE_EMPTY_DIRS:
    case PXS__FILE_RESPONSE__RESPONSE__NOT_SET:
    default:
        return 0;
    }
}

int px_client_get(struct px_client *c, const char *path, int fd, uint64_t max_bytes,
                  int64_t timeout_us, uint64_t *ret, struct px_error *err) {
    struct download d = {.job = begin(c, timeout_us), .fd = fd, .max_bytes = max_bytes};
    Pxs__FileSend send = PXS__FILE_SEND__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    send.id = d.job.id;
    send.path = text(path);
    a.action_case = PXS__FILE_ACTION__ACTION_SEND;
    a.send = &send;
    int r = send_action(&d.job, &a, err);
    while (r == 0) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        r = await(&d.job, &m, err);
        if (r > 0)
            r = m->item_case == PXS__MESSAGE__ITEM_FILE_RESPONSE
                    ? take_response(&d, m->file_response, err)
                    : 0;
    }
    if (r < 0)
        return r;
    *ret = d.size;
    return 0;
}

int px_client_remove(struct px_client *c, const char *path, int64_t timeout_us,
                     struct px_error *err) {
    struct job j = begin(c, timeout_us);
    Pxs__FileRemove remove = PXS__FILE_REMOVE__INIT;
    Pxs__FileAction a = PXS__FILE_ACTION__INIT;
    remove.id = j.id;
    remove.path = text(path);
    a.action_case = PXS__FILE_ACTION__ACTION_REMOVE_FILE;
    a.remove_file = &remove;
    const int r = send_action(&j, &a, err);
    return r < 0 ? r : await_done(&j, err);
}
