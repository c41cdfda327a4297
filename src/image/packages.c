/* src/image/packages.c - the layers that apt and dpkg make: the root tree, and packages on top */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/step.h"
#include "image/deb822.h"
#include "image/job.h"
#include <string.h>

#define STATUS_MAX_BYTES (64 * 1024 * 1024)

/* Caches that would otherwise be made at each desktop's first start, and the stamps that tell
 * systemd that they are up to date. tidy sets the stamps' time to the epoch, which /usr is never
 * after. */
static const char finish_script[] =
    "ldconfig\n"
    "if [ -x /usr/bin/systemd-sysusers ]; then systemd-sysusers; fi\n"
    "if [ -x /usr/bin/journalctl ]; then journalctl --update-catalog; fi\n"
    "if [ -x /usr/bin/systemd-hwdb ]; then systemd-hwdb update; fi\n"
    "if [ -x /usr/bin/fc-cache ]; then fc-cache -s; fi\n"
    "for f in /etc/.updated /var/.updated; do echo '# made when the image was built' >$f; done\n";

/* A fresh Debian's own list of sources is the example that its apt package brings: the build
 * machine's mirror stays out of the tree. */
static const char sources_script[] =
    "rm -f /etc/apt/sources.list\n"
    "from=/usr/share/doc/apt/examples/debian.sources\n"
    "if [ -e $from ]; then\n"
    "    sed \"s/^Components: .*/Components: $1/\" $from >/etc/apt/sources.list.d/debian.sources\n"
    "fi\n";

static const char policy_script[] = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d\n"
                                    "chmod 755 /usr/sbin/policy-rc.d\n";

static void put_debs(struct px_buf *b, const struct px_lockfile *lock) {
    for (size_t i = 0; i < lock->n_debs; i++)
        px_buf_printf(b, "deb %s %s %s %s\n", lock->debs[i].name, lock->debs[i].version,
                      lock->debs[i].architecture, lock->debs[i].sha256);
}

static void put_strings(struct px_buf *b, const char *key, const struct px_strings *s) {
    for (size_t i = 0; i < s->n; i++)
        px_buf_printf(b, "%s %s\n", key, s->items[i]);
}

/* What we run is an input, too: a new version of us makes new layers. */
static char *key_text(const struct px_part *part, const char *scripts) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_buf_puts(&b, scripts);
    px_buf_puts(&b, finish_script);
    put_debs(&b, part->lock);
    put_strings(&b, "component", &part->recipe->components);
    put_strings(&b, "want", &part->recipe->packages);
    put_strings(&b, "exclude", &part->recipe->exclude_paths);
    put_strings(&b, "include", &part->recipe->include_paths);
    return px_buf_take(&b);
}

/* The packages, unpacked and as files, must fit; dpkg writes some more. */
static int check_room(const struct px_job *job, const struct px_part *part, struct px_error *err) {
    uint64_t need = 0;
    for (size_t i = 0; i < part->debs.n; i++)
        need += part->debs.items[i].installed_bytes + part->debs.items[i].installed_bytes / 8 +
                part->debs.items[i].id.size_bytes;
    return px_job_room(job, need, err);
}

static int make_repository(struct px_job *job, struct px_part *part, char **ret,
                           struct px_error *err) {
    px_cleanup_free char *dir = px_asprintf("%s/repository", job->tmp);
    int r = px_job_fetch(job, part, err);
    if (r == 0)
        r = check_room(job, part, err);
    if (r == 0)
        r = px_step("image.unpack", err);
    if (r == 0)
        r = px_rm_rf(AT_FDCWD, dir, err);
    if (r == 0)
        r = px_pool_repository(job->store.dir, &part->debs, job->chain.items[0]->suite, dir, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(dir);
    return 0;
}

/* apt decided twice: for the lock from all of Debian, and here from what the lock names. Both must
 * have come to the same. */
static int check_installed(struct px_job *job, struct px_part *part, const struct px_sandbox *sb,
                           struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s/var/lib/dpkg/status", sb->dir, sb->upper);
    px_cleanup_free char *text = NULL;
    size_t size = 0, n_found = 0;
    int r = px_file_read(AT_FDCWD, path, STATUS_MAX_BYTES, &text, &size, err);
    if (r < 0)
        return r;
    px_cleanup(px_debs_fini) struct px_debs want = {0};
    px_job_installed(job, part, &want);
    struct px_deb822 p;
    for (size_t at = 0; px_deb822_next(text, size, &at, &p);) {
        px_cleanup_free char *name = px_deb822_get(&p, "Package");
        px_cleanup_free char *version = px_deb822_get(&p, "Version");
        px_cleanup_free char *status = px_deb822_get(&p, "Status");
        bool found = false;
        for (size_t i = 0; i < want.n && name && version && !found; i++)
            found = strcmp(want.items[i].id.name, name) == 0 &&
                    strcmp(want.items[i].id.version, version) == 0;
        if (!found || !status || strcmp(status, "install ok installed") != 0)
            return px_fail(err, -EIO, "package '%s' %s is '%s' in the tree, unlike the lock",
                           name ? name : "?", version ? version : "?", status ? status : "?");
        n_found++;
    }
    if (n_found != want.n)
        return px_fail(err, -EIO, "the tree has %zu packages, the lock %zu", n_found, want.n);
    return 0;
}

static int finish(struct px_job *job, struct px_part *part, struct px_sandbox *sb,
                  struct px_error *err) {
    struct px_sandbox inside = *sb;
    inside.host_root = false;
    inside.binds = NULL;
    inside.n_binds = 0;
    int r = px_job_script(job, &inside, finish_script, err);
    return r < 0 ? r : check_installed(job, part, sb, err);
}

struct args {
    const char *items[512];
    size_t n;
    char *owned[512];
    size_t n_owned;
};

static void args_take(struct args *a, char *take) {
    if (a->n + 1 < PX_N_ELEMENTS(a->items)) {
        a->owned[a->n_owned++] = take;
        a->items[a->n++] = take;
    } else
        free(take);
}

static void args_fini(struct args *a) {
    for (size_t i = 0; i < a->n_owned; i++)
        free(a->owned[i]);
}

static char *joined(const struct px_strings *s, const char *sep) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; i < s->n; i++)
        px_buf_printf(&b, "%s%s", i ? sep : "", s->items[i]);
    return px_buf_take(&b);
}

static void mmdebstrap_args(struct px_job *job, const struct px_part *part,
                            const struct px_sandbox *sb, const char *repository, struct args *a) {
    const struct px_recipe *recipe = part->recipe;
    px_cleanup_free char *include = joined(&recipe->packages, ",");
    args_take(a, px_strdup("mmdebstrap"));
    args_take(a, px_strdup("--mode=root"));
    args_take(a, px_strdup("--format=directory"));
    args_take(a, px_strdup("--variant=minbase"));
    args_take(a, px_strdup("--verbose"));
    args_take(a, px_asprintf("--architectures=%s", job->arch));
    if (include[0])
        args_take(a, px_asprintf("--include=%s", include));
    for (size_t i = 0; i < recipe->exclude_paths.n; i++)
        args_take(a, px_asprintf("--dpkgopt=path-exclude=%s", recipe->exclude_paths.items[i]));
    for (size_t i = 0; i < recipe->include_paths.n; i++)
        args_take(a, px_asprintf("--dpkgopt=path-include=%s", recipe->include_paths.items[i]));
    /* see sources_script */
    if (recipe->exclude_paths.n > 0)
        args_take(a,
                  px_strdup("--dpkgopt=path-include=/usr/share/doc/apt/examples/debian.sources"));
    args_take(a, px_strdup(recipe->suite));
    args_take(a, px_asprintf("%s/%s", sb->dir, sb->root));
    args_take(a, px_asprintf("deb [trusted=yes] copy://%s ./", repository));
}

static int make_root(struct px_job *job, struct px_part *part, struct px_sandbox *sb, void *data,
                     struct px_error *err) {
    px_cleanup_free char *repository = NULL;
    px_cleanup(args_fini) struct args args = {0};
    int r = make_repository(job, part, &repository, err);
    if (r < 0)
        return r;
    mmdebstrap_args(job, part, sb, repository, &args);
    px_cleanup_free char *tmpdir = px_asprintf("TMPDIR=%s", job->tmp);
    const char *env[] = {tmpdir, NULL};
    sb->host_root = true;
    r = px_job_run(job, sb, args.items, env, err);
    sb->host_root = false;
    if (r < 0)
        return r;
    px_cleanup_free char *components = joined(&part->recipe->components, " ");
    const char *sources[] = {"/bin/sh", "-e", "-c", sources_script, "sh", components, NULL};
    r = px_job_run(job, sb, sources, NULL, err);
    return r < 0 ? r : finish(job, part, sb, err);
}

int px_job_root(struct px_job *job, struct px_part *part, struct px_error *err) {
    px_cleanup_free char *key = key_text(part, sources_script);
    px_cleanup_free char *suite = px_asprintf("suite %s\n%s", part->recipe->suite, key);
    return px_job_layer(job,
                        &(struct px_layer_recipe){.kind = "root",
                                                  .part = part,
                                                  .key_text = suite,
                                                  .units = (double)part->lock->n_debs,
                                                  .make = make_root},
                        err);
}

/* dpkg's configuration for later `apt install`s, too. */
static char *excludes_script(const struct px_recipe *recipe) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    if (recipe->exclude_paths.n + recipe->include_paths.n == 0)
        return px_strdup("");
    px_buf_printf(&b, "cat >/etc/dpkg/dpkg.cfg.d/phoenix-%s <<'phoenix-end'\n", recipe->name);
    for (size_t i = 0; i < recipe->exclude_paths.n; i++)
        px_buf_printf(&b, "path-exclude=%s\n", recipe->exclude_paths.items[i]);
    for (size_t i = 0; i < recipe->include_paths.n; i++)
        px_buf_printf(&b, "path-include=%s\n", recipe->include_paths.items[i]);
    px_buf_puts(&b, "phoenix-end\n");
    return px_buf_take(&b);
}

/* The tree's own apt, with everything of its own below /run, which is not part of the layer. */
static const char apt_script[] =
    "mkdir -p /run/phoenix-build/lists/partial /run/phoenix-build/cache/archives/partial\n"
    "echo 'deb [trusted=yes] file:/run/phoenix-build/repository ./' "
    ">/run/phoenix-build/sources.list\n"
    "cat >/run/phoenix-build/apt.conf <<'phoenix-end'\n"
    "Dir::Etc::SourceList \"/run/phoenix-build/sources.list\";\n"
    "Dir::Etc::SourceParts \"/dev/null\";\n"
    "Dir::State::Lists \"/run/phoenix-build/lists\";\n"
    "Dir::Cache \"/run/phoenix-build/cache\";\n"
    "Dir::Log \"/run/phoenix-build\";\n"
    "APT::Sandbox::User \"root\";\n"
    "APT::Install-Recommends \"0\";\n"
    "APT::Install-Suggests \"0\";\n"
    "phoenix-end\n"
    "export APT_CONFIG=/run/phoenix-build/apt.conf\n"
    "apt-get -q update\n"
    "apt-get -q -y --no-remove -o Dpkg::Options::=--force-confold install \"$@\"\n";

static int make_packages(struct px_job *job, struct px_part *part, struct px_sandbox *sb,
                         void *data, struct px_error *err) {
    px_cleanup_free char *repository = NULL;
    int r = make_repository(job, part, &repository, err);
    if (r < 0)
        return r;
    px_cleanup_free char *excludes = excludes_script(part->recipe);
    px_cleanup_free char *script = px_asprintf("%s%s%s", policy_script, excludes, apt_script);
    const size_t n = part->recipe->packages.n;
    px_cleanup_free const char **argv = px_new0(const char *, n + 6);
    argv[0] = "/bin/sh";
    argv[1] = "-e";
    argv[2] = "-c";
    argv[3] = script;
    argv[4] = "sh";
    for (size_t i = 0; i < n; i++)
        argv[5 + i] = part->recipe->packages.items[i];
    const struct px_sandbox_bind binds[] = {
        {.source = repository, .target = "/run/phoenix-build/repository", .read_only = true}};
    sb->binds = binds;
    sb->n_binds = PX_N_ELEMENTS(binds);
    r = px_job_run(job, sb, argv, NULL, err);
    sb->binds = NULL;
    sb->n_binds = 0;
    return r < 0 ? r : finish(job, part, sb, err);
}

int px_job_packages(struct px_job *job, struct px_part *part, struct px_error *err) {
    if (part->lock->n_debs == 0)
        return 0;
    px_cleanup_free char *key = key_text(part, apt_script);
    return px_job_layer(job,
                        &(struct px_layer_recipe){.kind = "packages",
                                                  .part = part,
                                                  .key_text = key,
                                                  .units = (double)part->lock->n_debs,
                                                  .make = make_packages},
                        err);
}
