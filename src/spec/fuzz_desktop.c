/* src/spec/fuzz_desktop.c - what we accept is complete, and JSON brings the same back */
#include "spec/desktop.h"
#include <assert.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_spec(const struct px_desktop_spec *spec) {
    assert(spec->name && strlen(spec->name) <= PX_DESKTOP_NAME_MAX);
    assert(spec->image && spec->keyboard && spec->shm_bytes > 0);
    assert(spec->gpus.want != PX_GPU_LIST || spec->gpus.n_ids > 0);
    assert(spec->gpus.want != PX_GPU_COUNT || spec->gpus.count > 0);
    for (size_t i = 0; i < spec->n_mounts; i++)
        assert(spec->mounts[i].source[0] == '/' && spec->mounts[i].target[0] == '/');
    struct px_desktop_spec again;
    struct px_error err = {0};
    json_t *a = px_desktop_spec_to_json(spec);
    int r = px_desktop_spec_from_json(a, &again, &err);
    assert(r == 0);
    json_t *b = px_desktop_spec_to_json(&again);
    assert(json_equal(a, b));
    json_decref(a);
    json_decref(b);
    px_desktop_spec_fini(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    struct px_error err = {0};
    if (px_desktop_file_parse("f", (const char *)data, size, &file, &err) < 0) {
        assert(err.msg[0] && !strchr(err.msg, '\n') && !file);
        return 0;
    }
    assert(file->n_desktops <= PX_DESKTOPS_MAX);
    for (size_t i = 0; i < file->n_desktops && i < 16; i++)
        check_spec(&file->desktops[i]);
    return 0;
}
