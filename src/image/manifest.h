/* src/image/manifest.h - what an image is made of, as a JSON file
 *
 *     {"architecture": "amd64", "created": 1763856000, "format": 1,
 *      "layers": [{"digest": "sha256:...", "kind": "root", "recipe": "minimal", "size": 1234},
 * ...], "packages": [{"architecture": "all", "name": "adduser", "version": "3.152"}, ...], "pip":
 * [{"venv": "/opt/x", "packages": ["numpy==2.3.1"]}], "recipe": "minimal", "source_date_epoch":
 * 1763000000, "suite": "trixie", "user": {"name": "ai", "uid": 1000}}
 *
 * The image's digest is sha256 of this without "created", compact, keys sorted. Parsing is pure.
 * Any thread. See docs/image-format.md. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include "image/image.h"
#include <jansson.h>

#define PX_MANIFEST_MAX_BYTES (16 * 1024 * 1024)

struct px_manifest_layer {
    char digest[PX_DIGEST_TEXT_MAX];
    uint64_t size_bytes;
};

struct px_manifest {
    char digest[PX_DIGEST_TEXT_MAX];
    struct px_manifest_layer *layers; /* the lowest first */
    size_t n_layers;
    char *recipe, *user; /* user NULL: none but root */
    uint32_t uid;
    int64_t created_s;
    json_t *json; /* the whole */
};

/* -EINVAL: not a manifest. */
int px_manifest_parse(const char *name, const char *text, size_t size, struct px_manifest **ret,
                      struct px_error *err);
struct px_manifest *px_manifest_free(struct px_manifest *m);
PX_DEFINE_CLEANUP(struct px_manifest *, px_manifest_free)
/* Digest of a manifest, "created" left out whether it is there or not. */
void px_manifest_digest(const json_t *json, char ret[PX_DIGEST_TEXT_MAX]);
