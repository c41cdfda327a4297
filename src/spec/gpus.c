/* src/spec/gpus.c - the gpus key of the desktop file */
#include "spec/gpus.h"
#include "base/alloc.h"
#include "spec/check.h"
#include <string.h>

#define OFF(member) offsetof(struct px_gpu_request, member)
#define HEX "0123456789abcdefABCDEF"
#define MIB UINT64_C(1048576)

/* Domain (optional), bus, device and function: 0000:01:00.0, 00000000:01:00.0, 01:00.0. */
static bool is_pci_address(const char *p) {
    size_t n = strspn(p, HEX);
    if (n == 4 || n == 8) {
        if (p[n] != ':')
            return false;
        p += n + 1;
        n = strspn(p, HEX);
    }
    return n == 2 && p[2] == ':' && strspn(p + 3, HEX) == 2 && p[5] == '.' && p[6] >= '0' &&
           p[6] <= '7' && p[7] == '\0';
}

static int check_id(const char *text, struct px_error *err) {
    unsigned index = 0;
    const bool uuid = strncmp(text, "GPU-", 4) == 0 && text[4 + strspn(text + 4, HEX "-")] == '\0';
    /* "MIG-<uuid>", and before driver 470 "MIG-GPU-<uuid>/<instance>/<compute instance>". */
    const bool mig =
        strncmp(text, "MIG-", 4) == 0 && text[4 + strspn(text + 4, HEX "-GPU/")] == '\0';
    if (strlen(text) < 80 && (((uuid || mig) && strlen(text) >= 12) || is_pci_address(text) ||
                              px_parse_number(text, PX_GPUS_MAX - 1, &index) == 0))
        return 0;
    px_fail(err, -EINVAL,
            "expected a card as GPU-<uuid>, MIG-<uuid>, 0000:01:00.0 or an index such as 0, found "
            "'%.60s'",
            text);
    return px_hint(err, -EINVAL, "phoenix gpu ls lists the cards of this host");
}

static int parse_count(const char *text, void *obj, struct px_error *err) {
    struct px_gpu_request *gpus = obj;
    unsigned n = 0;
    if (strcmp(text, "all") == 0) {
        gpus->want = PX_GPU_ALL;
        return 0;
    }
    if (px_parse_number(text, PX_GPUS_MAX, &n) < 0 || n == 0) {
        px_fail(err, -EINVAL, "expected a number of cards from 1 to %d, or 'all', found '%.60s'",
                PX_GPUS_MAX, text);
        return n == 0 && strcmp(text, "0") == 0 ? px_hint(err, -EINVAL, "for no card: gpus: none")
                                                : -EINVAL;
    }
    gpus->want = PX_GPU_COUNT;
    gpus->count = n;
    return 0;
}

static json_t *print_count(const void *obj) {
    const struct px_gpu_request *gpus = obj;
    return gpus->want == PX_GPU_ALL     ? json_string("all")
           : gpus->want == PX_GPU_COUNT ? json_integer(gpus->count)
                                        : NULL;
}

static int parse_word(const char *text, void *obj, struct px_error *err) {
    if (strcmp(text, "none") == 0 || strcmp(text, "0") == 0)
        return 0; /* the union's reset left it so */
    if (parse_count(text, obj, NULL) == 0)
        return 0;
    px_fail(err, -EINVAL,
            "expected 'none', a number of cards from 1 to %d, 'all', a list of cards or a mapping, "
            "found '%.60s'",
            PX_GPUS_MAX, text);
    return check_id(text, NULL) == 0 ? px_hint(err, -EINVAL, "did you mean [%s]?", text) : -EINVAL;
}

static int finish_list(const struct px_at *at, const struct px_node *node, void *obj,
                       struct px_error *err) {
    ((struct px_gpu_request *)obj)->want = PX_GPU_LIST;
    return 0;
}

static int finish_map(const struct px_at *at, const struct px_node *node, void *obj,
                      struct px_error *err) {
    struct px_gpu_request *gpus = obj;
    const struct px_node *memory = px_node_get(node, "memory");
    const struct px_at at_memory = {.up = at, .key = "memory"};
    if (px_node_get(node, "ids") && px_node_get(node, "count"))
        return px_at_fail(at, node, err, "expected either 'count' or 'ids', found both");
    if (gpus->n_ids > 0) {
        gpus->want = PX_GPU_LIST;
    } else if (!px_node_get(node, "count")) {
        gpus->want = PX_GPU_COUNT;
        gpus->count = 1;
    }
    if (memory && gpus->memory_bytes > 0 && gpus->mode != PX_GPU_SHARED) {
        px_at_fail(&at_memory, memory, err, "a budget is for shared cards only");
        return px_hint(err, -EINVAL, "add mode: shared");
    }
    return 0;
}

static const char *const modes[] = {
    [PX_GPU_EXCLUSIVE] = "exclusive", [PX_GPU_SHARED] = "shared", NULL};
static const char *const count_words[] = {"all", NULL};
static const char *const top_words[] = {"none", "all", NULL};

static const struct px_field id_item = {
    .kind = PX_FIELD_STRING,
    .expected = "a card's UUID, PCI address or index",
    .check = check_id,
    .integers = true,
    .max = PX_GPUS_MAX - 1,
    .pattern = "^(GPU-[0-9a-fA-F-]{8,}|MIG-[0-9a-fA-FGPU/-]{8,}|"
               "([0-9a-fA-F]{4}([0-9a-fA-F]{4})?:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7]|"
               "[0-9]{1,2})$",
};

#define ID_LIST                                                                                    \
    .kind = PX_FIELD_LIST, .expected = "a list of cards by UUID, PCI address or index",            \
    .item = &id_item, .offset = OFF(ids), .n_offset = OFF(n_ids), .item_size = sizeof(char *),     \
    .unique = true, .min = 1, .max = PX_GPUS_MAX

static const struct px_field map_fields[] = {
    {.key = "count",
     .kind = PX_FIELD_TEXT,
     .doc = "How many cards, chosen by phoenix.",
     .expected = "a number of cards from 1 to 64, or 'all'",
     .fallback_doc = "1, where `ids` is not given",
     .aka = "n number",
     .words = count_words,
     .min = 1,
     .max = PX_GPUS_MAX,
     .parse = parse_count,
     .print = print_count},
    {.key = "ids",
     ID_LIST,
     .aka = "uuids cards devices",
     .doc = "Exactly these cards. An index may name another card after a reboot; a UUID does not."},
    {.key = "mode",
     .kind = PX_FIELD_ENUM,
     .doc =
         "`exclusive`: nobody else gets the card. `shared`: other desktops with `shared` may get "
         "it too.",
     .fallback = "exclusive",
     .words = modes,
     .offset = OFF(mode)},
    {.key = "memory",
     .kind = PX_FIELD_SIZE,
     .doc = "Budget of device memory on a shared card.",
     .fallback_doc = "an equal part",
     .aka = "vram budget",
     .min = 64 * MIB,
     .offset = OFF(memory_bytes)},
    {.key = "dri",
     .kind = PX_FIELD_BOOL,
     .doc = "Also the cards' render nodes (`/dev/dri/renderD128`), for programs that draw through "
            "GBM. CUDA, NVENC, Vulkan and EGL without a screen do not need them.",
     .fallback = "false",
     .aka = "render graphics drm",
     .offset = OFF(dri)},
    {0},
};

const struct px_field px_gpu_alternatives[] = {
    {.kind = PX_FIELD_TEXT,
     .expected = "'none', 'all' or a number of cards",
     .words = top_words,
     .max = PX_GPUS_MAX,
     .parse = parse_word},
    {ID_LIST, .finish = finish_list},
    {.kind = PX_FIELD_MAP, .fields = map_fields, .finish = finish_map},
    {0},
};

void px_gpu_request_reset(void *obj) {
    px_schema_fini(map_fields, obj);
    *(struct px_gpu_request *)obj = (struct px_gpu_request){.want = PX_GPU_NONE};
}

json_t *px_gpu_request_print(const void *obj) {
    const struct px_gpu_request *gpus = obj;
    if (gpus->want == PX_GPU_NONE)
        return json_string("none");
    json_t *map = px_schema_dump(map_fields, gpus);
    if (gpus->want != PX_GPU_LIST)
        json_object_del(map, "ids");
    if (gpus->memory_bytes == 0)
        json_object_del(map, "memory");
    if (!gpus->dri)
        json_object_del(map, "dri");
    if (gpus->mode == PX_GPU_SHARED || gpus->dri)
        return map;
    json_t *brief = json_incref(json_object_get(map, gpus->want == PX_GPU_LIST ? "ids" : "count"));
    json_decref(map);
    return brief;
}
