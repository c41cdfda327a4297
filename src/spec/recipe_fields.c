/* src/spec/recipe_fields.c - the tables of a recipe */
#include "spec/recipe_fields.h"
#include "spec/check.h"
#include <string.h>

#define OFF(member) offsetof(struct px_recipe, member)
#define FILE_OFF(member) offsetof(struct px_recipe_file, member)
#define PIP_OFF(member) offsetof(struct px_recipe_pip, member)
#define FILES_MAX 1000 /* compared with one another */
#define PIP_MAX 64
#define UNITS_MAX 500
#define STRINGS(member)                                                                            \
    .kind = PX_FIELD_LIST, .offset = OFF(member.items), .n_offset = OFF(member.n),                 \
    .item_size = sizeof(char *)

static int parse_mode(const char *text, void *obj, struct px_error *err) {
    unsigned mode = 0;
    int r = px_parse_mode(text, &mode, err);
    if (r == 0)
        ((struct px_recipe_file *)obj)->mode = mode;
    return r;
}

static json_t *print_mode(const void *obj) {
    const unsigned mode = ((const struct px_recipe_file *)obj)->mode;
    return mode ? json_sprintf("%04o", mode) : NULL;
}

static int check_pattern(const char *text, struct px_error *err) {
    return text[0] == '/' ? 0
                          : px_fail(err, -EINVAL,
                                    "expected a pattern that begins with '/', such as "
                                    "/usr/share/man/*, found '%.60s'",
                                    text);
}

static int finish_file(const struct px_at *at, const struct px_node *node, void *obj,
                       struct px_error *err) {
    const struct px_recipe_file *file = obj;
    if (!file->source == !file->content)
        return px_at_fail(at, node, err, "expected either 'source' or 'content', found %s",
                          file->source ? "both" : "neither");
    return 0;
}

static int finish_files(const struct px_at *at, const struct px_node *node, void *obj,
                        struct px_error *err) {
    const struct px_recipe *recipe = obj;
    const struct px_node *n = node->child;
    for (size_t i = 0; i < recipe->n_files; i++, n = n->next)
        for (size_t j = 0; j < i; j++)
            if (strcmp(recipe->files[i].path, recipe->files[j].path) == 0)
                return px_at_fail(&(struct px_at){.up = at, .index = i}, n, err,
                                  "path '%s' is also that of files[%zu]", recipe->files[i].path, j);
    return 0;
}

static int finish_pip(const struct px_at *at, const struct px_node *node, void *obj,
                      struct px_error *err) {
    const struct px_recipe *recipe = obj;
    const struct px_node *n = node->child;
    for (size_t i = 0; i < recipe->n_pip; i++, n = n->next)
        for (size_t j = 0; j < i; j++)
            if (strcmp(recipe->pip[i].venv, recipe->pip[j].venv) == 0)
                return px_at_fail(&(struct px_at){.up = at, .index = i}, n, err,
                                  "venv '%s' is also that of pip[%zu]", recipe->pip[i].venv, j);
    return 0;
}

static int finish_services(const struct px_at *at, const struct px_node *node, void *obj,
                           struct px_error *err) {
    const struct px_recipe *recipe = obj;
    for (size_t i = 0; i < recipe->enable.n; i++)
        for (size_t j = 0; j < recipe->mask.n; j++)
            if (strcmp(recipe->enable.items[i], recipe->mask.items[j]) == 0)
                return px_at_fail(at, node, err, "'%s' is in both 'enable' and 'mask'",
                                  recipe->enable.items[i]);
    return 0;
}

static const struct px_field any_text = {.kind = PX_FIELD_STRING, .expected = "text"};
static const struct px_field command_item = {
    .kind = PX_FIELD_STRING, .multiline = true, .expected = "a shell command"};
static const struct px_field package_item = {.kind = PX_FIELD_STRING,
                                             .expected = "a Debian package",
                                             .check = px_check_package,
                                             .pattern = PX_PATTERN_PACKAGE};
static const struct px_field pattern_item = {
    .kind = PX_FIELD_STRING, .expected = "a path pattern", .check = check_pattern, .pattern = "^/"};
static const struct px_field unit_item = {.kind = PX_FIELD_STRING,
                                          .expected = "a systemd unit",
                                          .check = px_check_unit,
                                          .pattern = PX_PATTERN_UNIT};
static const struct px_field group_item = {.kind = PX_FIELD_STRING,
                                           .expected = "a group",
                                           .check = px_check_group,
                                           .pattern = PX_PATTERN_USER};

static const struct px_field file_fields[] = {
    {.key = "path",
     .kind = PX_FIELD_STRING,
     .doc = "Where it goes in the image.",
     .expected = "an absolute path",
     .required = true,
     .aka = "target dest destination name",
     .offset = FILE_OFF(path),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "source",
     .kind = PX_FIELD_STRING,
     .doc = "A file, or a directory with all below it, in the recipe's folder. Either this or "
            "`content`.",
     .expected = "a path in the recipe's folder",
     .aka = "src from file",
     .offset = FILE_OFF(source),
     .check = px_check_relative,
     .pattern = PX_PATTERN_RELATIVE},
    {.key = "content",
     .kind = PX_FIELD_STRING,
     .doc = "The text of the file.",
     .expected = "text",
     .aka = "text contents data",
     .multiline = true,
     .empty_ok = true,
     .offset = FILE_OFF(content)},
    {.key = "mode",
     .kind = PX_FIELD_TEXT,
     .doc = "Permissions, octal.",
     .expected = "an octal mode such as \"0755\"",
     .fallback_doc = "0755 for what is executable in the recipe's folder and for directories, "
                     "else 0644",
     .aka = "permissions perms",
     .max = 7777, /* 0755 without quotes is a number to an editor */
     .parse = parse_mode,
     .print = print_mode,
     .pattern = PX_PATTERN_MODE},
    {.key = "owner",
     .kind = PX_FIELD_STRING,
     .doc = "`root` or the recipe's user.",
     .expected = "a user name",
     .fallback = "root",
     .offset = FILE_OFF(owner),
     .check = px_check_group,
     .pattern = PX_PATTERN_USER},
    {0},
};

static const struct px_field pip_fields[] = {
    {.key = "venv",
     .kind = PX_FIELD_STRING,
     .doc = "Where the virtual environment goes in the image.",
     .expected = "an absolute path",
     .required = true,
     .aka = "path dir",
     .offset = PIP_OFF(venv),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "requirements",
     .kind = PX_FIELD_STRING,
     .doc = "A file in the recipe's folder: a package per line, `name` or `name==version`. "
            "`phoenix image lock` writes exact versions and hashes beside it.",
     .expected = "a path in the recipe's folder",
     .required = true,
     .aka = "file packages",
     .offset = PIP_OFF(requirements),
     .check = px_check_relative,
     .pattern = PX_PATTERN_RELATIVE},
    {.key = "kernel",
     .kind = PX_FIELD_STRING,
     .doc = "Registers the environment with Jupyter under this title.",
     .expected = "a title",
     .fallback_doc = "not registered",
     .offset = PIP_OFF(kernel)},
    {.key = "system_site",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the environment sees Debian's Python packages.",
     .fallback = "false",
     .aka = "system_site_packages",
     .offset = PIP_OFF(system_site)},
    {0},
};

static const struct px_field file_item = {.kind = PX_FIELD_MAP,
                                          .expected =
                                              "a mapping such as {path: /etc/motd, content: hello}",
                                          .fields = file_fields,
                                          .finish = finish_file};
static const struct px_field pip_item = {
    .kind = PX_FIELD_MAP,
    .expected = "a mapping such as {venv: /opt/ai/torch, requirements: torch.txt}",
    .fields = pip_fields};

static const struct px_field service_fields[] = {
    {.key = "enable",
     .expected = "a list of units",
     STRINGS(enable),
     .item = &unit_item,
     .max = UNITS_MAX,
     .unique = true,
     .doc = "Units that are started at boot."},
    {.key = "mask",
     .expected = "a list of units",
     STRINGS(mask),
     .item = &unit_item,
     .max = UNITS_MAX,
     .unique = true,
     .aka = "disable",
     .doc = "Units that must never start."},
    {.key = "user_mask",
     .expected = "a list of units",
     STRINGS(user_mask),
     .item = &unit_item,
     .max = UNITS_MAX,
     .unique = true,
     .doc = "The same for the user's own systemd."},
    {0},
};

static const struct px_field user_fields[] = {
    {.key = "name",
     .kind = PX_FIELD_STRING,
     .doc = "Login name of the ordinary user.",
     .expected = "a user name",
     .fallback_doc = "that of the recipe below",
     .aka = "login",
     .offset = OFF(user.name),
     .check = px_check_user,
     .pattern = PX_PATTERN_USER},
    {.key = "uid",
     .kind = PX_FIELD_UINT,
     .doc = "Its number, and that of its group.",
     .min = 1000,
     .max = 60000,
     .fallback = "1000",
     .aka = "id",
     .offset = OFF(user.uid)},
    {.key = "shell",
     .kind = PX_FIELD_STRING,
     .doc = "Login shell.",
     .expected = "an absolute path",
     .fallback = "/bin/bash",
     .offset = OFF(user.shell),
     .check = px_check_path,
     .pattern = PX_PATTERN_PATH},
    {.key = "groups",
     .expected = "a list of groups",
     STRINGS(user.groups),
     .item = &group_item,
     .unique = true,
     .doc = "Further groups."},
    {.key = "sudo",
     .kind = PX_FIELD_BOOL,
     .doc = "Whether the user may use sudo without a password.",
     .fallback = "false",
     .offset = OFF(user.sudo)},
    {0},
};

const struct px_field px_recipe_fields[] = {
    {.key = "description",
     .kind = PX_FIELD_STRING,
     .doc = "One line for `phoenix image ls`.",
     .expected = "a line of text",
     .offset = OFF(description)},
    {.key = "from",
     .kind = PX_FIELD_STRING,
     .doc = "The recipe whose layers lie below ours. Without it, the image has a root tree of its "
            "own.",
     .expected = "a recipe's name",
     .aka = "base parent extends",
     .offset = OFF(from),
     .check = px_check_recipe_name,
     .pattern = PX_PATTERN_RECIPE},
    {.key = "suite",
     .kind = PX_FIELD_STRING,
     .doc = "Debian release of the root tree; only without `from`.",
     .expected = "a Debian suite such as trixie",
     .fallback_doc = "`trixie`",
     .aka = "release distribution",
     .offset = OFF(suite),
     .check = px_check_suite,
     .pattern = PX_PATTERN_RECIPE},
    {.key = "components",
     .expected = "a list such as [main, contrib]",
     STRINGS(components),
     .item = &any_text,
     .unique = true,
     .min = 1,
     .doc = "Parts of the Debian archive; only without `from`.",
     .fallback_doc = "`[main]`"},
    {.key = "packages",
     .expected = "a list of packages",
     STRINGS(packages),
     .item = &package_item,
     .unique = true,
     .aka = "apt debs",
     .doc = "Debian packages; recommended ones do not come with them."},
    {.key = "exclude_paths",
     .expected = "a list such as [/usr/share/man/*]",
     STRINGS(exclude_paths),
     .item = &pattern_item,
     .unique = true,
     .doc =
         "Patterns of paths that packages do not install (dpkg's `path-exclude`); also later, in "
         "the desktop."},
    {.key = "include_paths",
     .expected = "a list of patterns",
     STRINGS(include_paths),
     .item = &pattern_item,
     .unique = true,
     .doc = "Exceptions from `exclude_paths` (dpkg's `path-include`)."},
    {.key = "pip",
     .expected = "a list of mappings",
     .kind = PX_FIELD_LIST,
     .doc = "Python environments.",
     .item = &pip_item,
     .offset = OFF(pip),
     .n_offset = OFF(n_pip),
     .max = PIP_MAX,
     .finish = finish_pip,
     .item_size = sizeof(struct px_recipe_pip),
     .aka = "python venvs"},
    {.key = "files",
     .expected = "a list of mappings",
     .kind = PX_FIELD_LIST,
     .doc = "Files and directories put into the image.",
     .item = &file_item,
     .offset = OFF(files),
     .n_offset = OFF(n_files),
     .max = FILES_MAX,
     .finish = finish_files,
     .item_size = sizeof(struct px_recipe_file),
     .aka = "copy"},
    {.key = "commands",
     .expected = "a list of commands",
     STRINGS(commands),
     .item = &command_item,
     .aka = "run scripts",
     .doc = "Run in the tree by `/bin/sh -e`, in order, without a network."},
    {.key = "services",
     .kind = PX_FIELD_MAP,
     .fields = service_fields,
     .finish = finish_services,
     .aka = "units systemd",
     .doc = "Systemd units."},
    {.key = "user",
     .kind = PX_FIELD_MAP,
     .fields = user_fields,
     .doc = "The ordinary user who works in the desktop."},
    {0},
};
