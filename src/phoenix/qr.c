/* src/phoenix/qr.c - a QR code in letters, for a terminal */
#include "phoenix/qr.h"
#include <errno.h>
#include <qrencode.h>
#include <stdbool.h>

#define QUIET 2 /* modules of white around it; four by the standard, two are enough to read it */

static bool is_dark(const QRcode *q, int x, int y) {
    return x >= 0 && y >= 0 && x < q->width && y < q->width && q->data[y * q->width + x] & 1;
}

int px_qr_print(const char *text, struct px_buf *out, struct px_error *err) {
    static const char *const halves[] = {" ", "▀", "▄", "█"};
    QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
    if (!q)
        return errno == ERANGE ? px_fail(err, -EMSGSIZE, "too long for a QR code")
                               : px_fail_sys(err, -errno, "no QR code");
    for (int y = -QUIET; y < q->width + QUIET; y += 2) {
        px_buf_puts(out, "\033[30;107m");
        for (int x = -QUIET; x < q->width + QUIET; x++)
            px_buf_puts(out, halves[is_dark(q, x, y) | is_dark(q, x, y + 1) << 1]);
        px_buf_puts(out, "\033[0m\n");
    }
    QRcode_free(q);
    return 0;
}
