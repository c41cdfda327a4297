/* src/spec/diff.c - what changed between two specs of one desktop, and what it takes to apply it */
#include "spec/diff.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "spec/desktop_fields.h"
#include <assert.h>
#include <string.h>

/* Every key that a desktop has, but its name; a test finds the one that is forgotten. */
static const struct {
    const char *key;
    enum px_effect effect;
} effects[] = {
    {"image", PX_EFFECT_REPLACE},
    {"cores", PX_EFFECT_LIVE},
    {"memory", PX_EFFECT_LIVE},
    {"disk", PX_EFFECT_LIVE}, /* or not, see effect_of_disk */
    {"shm", PX_EFFECT_RESTART},
    {"pids", PX_EFFECT_LIVE},
    {"user", PX_EFFECT_REPLACE},
    {"gpus", PX_EFFECT_RESTART},
    {"network.internet", PX_EFFECT_RESTART},
    {"network.address", PX_EFFECT_RESTART},
    {"mounts", PX_EFFECT_RESTART},
    {"display", PX_EFFECT_RESTART},
    {"keyboard", PX_EFFECT_RESTART},
    {"remote.input", PX_EFFECT_LIVE},
    {"remote.clipboard", PX_EFFECT_LIVE},
    {"remote.files", PX_EFFECT_LIVE},
    {"remote.audio", PX_EFFECT_LIVE},
    {"remote.tunnel", PX_EFFECT_LIVE},
    {"remote.terminal", PX_EFFECT_LIVE},
    {"remote.recording", PX_EFFECT_LIVE},
    {"remote.banner", PX_EFFECT_LIVE},
    {"remote.totp", PX_EFFECT_LIVE},
    {"remote.trusted_devices", PX_EFFECT_LIVE},
    {"remote.allow", PX_EFFECT_LIVE},
    {"remote.direct", PX_EFFECT_LIVE},
    {"remote.punching", PX_EFFECT_LIVE},
    {"remote.discovery", PX_EFFECT_LIVE},
    {"timezone", PX_EFFECT_REPLACE},
    {"jupyter", PX_EFFECT_RESTART},
    {"nesting", PX_EFFECT_RESTART},
    {"fuse", PX_EFFECT_RESTART},
    {"autostart", PX_EFFECT_LIVE},
};

/* The field of a dotted key. All of a desktop's mappings lie at offset 0 of its struct. */
static const struct px_field *find_field(const char *key) {
    const struct px_field *fields = px_desktop_fields;
    for (;;) {
        const size_t n = strcspn(key, ".");
        const struct px_field *f = fields;
        while (f->kind && (strncmp(f->key, key, n) != 0 || f->key[n] != '\0'))
            f++;
        assert(f->kind);
        if (key[n] == '\0')
            return f;
        assert(f->kind == PX_FIELD_MAP && f->offset == 0);
        fields = f->fields;
        key += n + 1;
    }
}

/* JSON as one would write it in YAML: {count: 1, mode: shared}. */
static void put_flow(struct px_buf *b, const json_t *json) {
    const char *key, *comma = "";
    json_t *value;
    size_t i;
    if (json_is_object(json)) {
        px_buf_putc(b, '{');
        json_object_foreach((json_t *)(uintptr_t)json, key, value) {
            px_buf_printf(b, "%s%s: ", comma, key);
            put_flow(b, value);
            comma = ", ";
        }
        px_buf_putc(b, '}');
    } else if (json_is_array(json)) {
        px_buf_putc(b, '[');
        json_array_foreach(json, i, value) {
            px_buf_puts(b, comma);
            put_flow(b, value);
            comma = ", ";
        }
        px_buf_putc(b, ']');
    } else if (json_is_string(json)) {
        px_buf_puts(b, json_string_value(json));
    } else if (json_is_integer(json)) {
        px_buf_printf(b, "%jd", (intmax_t)json_integer_value(json));
    } else {
        px_buf_puts(b, json_is_true(json) ? "true" : "false");
    }
}

static char *text_of(const struct px_field *f, const struct px_desktop_spec *spec) {
    const struct px_desktop_entry e = {.spec = *spec};
    json_t *json = px_schema_dump_field(f, &e);
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    if (json)
        put_flow(&b, json);
    else
        px_buf_printf(&b, "(%s)", f->fallback_doc ? f->fallback_doc : "none");
    json_decref(json);
    return px_buf_take(&b);
}

/* A limit grows by a word to the file system; to shrink below what is written it has no way, and
 * where there is none yet, the desktop's files lie outside of what could be limited. */
static enum px_effect effect_of_disk(uint64_t old_bytes, uint64_t new_bytes) {
    return old_bytes > 0 && new_bytes > old_bytes ? PX_EFFECT_LIVE : PX_EFFECT_REPLACE;
}

/* Where the file says nothing of shm it goes with memory. A desktop whose memory changes live must
 * not be restarted for it; /dev/shm follows at its next start. */
static bool shm_follows(const struct px_desktop_spec *a, const struct px_desktop_spec *b) {
    return a->shm_bytes == px_desktop_default_shm(a->memory_bytes) &&
           b->shm_bytes == px_desktop_default_shm(b->memory_bytes);
}

void px_spec_diff_add(struct px_spec_diff *diff, const char *key, const char *old_text,
                      const char *new_text, enum px_effect effect) {
    /* Tens of changes at most: grown one by one, so that there is no capacity to carry. */
    diff->changes = px_realloc_array(diff->changes, diff->n + 1, sizeof(*diff->changes));
    diff->changes[diff->n++] = (struct px_spec_change){.key = key,
                                                       .old_text = px_strdup(old_text),
                                                       .new_text = px_strdup(new_text),
                                                       .effect = effect};
    if (diff->n == 1 || effect > diff->effect)
        diff->effect = effect;
}

struct px_spec_diff *px_spec_diff_new(const struct px_desktop_spec *old_spec,
                                      const struct px_desktop_spec *new_spec) {
    struct px_spec_diff *diff = px_new0(struct px_spec_diff, 1);
    for (size_t i = 0; i < PX_N_ELEMENTS(effects); i++) {
        const struct px_field *f = find_field(effects[i].key);
        px_cleanup_free char *a = text_of(f, old_spec), *b = text_of(f, new_spec);
        enum px_effect effect = effects[i].effect;
        if (strcmp(a, b) == 0)
            continue;
        if (strcmp(effects[i].key, "shm") == 0 && shm_follows(old_spec, new_spec))
            continue;
        if (strcmp(effects[i].key, "disk") == 0)
            effect = effect_of_disk(old_spec->disk_bytes, new_spec->disk_bytes);
        px_spec_diff_add(diff, effects[i].key, a, b, effect);
    }
    return diff;
}

struct px_spec_diff *px_spec_diff_free(struct px_spec_diff *diff) {
    for (size_t i = 0; diff && i < diff->n; i++) {
        free(diff->changes[i].old_text);
        free(diff->changes[i].new_text);
    }
    if (diff)
        free(diff->changes);
    free(diff);
    return NULL;
}

const char *px_effect_word(enum px_effect effect) {
    switch (effect) {
    case PX_EFFECT_LIVE:
        return "live";
    case PX_EFFECT_RESTART:
        return "restart";
    case PX_EFFECT_REPLACE:
        return "replace";
    }
    assert(!"no effect");
    return "";
}
