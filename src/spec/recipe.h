/* src/spec/recipe.h - a recipe: what an image is built from
 *
 *     # recipes/desktop/recipe.yaml
 *     from: minimal              # the layers of another recipe below ours; without: suite, variant
 *     packages: [xfce4-session]
 *     files:
 *       - {path: /etc/motd, content: "hello\n"}
 *       - {path: /usr/bin/thing, source: files/thing, mode: "0755"}
 *       - {path: /etc/phoenix/xdg, source: files/xdg}        # a directory: all below it
 *     pip:
 *       - {venv: /opt/ai/torch, requirements: torch.txt, kernel: "PyTorch"}
 *     commands: ["systemctl mask udisks2"]  # /bin/sh -e in the tree, no network
 *     services: {enable: [a.service], mask: [b.service], user_mask: [c.socket]}
 *     user: {name: ai, uid: 1000, groups: [video]}
 *
 * A recipe is a folder holding recipe.yaml and what it refers to. Layers are made in the order
 * from, packages, pip, files, commands+services+user. Parsing is pure. Any thread. */
#pragma once
#include "base/cleanup.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PX_RECIPE_MAX_BYTES (1024 * 1024)

struct px_recipe_file {
    char *path;    /* absolute, in the image */
    char *source;  /* relative to the recipe's folder, no ".."; or NULL and */
    char *content; /* the text itself */
    mode_t mode;   /* 0: that of the source (0755 where executable, else 0644); for content 0644 */
    char *owner;   /* "root" (default) or the recipe's user */
};

struct px_recipe_pip {
    char *venv;         /* absolute path of the venv in the image */
    char *requirements; /* file in the recipe's folder, names or name==version */
    char *kernel;       /* display name of a Jupyter kernel to register; NULL: none */
    bool system_site;   /* venv sees Debian's Python packages; default false */
};

struct px_strings {
    char **items;
    size_t n;
};

struct px_recipe {
    char *name; /* of the folder */
    char *dir;  /* the folder */
    char *from; /* recipe name below; NULL: a root of its own */
    char *description;
    char *suite;                  /* default "trixie"; only without from */
    struct px_strings components; /* default main; only without from */
    struct px_strings packages;
    struct px_strings exclude_paths; /* dpkg path-exclude patterns */
    struct px_strings include_paths; /* dpkg path-include patterns */
    struct px_recipe_file *files;
    size_t n_files;
    struct px_recipe_pip *pip;
    size_t n_pip;
    struct px_strings commands;
    struct px_strings enable, mask, user_mask; /* systemd units */
    struct {
        char *name; /* NULL: the recipe below's */
        uint32_t uid;
        char *shell;
        struct px_strings groups;
        bool sudo; /* may use sudo without a password; default false */
    } user;
};

/* Loads @dir/recipe.yaml. -ENOENT: no such recipe. Checks that the sources named exist. */
int px_recipe_load(const char *dir, struct px_recipe **ret, struct px_error *err);
int px_recipe_parse(const char *name, const char *text, size_t size, struct px_recipe **ret,
                    struct px_error *err);
struct px_recipe *px_recipe_free(struct px_recipe *recipe);
PX_DEFINE_CLEANUP(struct px_recipe *, px_recipe_free)
char *px_recipe_schema(void); /* see px_desktop_file_schema */
char *px_recipe_keys(void);
