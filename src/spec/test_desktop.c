/* src/spec/test_desktop.c */
#include "base/test.h"
#include "spec/desktop.h"
#include <arpa/inet.h>
#include "base/alloc.h"
#include "base/file.h"
#include <jansson.h>
#include <sys/stat.h>

static struct px_desktop_file *parse(const char *text) {
    struct px_desktop_file *file = NULL;
    struct px_error err = {0};
    px_assert_ok_err(px_desktop_file_parse("lab.yaml", text, strlen(text), &file, &err), &err);
    return file;
}

static void a_name_alone_is_a_complete_desktop(void **state) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *f = parse("desktops: [{name: a}]");
    assert_int_equal(f->n_desktops, 1);
    const struct px_desktop_spec *d = &f->desktops[0];
    assert_string_equal(d->name, "a");
    assert_string_equal(d->image, "desktop");
    assert_int_equal(d->cores, 0);
    assert_int_equal(d->memory_bytes, 0);
    assert_int_equal(d->disk_bytes, 0);
    assert_int_equal(d->shm_bytes, 1 << 30);
    assert_int_equal(d->pids, 4096);
    assert_null(d->user);
    assert_true(d->network.internet);
    assert_int_equal(d->network.address.s_addr, 0);
    assert_int_equal(d->gpus.want, PX_GPU_NONE);
    assert_int_equal(d->n_mounts, 0);
    assert_int_equal(d->width_px, 1920);
    assert_int_equal(d->height_px, 1080);
    assert_string_equal(d->keyboard, "us");
    assert_true(d->remote.input && d->remote.clipboard && d->remote.files && d->remote.audio);
    assert_true(d->remote.tunnel && d->remote.terminal && d->remote.recording);
    assert_true(d->remote.banner && d->remote.punching && d->remote.trusted_devices);
    assert_false(d->remote.discovery);
    assert_false(d->remote.totp);
    assert_int_equal(d->remote.n_allow + d->remote.n_direct, 0);
    assert_null(d->timezone);
    assert_true(d->jupyter);
    assert_false(d->nesting);
    assert_false(d->fuse);
    assert_true(d->autostart);
    assert_int_equal(d->line, 1);
}

static const char full[] =
    "defaults:\n"
    "  image: minimal\n"
    "  memory: 4GiB\n"
    "  network: {internet: false}\n"
    "  mounts: [{source: /data, read_only: true}]\n"
    "  gpus: 1\n"
    "desktops:\n"
    "  - name: alice\n"
    "    image: sha256:0123456789abcdef\n"
    "    cores: 4\n"
    "    memory: 8 GB\n"
    "    disk: 20g\n"
    "    shm: 1GiB\n"
    "    pids: 1000\n"
    "    user: alice\n"
    "    network: {address: 10.88.0.20}\n"
    "    gpus: {count: 2, mode: shared, memory: 6GiB}\n"
    "    mounts: []\n"
    "    display: {width: 2560, height: 1440}\n"
    "    keyboard: de(nodeadkeys)\n"
    "    remote: {input: false, totp: true, allow: [10.0.0.0/8, '2001:db8::/32'], direct: "
    "[10.88.0.20, '[::]:3000']}\n"
    "    timezone: Europe/Berlin\n"
    "    jupyter: false\n"
    "    nesting: true\n"
    "    fuse: true\n"
    "    autostart: false\n"
    "  - name: lab\n"
    "    count: 3\n"
    "    display: 1280x720\n"
    "  - {name: bob, gpus: [GPU-01234567-89ab, 0000:01:00.0, 1], memory: none}\n"
    "  - {name: carol, gpus: all}\n"
    "  - {name: dave, gpus: none}\n";

static void every_key_is_read_over_the_defaults(void **state) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *f = parse(full);
    assert_int_equal(f->n_desktops, 7);
    const struct px_desktop_spec *d = &f->desktops[0];
    assert_string_equal(d->image, "sha256:0123456789abcdef");
    assert_int_equal(d->cores, 4);
    assert_int_equal(d->memory_bytes, 8000000000);
    assert_int_equal(d->disk_bytes, UINT64_C(20) << 30);
    assert_int_equal(d->shm_bytes, 1 << 30);
    assert_int_equal(d->pids, 1000);
    assert_string_equal(d->user, "alice");
    assert_false(d->network.internet); /* a mapping is merged */
    assert_int_equal(ntohl(d->network.address.s_addr), 0x0a580014);
    assert_int_equal(d->gpus.want, PX_GPU_COUNT);
    assert_int_equal(d->gpus.count, 2);
    assert_int_equal(d->gpus.mode, PX_GPU_SHARED);
    assert_int_equal(d->gpus.memory_bytes, UINT64_C(6) << 30);
    assert_int_equal(d->n_mounts, 0); /* a list is replaced */
    assert_int_equal(d->width_px, 2560);
    assert_int_equal(d->height_px, 1440);
    assert_string_equal(d->keyboard, "de(nodeadkeys)");
    assert_false(d->remote.input);
    assert_true(d->remote.totp && d->remote.files);
    assert_int_equal(d->remote.n_allow, 2);
    assert_string_equal(d->remote.direct[1], "[::]:3000");
    assert_string_equal(d->timezone, "Europe/Berlin");
    assert_false(d->jupyter);
    assert_true(d->nesting);
    assert_true(d->fuse);
    assert_false(d->autostart);
    d = &f->desktops[3];
    assert_string_equal(f->desktops[1].name, "lab-1");
    assert_string_equal(d->name, "lab-3");
    assert_int_equal(d->line, 27);
    assert_string_equal(d->image, "minimal");
    assert_int_equal(d->memory_bytes, UINT64_C(4) << 30);
    assert_int_equal(d->shm_bytes, UINT64_C(2) << 30);
    assert_int_equal(d->gpus.want, PX_GPU_COUNT);
    assert_int_equal(d->gpus.count, 1);
    assert_int_equal(d->n_mounts, 1);
    assert_string_equal(d->mounts[0].source, "/data");
    assert_string_equal(d->mounts[0].target, "/data");
    assert_true(d->mounts[0].read_only);
    assert_int_equal(d->width_px, 1280);
    d = &f->desktops[4];
    assert_int_equal(d->gpus.want, PX_GPU_LIST);
    assert_int_equal(d->gpus.n_ids, 3);
    assert_string_equal(d->gpus.ids[2], "1");
    assert_int_equal(d->memory_bytes, 0);
    assert_int_equal(f->desktops[5].gpus.want, PX_GPU_ALL);
    assert_int_equal(f->desktops[6].gpus.want, PX_GPU_NONE);
}

static void json_brings_the_same_spec_back(void **state) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *f = parse(full);
    for (size_t i = 0; i < f->n_desktops; i++) {
        struct px_error err = {0};
        struct px_desktop_spec again;
        json_t *a = px_desktop_spec_to_json(&f->desktops[i]);
        px_assert_ok_err(px_desktop_spec_from_json(a, &again, &err), &err);
        json_t *b = px_desktop_spec_to_json(&again);
        assert_true(json_equal(a, b));
        json_decref(a);
        json_decref(b);
        px_desktop_spec_fini(&again);
    }
}

/* desktops/NAME/desktop.json may have been edited by a person. */
static void bad_json_is_refused_with_its_key(void **state) {
    static const struct {
        const char *json, *msg;
    } cases[] = {
        {"{}", "desktop: key 'name' is missing"},
        {"[]", "desktop: expected a mapping of keys to values, found a list"},
        {"{\"name\": \"a\", \"count\": 3}", "desktop: unknown key 'count'"},
        {"{\"name\": \"a\", \"cores\": -1}",
         "desktop: cores: expected a whole number from 1 to 4096, or 'all', found '-1'"},
        {"{\"name\": \"a\", \"cores\": 1.5}",
         "desktop: cores: expected a whole number from 1 to 4096, or 'all', found '1.5'"},
        {"{\"name\": null}", "desktop: name: expected a name such as lab-1, found nothing"},
        {"{\"name\": \"../x\"}",
         "desktop: name: name '../x' is no host name: only a-z, 0-9 and '-' are allowed"},
        {"{\"name\": \"a\", \"user\": \"x\\u0000y\"}", "a NUL character in a value"},
    };
    for (size_t i = 0; i < PX_N_ELEMENTS(cases); i++) {
        struct px_error err = {0};
        struct px_desktop_spec spec = {.pids = 7};
        json_t *json = json_loads(cases[i].json, JSON_ALLOW_NUL, NULL);
        assert_non_null(json);
        assert_int_equal(px_desktop_spec_from_json(json, &spec, &err), -EINVAL);
        assert_string_equal(err.msg, cases[i].msg);
        assert_int_equal(spec.pids, 7); /* untouched */
        json_decref(json);
    }
}

static void no_json_is_refused(void **state) {
    struct px_desktop_spec spec = {0};
    assert_int_equal(px_desktop_spec_from_json(NULL, &spec, NULL), -EINVAL);
}

static void a_thousand_desktops_are_fine(void **state) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *f =
        parse("desktops: [{name: a, count: 999}, {name: b}]");
    assert_int_equal(f->n_desktops, PX_DESKTOPS_MAX);
    assert_string_equal(f->desktops[998].name, "a-999");
}

static void an_empty_list_is_no_desktops(void **state) {
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *f = parse("desktops: []");
    assert_int_equal(f->n_desktops, 0);
}

static char *in_dir(const char *dir, const char *name) {
    return px_asprintf("%s/%s", dir, name);
}

static void what_cannot_be_loaded_says_why(void **state) {
    char dir[] = "/tmp/pxt-desktop-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    px_cleanup_free char *yaml = in_dir(dir, "a.yaml"), *yml = in_dir(dir, "a.yml");
    struct px_desktop_file *file = NULL;
    struct px_error err = {0};
    assert_int_equal(px_desktop_file_load(yaml, &file, &err), -ENOENT);
    px_assert_contains(err.msg, "a.yaml': No such file or directory");
    assert_string_equal(err.hint, "");
    px_assert_ok(px_file_write_atomic(AT_FDCWD, yml, "x", 1, 0, NULL));
    assert_int_equal(px_desktop_file_load(yaml, &file, &err), -ENOENT);
    px_assert_contains(err.hint, "a.yml'?");
    assert_int_equal(px_desktop_file_load(dir, &file, &err), -EISDIR);
    px_assert_contains(err.msg, "is a directory");
    assert_int_equal(truncate(yml, 100 * 1000 * 1000), 0);
    const bool root = geteuid() == 0; /* who could read it all the same */
    if (root)
        assert_int_equal(seteuid(65534), 0);
    assert_int_equal(px_desktop_file_load(yml, &file, &err), -EACCES);
    if (root)
        assert_int_equal(seteuid(0), 0);
    px_assert_contains(err.msg, "Permission denied");
    assert_int_equal(chmod(yml, 0644), 0);
    assert_int_equal(px_desktop_file_load(yml, &file, &err), -EFBIG);
    px_assert_contains(err.msg, "has 100000000 bytes, more than the limit of 1048576");
    assert_null(file);
    px_assert_ok(px_rm_rf(AT_FDCWD, dir, NULL));
}

static void a_dash_is_standard_input(void **state) {
    static const char good[] = "desktops: [{name: a}]\n", bad[] = "desktops: [{nam: a}]\n";
    px_cleanup(px_desktop_file_freep) struct px_desktop_file *file = NULL;
    struct px_error err = {0};
    int ends[2], saved = dup(STDIN_FILENO);
    for (int i = 0; i < 2; i++) {
        const char *text = i == 0 ? good : bad;
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        if (i == 0)
            px_assert_ok_err(px_desktop_file_load("-", &file, &err), &err);
        else
            assert_int_equal(px_desktop_file_load("-", &file, &err), -EINVAL);
    }
    dup2(saved, STDIN_FILENO);
    close(saved);
    assert_int_equal(file->n_desktops, 1);
    assert_string_equal(err.msg, "<stdin>:1: desktops[0]: unknown key 'nam'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_alone_is_a_complete_desktop),
        cmocka_unit_test(every_key_is_read_over_the_defaults),
        cmocka_unit_test(json_brings_the_same_spec_back),
        cmocka_unit_test(bad_json_is_refused_with_its_key),
        cmocka_unit_test(no_json_is_refused),
        cmocka_unit_test(a_thousand_desktops_are_fine),
        cmocka_unit_test(an_empty_list_is_no_desktops),
        cmocka_unit_test(what_cannot_be_loaded_says_why),
        cmocka_unit_test(a_dash_is_standard_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
