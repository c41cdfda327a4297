/* bench/peer_rfb.c - a VNC client for measuring, by libvncclient
 * It asks for the next update when one begins to arrive, as viewers do. */
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "peer.h"
#include <linux/tcp.h>
#include <netinet/in.h>
#include <rfb/rfbclient.h>
#include <string.h>
#include <sys/socket.h>

struct rfb {
    struct px_peer base;
    rfbClient *client;
    bool fresh;
};

static int tag; /* its address: where libvncclient keeps us */

static void on_update(rfbClient *c) {
    struct rfb *p = rfbClientGetClientData(c, &tag);
    p->fresh = true;
}

static void mute(const char *format, ...) {
}

static void rfb_close(struct px_peer *base) {
    struct rfb *p = px_container_of(base, struct rfb, base);
    if (p->client) {
        free(p->client->frameBuffer);
        rfbClientCleanup(p->client);
    }
    free(p);
}

static int rfb_open(const struct px_peer_opts *o, struct px_peer **ret, struct px_error *err) {
    struct rfb *p = px_new0(struct rfb, 1);
    const char *colon = o->address ? strrchr(o->address, ':') : NULL;
    rfbClientLog = rfbClientErr = mute;
    rfbClient *c = rfbGetClient(8, 3, 4);
    if (!colon)
        return px_fail(err, -EINVAL, "'%s' is not host:port", o->address ? o->address : "");
    c->serverHost = strndup(o->address, (size_t)(colon - o->address));
    c->serverPort = atoi(colon + 1);
    c->appData.encodingsString = o->codec ? o->codec : "tight copyrect zrle hextile raw";
    c->appData.enableJPEG = TRUE;
    c->appData.qualityLevel = 8;
    c->appData.compressLevel = 1;
    c->canHandleNewFBSize = TRUE;
    c->FinishedFrameBufferUpdate = on_update;
    rfbClientSetClientData(c, &tag, p);
    p->client = c;
    if (!rfbInitClient(c, NULL, NULL)) {
        p->client = NULL; /* it has cleaned up */
        rfb_close(&p->base);
        return px_fail(err, -EIO, "no VNC session at %s", o->address);
    }
    *ret = &p->base;
    return 0;
}

static uint64_t received(const rfbClient *c) {
    struct tcp_info ti = {0};
    socklen_t len = sizeof(ti);
    (void)getsockopt(c->sock, IPPROTO_TCP, TCP_INFO, &ti, &len);
    return ti.tcpi_bytes_received;
}

static int rfb_wait(struct px_peer *base, int64_t until_us, struct px_error *err) {
    struct rfb *p = px_container_of(base, struct rfb, base);
    p->fresh = false;
    while (!p->fresh) {
        const int64_t left = until_us - px_now_us();
        const int n = left > 0 ? WaitForMessage(p->client, (unsigned)left) : 0;
        if (n == 0)
            return 0;
        if (n < 0 || !HandleRFBServerMessage(p->client))
            return px_fail(err, -EPIPE, "the VNC server ends the session");
    }
    base->n_bytes = received(p->client);
    return 1;
}

static int rfb_luma(struct px_peer *base, int x, int y) {
    const struct rfb *p = px_container_of(base, struct rfb, base);
    const size_t at = ((size_t)y * (size_t)p->client->width + (size_t)x) * 4;
    return p->client->frameBuffer[at + 1];
}

static int rfb_key(struct px_peer *base, struct px_error *err) {
    struct rfb *p = px_container_of(base, struct rfb, base);
    if (!SendKeyEvent(p->client, 'a', TRUE) || !SendKeyEvent(p->client, 'a', FALSE))
        return px_fail(err, -EPIPE, "cannot send a key");
    return 0;
}

static int rfb_mouse(struct px_peer *base, int x, int y, bool pressed, struct px_error *err) {
    struct rfb *p = px_container_of(base, struct rfb, base);
    if (!SendPointerEvent(p->client, x, y, pressed ? rfbButton1Mask : 0))
        return px_fail(err, -EPIPE, "cannot send the pointer");
    return 0;
}

static const struct px_peer_ops ops = {.open = rfb_open,
                                       .wait = rfb_wait,
                                       .luma = rfb_luma,
                                       .key = rfb_key,
                                       .mouse = rfb_mouse,
                                       .close = rfb_close};
const struct px_peer_ops *const px_peer_rfb = &ops;
