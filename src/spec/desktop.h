/* src/spec/desktop.h - the desktop file: which desktops there should be
 *
 *     defaults: {image: desktop, memory: 4GiB}
 *     desktops:
 *       - name: alice
 *       - name: lab              # lab-1, lab-2, lab-3
 *         count: 3
 *         gpus: 1
 *
 * Parsing is pure (bytes and a name for messages in, struct or error out). Everything is checked
 * and every default filled in here: what comes out is complete. Errors are -EINVAL with one line,
 * "lab.yaml:4: desktops[1].memory: expected a size such as 8GiB, or 'none', found 'lots'", a near
 * miss as hint. Plain values, owned by the file; px_desktop_file_free releases them. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#define PX_DESKTOP_FILE_MAX_BYTES (1024 * 1024)
#define PX_DESKTOPS_MAX 1000 /* in one file, counts expanded */
#define PX_DESKTOP_NAME_MAX 40

enum px_gpu_want { PX_GPU_NONE, PX_GPU_COUNT, PX_GPU_ALL, PX_GPU_LIST };
enum px_gpu_mode { PX_GPU_EXCLUSIVE, PX_GPU_SHARED };

/* gpus: none | N | all | {count or ids, mode, memory, dri} | [GPU-uuid, MIG-uuid, 0000:01:00.0,
 * index]
 */
struct px_gpu_request {
    enum px_gpu_want want;
    unsigned count; /* for COUNT, at least 1 */
    char **ids;     /* for LIST, as written */
    size_t n_ids;
    enum px_gpu_mode mode;
    uint64_t memory_bytes; /* budget for SHARED; 0: an equal part */
    bool dri;              /* with the cards' render nodes in /dev/dri */
};

/* mounts: [{source: /data, target: /data, read_only: true}]. Host paths, absolute. */
struct px_mount_spec {
    char *source, *target;
    bool read_only;
};

struct px_network_spec {
    bool internet;          /* default true: NAT to the outside */
    struct in_addr address; /* fixed address; 0.0.0.0: chosen from the host's range */
};

#define PX_REMOTE_ALLOW_MAX 64
#define PX_REMOTE_DIRECT_MAX 8

/* remote: what viewers may do, and how they come. */
struct px_remote_spec {
    bool input, clipboard, files, audio, tunnel, terminal, recording; /* default true */
    bool banner, punching, trusted_devices;                           /* default true */
    bool totp, discovery;                                             /* default false */
    char **allow; /* addresses and blocks; none: all */
    size_t n_allow;
    char **direct; /* addresses to listen on, with port or without; none: not at all */
    size_t n_direct;
};

struct px_desktop_spec {
    char *name;            /* a host name label, at most PX_DESKTOP_NAME_MAX */
    char *image;           /* recipe or image name ("desktop"), or "sha256:..." */
    unsigned cores;        /* at least 1; 0: all of the host's */
    uint64_t memory_bytes; /* 0: no limit */
    uint64_t disk_bytes;   /* what the desktop may write (root and home); 0: no limit */
    uint64_t shm_bytes;    /* /dev/shm; default half of memory, 1GiB where memory has no limit */
    unsigned pids;         /* default 4096 */
    char *user;            /* login name; default the image's own */
    struct px_network_spec network;
    struct px_gpu_request gpus;
    struct px_mount_spec *mounts;
    size_t n_mounts;
    unsigned width_px, height_px; /* display: 1920x1080 (default) or {width, height} */
    char *keyboard;               /* XKB layout, "us", "de(nodeadkeys)"; default "us" */
    struct px_remote_spec remote;
    char *timezone; /* "Europe/Berlin"; default the host's */
    bool jupyter;   /* default true */
    bool nesting;   /* containers inside; default false */
    bool fuse;      /* /dev/fuse; default false */
    bool autostart; /* at boot; default true */
    unsigned line;  /* in the file, for messages; 1-based */
};

struct px_desktop_file {
    char *path; /* as given, for messages */
    struct px_desktop_spec *desktops;
    size_t n_desktops;
};

/* @path "-": stdin. -EINVAL: any mistake in it, empty files included. -ENOENT, -EACCES, -EISDIR,
 * -EFBIG. */
int px_desktop_file_load(const char *path, struct px_desktop_file **ret, struct px_error *err);
int px_desktop_file_parse(const char *name, const char *text, size_t size,
                          struct px_desktop_file **ret, struct px_error *err);
struct px_desktop_file *px_desktop_file_free(struct px_desktop_file *file);
PX_DEFINE_CLEANUP(struct px_desktop_file *, px_desktop_file_free)

void px_desktop_spec_fini(struct px_desktop_spec *spec);
void px_desktop_spec_copy(const struct px_desktop_spec *from, struct px_desktop_spec *to);

/* The spec as a JSON object with the file's keys, and back (for desktops/NAME/desktop.json and
 * `plan --json`); to_json's reference is the caller's. */
struct json_t;
struct json_t *px_desktop_spec_to_json(const struct px_desktop_spec *spec);
int px_desktop_spec_from_json(const struct json_t *json, struct px_desktop_spec *ret,
                              struct px_error *err);

/* JSON Schema (2020-12) of the file, from the same tables as the parser; the caller's string. */
char *px_desktop_file_schema(void);
/* Its keys as tables in Markdown, for docs/files.md; the caller's string. */
char *px_desktop_file_keys(void);
