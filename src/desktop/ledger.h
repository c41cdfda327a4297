/* src/desktop/ledger.h - who has which card, while cards are handed out
 *
 * Reads the grants of all records once, then places wishes one after the other; each sees what the
 * ones before it got. Placing changes no file: `plan` only looks; whoever writes the grants holds
 * the allocation lock from px_ledger_open() until the record is saved. One thread. */
#pragma once
#include "desktop/fleet.h"

struct px_ledger; /* px_ledger_open() .. px_ledger_free() */

int px_ledger_open(const struct px_fleet *fleet, struct px_ledger **ret, struct px_error *err);
struct px_ledger *px_ledger_free(struct px_ledger *ledger);
PX_DEFINE_CLEANUP(struct px_ledger *, px_ledger_free)

/* The grants for @spec; see px_gpu_place() for codes. @ret_why: PX_GPU_WHY_MAX bytes, "" where no
 * cards are wanted. -EBADMSG: a damaged record, whose cards nobody knows. */
int px_ledger_place(struct px_ledger *ledger, const struct px_desktop_spec *spec,
                    struct px_gpu_grants *ret, char *ret_why, struct px_error *err);

/* Places the cards of @rec->spec into @rec->gpus and saves the record in @dir_fd, all under the
 * allocation lock. */
int px_ledger_save(const struct px_fleet *fleet, int dir_fd, struct px_record *rec,
                   struct px_error *err);

bool px_grants_equal(const struct px_gpu_grants *a, const struct px_gpu_grants *b);
/* "GPU-1, GPU-2", or "none"; the caller's. */
char *px_grants_text(const struct px_gpu_grants *grants);
