/* src/spec/desktop_fields.c - the tables of the desktop file */
#include "spec/desktop_fields.h"
#include "base/alloc.h"
#include "base/text.h"
#include "spec/check.h"
#include "spec/gpus.h"
#include "spec/mounts.h"
#include "spec/remote.h"
#include <arpa/inet.h>
#include <string.h>

#define OFF(member) offsetof(struct px_desktop_entry, spec.member)
#define MIB UINT64_C(1048576)
#define MOUNTS_MAX 64

static int check_name(const char *text, struct px_error *err) {
    int r = px_hostname_check(text, err);
    if (r < 0)
        return r;
    if (strcmp(text, "localhost") == 0)
        return px_fail(err, -EINVAL, "no desktop can be named 'localhost'");
    return 0;
}

static int parse_address(const char *text, void *obj, struct px_error *err) {
    return px_parse_address(text, &((struct px_desktop_entry *)obj)->spec.network.address, err);
}

static json_t *print_address(const void *obj) {
    const struct px_desktop_entry *e = obj;
    char text[INET_ADDRSTRLEN];
    if (e->spec.network.address.s_addr == 0)
        return NULL;
    return json_string(inet_ntop(AF_INET, &e->spec.network.address, text, sizeof(text)));
}

/* "1920x1080" beside {width: 1920, height: 1080}. */
struct display {
    unsigned width_px, height_px;
};
#define WIDTH_MIN 320
#define WIDTH_MAX 7680
#define HEIGHT_MIN 200
#define HEIGHT_MAX 4320

static int parse_display(const char *text, void *obj, struct px_error *err) {
    struct display *display = obj;
    char number[8] = "";
    const size_t n = strcspn(text, "x");
    unsigned w = 0, h = 0;
    if (n < sizeof(number))
        memcpy(number, text, n);
    if (text[n] != 'x' || px_parse_number(number, WIDTH_MAX, &w) < 0 ||
        px_parse_number(text + n + 1, HEIGHT_MAX, &h) < 0 || w < WIDTH_MIN || h < HEIGHT_MIN)
        return px_fail(err, -EINVAL,
                       "expected a size of the screen such as 1920x1080 (from %dx%d to %dx%d), "
                       "found '%.60s'",
                       WIDTH_MIN, HEIGHT_MIN, WIDTH_MAX, HEIGHT_MAX, text);
    *display = (struct display){.width_px = w, .height_px = h};
    return 0;
}

static json_t *print_display(const void *obj) {
    const struct display *display = obj;
    return json_sprintf("%ux%u", display->width_px, display->height_px);
}

static const struct px_field display_fields[] = {
    {.key = "width",
     .kind = PX_FIELD_UINT,
     .doc = "In pixels.",
     .fallback = "1920",
     .min = WIDTH_MIN,
     .max = WIDTH_MAX,
     .offset = offsetof(struct display, width_px)},
    {.key = "height",
     .kind = PX_FIELD_UINT,
     .doc = "In pixels.",
     .fallback = "1080",
     .min = HEIGHT_MIN,
     .max = HEIGHT_MAX,
     .offset = offsetof(struct display, height_px)},
    {0},
};

static const struct px_field display_alternatives[] = {
    {.kind = PX_FIELD_TEXT,
     .expected = "a size such as 1920x1080",
     .pattern = "^[1-9][0-9]{2,3}x[1-9][0-9]{2,3}$",
     .parse = parse_display},
    {.kind = PX_FIELD_MAP, .fields = display_fields},
    {0},
};

static const struct px_field network_fields[] = {
    {.key = "internet",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the desktop reaches the world outside, by NAT.",
     .fallback = "true",
     .aka = "nat outside",
     .offset = OFF(network.internet)},
    {.key = "address",
     .kind = PX_FIELD_TEXT,
     .doc = "A fixed IPv4 address out of the host's range. Not for an entry with `count`.",
     .expected = "an IPv4 address such as 10.88.0.20",
     .fallback_doc = "chosen once and kept",
     .aka = "ip ipv4 addr",
     .parse = parse_address,
     .print = print_address,
     .pattern = PX_PATTERN_ADDRESS},
    {0},
};

const struct px_field px_desktop_fields[] = {
    {.key = "name",
     .kind = PX_FIELD_STRING,
     .doc = "The desktop's name and host name: a-z, 0-9 and '-', at most 40 with the number that "
            "`count` adds.",
     .expected = "a name such as lab-1",
     .required = true,
     .aka = "hostname host id",
     .offset = OFF(name),
     .check = check_name,
     .pattern = PX_PATTERN_HOSTNAME,
     .max = PX_DESKTOP_NAME_MAX},
    {.key = "count",
     .kind = PX_FIELD_UINT,
     .doc = "Makes that many alike, named NAME-1, NAME-2 and so on.",
     .fallback_doc = "one, named NAME",
     .min = 1,
     .max = PX_DESKTOPS_MAX,
     .aka = "replicas number instances",
     .offset = offsetof(struct px_desktop_entry, count)},
    {.key = "image",
     .kind = PX_FIELD_STRING,
     .doc = "What the desktop is made from: the name of a recipe or image, or a digest "
            "`sha256:...`.",
     .expected = "an image such as desktop",
     .fallback = "desktop",
     .aka = "recipe template os",
     .offset = OFF(image),
     .check = px_check_image,
     .pattern = PX_PATTERN_IMAGE},
    {.key = "cores",
     .kind = PX_FIELD_UINT,
     .doc = "Processors it may use at once.",
     .fallback = "all",
     .min = 1,
     .max = 4096,
     .zero_word = "all",
     .aka = "cpu cpus vcpu vcpus threads",
     .offset = OFF(cores)},
    {.key = "memory",
     .kind = PX_FIELD_SIZE,
     .doc = "Memory it may use; the shared image's page cache does not count.",
     .fallback = "none",
     .min = 64 * MIB,
     .zero_word = "none",
     .aka = "ram mem",
     .offset = OFF(memory_bytes)},
    {.key = "disk",
     .kind = PX_FIELD_SIZE,
     .doc = "What it may write, home included; the image does not count.",
     .fallback = "none",
     .min = 64 * MIB,
     .zero_word = "none",
     .aka = "storage size rootfs quota",
     .offset = OFF(disk_bytes)},
    {.key = "shm",
     .kind = PX_FIELD_SIZE,
     .doc = "Size of /dev/shm, which PyTorch's data loaders need. What lies there counts as "
            "memory.",
     .fallback_doc = "half of `memory`; 1GiB where that has no limit",
     .min = MIB,
     .aka = "shm_size devshm",
     .offset = OFF(shm_bytes)},
    {.key = "pids",
     .kind = PX_FIELD_UINT,
     .doc = "Processes and threads it may have.",
     .fallback = "4096",
     .min = 128,
     .max = 4194304,
     .aka = "processes tasks pids_limit",
     .offset = OFF(pids)},
    {.key = "user",
     .kind = PX_FIELD_STRING,
     .doc = "Login name of the person who works there.",
     .expected = "a user name",
     .fallback_doc = "that of the image",
     .aka = "username login owner",
     .offset = OFF(user),
     .check = px_check_user,
     .pattern = PX_PATTERN_USER},
    {.key = "gpus",
     .kind = PX_FIELD_UNION,
     .doc = "`none`, a number of cards, `all`, a list of cards (UUID, PCI address or index), or a "
            "mapping.",
     .expected = "'none', a number of cards, 'all', a list of cards or a mapping",
     .fallback = "none",
     .aka = "gpu cuda nvidia cards",
     .offset = OFF(gpus),
     .fields = px_gpu_alternatives,
     .reset = px_gpu_request_reset,
     .print = px_gpu_request_print},
    {.key = "network",
     .kind = PX_FIELD_MAP,
     .doc = "How it is reached and what it reaches.",
     .aka = "net",
     .fields = network_fields},
    {.key = "mounts",
     .kind = PX_FIELD_LIST,
     .doc = "Files and directories of the host that the desktop sees.",
     .expected = "a list such as [{source: /data}]",
     .item = &px_mount_item,
     .offset = OFF(mounts),
     .n_offset = OFF(n_mounts),
     .item_size = sizeof(struct px_mount_spec),
     .max = MOUNTS_MAX,
     .finish = px_mounts_finish,
     .aka = "volumes binds shares"},
    {.key = "display",
     .kind = PX_FIELD_UNION,
     .doc = "Size of the screen before a viewer asks for another.",
     .expected = "a size such as 1920x1080, or a mapping",
     .fallback = "1920x1080",
     .aka = "resolution screen",
     .offset = OFF(width_px),
     .fields = display_alternatives,
     .print = print_display},
    {.key = "keyboard",
     .kind = PX_FIELD_STRING,
     .doc = "XKB layout, with a variant in brackets: `de(nodeadkeys)`.",
     .expected = "an XKB layout such as us",
     .fallback = "us",
     .aka = "layout keymap xkb",
     .offset = OFF(keyboard),
     .check = px_check_keyboard,
     .pattern = PX_PATTERN_KEYBOARD},
    {.key = "remote",
     .kind = PX_FIELD_MAP,
     .doc = "What viewers may do, and how they come.",
     .aka = "rustdesk viewer viewers remote_access permissions",
     .fields = px_remote_fields},
    {.key = "timezone",
     .kind = PX_FIELD_STRING,
     .doc = "IANA time zone.",
     .expected = "a time zone such as Europe/Berlin",
     .fallback_doc = "the host's",
     .aka = "tz zone time_zone",
     .offset = OFF(timezone),
     .check = px_check_timezone,
     .pattern = PX_PATTERN_TIMEZONE},
    {.key = "jupyter",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether JupyterLab runs.",
     .fallback = "true",
     .aka = "jupyterlab notebook",
     .offset = OFF(jupyter)},
    {.key = "nesting",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether containers (docker, podman) may run inside. Opens more of the kernel to the "
            "desktop.",
     .fallback = "false",
     .aka = "nested docker",
     .offset = OFF(nesting)},
    {.key = "fuse",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether /dev/fuse is there (sshfs, AppImages).",
     .fallback = "false",
     .offset = OFF(fuse)},
    {.key = "autostart",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether it starts when the host does.",
     .fallback = "true",
     .aka = "onboot boot start",
     .offset = OFF(autostart)},
    {0},
};

_Static_assert(offsetof(struct px_desktop_spec, height_px) -
                       offsetof(struct px_desktop_spec, width_px) ==
                   offsetof(struct display, height_px),
               "struct display lies over the spec");

static const struct px_field desktop_item = {.kind = PX_FIELD_MAP,
                                             .expected = "a mapping such as {name: alice}",
                                             .fields = px_desktop_fields};

const struct px_field px_desktop_file_fields[] = {
    {.key = "defaults",
     .kind = PX_FIELD_MAP,
     .doc = "Any key of a desktop but `name` and `count`, for all that do not say otherwise.",
     .fields = px_desktop_fields + 2,
     .undocumented = true,
     .aka = "default common",
     .offset = offsetof(struct px_desktop_file_obj, base)},
    {.key = "desktops",
     .kind = PX_FIELD_LIST,
     .doc = "The desktops there should be.",
     .expected = "a list such as [{name: alice}]",
     .required = true,
     .item = &desktop_item,
     .aka = "desktop containers machines",
     .offset = offsetof(struct px_desktop_file_obj, entries),
     .n_offset = offsetof(struct px_desktop_file_obj, n_entries),
     .item_size = sizeof(struct px_desktop_entry),
     .max = PX_DESKTOPS_MAX},
    {0},
};
