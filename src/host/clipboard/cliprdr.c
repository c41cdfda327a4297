/* src/host/clipboard/cliprdr.c - files by copy and paste */
#include "host/clipboard/cliprdr.h"
#include "base/alloc.h"
#include "base/log.h"
#include "host/clipboard/intake.h"
#include "host/clipboard/offer.h"
#include "host/session.h"
#include <string.h>

#define DESCRIPTORS_ID 49334 /* as stock clients number them */
#define CONTENTS_ID 49267
#define SINCE 1003080 /* client 1.3.8 */
#define READ_MAX_BYTES (8u * 1024 * 1024)
#define QUEUE_MAX_BYTES (32u * 1024 * 1024) /* a client that asks faster than it reads */
enum { FLAG_OK = 1, FLAG_FAIL = 2 };
enum { WANT_SIZE = 1, WANT_RANGE = 2 };

struct px_cliprdr {
    struct px_host *host;
    const struct px_cliprdr_ops *ops;
    void *data;
    /* copied on the desktop */
    struct px_paths copied;
    struct px_offer *offer; /* made of them when first asked for */
    /* copied by a client */
    struct px_session *from;  /* who told of files; NULL: nobody, or gone since they were fetched */
    struct px_intake *intake; /* once the descriptors are here */
    struct px_intake *before; /* programs may still be copying out of the one before */
};

bool px_cliprdr_takes(const struct px_session *s) {
    const struct px_permissions *p = &s->host->config->permissions;
    return px_session_is_desktop(s) && p->file && p->clipboard && p->keyboard &&
           s->options.copy_files && s->version >= SINCE;
}

static void send_cliprdr(struct px_session *s, Pxs__Cliprdr *c) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_CLIPRDR;
    m.cliprdr = c;
    px_session_send(s, &m);
}

/* ---- copied on the desktop ---- */

static void tell(struct px_cliprdr *c, struct px_session *s) {
    Pxs__CliprdrFormat d = PXS__CLIPRDR_FORMAT__INIT, b = PXS__CLIPRDR_FORMAT__INIT;
    Pxs__CliprdrFormat *formats[] = {&d, &b};
    Pxs__CliprdrFormatList list = PXS__CLIPRDR_FORMAT_LIST__INIT;
    Pxs__Cliprdr m = PXS__CLIPRDR__INIT;
    if (!px_cliprdr_takes(s))
        return;
    d.id = DESCRIPTORS_ID;
    d.format = (char *)"FileGroupDescriptorW";
    b.id = CONTENTS_ID;
    b.format = (char *)"FileContents";
    list.n_formats = 2;
    list.formats = formats;
    m.item_case = PXS__CLIPRDR__ITEM_FORMAT_LIST;
    m.format_list = &list;
    send_cliprdr(s, &m);
}

void px_cliprdr_copied(struct px_cliprdr *c, struct px_paths *paths) {
    px_cliprdr_forget(c);
    c->copied = *paths;
    *paths = (struct px_paths){0};
    for (struct px_session *s = c->host->sessions; s; s = s->next)
        tell(c, s);
}

static void send_descriptors(struct px_cliprdr *c, struct px_session *s) {
    px_cleanup(px_buf_fini) struct px_buf data = {0};
    struct px_error err = {0};
    Pxs__CliprdrDataResponse r = PXS__CLIPRDR_DATA_RESPONSE__INIT;
    Pxs__Cliprdr m = PXS__CLIPRDR__INIT;
    r.msg_flags = FLAG_FAIL;
    if (!c->offer && c->copied.n && px_offer_new(&c->copied, &c->offer, &err) < 0)
        px_info("clipboard: %s", err.msg);
    if (c->offer) {
        char id[PX_PEER_TEXT_MAX];
        px_descriptors_print(px_offer_list(c->offer), &data);
        r.msg_flags = FLAG_OK;
        r.format_data = (ProtobufCBinaryData){data.size, (uint8_t *)data.data};
        px_host_audit(c->host, "session %s may paste files: count=%zu", px_peer_text(s->my_id, id),
                      px_offer_list(c->offer)->n);
    }
    m.item_case = PXS__CLIPRDR__ITEM_FORMAT_DATA_RESPONSE;
    m.format_data_response = &r;
    send_cliprdr(s, &m);
}

/* The bytes that @q wants, into @to; how many, or less than 0. */
static ssize_t read_contents(struct px_cliprdr *c, const Pxs__CliprdrContentsRequest *q,
                             uint8_t *to, size_t cap) {
    const struct px_descriptors *l = c->offer ? px_offer_list(c->offer) : NULL;
    const size_t index = (size_t)(uint32_t)q->list_index;
    if (!l || index >= l->n)
        return -EINVAL;
    if (q->dw_flags == WANT_SIZE) {
        for (int i = 0; i < 8; i++)
            to[i] = (uint8_t)(l->list[index].size >> 8 * i);
        return 8;
    }
    const uint64_t offset =
        (uint64_t)(uint32_t)q->n_position_high << 32 | (uint32_t)q->n_position_low;
    return q->dw_flags == WANT_RANGE ? px_offer_read(c->offer, index, offset, to, cap) : -EINVAL;
}

static void send_contents(struct px_cliprdr *c, struct px_session *s,
                          const Pxs__CliprdrContentsRequest *q) {
    size_t cap = (uint32_t)q->cb_requested;
    cap = q->dw_flags == WANT_SIZE ? 8 : cap < READ_MAX_BYTES ? cap : READ_MAX_BYTES;
    const bool flood = px_conn_queued_bytes(s->conn) > QUEUE_MAX_BYTES;
    px_cleanup_free uint8_t *data = px_calloc(1, cap ? cap : 1);
    const ssize_t n = flood ? -EBUSY : read_contents(c, q, data, cap);
    Pxs__CliprdrContentsResponse r = PXS__CLIPRDR_CONTENTS_RESPONSE__INIT;
    Pxs__Cliprdr m = PXS__CLIPRDR__INIT;
    r.stream_id = q->stream_id;
    r.msg_flags = n < 0 ? FLAG_FAIL : FLAG_OK;
    if (n > 0)
        r.requested_data = (ProtobufCBinaryData){(size_t)n, data};
    m.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_RESPONSE;
    m.file_contents_response = &r;
    send_cliprdr(s, &m);
}

/* ---- copied by a client ---- */

static void on_want(void *data, int32_t stream_id, size_t index, uint64_t offset, uint32_t size) {
    struct px_cliprdr *c = data;
    Pxs__CliprdrContentsRequest q = PXS__CLIPRDR_CONTENTS_REQUEST__INIT;
    Pxs__Cliprdr m = PXS__CLIPRDR__INIT;
    q.stream_id = stream_id;
    q.list_index = (int32_t)index;
    q.dw_flags = WANT_RANGE;
    q.n_position_low = (int32_t)(uint32_t)offset;
    q.n_position_high = (int32_t)(uint32_t)(offset >> 32);
    q.cb_requested = (int32_t)size;
    m.item_case = PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST;
    m.file_contents_request = &q;
    if (c->from)
        send_cliprdr(c->from, &m);
}

static void on_ended(void *data, const struct px_error *why) {
    struct px_cliprdr *c = data;
    char id[PX_PEER_TEXT_MAX];
    if (why)
        px_info("clipboard: %s", why->msg);
    else if (c->from)
        px_host_audit(c->host, "session %s pasted files: count=%zu",
                      px_peer_text(c->from->my_id, id), px_intake_paths(c->intake)->n);
    c->ops->fetched(c->data);
}

static const struct px_intake_ops intake_ops = {.want = on_want, .ended = on_ended};

static void take_formats(struct px_cliprdr *c, struct px_session *from,
                         const Pxs__CliprdrFormatList *l) {
    Pxs__CliprdrDataRequest q = PXS__CLIPRDR_DATA_REQUEST__INIT;
    Pxs__Cliprdr m = PXS__CLIPRDR__INIT;
    bool contents = false;
    for (size_t i = 0; i < l->n_formats; i++) {
        if (strcmp(l->formats[i]->format, "FileGroupDescriptorW") == 0)
            q.requested_format_id = l->formats[i]->id;
        contents |= strcmp(l->formats[i]->format, "FileContents") == 0;
    }
    if (!contents || !q.requested_format_id)
        return;
    px_cliprdr_forget(c);
    c->from = from;
    m.item_case = PXS__CLIPRDR__ITEM_FORMAT_DATA_REQUEST;
    m.format_data_request = &q;
    send_cliprdr(from, &m);
}

/* A paste that can never be: the person hears why, for their file manager will not say. */
static void tell_why_not(struct px_session *s, const struct px_error *why) {
    Pxs__MessageBox b = PXS__MESSAGE_BOX__INIT;
    Pxs__Message m = PXS__MESSAGE__INIT;
    b.msgtype = (char *)"error";
    b.title = (char *)"Copy and paste";
    b.text = (char *)why->msg;
    b.link = (char *)"";
    m.item_case = PXS__MESSAGE__ITEM_MESSAGE_BOX;
    m.message_box = &b;
    px_session_send(s, &m);
}

static void take_descriptors(struct px_cliprdr *c, struct px_session *from,
                             const Pxs__CliprdrDataResponse *r) {
    struct px_descriptors list;
    struct px_error err = {0};
    if (from != c->from || c->intake || r->msg_flags != FLAG_OK)
        return;
    if (px_descriptors_parse(r->format_data.data, r->format_data.len, &list, &err) < 0 ||
        px_intake_new(&list, &intake_ops, c, &c->intake, &err) < 0) {
        px_info("clipboard: %s", err.msg);
        tell_why_not(from, &err);
        c->from = NULL;
        return;
    }
    c->ops->offered(c->data);
}

int px_cliprdr_get(struct px_cliprdr *c, bool fetch, const struct px_paths **ret) {
    if (!c->intake)
        return -ENOENT;
    if (fetch)
        px_intake_start(c->intake);
    switch (px_intake_state(c->intake)) {
    case PX_INTAKE_DONE:
        *ret = px_intake_paths(c->intake);
        return 1;
    case PX_INTAKE_IDLE:
    case PX_INTAKE_FETCHING:
        return 0;
    case PX_INTAKE_FAILED:
        break;
    }
    return -ENOENT;
}

void px_cliprdr_message(struct px_cliprdr *c, struct px_session *from, const Pxs__Cliprdr *m) {
    if (!px_cliprdr_takes(from))
        return;
    switch (m->item_case) {
    case PXS__CLIPRDR__ITEM_FORMAT_LIST:
        take_formats(c, from, m->format_list);
        break;
    case PXS__CLIPRDR__ITEM_FORMAT_DATA_REQUEST:
        send_descriptors(c, from);
        break;
    case PXS__CLIPRDR__ITEM_FORMAT_DATA_RESPONSE:
        take_descriptors(c, from, m->format_data_response);
        break;
    case PXS__CLIPRDR__ITEM_FILE_CONTENTS_REQUEST:
        send_contents(c, from, m->file_contents_request);
        break;
    case PXS__CLIPRDR__ITEM_FILE_CONTENTS_RESPONSE:
        if (from == c->from && c->intake) {
            const Pxs__CliprdrContentsResponse *r = m->file_contents_response;
            const bool ok = r->msg_flags == FLAG_OK;
            px_intake_take(c->intake, r->stream_id, ok ? r->requested_data.data : NULL,
                           r->requested_data.len);
        }
        break;
    case PXS__CLIPRDR__ITEM_TRY_EMPTY:
        px_cliprdr_left(c, from);
        break;
    case PXS__CLIPRDR__ITEM_READY:
    case PXS__CLIPRDR__ITEM_FORMAT_LIST_RESPONSE:
    case PXS__CLIPRDR__ITEM__NOT_SET:
    default:
        break;
    }
}

/* ---- life ---- */

void px_cliprdr_forget(struct px_cliprdr *c) {
    px_paths_fini(&c->copied);
    px_offer_free(c->offer);
    c->offer = NULL;
    c->from = NULL;
    if (!c->intake)
        return;
    if (px_intake_state(c->intake) == PX_INTAKE_DONE) {
        px_intake_free(c->before);
        c->before = c->intake;
    } else
        px_intake_free(c->intake);
    c->intake = NULL;
}

/* What is here stays for pasting; the rest can never come. */
void px_cliprdr_left(struct px_cliprdr *c, const struct px_session *s) {
    if (c->from != s)
        return;
    c->from = NULL;
    if (!c->intake || px_intake_state(c->intake) == PX_INTAKE_DONE)
        return;
    px_intake_free(c->intake);
    c->intake = NULL;
    c->ops->fetched(c->data);
    c->ops->withdrawn(c->data);
}

struct px_cliprdr *px_cliprdr_new(struct px_host *h, const struct px_cliprdr_ops *ops, void *data) {
    struct px_cliprdr *c = px_new0(struct px_cliprdr, 1);
    c->host = h;
    c->ops = ops;
    c->data = data;
    px_intake_clean();
    return c;
}

void px_cliprdr_free(struct px_cliprdr *c) {
    if (!c)
        return;
    px_paths_fini(&c->copied);
    px_offer_free(c->offer);
    px_intake_free(c->intake);
    px_intake_free(c->before);
    free(c);
}
