/* src/spec/desktop.c - the desktop file: which desktops there should be */
#include "spec/desktop.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/text.h"
#include "spec/desktop_fields.h"
#include <arpa/inet.h>
#include <string.h>

#define DEFAULT_SHM_BYTES (UINT64_C(1) << 30)

static void file_obj_fini(struct px_desktop_file_obj *obj) {
    px_schema_fini(px_desktop_file_fields, obj);
}

/* The entry's name alone, or with -1, -2, ... */
static char *name_of(const struct px_desktop_entry *e, unsigned i) {
    return e->count ? px_asprintf("%s-%u", e->spec.name, i + 1) : px_strdup(e->spec.name);
}

static int check_entry(const struct px_at *at, const struct px_node *node,
                       const struct px_desktop_entry *e, struct px_error *err) {
    const struct px_at at_name = {.up = at, .key = "name"};
    px_cleanup_free char *longest = name_of(e, e->count ? e->count - 1 : 0);
    if (strlen(longest) > PX_DESKTOP_NAME_MAX)
        return px_at_fail(&at_name, px_node_get(node, "name"), err,
                          "name '%s' has %zu characters, at most %d are allowed", longest,
                          strlen(longest), PX_DESKTOP_NAME_MAX);
    const struct px_node *network = px_node_get(node, "network");
    const struct px_at at_network = {.up = at, .key = "network"};
    const struct px_at at_address = {.up = &at_network, .key = "address"};
    if (e->spec.network.address.s_addr && e->count > 1)
        return px_at_fail(&at_address, px_node_get(network, "address"), err,
                          "%u desktops cannot share one address", e->count);
    const struct px_node *shm = px_node_get(node, "shm");
    if (e->spec.memory_bytes && e->spec.shm_bytes > e->spec.memory_bytes) {
        char size[PX_SIZE_TEXT_MAX], memory[PX_SIZE_TEXT_MAX];
        px_at_fail(&(struct px_at){.up = at, .key = "shm"}, shm ? shm : node, err,
                   "%s is more than the desktop's memory of %s",
                   px_size_format(e->spec.shm_bytes, size),
                   px_size_format(e->spec.memory_bytes, memory));
        return px_hint(err, -EINVAL, "what lies in /dev/shm counts as memory");
    }
    return 0;
}

/* How the entry that made @spec is told apart in a message. */
static char *origin_of(const struct px_desktop_spec *spec, const struct px_desktop_entry *e) {
    return e->count
               ? px_asprintf("line %u ('%s' with count: %u)", spec->line, e->spec.name, e->count)
               : px_asprintf("line %u", spec->line);
}

struct builder {
    const struct px_at *at; /* "desktops" */
    const struct px_desktop_file_obj *obj;
    const size_t *entry_of; /* per desktop: the entry it comes from */
    const struct px_desktop_file *file;
};

static int check_clash(const struct builder *b, size_t i, size_t j, const struct px_node *node,
                       struct px_error *err) {
    const struct px_desktop_spec *a = &b->file->desktops[i], *c = &b->file->desktops[j];
    const struct px_desktop_entry *ea = &b->obj->entries[b->entry_of[i]];
    const struct px_desktop_entry *ec = &b->obj->entries[b->entry_of[j]];
    const struct px_at at_entry = {.up = b->at, .index = b->entry_of[j]};
    px_cleanup_free char *first = origin_of(a, ea);
    if (strcmp(a->name, c->name) == 0) {
        px_cleanup_free char *made =
            ec->count ? px_asprintf(" (with count: %u)", ec->count) : px_strdup("");
        return px_at_fail(&(struct px_at){.up = &at_entry, .key = "name"},
                          px_node_get(node, "name"), err,
                          "desktop '%s'%s is there already, from %s", c->name, made, first);
    }
    if (a->network.address.s_addr && a->network.address.s_addr == c->network.address.s_addr) {
        char text[INET_ADDRSTRLEN];
        const struct px_node *network = px_node_get(node, "network");
        const struct px_node *address = px_node_get(network, "address");
        const struct px_at at_network = {.up = &at_entry, .key = "network"};
        return px_at_fail(&(struct px_at){.up = &at_network, .key = "address"},
                          address ? address : node, err, "%s is already that of '%s', from %s",
                          inet_ntop(AF_INET, &a->network.address, text, sizeof(text)), a->name,
                          first);
    }
    return 0;
}

uint64_t px_desktop_default_shm(uint64_t memory_bytes) {
    return memory_bytes ? memory_bytes / 2 : DEFAULT_SHM_BYTES;
}

static void fill_in(struct px_desktop_spec *spec) {
    if (spec->shm_bytes == 0)
        spec->shm_bytes = px_desktop_default_shm(spec->memory_bytes);
}

/* Adds the desktops of entry number @i, whose node is @node. */
static int expand_entry(struct px_desktop_file *file, struct builder *b, size_t *entry_of, size_t i,
                        const struct px_node *node, struct px_error *err) {
    const struct px_desktop_entry *e = &b->obj->entries[i];
    const struct px_at at_entry = {.up = b->at, .index = i};
    int r = check_entry(&at_entry, node, e, err);
    if (r < 0)
        return r;
    const unsigned n = e->count ? e->count : 1;
    if (file->n_desktops + n > PX_DESKTOPS_MAX)
        return px_at_fail(&at_entry, node, err, "more than %d desktops in one file",
                          PX_DESKTOPS_MAX);
    for (unsigned k = 0; k < n; k++) {
        const size_t last = file->n_desktops;
        struct px_desktop_spec *spec = &file->desktops[last];
        px_desktop_spec_copy(&e->spec, spec);
        file->n_desktops++;
        free(spec->name);
        spec->name = name_of(e, k);
        spec->line = node->line;
        fill_in(spec);
        entry_of[last] = i;
        for (size_t j = 0; j < last; j++) {
            r = check_clash(b, j, last, node, err);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Every entry anew, over the file's defaults. It was read once without them: it cannot fail. */
static int read_entries(const struct px_at *at, const struct px_node *list,
                        struct px_desktop_file_obj *obj, struct px_error *err) {
    const struct px_node *n = list->child;
    for (size_t i = 0; i < obj->n_entries; i++, n = n->next) {
        struct px_desktop_entry *e = &obj->entries[i];
        px_schema_fini(px_desktop_fields, e);
        *e = obj->base;
        px_schema_own(px_desktop_fields, e);
        int r = px_schema_load(&(struct px_at){.up = at, .index = i}, px_desktop_fields, n, e, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check_defaults(const struct px_at *file, const struct px_node *root,
                          const struct px_desktop_file_obj *obj, struct px_error *err) {
    const struct px_node *network = px_node_get(px_node_get(root, "defaults"), "network");
    const struct px_at at = {.up = file, .key = "defaults"};
    const struct px_at at_network = {.up = &at, .key = "network"};
    if (obj->base.spec.network.address.s_addr)
        return px_at_fail(&(struct px_at){.up = &at_network, .key = "address"},
                          px_node_get(network, "address"), err,
                          "desktops cannot share one address: give it to one of them");
    return 0;
}

static int expand(const struct px_at *at, const struct px_node *root,
                  struct px_desktop_file_obj *obj, struct px_desktop_file *file,
                  struct px_error *err) {
    const struct px_node *list = px_node_get(root, "desktops");
    px_cleanup_free size_t *entry_of = px_new0(size_t, PX_DESKTOPS_MAX);
    int r = read_entries(at, list, obj, err);
    if (r < 0)
        return r;
    file->desktops = px_new0(struct px_desktop_spec, PX_DESKTOPS_MAX);
    struct builder b = {.at = at, .obj = obj, .entry_of = entry_of, .file = file};
    const struct px_node *n = list->child;
    for (size_t i = 0; i < obj->n_entries; i++, n = n->next) {
        r = expand_entry(file, &b, entry_of, i, n, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_desktop_file_parse(const char *name, const char *text, size_t size,
                          struct px_desktop_file **ret, struct px_error *err) {
    const struct px_at at = {.key = name}, at_list = {.up = &at, .key = "desktops"};
    px_cleanup(px_node_freep) struct px_node *root = NULL;
    px_cleanup(file_obj_fini) struct px_desktop_file_obj obj = {0};
    px_schema_defaults(px_desktop_file_fields, &obj);
    int r = px_yaml_parse(name, text, size, false, &root, err);
    if (r == 0)
        r = px_schema_load(&at, px_desktop_file_fields, root, &obj, err);
    if (r == 0)
        r = check_defaults(&at, root, &obj, err);
    if (r < 0)
        return r;
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file =
        px_new0(struct px_desktop_file, 1);
    file->path = px_strdup(name);
    r = expand(&at_list, root, &obj, file, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(file);
    return 0;
}

/* lab.yaml for lab.yml, and the other way. */
static int hint_ending(const char *path, struct px_error *err) {
    static const char *const endings[] = {".yaml", ".yml", ".yaml"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i + 1 < PX_N_ELEMENTS(endings); i++) {
        px_cleanup_free char *other =
            px_asprintf("%.*s%s", (int)(dot - path), path, endings[i + 1]);
        if (strcmp(dot, endings[i]) == 0 && px_exists(AT_FDCWD, other))
            return px_hint(err, -ENOENT, "did you mean '%s'?", other);
    }
    return -ENOENT;
}

int px_desktop_file_load(const char *path, struct px_desktop_file **ret, struct px_error *err) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    if (strcmp(path, "-") == 0) {
        int r = px_fd_read_all(STDIN_FILENO, PX_DESKTOP_FILE_MAX_BYTES, &text, &size, err);
        return r < 0 ? px_wrap(err, r, "standard input")
                     : px_desktop_file_parse("<stdin>", text, size, ret, err);
    }
    int r = px_file_read(AT_FDCWD, path, PX_DESKTOP_FILE_MAX_BYTES, &text, &size, err);
    if (r == -ENOENT)
        return hint_ending(path, err);
    return r < 0 ? r : px_desktop_file_parse(path, text, size, ret, err);
}

struct px_desktop_file *px_desktop_file_free(struct px_desktop_file *file) {
    for (size_t i = 0; file && i < file->n_desktops; i++)
        px_desktop_spec_fini(&file->desktops[i]);
    if (file) {
        free(file->desktops);
        free(file->path);
    }
    free(file);
    return NULL;
}

void px_desktop_spec_fini(struct px_desktop_spec *spec) {
    struct px_desktop_entry e = {.spec = *spec};
    px_schema_fini(px_desktop_fields, &e);
    *spec = (struct px_desktop_spec){0};
}

void px_desktop_spec_copy(const struct px_desktop_spec *from, struct px_desktop_spec *to) {
    struct px_desktop_entry e = {.spec = *from};
    px_schema_own(px_desktop_fields, &e);
    *to = e.spec;
}

struct json_t *px_desktop_spec_to_json(const struct px_desktop_spec *spec) {
    const struct px_desktop_entry e = {.spec = *spec};
    json_t *json = px_schema_dump(px_desktop_fields, &e);
    json_object_del(json, "count");
    return json;
}

int px_desktop_spec_from_json(const struct json_t *json, struct px_desktop_spec *ret,
                              struct px_error *err) {
    px_cleanup(px_node_freep) struct px_node *node = NULL;
    struct px_desktop_entry e = {0};
    px_schema_defaults(px_desktop_fields, &e);
    const struct px_at at = {.key = "desktop"};
    int r = px_node_from_json(json, &node, err);
    if (r == 0)
        r = px_schema_load(&at, px_desktop_fields, node, &e, err);
    if (r == 0 && e.count)
        r = px_at_fail(&at, NULL, err, "unknown key 'count'");
    if (r == 0)
        r = check_entry(&at, node, &e, err);
    if (r < 0) {
        px_schema_fini(px_desktop_fields, &e);
        return r;
    }
    fill_in(&e.spec);
    *ret = e.spec;
    return 0;
}

char *px_desktop_file_schema(void) {
    return px_schema_json(px_desktop_file_fields, "phoenix desktop file",
                          "Which AI/ML desktops there should be on this host");
}

char *px_desktop_file_keys(void) {
    return px_schema_markdown(px_desktop_file_fields);
}
