/* src/image/pip.c - the layers of Python packages: a venv each */
#include "image/pip.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/step.h"
#include "image/digest.h"
#include "image/job.h"
#include <string.h>

#define LOG_MAX_BYTES (64 * 1024 * 1024)
#define REQUIREMENTS_MAX_BYTES (1024 * 1024)

/* pip comes from the tree's own Python (python3-venv), so that it picks wheels for it. What lies in
 * out/wheels already is not fetched again. */
static const char fetch_script[] =
    "cd /run/phoenix-build\n"
    "mkdir -p out/tmp\n"
    "export TMPDIR=/run/phoenix-build/out/tmp\n"
    "python3 -m venv pip\n"
    "pip/bin/python -m pip download --only-binary :all: --no-input --progress-bar off \\\n"
    "    --no-cache-dir --log out/pip.log -d out/wheels -r requirements.txt $1\n";

/* Byte code is compiled by one process per package, in a fixed order, checked by a hash of the
 * source: by time it would be out of date as soon as the times are set, and marshal's output
 * depends on what else the process compiled before. */
static const char install_script[] =
    "venv=$1 site=$2 kernel=$3\n"
    "mkdir -p \"$(dirname \"$venv\")\"\n"
    "if [ $site = 1 ]; then python3 -m venv --system-site-packages \"$venv\"\n"
    "else python3 -m venv \"$venv\"; fi\n"
    "\"$venv/bin/python\" -m pip install --no-index --find-links /run/phoenix-build/wheels \\\n"
    "    --no-deps --no-compile --no-cache-dir --no-input --progress-bar off "
    "--no-warn-script-location \\\n"
    "    --require-hashes -r /run/phoenix-build/requirements.txt\n"
    "find \"$venv\" -name __pycache__ -type d -prune -exec rm -rf {} +\n"
    "find \"$venv\"/lib/python3*/site-packages -mindepth 1 -maxdepth 1 \\( -type d -o -name '*.py' "
    "\\) \\\n"
    "    -print0 | sort -z | xargs -0 -r -n 1 -P \"$(nproc)\" sh -c 'exec \"$0\" -m compileall -q "
    "\\\n"
    "    --invalidation-mode checked-hash \"$1\" || :' \"$venv/bin/python\"\n"
    "if [ -n \"$kernel\" ]; then\n"
    "    dir=/usr/local/share/jupyter/kernels/$(basename \"$venv\")\n"
    "    mkdir -p \"$dir\"\n"
    "    cp /run/phoenix-build/kernel.json \"$dir/kernel.json\"\n"
    "    chmod 0644 \"$dir/kernel.json\"\n"
    "fi\n";

/* What the fetching steps take from this machine: its way to the network and to its index. */
struct outside {
    struct px_sandbox_bind binds[8];
    size_t n_binds;
    const char *env[24];
    size_t n_env;
    char *owned[24];
    size_t n_owned;
};

static void outside_fini(struct outside *o) {
    for (size_t i = 0; i < o->n_owned; i++)
        free(o->owned[i]);
}

static void add_bind(struct outside *o, const char *source, const char *target, bool read_only) {
    if (source && px_exists(AT_FDCWD, source))
        o->binds[o->n_binds++] = (struct px_sandbox_bind){source, target, read_only};
}

static void add_env(struct outside *o, const char *key, const char *value) {
    o->env[o->n_env++] = o->owned[o->n_owned++] = px_asprintf("%s=%s", key, value);
}

static const char *first_env(const char *const *keys, const char *otherwise) {
    for (; *keys; keys++)
        if (getenv(*keys))
            return getenv(*keys);
    return otherwise;
}

static void describe_outside(struct outside *o) {
    static const char *const passed[] = {
        "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST", "PIP_PROXY",
        "PIP_RETRIES",   "PIP_DEFAULT_TIMEOUT", "http_proxy",       "https_proxy",
        "no_proxy",      "HTTP_PROXY",          "HTTPS_PROXY",      "NO_PROXY"};
    static const char *const ca_keys[] = {"PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", NULL};
    static const char *const conf_keys[] = {"PIP_CONFIG_FILE", NULL};
    for (size_t i = 0; i < PX_N_ELEMENTS(passed); i++)
        if (getenv(passed[i]))
            add_env(o, passed[i], getenv(passed[i]));
    add_bind(o, "/etc/resolv.conf", "/etc/resolv.conf", true);
    add_bind(o, "/etc/hosts", "/etc/hosts", true);
    add_bind(o, first_env(ca_keys, "/etc/ssl/certs/ca-certificates.crt"),
             "/run/phoenix-build/ca.crt", true);
    add_env(o, "PIP_CERT", "/run/phoenix-build/ca.crt");
    const char *conf = first_env(conf_keys, "/etc/pip.conf");
    add_bind(o, conf, "/run/phoenix-build/pip.conf", true);
    if (px_exists(AT_FDCWD, conf))
        add_env(o, "PIP_CONFIG_FILE", "/run/phoenix-build/pip.conf");
    add_env(o, "PIP_DISABLE_PIP_VERSION_CHECK", "1");
}

struct pip_step {
    const char *requirements; /* the text */
    const char *more;         /* arguments for pip */
    const char *out;          /* on the host's disk: wheels/, pip.log */
};

static int write_text(const char *dir, const char *name, const char *text, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", dir, name);
    return px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

/* pip with network, in a tree that is thrown away. */
static int run_outside(struct px_job *job, struct px_sandbox *sb, void *data,
                       struct px_error *err) {
    const struct pip_step *step = data;
    px_cleanup(outside_fini) struct outside o = {0};
    px_cleanup_free char *requirements = px_asprintf("%s/requirements.txt", step->out);
    int r = write_text(step->out, "requirements.txt", step->requirements, err);
    if (r < 0)
        return r;
    describe_outside(&o);
    add_bind(&o, step->out, "/run/phoenix-build/out", false);
    add_bind(&o, requirements, "/run/phoenix-build/requirements.txt", true);
    sb->network = true;
    sb->binds = o.binds;
    sb->n_binds = o.n_binds;
    const char *argv[] = {"/bin/sh", "-e", "-c", fetch_script, "sh", step->more, NULL};
    r = px_job_run(job, sb, argv, o.env, err);
    if (r == -EIO)
        return px_hint(
            err, r, "the recipe needs Debian's python3-venv, and this machine pip's index; see %s",
            job->log_path);
    return r;
}

/* Links the wheels of the pool's directory @hex to @to. */
static int link_wheel(const struct px_job *job, const char *hex, const char *to,
                      struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_cleanup_free char *dir = px_asprintf("%s/pool/wheel/%s", job->store.dir, hex);
    int r = px_store_list(dir, ".", &names, err);
    for (size_t k = 0; k < names.n && r == 0; k++) {
        px_cleanup_free char *a = px_asprintf("%s/%s", dir, names.items[k]);
        px_cleanup_free char *b = px_asprintf("%s/%s", to, names.items[k]);
        if (link(a, b) < 0 && errno != EEXIST)
            r = px_fail_sys(err, -errno, "cannot link '%s'", b);
    }
    return r;
}

/* An empty out/ whose wheels/ holds all that was fetched before. */
static int make_out(const struct px_job *job, const char *out, struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names pool = {0};
    px_cleanup_free char *wheels = px_asprintf("%s/wheels", out);
    int r = px_rm_rf(AT_FDCWD, out, err);
    if (r == 0)
        r = px_mkdir_p(AT_FDCWD, wheels, 0755, err);
    if (r == 0)
        r = px_store_list(job->store.dir, "pool/wheel", &pool, err);
    for (size_t i = 0; i < pool.n && r == 0; i++)
        r = link_wheel(job, pool.items[i], wheels, err);
    return r;
}

/* Fetches what @requirements need and the pool lacks; *names: files of all wheels they come to. */
static int fetch(struct px_job *job, const char *requirements, const char *more, const char *out,
                 struct px_store_names *names, struct px_error *err) {
    px_cleanup_free char *log_path = px_asprintf("%s/pip.log", out);
    px_cleanup_free char *log = NULL;
    size_t size = 0;
    struct pip_step step = {requirements, more, out};
    int r = px_step("image.wheels", err);
    if (r == 0)
        r = make_out(job, out, err);
    if (r == 0)
        r = px_job_scratch(job, run_outside, &step, err);
    if (r == 0)
        r = px_file_read(AT_FDCWD, log_path, LOG_MAX_BYTES, &log, &size, err);
    if (r < 0)
        return r;
    px_pip_log_parse(log, size, names);
    for (size_t i = 0; i < names->n && r == 0; i++) {
        px_cleanup_free char *path = px_asprintf("%s/wheels/%s", out, names->items[i]);
        r = px_pool_add_wheel(job->store.dir, path, err);
    }
    return r;
}

static int add_requirement(const struct px_job *job, const char *path, const char *file,
                           struct px_locked_pip *ret, struct px_error *err) {
    px_cleanup_free char *name = NULL;
    px_cleanup_free char *version = NULL;
    char hex[65];
    int r = px_wheel_parse(file, &name, &version, err);
    if (r == 0)
        r = px_digest_file(AT_FDCWD, path, hex, err);
    if (r == 0)
        ret->requirements[ret->n_requirements++] =
            px_asprintf("%s==%s --hash=sha256:%s", name, version, hex);
    return r;
}

/* Asks pip for the newest that fits, and locks it. */
static int resolve_one(struct px_job *job, const struct px_part *part,
                       const struct px_recipe_pip *pip, struct px_locked_pip *ret,
                       struct px_error *err) {
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_cleanup_free char *path = px_asprintf("%s/%s", part->recipe->dir, pip->requirements);
    px_cleanup_free char *out = px_asprintf("%s/pip", job->tmp);
    px_cleanup_free char *wanted = NULL;
    int r = px_file_read(AT_FDCWD, path, REQUIREMENTS_MAX_BYTES, &wanted, NULL, err);
    if (r == 0)
        r = fetch(job, wanted, "", out, &names, err);
    ret->venv = px_strdup(pip->venv);
    ret->requirements = px_new0(char *, names.n + 1);
    for (size_t i = 0; i < names.n && r == 0; i++) {
        px_cleanup_free char *wheel = px_asprintf("%s/wheels/%s", out, names.items[i]);
        r = add_requirement(job, wheel, names.items[i], ret, err);
    }
    return r < 0 ? px_wrap(err, r, "%s", pip->requirements) : 0;
}

static int fetch_missing(struct px_job *job, const struct px_locked_pip *pip,
                         struct px_error *err) {
    px_cleanup(px_buf_fini) struct px_buf missing = {0};
    px_cleanup(px_store_names_fini) struct px_store_names names = {0};
    px_cleanup_free char *out = px_asprintf("%s/pip", job->tmp);
    for (size_t i = 0; i < pip->n_requirements; i++) {
        px_cleanup_free char *hex = NULL;
        int r = px_requirement_parse(pip->requirements[i], NULL, NULL, &hex, err);
        if (r < 0)
            return r;
        px_cleanup_free char *have = px_pool_find_wheel(job->store.dir, hex);
        if (!have)
            px_buf_printf(&missing, "%s\n", pip->requirements[i]);
    }
    if (missing.size == 0)
        return 0;
    return fetch(job, px_buf_str(&missing), "--no-deps --require-hashes", out, &names, err);
}

/* A directory that holds exactly the locked wheels. */
static int link_wheels(struct px_job *job, const struct px_locked_pip *pip, const char *to,
                       struct px_error *err) {
    int r = px_rm_rf(AT_FDCWD, to, err);
    if (r == 0)
        r = px_mkdir_p(AT_FDCWD, to, 0755, err);
    for (size_t i = 0; i < pip->n_requirements && r == 0; i++) {
        px_cleanup_free char *hex = NULL;
        r = px_requirement_parse(pip->requirements[i], NULL, NULL, &hex, err);
        px_cleanup_free char *dir = r == 0 ? px_pool_find_wheel(job->store.dir, hex) : NULL;
        if (r == 0 && !dir)
            r = px_fail(err, -EIO, "pip did not fetch '%s'", pip->requirements[i]);
        if (r == 0)
            r = link_wheel(job, hex, to, err);
    }
    return r;
}

struct venv {
    const struct px_recipe_pip *recipe;
    const struct px_locked_pip *locked;
};

static char *requirements_text(const struct px_locked_pip *pip) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    for (size_t i = 0; i < pip->n_requirements; i++)
        px_buf_printf(&b, "%s\n", pip->requirements[i]);
    return px_buf_take(&b);
}

static char *kernel_json(const struct px_recipe_pip *pip) {
    px_cleanup_free char *python = px_asprintf("%s/bin/python", pip->venv);
    json_auto_t *json =
        json_pack("{s:[s,s,s,s,s],s:s,s:s,s:{s:b}}", "argv", python, "-m", "ipykernel_launcher",
                  "-f", "{connection_file}", "display_name", pip->kernel ? pip->kernel : "",
                  "language", "python", "metadata", "debugger", 1);
    return json_dumps(json, JSON_INDENT(1));
}

static int make_venv(struct px_job *job, struct px_part *part, struct px_sandbox *sb, void *data,
                     struct px_error *err) {
    const struct venv *v = data;
    px_cleanup_free char *wheels = px_asprintf("%s/wheels", job->tmp);
    px_cleanup_free char *requirements_path = px_asprintf("%s/requirements.txt", job->tmp);
    px_cleanup_free char *kernel_path = px_asprintf("%s/kernel.json", job->tmp);
    px_cleanup_free char *requirements = requirements_text(v->locked);
    px_cleanup_free char *kernel = kernel_json(v->recipe);
    int r = fetch_missing(job, v->locked, err);
    if (r == 0)
        r = link_wheels(job, v->locked, wheels, err);
    if (r == 0)
        r = write_text(job->tmp, "requirements.txt", requirements, err);
    if (r == 0)
        r = write_text(job->tmp, "kernel.json", kernel, err);
    if (r < 0)
        return r;
    const struct px_sandbox_bind binds[] = {
        {wheels, "/run/phoenix-build/wheels", true},
        {requirements_path, "/run/phoenix-build/requirements.txt", true},
        {kernel_path, "/run/phoenix-build/kernel.json", true},
    };
    sb->binds = binds;
    sb->n_binds = PX_N_ELEMENTS(binds);
    const char *argv[] = {"/bin/sh",
                          "-e",
                          "-c",
                          install_script,
                          "sh",
                          v->recipe->venv,
                          v->recipe->system_site ? "1" : "0",
                          v->recipe->kernel ? v->recipe->kernel : "",
                          NULL};
    return px_job_run(job, sb, argv, NULL, err);
}

static int make_layer(struct px_job *job, struct px_part *part, size_t i, struct px_error *err) {
    struct venv v = {&part->recipe->pip[i], &part->lock->pips[i]};
    px_cleanup_free char *requirements = requirements_text(v.locked);
    px_cleanup_free char *key =
        px_asprintf("%svenv %s %d %s\n%s", install_script, v.recipe->venv, v.recipe->system_site,
                    v.recipe->kernel ? v.recipe->kernel : "", requirements);
    return px_job_layer(job,
                        &(struct px_layer_recipe){.kind = "pip",
                                                  .part = part,
                                                  .key_text = key,
                                                  .units = 100,
                                                  .make = make_venv,
                                                  .data = &v},
                        err);
}

int px_job_pip(struct px_job *job, struct px_part *part, struct px_error *err) {
    struct px_lockfile *lock = part->lock;
    int r = 0;
    for (size_t i = 0; i < part->recipe->n_pip && r == 0; i++) {
        if (i >= lock->n_pips) {
            px_job_stage(job, part->recipe->name, "pip index", 0);
            lock->pips = px_realloc_array(lock->pips, i + 1, sizeof(*lock->pips));
            lock->pips[i] = (struct px_locked_pip){0};
            lock->n_pips++;
            r = resolve_one(job, part, &part->recipe->pip[i], &lock->pips[i], err);
        } else if (strcmp(lock->pips[i].venv, part->recipe->pip[i].venv) != 0) {
            return px_fail(err, -ESTALE, "the lock's venv '%s' is not the recipe's",
                           lock->pips[i].venv);
        }
        if (r == 0)
            r = make_layer(job, part, i, err);
    }
    return r;
}
