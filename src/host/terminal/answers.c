/* src/host/terminal/answers.c - what clients are told of their terminals */
#include "host/terminal/answers.h"
#include "base/alloc.h"
#include "host/session.h"
#include <zstd.h>

#define COMPRESS_FROM_BYTES 512

static void respond(struct px_session *s, Pxs__TerminalResponse *r) {
    Pxs__Message m = PXS__MESSAGE__INIT;
    m.item_case = PXS__MESSAGE__ITEM_TERMINAL_RESPONSE;
    m.terminal_response = r;
    px_session_send(s, &m);
}

void px_terminal_say_opened(struct px_session *s, Pxs__TerminalOpened *o) {
    Pxs__TerminalResponse r = PXS__TERMINAL_RESPONSE__INIT;
    r.response_case = PXS__TERMINAL_RESPONSE__RESPONSE_OPENED;
    r.opened = o;
    respond(s, &r);
}

void px_terminal_say_data(struct px_session *s, int32_t id, const uint8_t *data, size_t size) {
    Pxs__TerminalData d = PXS__TERMINAL_DATA__INIT;
    px_cleanup_free uint8_t *packed = NULL;
    d.terminal_id = id;
    d.data = (ProtobufCBinaryData){size, (uint8_t *)data};
    if (size > COMPRESS_FROM_BYTES) {
        packed = px_calloc(1, size);
        const size_t n = ZSTD_compress(packed, size, data, size, 3);
        if (!ZSTD_isError(n)) { /* else it would not be smaller */
            d.data = (ProtobufCBinaryData){n, packed};
            d.compressed = true;
        }
    }
    Pxs__TerminalResponse r = PXS__TERMINAL_RESPONSE__INIT;
    r.response_case = PXS__TERMINAL_RESPONSE__RESPONSE_DATA;
    r.data = &d;
    respond(s, &r);
}

void px_terminal_say_error(struct px_session *s, int32_t id, const char *text) {
    Pxs__TerminalError e = PXS__TERMINAL_ERROR__INIT;
    e.terminal_id = id;
    e.message = (char *)text;
    Pxs__TerminalResponse r = PXS__TERMINAL_RESPONSE__INIT;
    r.response_case = PXS__TERMINAL_RESPONSE__RESPONSE_ERROR;
    r.error = &e;
    respond(s, &r);
}

void px_terminal_say_closed(struct px_session *s, int32_t id, int code) {
    Pxs__TerminalClosed c = PXS__TERMINAL_CLOSED__INIT;
    c.terminal_id = id;
    c.exit_code = code;
    Pxs__TerminalResponse r = PXS__TERMINAL_RESPONSE__INIT;
    r.response_case = PXS__TERMINAL_RESPONSE__RESPONSE_CLOSED;
    r.closed = &c;
    respond(s, &r);
}
