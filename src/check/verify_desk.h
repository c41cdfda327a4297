/* src/check/verify_desk.h - what a check of `phoenix verify` is given, and can use
 *
 * All functions here run in a check's own process; one thread. */
#pragma once
#include "base/buf.h"
#include "check/findings.h"
#include "desktop/fleet.h"

struct px_verify_desk {
    const struct px_fleet *fleet;
    struct px_desktop *d;          /* NULL: it could not be opened; then only "running" is run */
    struct px_error open_err;      /* why not */
    struct px_container_info info; /* as verify began */
    const char *user;              /* login name of the ordinary user inside, lent by @d */
    bool has_session;              /* the image has an X session */
    bool stopped_fails;
};

struct px_desk_run {
    const char *const *argv;
    const char *user;   /* NULL: the desktop's; "root" works */
    bool session;       /* with DISPLAY and the session bus */
    int64_t timeout_us; /* 0: 10 s */
    size_t max_bytes;   /* of stdout; 0: 64 KiB */
};
/* Runs a command inside and collects its stdout, and the first line of stderr in *ret_why (cleaned;
 * may be NULL). Returns its exit status 0..255; 127: no such program. -ETIMEDOUT, -EFBIG. */
#define PX_DESK_WHY_MAX 256
int px_desk_run(const struct px_verify_desk *desk, const struct px_desk_run *what,
                struct px_buf *ret, char ret_why[PX_DESK_WHY_MAX], struct px_error *err);
/* Whether a file is there inside, whoever may read it. */
bool px_desk_has(const struct px_verify_desk *desk, const char *path);

/* The checks; @desk is a struct px_verify_desk. */
void px_verify_running(const void *desk, struct px_findings *ret);
void px_verify_systemd(const void *desk, struct px_findings *ret);
void px_verify_limits(const void *desk, struct px_findings *ret);
void px_verify_disk(const void *desk, struct px_findings *ret);
void px_verify_isolation(const void *desk, struct px_findings *ret);
void px_verify_screen(const void *desk, struct px_findings *ret);
void px_verify_jupyter(const void *desk, struct px_findings *ret);
void px_verify_gpu(const void *desk, struct px_findings *ret);
void px_verify_dns(const void *desk, struct px_findings *ret);
void px_verify_internet(const void *desk, struct px_findings *ret);
void px_verify_python(const void *desk, struct px_findings *ret);
void px_verify_notebook(const void *desk, struct px_findings *ret);
void px_verify_torch(const void *desk, struct px_findings *ret);
void px_verify_tensorflow(const void *desk, struct px_findings *ret);
void px_verify_remote(const void *desk, struct px_findings *ret);
void px_verify_relay(const void *desk, struct px_findings *ret);
void px_verify_latency(const void *desk, struct px_findings *ret);
void px_verify_files(const void *desk, struct px_findings *ret);
void px_verify_tunnel(const void *desk, struct px_findings *ret);
