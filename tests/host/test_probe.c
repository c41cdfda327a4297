/* tests/host/test_probe.c - the probe against a real host: clicks that show, services, bounds */
#include "base/clock.h"
#include "fixture.h"
#include "ports.h"
#include "session/probe.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <xcb/xtest.h>

static struct px_probe_opts opts(void) {
    struct px_probe_opts o = {.id = ID,
                              .password = PASSWORD,
                              .click_x = -1,
                              .click_y = -1,
                              .target_x = -1,
                              .target_y = -1,
                              .png_fd = -1,
                              .timeout_us = 18 * SECOND};
    o.address = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    return o;
}

static void probe(const struct px_probe_opts *o, struct px_probe_result *ret) {
    struct px_error err = {0};
    px_assert_ok_err(px_probe_run(o, ret, &err), &err);
}

/* ---- the target ---- */

struct target {
    pid_t pid;
    int in, out;
};

static void start_target(struct target *t) {
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    t->pid = fork();
    if (t->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl(getenv("PHOENIX_HOST"), "phoenix-host", "target", (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    t->in = in[1];
    t->out = out[0];
}

static void read_line(struct target *t, char *line, size_t size) {
    size_t n = 0;
    while (n + 1 < size && read(t->out, line + n, 1) == 1 && line[n++] != '\n')
        ;
    line[n] = '\0';
}

/* Its exit code. */
static int end_target(struct target *t) {
    int status = 0;
    close(t->in);
    assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
    close(t->out);
    return WEXITSTATUS(status);
}

static void a_click_into_the_target_shows_and_the_pointer_goes_back(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    struct target t;
    char line[64];
    xcb_warp_pointer(f.x, XCB_NONE, f.root, 0, 0, 0, 0, 77, 88);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL));
    start_target(&t);
    read_line(&t, line, sizeof(line));
    assert_int_equal(sscanf(line, "at %d %d", &o.target_x, &o.target_y), 2);
    o.n_latency = 5;
    probe(&o, &r);
    assert_int_equal(end_target(&t), 0);
    assert_in_range(r.n_latency, 1, 5); /* a loaded machine may be late with some */
    assert_true(r.latency_p50_us > 0 && r.latency_p50_us <= r.latency_p95_us);
    assert_true(px_probe_all_done(&r));
    xcb_query_pointer_reply_t *p =
        xcb_query_pointer_reply(f.x, xcb_query_pointer(f.x, f.root), NULL);
    assert_int_equal(p->root_x, 77);
    assert_int_equal(p->root_y, 88);
    free(p);
}

static void nobody_at_work_is_disturbed(void **state) {
    struct target t;
    char line[64];
    xcb_test_fake_input(f.x, XCB_BUTTON_PRESS, 3, 0, XCB_NONE, 0, 0, 0);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL));
    start_target(&t);
    read_line(&t, line, sizeof(line));
    assert_string_equal(line, "busy\n");
    assert_int_equal(end_target(&t), 0);
    xcb_test_fake_input(f.x, XCB_BUTTON_RELEASE, 3, 0, XCB_NONE, 0, 0, 0);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL));
}

static void a_screen_that_answers_no_key_is_given_up_and_told(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    o.n_latency = 50;
    probe(&o, &r);
    assert_int_equal(r.n_asked, 3);
    assert_int_equal(r.n_latency, 0);
    px_assert_contains(r.latency_note, "no window has the focus");
    assert_false(px_probe_all_done(&r));
    json_t *json = px_probe_json(&r);
    assert_null(json_object_get(json, "latency_p50_ms"));
    json_decref(json);
}

/* ---- services ---- */

static void a_text_and_a_file_go_both_ways(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    o.clipboard = true;
    o.file_bytes = 700001; /* several blocks, the last one odd */
    probe(&o, &r);
    assert_string_equal(r.clipboard.trouble, "");
    assert_string_equal(r.files.trouble, "");
    assert_true(r.clipboard.done && r.files.done && px_probe_all_done(&r));
    assert_true(r.n_frames >= 1 && r.width > 0);
}

static void files_are_sent_and_fetched(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    char path[128], text[32] = {0};
    px_cleanup_close int there = memfd_create("there", MFD_CLOEXEC);
    px_cleanup_close int back = memfd_create("back", MFD_CLOEXEC);
    snprintf(path, sizeof(path), "%s/sent by the probe", f.dir);
    assert_int_equal(write(there, "hello desk\n", 11), 11);
    lseek(there, 0, SEEK_SET);
    o.no_picture = true;
    o.put_path = o.get_path = path;
    o.put_fd = there;
    o.get_fd = back;
    probe(&o, &r);
    assert_true(px_probe_all_done(&r));
    assert_int_equal(r.put_bytes, 11);
    assert_int_equal(r.got_bytes, 11);
    assert_int_equal(pread(back, text, sizeof(text), 0), 11);
    assert_string_equal(text, "hello desk\n");
    assert_int_equal(r.n_frames, 0);
    assert_string_equal(r.hostname[0] ? "named" : "", "named");
    o.put_path = NULL;
    o.get_path = f.dir;
    probe(&o, &r);
    assert_false(r.get.done);
    o.get_path = "/nowhere/at all";
    probe(&o, &r);
    assert_false(px_probe_all_done(&r));
    px_assert_contains(r.get.trouble, "the host: ");
}

static void a_tunnel_brings_the_first_line(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    uint16_t port;
    const int l = ports_listen(&port);
    const pid_t server = fork();
    if (server == 0) {
        char request[64];
        const int c = accept(l, NULL, NULL);
        _exit(read(c, request, sizeof(request)) > 0 &&
                      write(c, "HTTP/1.0 200 \x1b[2J\r\n\r\n", 21) == 21
                  ? 0
                  : 1);
    }
    close(l);
    o.no_picture = true;
    o.tunnel_host = "localhost";
    o.tunnel_port = port;
    probe(&o, &r);
    assert_true(r.tunnel.done);
    assert_string_equal(r.tunnel_line, "HTTP/1.0 200 ?[2J");
    assert_int_equal(waitpid(server, NULL, 0), server);
    probe(&o, &r); /* nobody listens there any more */
    assert_false(r.tunnel.done);
    px_assert_contains(r.tunnel.trouble, "Failed to access remote");
}

static void a_wrong_password_is_told(void **state) {
    struct px_probe_opts o = opts();
    struct px_probe_result r;
    struct px_error err = {0};
    o.password = "not this one";
    assert_int_equal(px_probe_run(&o, &r, &err), -EACCES);
    assert_string_equal(err.msg, "Wrong Password");
}

static void what_is_not_allowed_keeps_nothing_else_back(void **state) {
    struct px_probe_result r;
    fixture_stop_host();
    fixture_host("\"permissions\": {\"file\": false, \"tunnel\": false}");
    struct px_probe_opts o = opts();
    o.no_picture = true;
    o.file_bytes = 1;
    o.tunnel_host = "localhost";
    o.tunnel_port = 1;
    probe(&o, &r);
    assert_string_equal(r.files.trouble, "No permission of file transfer");
    assert_string_equal(r.tunnel.trouble, "No permission of IP tunneling");
}

static int start(void **state) {
    fixture_x(false);
    fixture_host("");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_click_into_the_target_shows_and_the_pointer_goes_back),
        cmocka_unit_test(nobody_at_work_is_disturbed),
        cmocka_unit_test(a_screen_that_answers_no_key_is_given_up_and_told),
        cmocka_unit_test(a_text_and_a_file_go_both_ways),
        cmocka_unit_test(files_are_sent_and_fetched),
        cmocka_unit_test(a_tunnel_brings_the_first_line),
        cmocka_unit_test(a_wrong_password_is_told),
        cmocka_unit_test(what_is_not_allowed_keeps_nothing_else_back),
    };
    return cmocka_run_group_tests(tests, start, fixture_end);
}
