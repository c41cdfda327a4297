/* src/desktop/record.c - what phoenix remembers of one desktop */
#include "desktop/record.h"
#include "base/alloc.h"
#include "base/file.h"
#include <arpa/inet.h>
#include <jansson.h>
#include <string.h>

#define RECORD_FILE "desktop.json"
#define RECORD_MAX_BYTES (256 * 1024)
#define RECORD_VERSION 1

static const char *const phase_words[] = {
    [PX_PHASE_NEW] = "new", [PX_PHASE_READY] = "ready", [PX_PHASE_REMOVING] = "removing"};

static void json_freep(json_t **json) {
    json_decref(*json);
}

static int damaged(struct px_error *err, const char *what) {
    px_fail(err, -EBADMSG, "desktop.json is damaged: %s", what);
    return px_hint(err, -EBADMSG, "remove the desktop with `phoenix rm`, or mend the file by hand");
}

static int parse_ids(const json_t *ids, struct px_record *rec) {
    const json_int_t first = json_integer_value(json_object_get(ids, "first"));
    const json_int_t count = json_integer_value(json_object_get(ids, "count"));
    /* Ids below 65536 are the host's own: a record that names them would be an escape. */
    if (first < 65536 || count < 1 || first + count > UINT32_MAX)
        return -EBADMSG;
    rec->id_first = (uint32_t)first;
    rec->id_count = (uint32_t)count;
    return 0;
}

static const char *const mode_words[] = {
    [PX_GPU_EXCLUSIVE] = "exclusive", [PX_GPU_SHARED] = "shared"};

/* Absent in records of earlier versions: no cards. */
static int parse_gpus(const json_t *gpus, struct px_record *rec) {
    size_t i;
    const json_t *item;
    if (gpus && (!json_is_array(gpus) || json_array_size(gpus) > PX_GPU_GRANTS_MAX))
        return -EBADMSG;
    json_array_foreach(gpus, i, item) {
        struct px_gpu_grant *g = &rec->gpus.items[rec->gpus.n++];
        const char *uuid = json_string_value(json_object_get(item, "uuid"));
        const char *mode = json_string_value(json_object_get(item, "mode"));
        const json_int_t memory = json_integer_value(json_object_get(item, "memory"));
        if (!uuid || strlen(uuid) >= sizeof(g->uuid) || !mode || memory < 0)
            return -EBADMSG;
        strcpy(g->uuid, uuid);
        g->mode = strcmp(mode, mode_words[PX_GPU_SHARED]) == 0 ? PX_GPU_SHARED : PX_GPU_EXCLUSIVE;
        g->memory_bytes = (uint64_t)memory;
    }
    return 0;
}

static json_t *print_gpus(const struct px_gpu_grants *gpus) {
    json_t *list = json_array();
    for (size_t i = 0; i < gpus->n; i++)
        json_array_append_new(list, json_pack("{ss ss sI}", "uuid", gpus->items[i].uuid, "mode",
                                              mode_words[gpus->items[i].mode], "memory",
                                              (json_int_t)gpus->items[i].memory_bytes));
    return list;
}

static int parse_members(const json_t *root, struct px_record *rec, struct px_error *err) {
    const char *phase = json_string_value(json_object_get(root, "phase"));
    const char *image = json_string_value(json_object_get(root, "image"));
    const char *address = json_string_value(json_object_get(root, "address"));
    const char *wanted = json_string_value(json_object_get(root, "wanted"));
    const char *source = json_string_value(json_object_get(root, "source"));
    if (json_integer_value(json_object_get(root, "version")) != RECORD_VERSION)
        return damaged(err, "its version is not 1");
    if (!phase || !image || !address || !wanted || !source)
        return damaged(err, "a member is missing");
    size_t i = 0;
    while (i < PX_N_ELEMENTS(phase_words) && strcmp(phase, phase_words[i]) != 0)
        i++;
    if (i == PX_N_ELEMENTS(phase_words))
        return damaged(err, "unknown phase");
    rec->phase = (enum px_phase)i;
    if (strlen(image) >= sizeof(rec->image))
        return damaged(err, "image is no digest");
    strcpy(rec->image, image);
    if (inet_pton(AF_INET, address, &rec->address) != 1)
        return damaged(err, "address is no IPv4 address");
    rec->want_running = strcmp(wanted, "running") == 0;
    rec->source = px_strdup(source);
    rec->created_s = json_integer_value(json_object_get(root, "created"));
    if (parse_ids(json_object_get(root, "ids"), rec) < 0)
        return damaged(err, "ids are out of range");
    if (parse_gpus(json_object_get(root, "gpus"), rec) < 0)
        return damaged(err, "gpus are no grants");
    int r = px_desktop_spec_from_json(json_object_get(root, "spec"), &rec->spec, err);
    return r < 0 ? px_wrap(err, -EBADMSG, "desktop.json") : 0;
}

int px_record_parse(const char *text, size_t size, struct px_record **ret, struct px_error *err) {
    json_error_t why;
    px_cleanup(json_freep) json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(root))
        return damaged(err, root ? "it is no object" : why.text);
    px_cleanup(px_record_freep) struct px_record *rec = px_new0(struct px_record, 1);
    int r = parse_members(root, rec, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(rec);
    return 0;
}

char *px_record_print(const struct px_record *rec) {
    char address[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &rec->address, address, sizeof(address));
    px_cleanup(json_freep) json_t *root =
        json_pack("{si ss ss ss s{sI sI} ss so ss sI so}", "version", RECORD_VERSION, "phase",
                  phase_words[rec->phase], "wanted", rec->want_running ? "running" : "stopped",
                  "image", rec->image, "ids", "first", (json_int_t)rec->id_first, "count",
                  (json_int_t)rec->id_count, "address", address, "gpus", print_gpus(&rec->gpus),
                  "source", rec->source ? rec->source : "", "created", (json_int_t)rec->created_s,
                  "spec", px_desktop_spec_to_json(&rec->spec));
    return json_dumps(root, JSON_INDENT(2));
}

int px_record_load(int dir_fd, struct px_record **ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(dir_fd, RECORD_FILE, RECORD_MAX_BYTES, &text, &size, err);
    return r < 0 ? r : px_record_parse(text, size, ret, err);
}

int px_record_save(int dir_fd, const struct px_record *rec, struct px_error *err) {
    px_cleanup_free char *text = px_record_print(rec);
    if (!text)
        return px_fail(err, -EINVAL, "cannot write down desktop '%s'", rec->spec.name);
    return px_file_write_atomic(dir_fd, RECORD_FILE, text, strlen(text), 0600, err);
}

struct px_record *px_record_free(struct px_record *rec) {
    if (!rec)
        return NULL;
    px_desktop_spec_fini(&rec->spec);
    free(rec->source);
    free(rec);
    return NULL;
}
