/* src/desktop/server.c - the phoenix-server that this host keeps for its desktops */
#include "desktop/server.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/proc.h"
#include "base/program.h"
#include "base/server_name.h"
#include "desktop/alloc_ids.h"
#include "spec/check.h"
#include <arpa/inet.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define DEFAULT_PORT 21116
#define UP_TIMEOUT_US (10 * PX_US_PER_S)
#define DOWN_TIMEOUT_US (20 * PX_US_PER_S) /* its relayed sessions have 10 s to end */
#define SYSTEMCTL_TIMEOUT_US (20 * PX_US_PER_S)

struct place { /* where things of this host's server lie */
    char *dir, *socket, *pid_file, *log, *unit;
};

static void place_fini(struct place *p) {
    free(p->dir);
    free(p->socket);
    free(p->pid_file);
    free(p->log);
    free(p->unit);
}

static void place_init(const struct px_host_spec *host, struct place *p) {
    p->dir = px_asprintf("%s/server", host->state_dir);
    p->socket = px_asprintf("%s/admin.sock", p->dir);
    p->log = px_asprintf("%s/server.log", p->dir);
    p->pid_file = px_asprintf("%s/server.pid", host->run_dir);
    p->unit = px_asprintf("phoenix-server-%s.service", host->network.bridge);
}

static bool has_systemd(void) {
    return access("/run/systemd/system", F_OK) == 0; /* sd_booted(3) */
}

static bool answers(const struct place *p) {
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (strlen(p->socket) >= sizeof(sa.sun_path))
        return false;
    strcpy(sa.sun_path, p->socket);
    px_cleanup_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;
}

static int make_dir(const struct place *p, uid_t uid, struct px_error *err) {
    int r = px_mkdir_p(AT_FDCWD, p->dir, 0700, err);
    if (r < 0)
        return r;
    px_cleanup_close int fd = px_dir_open(AT_FDCWD, p->dir, err);
    if (fd < 0)
        return fd;
    return fchown(fd, uid, uid) < 0 ? px_fail_sys(err, -errno, "cannot own '%s'", p->dir) : 0;
}

/* It starts as root and becomes its user by itself: systemd takes no User= that no passwd knows,
 * and root gets at a program and a folder below one that is closed to that user, such as /root. */
static int start_unit(const struct place *p, const char *const *argv, struct px_error *err) {
    px_cleanup_free char *work = px_asprintf("--property=WorkingDirectory=%s", p->dir);
    px_cleanup_free char *unit = px_asprintf("--unit=%s", p->unit);
    px_cleanup_free char *writable = px_asprintf("--property=ReadWritePaths=%s", p->dir);
    const char *line[32] = {"systemd-run",
                            "--quiet",
                            "--collect",
                            unit,
                            work,
                            writable,
                            "--property=Restart=on-failure",
                            "--property=RestartSec=1",
                            "--property=ProtectSystem=strict",
                            "--property=ProtectHome=read-only",
                            "--property=PrivateTmp=yes",
                            "--property=PrivateDevices=yes",
                            "--property=NoNewPrivileges=yes",
                            "--property=CapabilityBoundingSet=CAP_SETUID CAP_SETGID "
                            "CAP_DAC_READ_SEARCH",
                            "--property=LimitNOFILE=65536",
                            "--"};
    size_t n = 0;
    while (line[n])
        n++;
    for (; *argv && n + 1 < PX_N_ELEMENTS(line); argv++)
        line[n++] = *argv;
    /* One that failed for good would still hold the unit's name. */
    px_proc_run(&(struct px_proc_opts){.argv = (const char *const[]){"systemctl", "reset-failed",
                                                                     p->unit, NULL},
                                       .timeout_us = SYSTEMCTL_TIMEOUT_US},
                NULL);
    return px_proc_check(&(struct px_proc_opts){.argv = line, .timeout_us = SYSTEMCTL_TIMEOUT_US},
                         err);
}

/* In the grandchild: nothing of ours but the log stays open. */
static _Noreturn void become_server(const struct place *p, const char *const *argv) {
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const int log = open(p->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0 ||
        chdir(p->dir) < 0)
        _exit(126);
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    const char *const env[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", NULL};
    execve(argv[0], (char *const *)(uintptr_t)argv, (char *const *)(uintptr_t)env);
    _exit(127);
}

static int start_process(const struct place *p, const char *const *argv, struct px_error *err) {
    const pid_t child = fork();
    if (child < 0)
        return px_fail_sys(err, -errno, "cannot start a process");
    if (child == 0) {
        setsid();
        const pid_t server = fork();
        if (server == 0)
            become_server(p, argv);
        px_cleanup_free char *pid = px_asprintf("%d\n", server);
        _exit(server < 0 ||
              px_file_replace(AT_FDCWD, p->pid_file, pid, strlen(pid), 0600, NULL) < 0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 ? 0 : px_fail(err, -EIO, "cannot start phoenix-server");
}

/* What the pid file says; 0: nothing. */
static pid_t written_pid(const struct place *p) {
    px_cleanup_free char *text = NULL;
    return px_file_read(AT_FDCWD, p->pid_file, 64, &text, NULL, NULL) < 0
               ? 0
               : (pid_t)strtol(text, NULL, 10);
}

/* The noted process, when it is still our server. */
static pid_t noted_pid(const struct place *p) {
    px_cleanup_free char *path = NULL, *cmd = NULL;
    const pid_t pid = written_pid(p);
    path = px_asprintf("/proc/%d/cmdline", pid);
    if (pid <= 1 || px_file_read(AT_FDCWD, path, 4096, &cmd, NULL, NULL) < 0)
        return 0;
    return strstr(cmd, "phoenix-server") ? pid : 0; /* the number may be another process's by now */
}

/* Why it did not come up: the last line it wrote. */
static int did_not_come(const struct place *p, struct px_error *err) {
    px_cleanup_free char *log = NULL;
    char *last = NULL;
    if (px_file_read(AT_FDCWD, p->log, 16 * 1024 * 1024, &log, NULL, NULL) == 0)
        for (char *save = NULL, *line = strtok_r(log, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save))
            last = line;
    if (has_systemd()) { /* which has what it wrote */
        px_fail(err, -EIO, "phoenix-server does not answer");
        return px_hint(err, -EIO, "journalctl -u %s tells why", p->unit);
    }
    char *hint = last ? strstr(last, " (hint: ") : NULL; /* for who runs it by hand */
    if (hint)
        *hint = '\0';
    px_fail(err, -EIO, "phoenix-server does not answer%s%s", last ? ": " : "", last ? last : "");
    return px_hint(err, -EIO,
                   "another ID server on this host? set server.port, or server.run: false");
}

static int wait_up(const struct place *p, struct px_error *err) {
    const int64_t deadline = px_now_us() + UP_TIMEOUT_US;
    while (!answers(p)) {
        /* By its number alone: until its exec it is not yet called phoenix-server. */
        const bool gone = !has_systemd() && kill(written_pid(p), 0) < 0;
        if (gone || px_now_us() > deadline)
            return did_not_come(p, err);
        px_sleep_us(10 * PX_US_PER_MS);
    }
    return 0;
}

int px_server_up(const struct px_fleet *fleet, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    px_cleanup(place_fini) struct place p = {0};
    place_init(host, &p);
    if (!host->server.run || answers(&p))
        return 0;
    static const char *const folders[] = {".",        "../phoenix-server", "../bin",
                                          "/usr/bin", "/usr/local/bin",    NULL};
    px_cleanup_free char *program = NULL;
    struct px_ids span;
    int r = px_program_find("phoenix-server", folders, &program, err);
    if (r < 0 || (r = px_alloc_ids_span(host, px_fleet_state_fd(fleet), &span, err)) < 0)
        return r;
    const uid_t uid = (uid_t)(px_ids_end(span) - 1);
    px_cleanup_free char *uid_arg = px_asprintf("--uid=%u", uid);
    px_cleanup_free char *port = px_asprintf("--port=%u", host->server.port);
    /* Working there, it needs no way through the folders above, which may be closed to it. */
    const char *const argv[] = {program,
                                uid_arg,
                                "--data-dir=.",
                                "--admin-socket=admin.sock",
                                port,
                                has_systemd() ? NULL
                                              : "--respawn", /* what systemd does with its unit */
                                NULL};
    if ((r = make_dir(&p, uid, err)) < 0)
        return r;
    r = has_systemd() ? start_unit(&p, argv, err) : start_process(&p, argv, err);
    return r < 0 ? r : wait_up(&p, err);
}

int px_server_check(const struct px_fleet *fleet, const char *desktop, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    px_cleanup(place_fini) struct place p = {0};
    place_init(host, &p);
    if (!host->server.run || answers(&p))
        return 0;
    px_fail(err, -ECONNREFUSED, "phoenix-server, the ID server of this host, does not run");
    return px_hint(err, -ECONNREFUSED, "`phoenix start %s` starts it, or says why not", desktop);
}

static bool can_listen(unsigned port) {
    px_cleanup_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const int on = 1; /* as the server does: connections that are over do not count */
    return fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
           bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) == 0 || errno != EADDRINUSE;
}

unsigned px_server_port_taken(const struct px_host_spec *host) {
    px_cleanup(place_fini) struct place p = {0};
    place_init(host, &p);
    if (!host->server.run || answers(&p))
        return 0;
    for (unsigned port = host->server.port - 1; port <= host->server.port + 1; port++)
        if (!can_listen(port))
            return port;
    return 0;
}

int px_server_down(const struct px_fleet *fleet, struct px_error *err) {
    px_cleanup(place_fini) struct place p = {0};
    place_init(px_fleet_host(fleet), &p);
    if (has_systemd()) {
        const char *const argv[] = {"systemctl", "stop", p.unit, NULL};
        px_proc_run(&(struct px_proc_opts){.argv = argv, .timeout_us = SYSTEMCTL_TIMEOUT_US}, NULL);
    }
    const pid_t pid = noted_pid(&p);
    if (pid > 0 && kill(pid, SIGTERM) < 0 && errno != ESRCH)
        return px_fail_sys(err, -errno, "cannot stop phoenix-server, process %d", pid);
    const int64_t deadline = px_now_us() + DOWN_TIMEOUT_US;
    while (pid > 0 && kill(pid, 0) == 0 && px_now_us() < deadline)
        px_sleep_us(20 * PX_US_PER_MS);
    unlink(p.pid_file);
    return 0;
}

/* The address of this host that the world sees: that of a packet on its way out; none is sent. */
static char *outward_address(void) {
    px_cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(9)};
    inet_pton(AF_INET, "192.0.2.1", &sa.sin_addr); /* RFC 5737: nobody's */
    socklen_t len = sizeof(sa);
    char text[INET_ADDRSTRLEN] = "127.0.0.1";
    if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
        getsockname(fd, (struct sockaddr *)&sa, &len) == 0)
        inet_ntop(AF_INET, &sa.sin_addr, text, sizeof(text));
    return px_strdup(text);
}

static char *with_port(const char *address, unsigned port) {
    struct px_server_name s;
    const bool bare_ipv6 =
        px_server_name_parse(address, &s) == 0 && *s.host != '[' && memchr(s.host, ':', s.n_host);
    return port == DEFAULT_PORT ? px_strdup(address)
           : bare_ipv6          ? px_asprintf("[%s]:%u", address, port)
                                : px_asprintf("%s:%u", address, port);
}

/* One that phoenix does not run. Behind a proxy clients are told its name alone, and where it is.
 */
static void info_of_other(const struct px_host_spec *host, struct px_server_info *ret) {
    const char *address = host->server.address;
    struct px_server_name s = {0};
    px_server_name_parse(address, &s); /* which was checked */
    *ret = (struct px_server_info){.key = px_strdup(host->server.key)};
    if (!s.wss) {
        ret->address = with_port(address, host->server.port);
        ret->inside = px_strdup(ret->address);
        return;
    }
    ret->address = px_strndup(s.host, s.n_host);
    ret->proxy = px_strndup(s.host, (size_t)(s.rest - s.host));
    ret->inside = px_asprintf(PX_WSS_SCHEME "%s", ret->proxy);
}

int px_server_info(const struct px_fleet *fleet, struct px_server_info *ret, struct px_error *err) {
    const struct px_host_spec *host = px_fleet_host(fleet);
    const unsigned port = host->server.port;
    if (!host->server.run && !host->server.key)
        return px_fail(err, -ENOENT, "the host file names no server");
    if (!host->server.run) {
        info_of_other(host, ret);
        return 0;
    }
    px_cleanup_free char *path = px_asprintf("%s/server/id_ed25519.pub", host->state_dir);
    char *key = NULL;
    int r = px_file_read(AT_FDCWD, path, 256, &key, NULL, err);
    if (r < 0)
        return r;
    key[strcspn(key, "\r\n")] = '\0';
    char gateway[INET_ADDRSTRLEN];
    const struct in_addr own = px_net_gateway(host);
    inet_ntop(AF_INET, &own, gateway, sizeof(gateway));
    px_cleanup_free char *outward =
        host->server.address ? px_strdup(host->server.address) : outward_address();
    *ret = (struct px_server_info){
        .address = with_port(outward, port), .inside = with_port(gateway, port), .key = key};
    return 0;
}

void px_server_info_fini(struct px_server_info *info) {
    free(info->address);
    free(info->inside);
    free(info->proxy);
    free(info->key);
    *info = (struct px_server_info){0};
}
