/* src/desktop/record.h - what phoenix remembers of one desktop: STATE/desktops/NAME/desktop.json
 *
 *     {"version": 1, "phase": "ready", "image": "sha256:...", "ids": {"first": 1000000, "count":
 * 65536}, "address": "10.88.0.2", "gpus": [{"uuid":
 * "GPU-...", "mode": "exclusive", "memory": 0}], "source": "/root/lab.yaml", "created": 1790000000,
 * "wanted": "running", "spec": {...the desktop file's keys, complete...}}
 *
 * Written atomically; nothing else remembers. JSON of our own, but checked like a stranger's: a
 * person may have edited it. Any thread, one at a time per desktop (its lock). */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "gpu/place.h"
#include "image/image.h"
#include "spec/desktop.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PX_RECORD_IDS 65536u /* ids of one desktop */

enum px_phase {
    PX_PHASE_NEW,      /* ids and address are taken; nothing else is sure to exist */
    PX_PHASE_READY,    /* made; may run */
    PX_PHASE_REMOVING, /* being removed; only rm and up go on with it */
};

struct px_record {
    struct px_desktop_spec spec;
    char image[PX_DIGEST_TEXT_MAX]; /* digest of the image it was made from */
    enum px_phase phase;
    bool want_running; /* what the user last asked for */
    uint32_t id_first, id_count;
    struct in_addr address;
    struct px_gpu_grants gpus; /* what it was given of spec.gpus */
    char *source;              /* absolute path of its desktop file; "" for stdin */
    int64_t created_s;         /* seconds since 1970 */
};

/* @dir_fd: the desktop's directory. -ENOENT: no record. -EBADMSG: not one of ours, or damaged. */
int px_record_load(int dir_fd, struct px_record **ret, struct px_error *err);
int px_record_save(int dir_fd, const struct px_record *rec, struct px_error *err);
/* Pure halves of the two. The text is the caller's. */
int px_record_parse(const char *text, size_t size, struct px_record **ret, struct px_error *err);
char *px_record_print(const struct px_record *rec);
struct px_record *px_record_free(struct px_record *rec);
PX_DEFINE_CLEANUP(struct px_record *, px_record_free)
