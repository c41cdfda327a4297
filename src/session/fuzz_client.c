/* src/session/fuzz_client.c - a hostile host: whatever it sends, a client stays in bounds
 *
 * The bytes are frames as they come from the wire, before and after the login; pictures are
 * decoded, clipboards unpacked. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "proto/unpack.h"
#include "session/clipboard.h"
#include "session/decoder.h"
#include <assert.h>
#include <libavutil/log.h>
#include <sys/socket.h>

#define INPUT_MAX_BYTES (128 * 1024) /* what a socket takes at once */
#define PICTURE_MAX (1024 * 1024)    /* pixels: larger ones take the fuzzer's time */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(const Pxs__Message *m, struct px_decoder *d) {
    px_cleanup_free char *text = px_clipboard_text(m);
    if (m->item_case != PXS__MESSAGE__ITEM_VIDEO_FRAME ||
        px_decoder_push(d, m->video_frame, NULL) < 0)
        return;
    const int w = px_decoder_width(d), h = px_decoder_height(d);
    assert(w > 0 && h > 0);
    px_decoder_pixel(d, w - 1, h - 1);
    if ((int64_t)w * h <= PICTURE_MAX)
        free(px_decoder_rgba(d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int fds[2];
    if (size < 1 || size > INPUT_MAX_BYTES || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        return 0;
    av_log_set_level(AV_LOG_QUIET);
    px_cleanup(px_client_closep) struct px_client *c = px_client_adopt(fds[0]);
    px_cleanup(px_decoder_freep) struct px_decoder *d = px_decoder_new();
    px_cleanup(px_buf_fini) struct px_buf plain = {0};
    c->logged_in = data[0] & 1;
    c->no_echo = true;
    const ssize_t n = send(fds[1], data + 1, size - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    shutdown(fds[1], SHUT_WR);
    for (int i = 0; n > 0 && i < 100; i++) {
        px_cleanup(px_message_freep) Pxs__Message *m = NULL;
        if (px_client_recv(c, INT64_MAX, &m, NULL) <= 0)
            break;
        take(m, d);
    }
    close(fds[1]);
    if (px_unpack(data, size, 65536, &plain, NULL) == 0)
        assert(plain.size <= 65536);
    return 0;
}
