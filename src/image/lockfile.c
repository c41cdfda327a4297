/* src/image/lockfile.c - recipe.lock: the exact packages of one recipe */
#include "image/lockfile.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "image/digest.h"
#include <jansson.h>
#include <string.h>

#define FORMAT 1
#define DEBS_MAX 20000
#define REQUIREMENTS_MAX 5000
#define WORD_MAX 200

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* These words become arguments of apt and parts of file names: nothing else may get in.
 * deb-control(5), deb-version(7), PEP 503, PEP 440. */
static bool is_word(const char *s, const char *chars) {
    size_t n = strlen(s);
    return n > 0 && n <= WORD_MAX && strspn(s, chars) == n && strchr(LOWER UPPER DIGITS, s[0]);
}

static bool deb_name_ok(const char *s) {
    return is_word(s, LOWER DIGITS "+-.");
}

static bool deb_version_ok(const char *s) {
    return is_word(s, LOWER UPPER DIGITS ".+-~:");
}

static bool arch_ok(const char *s) {
    return is_word(s, LOWER DIGITS "-");
}

static bool path_ok(const char *s) {
    return s[0] == '/' && s[1] && strlen(s) < 256 && !strstr(s, "/..") &&
           strspn(s, LOWER UPPER DIGITS "/._-+") == strlen(s);
}

int px_requirement_parse(const char *text, char **ret_name, char **ret_version, char **ret_hex,
                         struct px_error *err) {
    static const char sep[] = " --hash=sha256:";
    const char *eq = strstr(text, "=="), *hash = strstr(text, sep);
    if (!eq || !hash || hash < eq || !px_digest_hex_valid(hash + strlen(sep)))
        return px_fail(err, -EINVAL,
                       "expected 'name==version --hash=sha256:<64 hex digits>', found '%.200s'",
                       text);
    px_cleanup_free char *name = px_strndup(text, (size_t)(eq - text));
    px_cleanup_free char *version = px_strndup(eq + 2, (size_t)(hash - eq - 2));
    if (!is_word(name, LOWER UPPER DIGITS "._-") || !is_word(version, LOWER UPPER DIGITS "._+!-"))
        return px_fail(err, -EINVAL, "'%.200s' is not a name and a version", text);
    if (ret_name)
        *ret_name = px_take_ptr(name);
    if (ret_version)
        *ret_version = px_take_ptr(version);
    if (ret_hex)
        *ret_hex = px_strdup(hash + strlen(sep));
    return 0;
}

static int unpack_failed(struct px_error *err, const json_error_t *je) {
    return px_fail(err, -EINVAL, "%s", je->text);
}

static int parse_deb(json_t *json, struct px_locked_deb *ret, struct px_error *err) {
    const char *name, *version, *arch, *sha256;
    json_int_t size;
    json_error_t je;
    if (json_unpack_ex(json, &je, JSON_STRICT, "{s:s,s:s,s:s,s:s,s:I}", "name", &name, "version",
                       &version, "architecture", &arch, "sha256", &sha256, "size", &size) < 0)
        return unpack_failed(err, &je);
    if (!deb_name_ok(name))
        return px_fail(err, -EINVAL, "name: '%.100s' is not a package name", name);
    if (!deb_version_ok(version))
        return px_fail(err, -EINVAL, "version: '%.100s' is not a package version", version);
    if (!arch_ok(arch))
        return px_fail(err, -EINVAL, "architecture: '%.100s' is not one", arch);
    if (!px_digest_hex_valid(sha256))
        return px_fail(err, -EINVAL, "sha256: expected 64 hex digits");
    if (size <= 0)
        return px_fail(err, -EINVAL, "size: expected a number above 0");
    *ret = (struct px_locked_deb){px_strdup(name), px_strdup(version), px_strdup(arch),
                                  px_strdup(sha256), (uint64_t)size};
    return 0;
}

static int parse_pip(json_t *json, struct px_locked_pip *ret, struct px_error *err) {
    const char *venv;
    json_t *reqs;
    json_error_t je;
    if (json_unpack_ex(json, &je, JSON_STRICT, "{s:s,s:o}", "venv", &venv, "requirements", &reqs) <
        0)
        return unpack_failed(err, &je);
    if (!path_ok(venv))
        return px_fail(err, -EINVAL, "venv: '%.100s' is not a plain absolute path", venv);
    if (!json_is_array(reqs) || json_array_size(reqs) > REQUIREMENTS_MAX)
        return px_fail(err, -EINVAL, "requirements: expected a list of at most %d",
                       REQUIREMENTS_MAX);
    ret->venv = px_strdup(venv);
    ret->requirements = px_new0(char *, json_array_size(reqs));
    size_t i;
    json_t *item;
    json_array_foreach(reqs, i, item) {
        if (!json_is_string(item))
            return px_fail(err, -EINVAL, "requirements[%zu]: expected a string", i);
        int r = px_requirement_parse(json_string_value(item), NULL, NULL, NULL, err);
        if (r < 0)
            return px_wrap(err, r, "requirements[%zu]", i);
        ret->requirements[ret->n_requirements++] = px_strdup(json_string_value(item));
    }
    return 0;
}

static int parse_lists(json_t *debs, json_t *pips, struct px_lockfile *lock, struct px_error *err) {
    size_t i;
    json_t *item;
    if (!json_is_array(debs) || json_array_size(debs) > DEBS_MAX)
        return px_fail(err, -EINVAL, "packages: expected a list of at most %d", DEBS_MAX);
    lock->debs = px_new0(struct px_locked_deb, json_array_size(debs));
    json_array_foreach(debs, i, item) {
        int r = parse_deb(item, &lock->debs[lock->n_debs], err);
        if (r < 0)
            return px_wrap(err, r, "packages[%zu]", i);
        lock->n_debs++;
    }
    if (!pips)
        return 0;
    if (!json_is_array(pips) || json_array_size(pips) > 100)
        return px_fail(err, -EINVAL, "pip: expected a list of at most 100");
    lock->pips = px_new0(struct px_locked_pip, json_array_size(pips));
    json_array_foreach(pips, i, item) {
        lock->n_pips++; /* half made ones are freed, too */
        int r = parse_pip(item, &lock->pips[i], err);
        if (r < 0)
            return px_wrap(err, r, "pip[%zu]", i);
    }
    return 0;
}

static int parse_object(json_t *root, struct px_lockfile *lock, struct px_error *err) {
    const char *recipe, *suite, *arch, *inputs, *below = NULL;
    json_int_t format = 0, epoch;
    json_t *debs, *pips = NULL;
    json_error_t je;
    if (json_unpack(root, "{s:I}", "phoenix_lock", &format) == 0 && format > FORMAT)
        return px_fail(err, -EPROTONOSUPPORT, "was written by a later phoenix (format %lld)",
                       (long long)format);
    if (json_unpack_ex(root, &je, JSON_STRICT, "{s:I,s:s,s:s,s:s,s:s,s?s,s:I,s:o,s?o}",
                       "phoenix_lock", &format, "recipe", &recipe, "suite", &suite, "architecture",
                       &arch, "inputs", &inputs, "below", &below, "source_date_epoch", &epoch,
                       "packages", &debs, "pip", &pips) < 0)
        return unpack_failed(err, &je);
    if (format != FORMAT)
        return px_fail(err, -EINVAL, "phoenix_lock: expected %d", FORMAT);
    if (!arch_ok(suite) || !arch_ok(arch))
        return px_fail(err, -EINVAL, "suite or architecture is not a plain word");
    if (!px_digest_valid(inputs) || (below && !px_digest_valid(below)))
        return px_fail(err, -EINVAL, "inputs or below is not 'sha256:<64 hex digits>'");
    if (epoch < 0 || epoch > INT64_C(253402300799)) /* the year 9999 */
        return px_fail(err, -EINVAL, "source_date_epoch: expected seconds since 1970");
    lock->recipe = px_strdup(recipe);
    lock->suite = px_strdup(suite);
    lock->architecture = px_strdup(arch);
    lock->inputs = px_strdup(inputs);
    lock->below = px_strdup_null(below);
    lock->epoch_s = epoch;
    return parse_lists(debs, pips, lock, err);
}

int px_lockfile_parse(const char *name, const char *text, size_t size, struct px_lockfile **ret,
                      struct px_error *err) {
    json_error_t je;
    json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &je);
    if (!root)
        return px_fail(err, -EINVAL, "%s:%d: %s", name, je.line, je.text);
    px_cleanup(px_lockfile_freep) struct px_lockfile *lock = px_new0(struct px_lockfile, 1);
    int r = parse_object(root, lock, err);
    if (r < 0)
        return px_wrap(err, r, "%s", name);
    *ret = px_take_ptr(lock);
    return 0;
}

int px_lockfile_load(const char *dir, struct px_lockfile **ret, struct px_error *err) {
    px_cleanup_free char *path = px_asprintf("%s/%s", dir, PX_LOCKFILE_NAME);
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    int r = px_file_read(AT_FDCWD, path, PX_LOCKFILE_MAX_BYTES, &text, &size, err);
    return r < 0 ? r : px_lockfile_parse(path, text, size, ret, err);
}

static int by_deb(const void *a, const void *b) {
    const struct px_locked_deb *x = a, *y = b;
    int r = strcmp(x->name, y->name);
    return r ? r : strcmp(x->architecture, y->architecture);
}

static int by_deb_of(const void *a, const void *b) {
    return by_deb(*(struct px_locked_deb *const *)a, *(struct px_locked_deb *const *)b);
}

void px_lockfile_sort(struct px_lockfile *lock) {
    if (lock->n_debs > 0)
        qsort(lock->debs, lock->n_debs, sizeof(*lock->debs), by_deb);
}

static void print_debs(struct px_buf *b, const struct px_lockfile *lock) {
    px_cleanup_free const struct px_locked_deb **sorted =
        px_new0(const struct px_locked_deb *, lock->n_debs + 1);
    for (size_t i = 0; i < lock->n_debs; i++)
        sorted[i] = &lock->debs[i];
    qsort(sorted, lock->n_debs, sizeof(*sorted), by_deb_of);
    for (size_t i = 0; i < lock->n_debs; i++)
        px_buf_printf(b,
                      "%s\n    {\"name\": \"%s\", \"version\": \"%s\", \"architecture\": \"%s\", "
                      "\"sha256\": \"%s\", \"size\": %ju}",
                      i ? "," : "", sorted[i]->name, sorted[i]->version, sorted[i]->architecture,
                      sorted[i]->sha256, (uintmax_t)sorted[i]->size_bytes);
    px_buf_puts(b, lock->n_debs ? "\n  ]" : "]");
}

static void print_pips(struct px_buf *b, const struct px_lockfile *lock) {
    px_buf_puts(b, ",\n  \"pip\": [");
    for (size_t i = 0; i < lock->n_pips; i++) {
        const struct px_locked_pip *pip = &lock->pips[i];
        px_buf_printf(b, "%s\n    {\"venv\": \"%s\", \"requirements\": [", i ? "," : "", pip->venv);
        for (size_t k = 0; k < pip->n_requirements; k++)
            px_buf_printf(b, "%s\n      \"%s\"", k ? "," : "", pip->requirements[k]);
        px_buf_puts(b, pip->n_requirements ? "\n    ]}" : "]}");
    }
    px_buf_puts(b, "\n  ]");
}

/* By hand: jansson has no layout with one package per line, which is what diffs are readable in. */
char *px_lockfile_print(const struct px_lockfile *lock) {
    px_cleanup(px_buf_fini) struct px_buf b = {0};
    json_auto_t *recipe = json_string(lock->recipe);
    px_cleanup_free char *quoted = json_dumps(recipe, JSON_ENCODE_ANY);
    px_buf_printf(&b,
                  "{\n  \"phoenix_lock\": %d,\n  \"recipe\": %s,\n  \"suite\": \"%s\",\n"
                  "  \"architecture\": \"%s\",\n  \"inputs\": \"%s\",\n",
                  FORMAT, quoted, lock->suite, lock->architecture, lock->inputs);
    if (lock->below)
        px_buf_printf(&b, "  \"below\": \"%s\",\n", lock->below);
    px_buf_printf(&b, "  \"source_date_epoch\": %jd,\n  \"packages\": [", (intmax_t)lock->epoch_s);
    print_debs(&b, lock);
    if (lock->n_pips > 0)
        print_pips(&b, lock);
    px_buf_puts(&b, "\n}\n");
    return px_buf_take(&b);
}

void px_lockfile_digest(const struct px_lockfile *lock, char ret[PX_DIGEST_TEXT_MAX]) {
    px_cleanup_free char *text = px_lockfile_print(lock);
    px_digest_bytes(text, strlen(text), ret);
}

void px_locked_deb_fini(struct px_locked_deb *deb) {
    free(deb->name);
    free(deb->version);
    free(deb->architecture);
    free(deb->sha256);
}

struct px_lockfile *px_lockfile_free(struct px_lockfile *lock) {
    if (!lock)
        return NULL;
    for (size_t i = 0; i < lock->n_pips; i++) {
        for (size_t k = 0; k < lock->pips[i].n_requirements; k++)
            free(lock->pips[i].requirements[k]);
        free(lock->pips[i].requirements);
        free(lock->pips[i].venv);
    }
    free(lock->pips);
    for (size_t i = 0; i < lock->n_debs; i++)
        px_locked_deb_fini(&lock->debs[i]);
    free(lock->debs);
    free(lock->recipe);
    free(lock->suite);
    free(lock->architecture);
    free(lock->inputs);
    free(lock->below);
    free(lock);
    return NULL;
}
