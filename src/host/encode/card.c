/* src/host/encode/card.c - the card that encodes */
#include "host/encode/card_private.h"
#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/nvenc_api.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define NEEDED PX_NVENC_API(NVENCAPI_MAJOR_VERSION, NVENCAPI_MINOR_VERSION)
#define VERSION_FILE "/sys/module/nvidia/version"

typedef NVENCSTATUS version_fn(uint32_t *);
typedef NVENCSTATUS create_fn(NV_ENCODE_API_FUNCTION_LIST *);

enum state { NONE, MAKING, READY };

struct px_cards {
    pthread_mutex_t lock;
    pthread_cond_t done; /* with making */
    /* under the lock */
    enum state state;
    struct px_card card;
    int n_users;
    bool rest, lost;
    int failed; /* what the thread came back with, to be told once; 0: nothing */
    struct px_error why;
    pthread_t thread;
    bool has_thread; /* to be joined */
};

/* ---- errors ---- */

static const char *words(NVENCSTATUS r) {
    switch ((int)r) {
    case NV_ENC_ERR_NO_ENCODE_DEVICE:
    case NV_ENC_ERR_UNSUPPORTED_DEVICE:
        return "no encoder on this card";
    case NV_ENC_ERR_OUT_OF_MEMORY:
    case NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY: /* newer drivers, above the limit of sessions */
        return "no session is free, or no memory";
    case NV_ENC_ERR_DEVICE_NOT_EXIST:
        return "the card is gone";
    case NV_ENC_ERR_INVALID_VERSION:
        return "the driver does not know this version";
    case NV_ENC_ERR_NEED_MORE_INPUT:
        return "it keeps the picture back";
    case NV_ENC_ERR_UNSUPPORTED_PARAM:
    case NV_ENC_ERR_INVALID_PARAM:
        return "a setting is not taken";
    }
    return "NVENC's error";
}

int px_card_fail(struct px_error *err, const struct px_card *card, void *session, NVENCSTATUS r,
                 const char *doing) {
    const int code =
        r == NV_ENC_ERR_NO_ENCODE_DEVICE || r == NV_ENC_ERR_UNSUPPORTED_DEVICE     ? -ENODEV
        : r == NV_ENC_ERR_OUT_OF_MEMORY || r == NV_ENC_ERR_INCOMPATIBLE_CLIENT_KEY ? -EBUSY
                                                                                   : -EIO;
    const char *more = session && card->f.nvEncGetLastErrorString
                           ? card->f.nvEncGetLastErrorString(session)
                           : NULL;
    return px_fail(err, code, "%s: %s (%d)%s%s", doing, words(r), (int)r, more && *more ? ": " : "",
                   more && *more ? more : "");
}

/* "the driver (535.183.01) offers NVENC 12.1, this needs 12.2" */
static int fail_old(struct px_error *err, unsigned offered) {
    px_cleanup_free char *driver = NULL;
    const char *wanted = px_nvenc_driver_for(NEEDED);
    if (px_file_read(AT_FDCWD, VERSION_FILE, 64, &driver, NULL, NULL) >= 0)
        driver[strcspn(driver, "\n")] = '\0';
    px_fail(err, -ENOSYS, "the driver%s%s%s offers NVENC %u.%u, this needs %u.%u",
            driver ? " (" : "", driver ? driver : "", driver ? ")" : "", offered >> 4, offered & 15,
            NEEDED >> 4, NEEDED & 15);
    return px_hint(err, -ENOSYS, "driver %s or newer has it; software encodes until then",
                   wanted ? wanted : "of a later date");
}

/* ---- making ---- */

static int load(struct px_card *c, struct px_error *err) {
    uint32_t offered = 0;
    c->cuda = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    c->nvenc = c->cuda ? dlopen("libnvidia-encode.so.1", RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!c->nvenc)
        return px_fail(err, -ENODEV, "no driver: %s", dlerror());
    version_fn *version = (version_fn *)dlsym(c->nvenc, "NvEncodeAPIGetMaxSupportedVersion");
    create_fn *create = (create_fn *)dlsym(c->nvenc, "NvEncodeAPICreateInstance");
    c->push = (tcuCtxPushCurrent_v2 *)dlsym(c->cuda, "cuCtxPushCurrent_v2");
    c->pop = (tcuCtxPopCurrent_v2 *)dlsym(c->cuda, "cuCtxPopCurrent_v2");
    c->release = (tcuDevicePrimaryCtxRelease *)dlsym(c->cuda, "cuDevicePrimaryCtxRelease_v2");
    if (!c->release)
        c->release = (tcuDevicePrimaryCtxRelease *)dlsym(c->cuda, "cuDevicePrimaryCtxRelease");
    if (!version || !create || !c->push || !c->pop || !c->release)
        return px_fail(err, -ENODEV, "the driver's libraries lack functions");
    NVENCSTATUS r = version(&offered);
    if (r == NV_ENC_SUCCESS && offered < NEEDED)
        return fail_old(err, offered);
    c->f.version = NV_ENCODE_API_FUNCTION_LIST_VER;
    if (r == NV_ENC_SUCCESS)
        r = create(&c->f);
    return r == NV_ENC_SUCCESS ? 0 : px_card_fail(err, c, NULL, r, "NVENC");
}

int px_card_open_session(const struct px_card *c, void **ret, struct px_error *err) {
    NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS p = {.version = NV_ENC_OPEN_ENCODE_SESSION_EX_PARAMS_VER,
                                              .deviceType = NV_ENC_DEVICE_TYPE_CUDA,
                                              .device = c->context,
                                              .apiVersion = NVENCAPI_VERSION};
    void *session = NULL;
    const NVENCSTATUS r = c->f.nvEncOpenEncodeSessionEx(&p, &session);
    if (r == NV_ENC_SUCCESS) {
        *ret = session;
        return 0;
    }
    if (session) /* the guide wants it destroyed even so */
        c->f.nvEncDestroyEncoder(session);
    return px_card_fail(err, c, NULL, r, c->name);
}

/* A context on card @i, and proof that it takes a session. */
static int try_card(struct px_card *c, int i, struct px_error *err) {
    tcuDeviceGet *get = (tcuDeviceGet *)dlsym(c->cuda, "cuDeviceGet");
    tcuDeviceGetName *name = (tcuDeviceGetName *)dlsym(c->cuda, "cuDeviceGetName");
    tcuDevicePrimaryCtxRetain *retain =
        (tcuDevicePrimaryCtxRetain *)dlsym(c->cuda, "cuDevicePrimaryCtxRetain");
    void *session = NULL;
    if (!get || !name || !retain)
        return px_fail(err, -ENODEV, "the driver's libraries lack functions");
    CUresult cu = get(&c->device, i);
    if (cu == CUDA_SUCCESS)
        cu = name(c->name, sizeof(c->name), c->device);
    if (cu == CUDA_SUCCESS)
        cu = retain(&c->context, c->device);
    if (cu != CUDA_SUCCESS)
        return px_fail(err, -EBUSY, "card %d: CUDA gives no context (%d)", i, (int)cu);
    const int r = px_card_open_session(c, &session, err);
    if (r >= 0) {
        c->f.nvEncDestroyEncoder(session);
        return 0;
    }
    c->release(c->device);
    c->context = NULL;
    return r;
}

/* The first card that takes a session. One that would but cannot now is worth telling of before
 * those that never do. */
static int find_card(struct px_card *c, struct px_error *err) {
    tcuInit *init = (tcuInit *)dlsym(c->cuda, "cuInit");
    tcuDeviceGetCount *count = (tcuDeviceGetCount *)dlsym(c->cuda, "cuDeviceGetCount");
    struct px_error why = {0};
    int n = 0, worst = px_fail(err, -ENODEV, "no card");
    if (!init || !count || init(0) != CUDA_SUCCESS || count(&n) != CUDA_SUCCESS)
        return px_fail(err, -ENODEV, "CUDA finds no card");
    for (int i = 0; i < n; i++) {
        const int r = try_card(c, i, &why);
        if (r >= 0)
            return 0;
        if (worst == -ENODEV) {
            worst = r;
            if (err)
                *err = why;
        }
    }
    return worst;
}

static void unmake(struct px_card *c) {
    if (c->context)
        c->release(c->device);
    if (c->nvenc)
        dlclose(c->nvenc);
    if (c->cuda)
        dlclose(c->cuda);
    *c = (struct px_card){0};
}

static int make(struct px_card *c, struct px_error *err) {
    int r = load(c, err);
    if (r >= 0)
        r = find_card(c, err);
    if (r < 0)
        unmake(c);
    else
        px_debug("card: %s is ready", c->name);
    return r;
}

/* ---- sharing ---- */

struct px_cards *px_cards_new(void) {
    struct px_cards *c = px_new0(struct px_cards, 1);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->done, NULL);
    return c;
}

void px_cards_free(struct px_cards *c) {
    if (!c)
        return;
    if (c->has_thread)
        pthread_join(c->thread, NULL);
    unmake(&c->card);
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Under the lock, and again when it returns. */
static int make_unlocked(struct px_cards *c, struct px_error *err) {
    struct px_card card = {0};
    c->state = MAKING;
    pthread_mutex_unlock(&c->lock);
    const int r = make(&card, err);
    pthread_mutex_lock(&c->lock);
    c->state = r < 0 ? NONE : READY;
    c->card = card;
    c->lost = false;
    pthread_cond_broadcast(&c->done);
    return r;
}

static void let_go(struct px_cards *c) {
    if (c->n_users > 0 || c->state != READY || !(c->rest || c->lost))
        return;
    unmake(&c->card);
    c->state = NONE;
    px_debug("card: given back");
}

static void *run(void *arg) {
    struct px_cards *c = arg;
    pthread_setname_np(pthread_self(), "card");
    pthread_mutex_lock(&c->lock);
    c->failed = make_unlocked(c, &c->why);
    let_go(c);
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int begin_making(struct px_cards *c) {
    if (c->has_thread)
        pthread_join(c->thread, NULL); /* it is done: the state says so */
    c->state = MAKING;
    c->has_thread = pthread_create(&c->thread, NULL, run, c) == 0;
    if (!c->has_thread)
        c->state = NONE;
    return -EAGAIN;
}

static int get(struct px_cards *c, bool hurry, struct px_error *err) {
    c->rest = false;
    while (c->state == MAKING && !hurry)
        pthread_cond_wait(&c->done, &c->lock);
    if (c->state == MAKING)
        return px_fail(err, -EAGAIN, "the card is being opened");
    if (c->state == NONE && c->failed < 0) {
        const int r = c->failed;
        if (err)
            *err = c->why;
        c->failed = 0;
        return r;
    }
    if (c->state == NONE && hurry) {
        px_fail(err, -EAGAIN, "the card is being opened");
        return begin_making(c);
    }
    return c->state == READY ? 0 : make_unlocked(c, err);
}

int px_cards_get(struct px_cards *c, bool hurry, struct px_card **ret, struct px_error *err) {
    pthread_mutex_lock(&c->lock);
    const int r = get(c, hurry, err);
    if (r >= 0) {
        c->n_users++;
        *ret = &c->card;
    }
    pthread_mutex_unlock(&c->lock);
    return r;
}

void px_cards_put(struct px_cards *c, bool lost) {
    pthread_mutex_lock(&c->lock);
    c->n_users--;
    c->lost |= lost;
    let_go(c);
    pthread_mutex_unlock(&c->lock);
}

int px_cards_warm(struct px_cards *c, struct px_error *err) {
    struct px_card *card;
    void *session = NULL;
    CUcontext popped;
    int r = px_cards_get(c, true, &card, err);
    if (r < 0)
        return r;
    card->push(card->context);
    r = px_card_open_session(card, &session, err);
    if (r >= 0)
        card->f.nvEncDestroyEncoder(session);
    card->pop(&popped);
    px_cards_put(c, false);
    return r;
}

void px_cards_rest(struct px_cards *c) {
    pthread_mutex_lock(&c->lock);
    c->rest = true;
    let_go(c);
    pthread_mutex_unlock(&c->lock);
}
