/* src/host/encode/card_private.h - what card.c lends to nvenc.c */
#pragma once
#include "host/encode/card.h"
#include <ffnvcodec/dynlink_cuda.h>
#include <ffnvcodec/nvEncodeAPI.h>

struct px_card {
    void *cuda, *nvenc; /* the libraries */
    NV_ENCODE_API_FUNCTION_LIST f;
    CUcontext context;
    CUdevice device;
    tcuDevicePrimaryCtxRelease *release;
    tcuCtxPushCurrent_v2 *push;
    tcuCtxPopCurrent_v2 *pop;
    char name[64];
};

/* -ENODEV, -EBUSY (no session, no memory) or -EIO by @r, with what was being done and, if there is
 * a session, the driver's words. */
int px_card_fail(struct px_error *err, const struct px_card *card, void *session, NVENCSTATUS r,
                 const char *doing);
int px_card_open_session(const struct px_card *card, void **ret, struct px_error *err);
