/* src/image/config.c - the layer of a recipe's user, units and commands */
#include "base/alloc.h"
#include "base/buf.h"
#include "image/job.h"
#include <string.h>

/* For /bin/sh. */
static void put_quoted(struct px_buf *b, const char *s) {
    px_buf_putc(b, '\'');
    for (; *s; s++)
        if (*s == '\'')
            px_buf_puts(b, "'\\''");
        else
            px_buf_putc(b, *s);
    px_buf_putc(b, '\'');
}

/* The home may be there already, with files of the recipe in it. */
static const char user_script[] =
    "name=$1 uid=$2 shell=$3 groups=$4 sudo=$5\n"
    "getent group \"$name\" >/dev/null || groupadd --gid \"$uid\" \"$name\"\n"
    "getent passwd \"$name\" >/dev/null || useradd --uid \"$uid\" --gid \"$uid\" --no-create-home "
    "\\\n"
    "    --home-dir \"/home/$name\" --shell \"$shell\" --comment '' \"$name\" 2>/dev/null\n"
    "for g in $groups; do getent group \"$g\" >/dev/null || groupadd --system \"$g\"; done\n"
    "for g in $groups; do usermod --append --groups \"$g\" \"$name\"; done\n"
    "mkdir -p \"/home/$name\"\n"
    "cp -rn --preserve=mode /etc/skel/. \"/home/$name/\"\n"
    "chmod 0750 \"/home/$name\"\n"
    "chown -R \"$uid:$uid\" \"/home/$name\"\n"
    /* By uid: a desktop may give its user another name. */
    "if [ \"$sudo\" = 1 ]; then\n"
    "    install -d -m 0750 /etc/sudoers.d\n"
    "    echo \"#$uid ALL=(ALL:ALL) NOPASSWD: ALL\" >/etc/sudoers.d/90-phoenix\n"
    "    chmod 0440 /etc/sudoers.d/90-phoenix\n"
    "fi\n"
    /* ids of users inside users: nested containers bring their own */
    "sed -i \"/^$name:/d\" /etc/subuid /etc/subgid 2>/dev/null || :\n";

static int make_user(struct px_job *job, const struct px_recipe *recipe, struct px_sandbox *sb,
                     struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf groups = {0};
    char uid[16];
    snprintf(uid, sizeof(uid), "%u", recipe->user.uid);
    for (size_t i = 0; i < recipe->user.groups.n; i++)
        px_buf_printf(&groups, "%s ", recipe->user.groups.items[i]);
    const char *argv[] = {"/bin/sh",
                          "-e",
                          "-c",
                          user_script,
                          "sh",
                          recipe->user.name,
                          uid,
                          recipe->user.shell ? recipe->user.shell : "/bin/bash",
                          px_buf_str(&groups),
                          recipe->user.sudo ? "1" : "0",
                          NULL};
    return px_job_run(job, sb, argv, NULL, err);
}

/* A mask is a link to /dev/null; the unit itself need not be there. */
static void put_masks(struct px_buf *b, const char *dir, const struct px_strings *units) {
    if (units->n > 0)
        px_buf_printf(b, "mkdir -p %s\n", dir);
    for (size_t i = 0; i < units->n; i++) {
        px_buf_printf(b, "ln -sfn /dev/null %s/", dir);
        put_quoted(b, units->items[i]);
        px_buf_putc(b, '\n');
    }
}

static char *units_script(const struct px_recipe *recipe) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    put_masks(&b, "/etc/systemd/system", &recipe->mask);
    put_masks(&b, "/etc/systemd/user", &recipe->user_mask);
    for (size_t i = 0; i < recipe->enable.n; i++) {
        px_buf_puts(&b, "systemctl --root=/ enable ");
        put_quoted(&b, recipe->enable.items[i]);
        px_buf_putc(&b, '\n');
    }
    return px_buf_take(&b);
}

static int run_commands(struct px_job *job, const struct px_recipe *recipe, struct px_sandbox *sb,
                        struct px_error *err) {
    for (size_t i = 0; i < recipe->commands.n; i++) {
        px_job_item(job, recipe->commands.items[i], 0);
        int r = px_job_script(job, sb, recipe->commands.items[i], err);
        if (r < 0)
            return px_wrap(err, r, "commands[%zu]", i);
    }
    return 0;
}

static int make_config(struct px_job *job, struct px_part *part, struct px_sandbox *sb, void *data,
                       struct px_error *err) {
    const struct px_recipe *recipe = part->recipe;
    px_cleanup_free char *units = units_script(recipe);
    int r = 0;
    if (recipe->user.name)
        r = make_user(job, recipe, sb, err);
    if (r < 0)
        return px_wrap(err, r, "user '%s'", recipe->user.name);
    if (units[0])
        r = px_job_script(job, sb, units, err);
    if (r < 0)
        return px_wrap(err, r, "services");
    return run_commands(job, recipe, sb, err);
}

static void put_strings(struct px_buf *b, const char *key, const struct px_strings *s) {
    for (size_t i = 0; i < s->n; i++)
        px_buf_printf(b, "%s %zu %s\n", key, strlen(s->items[i]), s->items[i]);
}

int px_job_config(struct px_job *job, struct px_part *part, struct px_error *err) {
    const struct px_recipe *recipe = part->recipe;
    px_cleanup(px_buf_fini) struct px_buf key = {0};
    if (recipe->user.name) {
        px_buf_puts(&key, user_script);
        px_buf_printf(&key, "user %s %u %s %d\n", recipe->user.name, recipe->user.uid,
                      recipe->user.shell ? recipe->user.shell : "", recipe->user.sudo);
        put_strings(&key, "group", &recipe->user.groups);
    }
    put_strings(&key, "mask", &recipe->mask);
    put_strings(&key, "user-mask", &recipe->user_mask);
    put_strings(&key, "enable", &recipe->enable);
    put_strings(&key, "command", &recipe->commands);
    if (key.size == 0)
        return 0;
    return px_job_layer(job,
                        &(struct px_layer_recipe){.kind = "config",
                                                  .part = part,
                                                  .key_text = px_buf_str(&key),
                                                  .units = 5,
                                                  .make = make_config},
                        err);
}
