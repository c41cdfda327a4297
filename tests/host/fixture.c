/* tests/host/fixture.c - an X server, a phoenix-host in front of it, and clients */
#include "fixture.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct fixture f;

static pid_t children[32];
static size_t n_children;

static pid_t spawn(const char *const argv[], int out_fd, int keep_fd) {
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char log[128];
        snprintf(log, sizeof(log), "%s/%s.log", f.dir,
                 strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0]);
        const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out_fd >= 0 ? out_fd : fd, 1);
        dup2(fd, 2);
        if (keep_fd >= 0)
            fcntl(keep_fd, F_SETFD, 0);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    assert_true(pid > 0);
    children[n_children++ % 32] = pid;
    return pid;
}

static void skip_all(const char *why) {
    printf("1..0 # SKIP %s\n", why);
    exit(77);
}

static void end_child(pid_t *pid) {
    if (*pid > 0) {
        kill(*pid, SIGTERM);
        int status;
        for (int i = 0; i < 1000 && waitpid(*pid, &status, WNOHANG) == 0; i++)
            px_sleep_us(10000);
        kill(*pid, SIGKILL);
        waitpid(*pid, &status, 0);
    }
    *pid = 0;
}

static int read_line(int fd, char *to, size_t cap) {
    size_t n = 0;
    while (n + 1 < cap && read(fd, to + n, 1) == 1 && to[n] != '\n')
        n++;
    to[n] = '\0';
    return (int)n;
}

static void write_xorg_conf(void) {
    char path[128];
    snprintf(path, sizeof(path), "%s/xorg.conf", f.dir);
    static const char conf[] =
        "Section \"ServerFlags\"\n Option \"AutoAddDevices\" \"false\"\n Option \"AutoAddGPU\" "
        "\"false\"\n Option \"DontVTSwitch\" \"true\"\nEndSection\n"
        "Section \"Device\"\n Identifier \"d\"\n Driver \"dummy\"\n VideoRam 262144\nEndSection\n"
        "Section \"Monitor\"\n Identifier \"m\"\n HorizSync 5-1000\n VertRefresh "
        "5-200\nEndSection\n"
        "Section \"Screen\"\n Identifier \"s\"\n Device \"d\"\n Monitor \"m\"\n DefaultDepth 24\n"
        " SubSection \"Display\"\n  Depth 24\n  Modes \"1280x720\"\n EndSubSection\nEndSection\n";
    assert_int_equal(px_file_write_atomic(AT_FDCWD, path, conf, sizeof(conf) - 1, 0644, NULL), 0);
}

static void start_x(bool dummy, int ready_fd) {
    char fd_text[16], conf[128], log[128];
    snprintf(fd_text, sizeof(fd_text), "%d", ready_fd);
    snprintf(conf, sizeof(conf), "%s/xorg.conf", f.dir);
    snprintf(log, sizeof(log), "%s/Xorg.0.log", f.dir);
    const char *const xvfb[] = {"Xvfb",        "-displayfd", fd_text, "-screen",  "0",
                                "1280x720x24", "-nolisten",  "tcp",   "-noreset", NULL};
    const char *const xorg[] = {
        "/usr/lib/xorg/Xorg", "-displayfd", fd_text,    "-config", conf, "-logfile", log,
        "-nolisten",          "tcp",        "-noreset", NULL};
    if (dummy)
        write_xorg_conf();
    f.x_pid = spawn(dummy ? xorg : xvfb, -1, ready_fd);
}

void fixture_x(bool dummy) {
    struct px_error err = {0};
    px_assert_ok_err(px_secure_init(&err), &err);
    signal(SIGPIPE, SIG_IGN);
    px_cleanup_free char *xvfb = px_proc_find("Xvfb");
    if (dummy ? access("/usr/lib/xorg/modules/drivers/dummy_drv.so", R_OK) < 0 : !xvfb)
        skip_all(dummy ? "no Xorg with the dummy driver here" : "no Xvfb here");
    strcpy(f.dir, "/tmp/pxt-host-XXXXXX");
    assert_non_null(mkdtemp(f.dir));
    int ready[2];
    char number[16];
    assert_int_equal(pipe(ready), 0);
    start_x(dummy, ready[1]);
    close(ready[1]);
    assert_true(read_line(ready[0], number, sizeof(number)) > 0);
    close(ready[0]);
    snprintf(f.display, sizeof(f.display), ":%s", number);
    setenv("DISPLAY", f.display, 1);
    f.x = xcb_connect(f.display, NULL);
    assert_int_equal(xcb_connection_has_error(f.x), 0);
    const xcb_screen_t *s = xcb_setup_roots_iterator(xcb_get_setup(f.x)).data;
    f.root = s->root;
    f.width = s->width_in_pixels;
    f.height = s->height_in_pixels;
}

void put_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", f.dir, name);
    assert_int_equal(px_file_write_atomic(AT_FDCWD, path, text, strlen(text), 0600, NULL), 0);
}

char *get_file(const char *name) {
    char path[128];
    char *text = NULL;
    snprintf(path, sizeof(path), "%s/%s", f.dir, name);
    return px_file_read(AT_FDCWD, path, 1 << 20, &text, NULL, NULL) < 0 ? px_strdup("") : text;
}

unsigned count_words(const char *text, const char *word) {
    unsigned n = 0;
    for (const char *p = text; (p = strstr(p, word)); p++)
        n++;
    return n;
}

static const char *unless_said(const char *extra, const char *key, const char *value) {
    return strstr(extra, key) ? "" : value;
}

void fixture_config(const char *extra) {
    char config[2048];
    snprintf(config, sizeof(config),
             "{\"id\": \"" ID "\", \"display\": \"%s\", \"identity_file\": \"%s/identity\", "
             "\"password_file\": \"%s/password\", \"audit_log\": \"%s/audit\", "
             "\"state_dir\": \"%s/state\"%s%s%s%s}",
             f.display, f.dir, f.dir, f.dir, f.dir,
             unless_said(extra, "\"direct\"", ", \"direct\": [\"127.0.0.1:0\"]"),
             unless_said(extra, "\"banner\"", ", \"banner\": false"), *extra ? ", " : "", extra);
    put_file("host.json", config);
}

/* Tells a change of the configuration from the ones before. */
static bool has_taken(void *count) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    return count_words(log, "the configuration has changed") > *(unsigned *)count;
}

void fixture_change(const char *extra) {
    px_cleanup_free char *log = get_file("phoenix-host.log");
    unsigned before = count_words(log, "the configuration has changed");
    fixture_config(extra);
    assert_true(wait_for(has_taken, &before, 20 * SECOND));
}

void fixture_files(void) {
    put_file("identity", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8DoQe/884Qvh1w3Rjn"
                         "S8CZZ+TWMJulDV8d3IZkElUxuA==\n");
    put_file("password", PASSWORD "\n");
    setenv("HOME", f.dir, 1);
    setenv("XDG_RUNTIME_DIR", f.dir, 1); /* or libpulse makes a folder of its own in /tmp */
}

void fixture_host(const char *extra) {
    char path[128], line[16];
    int out[2];
    fixture_files();
    fixture_config(extra);
    snprintf(path, sizeof(path), "%s/host.json", f.dir);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    const char *const argv[] = {getenv("PHOENIX_HOST"), "--config", path, "--print-ports",
                                "--log-level",          "debug",    NULL};
    assert_non_null(argv[0]);
    f.host_pid = spawn(argv, out[1], -1);
    close(out[1]);
    if (!strstr(extra, "\"direct\": []")) {
        assert_true(read_line(out[0], line, sizeof(line)) > 0);
        f.port = atoi(line);
    }
    close(out[0]);
}

void fixture_end_x(void) {
    kill(f.x_pid, SIGKILL);
    waitpid(f.x_pid, NULL, 0);
    f.x_pid = 0;
    xcb_disconnect(f.x);
    f.x = NULL;
}

void fixture_x_again(void) {
    const char *const argv[] = {"Xvfb",        f.display,   "-screen", "0",
                                "1280x720x24", "-nolisten", "tcp",     NULL};
    f.x_pid = run(argv);
    for (int i = 0; i < 200 && (!f.x || xcb_connection_has_error(f.x)); i++) {
        px_sleep_us(50000);
        xcb_disconnect(f.x);
        f.x = xcb_connect(f.display, NULL);
    }
    assert_int_equal(xcb_connection_has_error(f.x), 0);
    f.root = xcb_setup_roots_iterator(xcb_get_setup(f.x)).data->root;
}

void fixture_stop_host(void) {
    end_child(&f.host_pid);
}

int fixture_start_x(void **state) {
    fixture_x(false);
    return 0;
}

int fixture_end(void **state) {
    fixture_stop_host();
    if (f.x)
        xcb_disconnect(f.x);
    for (size_t i = 0; i < 32; i++)
        if (children[i] > 0 && children[i] != f.x_pid)
            kill(children[i], SIGKILL);
    end_child(&f.x_pid);
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
    if (!getenv("PHOENIX_TEST_KEEP"))
        px_rm_rf(AT_FDCWD, f.dir, NULL);
    return 0;
}

struct px_client *dial(void) {
    struct px_client *c = NULL;
    struct px_error err = {0};
    const struct px_addr a = px_addr_v4(127, 0, 0, 1, (uint16_t)f.port);
    px_assert_ok_err(px_client_connect(&a, PATIENCE, &c, &err), &err);
    return c;
}

struct px_client *login(const struct px_client_login *l) {
    struct px_client *c = dial();
    struct px_error err = {0};
    px_cleanup(px_message_freep) Pxs__Message *m = NULL;
    px_assert_ok_err(px_client_login(c, l, 10 * SECOND, &m, &err), &err);
    return c;
}

struct px_client *desktop(const Pxs__OptionMessage *option) {
    const struct px_client_login l = {.username = ID, .password = PASSWORD, .option = option};
    return login(&l);
}

Pxs__Message *await(struct px_client *c, Pxs__Message__ItemCase kind, int64_t us) {
    const int64_t until = px_now_us() + us;
    for (;;) {
        Pxs__Message *m = NULL;
        if (px_client_recv(c, until, &m, NULL) <= 0)
            return NULL;
        if (m->item_case == kind)
            return m;
        px_message_free(m);
    }
}

Pxs__Message *await_frame(struct px_client *c, struct px_decoder *d, int64_t us) {
    Pxs__Message *m = await(c, PXS__MESSAGE__ITEM_VIDEO_FRAME, us);
    struct px_error err = {0};
    if (m && d)
        px_assert_ok_err(px_decoder_push(d, m->video_frame, &err), &err);
    return m;
}

void drain(struct px_client *c, int64_t us) {
    const int64_t until = px_now_us() + us;
    Pxs__Message *m = NULL;
    while (px_client_recv(c, until, &m, NULL) > 0)
        px_message_free(m);
}

bool is_closed(struct px_client *c, int64_t us) {
    const int64_t until = px_now_us() + us;
    for (;;) {
        Pxs__Message *m = NULL;
        const int r = px_client_recv(c, until, &m, NULL);
        if (r <= 0)
            return r < 0;
        px_message_free(m);
    }
}

void send_hex(struct px_client *c, const char *hex) {
    uint8_t body[512];
    size_t n = 0;
    for (; *hex; hex += 2) {
        unsigned v;
        if (*hex == ' ') {
            hex--;
            continue;
        }
        assert_int_equal(sscanf(hex, "%2x", &v), 1);
        body[n++] = (uint8_t)v;
    }
    px_assert_ok(px_client_send_body(c, body, n, NULL));
}

void send_option(struct px_client *c, const Pxs__OptionMessage *o) {
    Pxs__Misc misc = PXS__MISC__INIT;
    misc.item_case = PXS__MISC__ITEM_OPTION;
    misc.option = (Pxs__OptionMessage *)o;
    px_assert_ok(px_client_send_misc(c, &misc, NULL));
}

void paint(int x, int y, int w, int h, uint32_t rgb) {
    const xcb_gcontext_t gc = xcb_generate_id(f.x);
    const uint32_t values[] = {rgb, XCB_SUBWINDOW_MODE_INCLUDE_INFERIORS};
    const xcb_rectangle_t r = {(int16_t)x, (int16_t)y, (uint16_t)w, (uint16_t)h};
    xcb_create_gc(f.x, gc, f.root, XCB_GC_FOREGROUND | XCB_GC_SUBWINDOW_MODE, values);
    xcb_poly_fill_rectangle(f.x, f.root, gc, 1, &r);
    xcb_free_gc(f.x, gc);
    free(xcb_get_input_focus_reply(f.x, xcb_get_input_focus(f.x), NULL)); /* it is done */
}

pid_t run(const char *const argv[]) {
    return spawn(argv, -1, -1);
}

bool wait_for(bool (*check)(void *data), void *data, int64_t us) {
    const int64_t until = px_now_us() + us;
    while (!check(data)) {
        if (px_now_us() > until)
            return false;
        px_sleep_us(5000);
    }
    return true;
}
