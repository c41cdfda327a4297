/* src/image/lockfile.h - recipe.lock: the exact packages of one recipe
 *
 *     {
 *       "phoenix_lock": 1,
 *       "recipe": "minimal", "suite": "trixie", "architecture": "amd64",
 *       "inputs": "sha256:...",           what in recipe.yaml this was made for
 *       "below": "sha256:...",            the lock of the recipe below ("from"); absent at the
 * bottom "source_date_epoch": 1763856000, "packages": [{"name": "adduser", "version": "3.152",
 * "architecture": "all", "sha256": "...", "size": 203000}, ...], "pip": [{"venv": "/opt/x",
 * "requirements": ["numpy==2.3.1 --hash=sha256:..."]}]
 *     }
 *
 * Only the packages that this recipe adds to what lies below. Sorted by name; unknown keys are
 * errors. Parsing is pure. Plain values, owned by the struct. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "image/image.h"
#include <stdint.h>

#define PX_LOCKFILE_NAME "recipe.lock"
#define PX_LOCKFILE_MAX_BYTES (8 * 1024 * 1024)

struct px_locked_deb {
    char *name, *version, *architecture; /* as dpkg takes them */
    char *sha256;                        /* 64 hex digits */
    uint64_t size_bytes;
};

struct px_locked_pip {
    char *venv;
    char **requirements; /* "name==version --hash=sha256:<64 hex digits>" */
    size_t n_requirements;
};

struct px_lockfile {
    char *recipe, *suite, *architecture;
    char *inputs, *below; /* digests; below NULL at the bottom */
    int64_t epoch_s;
    struct px_locked_deb *debs;
    size_t n_debs;
    struct px_locked_pip *pips;
    size_t n_pips;
};

/* -EINVAL with "NAME: packages[3].sha256: ..."; -EPROTONOSUPPORT: made by a later phoenix. */
int px_lockfile_parse(const char *name, const char *text, size_t size, struct px_lockfile **ret,
                      struct px_error *err);
/* Reads @dir/recipe.lock. -ENOENT: there is none. */
int px_lockfile_load(const char *dir, struct px_lockfile **ret, struct px_error *err);
/* The file's text, canonical: one package per line, sorted; the caller's. */
/* Debian's packages by name, as they are printed. */
void px_lockfile_sort(struct px_lockfile *lock);
char *px_lockfile_print(const struct px_lockfile *lock);
/* sha256 of that text: what the lock above names as "below". */
void px_lockfile_digest(const struct px_lockfile *lock, char ret[PX_DIGEST_TEXT_MAX]);
struct px_lockfile *px_lockfile_free(struct px_lockfile *lock);
PX_DEFINE_CLEANUP(struct px_lockfile *, px_lockfile_free)
void px_locked_deb_fini(struct px_locked_deb *deb);
/* Splits "name==version --hash=sha256:HEX"; -EINVAL. Each may be NULL; the caller's. */
int px_requirement_parse(const char *text, char **ret_name, char **ret_version, char **ret_hex,
                         struct px_error *err);
