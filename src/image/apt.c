/* src/image/apt.c - Debian's archive as this machine reaches it */
#include "image/apt.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/proc.h"
#include "image/sources.h"
#include <string.h>

#define OUT_MAX_BYTES (64 * 1024 * 1024)

struct px_apt {
    struct px_apt_opts opts;
    char *dir, *conf;
    bool updated;
};

int px_apt_architecture(char **ret, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    const char *argv[] = {"dpkg", "--print-architecture", NULL};
    int r = px_proc_check(&(struct px_proc_opts){.argv = argv, .out = &out}, err);
    if (r < 0)
        return r;
    *ret = px_strndup(px_buf_str(&out), strcspn(px_buf_str(&out), "\n"));
    return 0;
}

/* VERSION_CODENAME of os-release(5); "" where there is none. */
static char *host_codename(void) {
    px_cleanup_free char *text = NULL;
    if (px_file_read(AT_FDCWD, "/etc/os-release", 65536, &text, NULL, NULL) < 0)
        return px_strdup("");
    const char *at = strstr(text, "VERSION_CODENAME=");
    if (!at)
        return px_strdup("");
    at += strlen("VERSION_CODENAME=");
    at += *at == '"';
    return px_strndup(at, strcspn(at, "\"\n"));
}

/* Read after the machine's own configuration, whose proxies and timeouts hold for us, too; its
 * hooks and its choice of files to fetch do not. */
static char *make_conf(const struct px_apt *apt) {
    const char *d = apt->dir;
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    px_buf_printf(&b,
                  "Dir::Etc::SourceList \"%s/debian.sources\";\n"
                  "Dir::Etc::SourceParts \"/dev/null\";\n"
                  "Dir::Etc::Preferences \"/dev/null\";\n"
                  "Dir::Etc::PreferencesParts \"/dev/null\";\n"
                  "Dir::State \"%s\";\n"
                  "Dir::State::Lists \"%s/lists\";\n"
                  "Dir::State::status \"%s/status\";\n"
                  "Dir::State::extended_states \"%s/extended_states\";\n"
                  "Dir::Cache \"%s/cache\";\n"
                  "Dir::Cache::pkgcache \"\";\n"
                  "Dir::Cache::srcpkgcache \"srcpkgcache.bin\";\n"
                  "Dir::Log \"%s/log\";\n",
                  d, d, d, d, d, d, d);
    px_buf_printf(&b,
                  "#clear APT::Architectures;\nAPT::Architecture \"%s\";\n"
                  "APT::Architectures { \"%s\"; };\n",
                  apt->opts.architecture, apt->opts.architecture);
    px_buf_puts(&b, "#clear Acquire::Languages;\nAcquire::Languages { \"none\"; };\n"
                    "#clear APT::Update;\n#clear APT::Default-Release;\n#clear DPkg;\n"
                    "APT::Sandbox::User \"root\";\n"
                    "APT::Install-Recommends \"0\";\nAPT::Install-Suggests \"0\";\n"
                    "APT::Get::List-Cleanup \"1\";\n"
                    "Acquire::Retries \"3\";\n");
    static const char *const targets[] = {"DEP-11",
                                          "DEP-11-icons-small",
                                          "DEP-11-icons",
                                          "DEP-11-icons-hidpi",
                                          "DEP-11-icons-large",
                                          "DEP-11-icons-large-hidpi",
                                          "Contents-deb",
                                          "CNF"};
    for (size_t i = 0; i < PX_N_ELEMENTS(targets); i++)
        px_buf_printf(&b, "Acquire::IndexTargets::deb::%s::DefaultEnabled \"0\";\n", targets[i]);
    return px_buf_take(&b);
}

static int write_file(const struct px_apt *apt, const char *name, const char *text,
                      struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", apt->dir, name);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

static int write_sources(const struct px_apt *apt, struct px_error *err) {
    px_cleanup(px_apt_sources_fini) struct px_apt_sources have = {0};
    px_cleanup_free char *codename = host_codename();
    px_cleanup_free char *text = NULL;
    int r = px_apt_sources_read("/etc/apt", &have, err);
    if (r == 0)
        r = px_apt_sources_derive(&have, codename, apt->opts.suite, apt->opts.components, &text,
                                  err);
    return r < 0 ? r : write_file(apt, "debian.sources", text, err);
}

int px_apt_open(const struct px_apt_opts *opts, struct px_apt **ret, struct px_error *err) {
    px_cleanup(px_apt_closep) struct px_apt *apt = px_new0(struct px_apt, 1);
    apt->opts = *opts;
    apt->dir = px_asprintf("%s/apt/%s", opts->images, opts->suite);
    apt->conf = px_asprintf("%s/apt.conf", apt->dir);
    static const char *const dirs[] = {"lists/partial", "cache/archives/partial", "log"};
    for (size_t i = 0; i < PX_N_ELEMENTS(dirs); i++) {
        px_cleanup_free char *dir = px_asprintf("%s/%s", apt->dir, dirs[i]);
        int r = px_mkdir_p(AT_FDCWD, dir, 0755, err);
        if (r < 0)
            return r;
    }
    px_cleanup_free char *conf = make_conf(apt);
    int r = write_file(apt, "apt.conf", conf, err);
    if (r == 0)
        r = write_sources(apt, err);
    if (r < 0)
        return r;
    *ret = px_take_ptr(apt);
    return 0;
}

struct px_apt *px_apt_close(struct px_apt *apt) {
    if (apt) {
        free(apt->dir);
        free(apt->conf);
    }
    free(apt);
    return NULL;
}

static int run(struct px_apt *apt, const char *const *argv, const char *cwd, struct px_buf *out,
               struct px_error *err) {
    struct px_proc_opts opts = {
        .argv = argv,
        .cwd = cwd,
        .inherit_env = true, /* the machine's proxies may be set there */
        .env = (const char *const[]){"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", NULL},
        .out = out,
        .max_bytes = OUT_MAX_BYTES,
        .log_fd = apt->opts.log_fd,
        .on_line = out ? NULL : apt->opts.on_line,
        .data = apt->opts.data,
        .die_with_parent = true,
    };
    return px_proc_check(&opts, err);
}

int px_apt_update(struct px_apt *apt, struct px_error *err) {
    if (apt->updated)
        return 0;
    const char *argv[] = {"apt-get", "-c", apt->conf, "update", "-o", "APT::Update::Error-Mode=any",
                          NULL};
    int r = run(apt, argv, NULL, NULL, err);
    if (r == -EIO) {
        px_wrap(err, r, "cannot read Debian's package lists");
        return px_hint(err, r,
                       "check this machine's network and apt (apt-get update), or build from "
                       "a lock whose packages were fetched before");
    }
    apt->updated = r == 0;
    return r;
}

/* A list of strings for an argument vector. */
struct args {
    char **items;
    size_t n, cap;
};

static void args_add(struct args *a, char *take) {
    px_grow(a->items, &a->cap, a->n + 2);
    a->items[a->n++] = take;
    a->items[a->n] = NULL;
}

static void args_fini(struct args *a) {
    for (size_t i = 0; i < a->n; i++)
        free(a->items[i]);
    free(a->items);
}

static void args_begin(struct args *a, const struct px_apt *apt, const char *program) {
    args_add(a, px_strdup(program));
    args_add(a, px_strdup("-c"));
    args_add(a, px_strdup(apt->conf));
}

static char *name_version(const struct px_locked_deb *id) {
    return px_asprintf("%s:%s=%s", id->name, id->architecture, id->version);
}

static bool same_package(const struct px_locked_deb *a, const struct px_locked_deb *b) {
    return strcmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0 &&
           strcmp(a->architecture, b->architecture) == 0;
}

/* -ESTALE where apt has no such version. */
static int not_there(const struct px_locked_deb *id, struct px_error *err) {
    px_fail(err, -ESTALE, "Debian's archive no longer has package '%s' in version %s", id->name,
            id->version);
    return px_hint(err, -ESTALE, "make a new lock with 'phoenix image lock', or build --no-lock");
}

/* Picks from @all, what apt-cache printed, the entry of each of @ids. */
static int pick(const struct px_debs *all, const struct px_locked_deb *ids, size_t n_ids,
                struct px_debs *ret, struct px_error *err) {
    for (size_t i = 0; i < n_ids; i++) {
        const struct px_deb *found = NULL;
        for (size_t k = 0; k < all->n && !found; k++)
            if (same_package(&all->items[k].id, &ids[i]))
                found = &all->items[k];
        if (!found)
            return not_there(&ids[i], err);
        if (ids[i].sha256 && strcmp(ids[i].sha256, found->id.sha256) != 0)
            return px_fail(err, -EBADMSG,
                           "Debian's archive has package '%s' %s with sha256 %s, the lock says %s",
                           ids[i].name, ids[i].version, found->id.sha256, ids[i].sha256);
        px_debs_add(ret, found);
    }
    return 0;
}

int px_apt_show(struct px_apt *apt, const struct px_locked_deb *ids, size_t n_ids,
                struct px_debs *ret, struct px_error *err) {
    px_cleanup(args_fini) struct args args = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_cleanup(px_debs_fini) struct px_debs all = {0};
    if (n_ids == 0)
        return 0;
    args_begin(&args, apt, "apt-cache");
    args_add(&args, px_strdup("show"));
    args_add(&args, px_strdup("--no-all-versions"));
    for (size_t i = 0; i < n_ids; i++)
        args_add(&args, name_version(&ids[i]));
    struct px_error why = {0};
    int r = px_apt_update(apt, err);
    if (r < 0)
        return r;
    /* One version that is not there fails the whole call: then what was printed tells which. */
    int shown = run(apt, (const char *const *)args.items, NULL, &out, &why);
    if (shown < 0 && shown != -EIO) {
        if (err)
            *err = why;
        return shown;
    }
    r = px_debs_parse(px_buf_str(&out), out.size, &all, err);
    return r < 0 ? r : pick(&all, ids, n_ids, ret, err);
}

static int write_status(struct px_apt *apt, const struct px_debs *below, struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; i < below->n; i++)
        px_buf_printf(&b, "%sStatus: install ok installed\n\n", below->items[i].control);
    return write_file(apt, "status", px_buf_str(&b), err);
}

/* 'URI' name_version_arch.deb size hash: the version's ':' is written as %3a. */
static int parse_uri_line(char *line, struct px_locked_deb *ret) {
    char *file = strchr(line, ' ');
    if (line[0] != '\'' || !file)
        return -EINVAL;
    file++;
    file[strcspn(file, " ")] = '\0';
    char *version = strchr(file, '_');
    char *arch = version ? strchr(version + 1, '_') : NULL;
    char *end = arch ? strstr(arch, ".deb") : NULL;
    if (!end)
        return -EINVAL;
    *version++ = *arch++ = *end = '\0';
    for (char *p; (p = strstr(version, "%3a"));) {
        *p = ':';
        memmove(p + 1, p + 3, strlen(p + 3) + 1);
    }
    *ret = (struct px_locked_deb){px_strdup(file), px_strdup(version), px_strdup(arch), NULL, 0};
    return 0;
}

struct ids {
    struct px_locked_deb *items;
    size_t n, cap;
};

static void ids_fini(struct ids *ids) {
    for (size_t i = 0; i < ids->n; i++)
        px_locked_deb_fini(&ids->items[i]);
    free(ids->items);
}

static int parse_uris(const struct px_buf *out, struct ids *ids, struct px_error *err) {
    px_cleanup_free char *text = px_strdup(px_buf_str(out));
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        px_grow(ids->items, &ids->cap, ids->n + 1);
        int r = parse_uri_line(line, &ids->items[ids->n]);
        if (r < 0)
            return px_fail(err, r, "apt-get printed an unknown line: '%.200s'", line);
        ids->n++;
    }
    return 0;
}

int px_apt_resolve(struct px_apt *apt, const struct px_debs *below, const struct px_strings *wanted,
                   struct px_debs *ret, struct px_error *err) {
    px_cleanup(args_fini) struct args args = {0};
    px_cleanup(px_buf_fini) struct px_buf out = {0};
    px_cleanup(ids_fini) struct ids ids = {0};
    int r = px_apt_update(apt, err);
    if (r == 0)
        r = write_status(apt, below, err);
    if (r < 0)
        return r;
    static const char *const words[] = {"install",     "-y",           "-qq",
                                        "--no-remove", "--print-uris", "--no-install-recommends"};
    args_begin(&args, apt, "apt-get");
    for (size_t i = 0; i < PX_N_ELEMENTS(words); i++)
        args_add(&args, px_strdup(words[i]));
    if (below->n == 0) { /* as mmdebstrap's minbase */
        args_add(&args, px_strdup("?essential"));
        args_add(&args, px_strdup("?priority(required)"));
        args_add(&args, px_strdup("apt"));
    }
    for (size_t i = 0; i < wanted->n; i++)
        args_add(&args, px_strdup(wanted->items[i]));
    r = run(apt, (const char *const *)args.items, NULL, &out, err);
    if (r == 0)
        r = parse_uris(&out, &ids, err);
    return r < 0 ? r : px_apt_show(apt, ids.items, ids.n, ret, err);
}

static int take_fetched(struct px_apt *apt, const struct px_debs *debs, const char *tmp,
                        struct px_error *err) {
    for (size_t i = 0; i < debs->n; i++) {
        const struct px_locked_deb *id = &debs->items[i].id;
        if (px_pool_has_deb(apt->opts.images, id->sha256))
            continue;
        px_cleanup(px_buf_fini) struct px_buf path = {0};
        px_buf_printf(&path, "%s/%s_", tmp, id->name);
        for (const char *p = id->version; *p; p++)
            if (*p == ':')
                px_buf_puts(&path, "%3a");
            else
                px_buf_putc(&path, *p);
        px_buf_printf(&path, "_%s.deb", id->architecture);
        int r = px_pool_add_deb(apt->opts.images, &debs->items[i], px_buf_str(&path), err);
        if (r < 0)
            return r;
    }
    return 0;
}

int px_apt_fetch(struct px_apt *apt, const struct px_debs *debs, const char *tmp,
                 struct px_error *err) {
    px_cleanup(args_fini) struct args args = {0};
    args_begin(&args, apt, "apt-get");
    args_add(&args, px_strdup("download"));
    const size_t n_before = args.n;
    for (size_t i = 0; i < debs->n; i++)
        if (!px_pool_has_deb(apt->opts.images, debs->items[i].id.sha256))
            args_add(&args, name_version(&debs->items[i].id));
    if (args.n == n_before)
        return 0;
    int r = px_apt_update(apt, err);
    if (r == 0)
        r = run(apt, (const char *const *)args.items, tmp, NULL, err);
    return r < 0 ? r : take_fetched(apt, debs, tmp, err);
}
