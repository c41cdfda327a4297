/* src/host/clipboard/intake.h - files that a client copied, brought here when somebody pastes them
 *
 * Piece by piece into a directory of their own below the user's cache; what is asked for and what
 * comes is the owner's business. Everything is made below that directory's fd. Loop thread; writes
 * block on the disk. */
#pragma once
#include "base/cleanup.h"
#include "host/clipboard/descriptor.h"
#include "host/clipboard/uris.h"

#define PX_INTAKE_MAX_BYTES (UINT64_C(2) << 30) /* of one paste */

struct px_intake;

enum px_intake_state { PX_INTAKE_IDLE, PX_INTAKE_FETCHING, PX_INTAKE_DONE, PX_INTAKE_FAILED };

struct px_intake_ops {
    /* Wants @size bytes at @offset of file @index; answered by px_intake_take() with @stream_id. */
    void (*want)(void *data, int32_t stream_id, size_t index, uint64_t offset, uint32_t size);
    /* It is DONE or FAILED. */
    void (*ended)(void *data, const struct px_error *why);
};

/* Removes what earlier runs left. */
void px_intake_clean(void);
/* Takes the contents of @list. -EFBIG: more than PX_INTAKE_MAX_BYTES. */
int px_intake_new(struct px_descriptors *list, const struct px_intake_ops *ops, void *data,
                  struct px_intake **ret, struct px_error *err);
/* Removes its files. */
void px_intake_free(struct px_intake *i);
enum px_intake_state px_intake_state(const struct px_intake *i);
/* Begins, or begins again after a failure; asks once more when the client has been silent. */
void px_intake_start(struct px_intake *i);
/* An answer; @data NULL: the client could not. One that was not asked for is ignored. */
void px_intake_take(struct px_intake *i, int32_t stream_id, const uint8_t *data, size_t size);
void px_intake_fail(struct px_intake *i, const struct px_error *why);
/* What was copied (not what lies below), once DONE. */
const struct px_paths *px_intake_paths(const struct px_intake *i);
