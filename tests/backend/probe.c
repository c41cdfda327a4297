/* tests/backend/probe.c - runs inside a container and tries what should not work
 *
 *     probe call NAME     makes one system call, prints "ok" or the name of its errno
 *     probe fds           prints the numbers of the open descriptors
 *     probe eat MIB       takes so much memory and keeps it for a moment
 *     probe fork N        forks up to N sleeping children, prints how many came to be
 *     probe burn N MS     N processes compute for MS; prints the CPU time they got in ms */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long make_call(const char *name) {
    static char buffer[4096];
    struct perf_event_attr perf = {.type = PERF_TYPE_SOFTWARE, .size = sizeof(perf)};
    struct timespec ts = {.tv_sec = 1};
    const struct {
        const char *name;
        long nr, a, b, c, d;
    } table[] = {
        {"keyctl", SYS_keyctl, 0, -3, 0, 0},
        {"add_key", SYS_add_key, (long)"user", (long)"x", (long)"y", 1},
        {"bpf", SYS_bpf, 0, (long)buffer, 64, 0},
        {"userfaultfd", SYS_userfaultfd, 1, 0, 0, 0},
        {"io_uring_setup", SYS_io_uring_setup, 8, (long)buffer, 0, 0},
        {"perf_event_open", SYS_perf_event_open, (long)&perf, 0, -1, -1},
        {"finit_module", SYS_finit_module, 0, (long)"", 0, 0},
        {"init_module", SYS_init_module, (long)buffer, 1, (long)"", 0},
        {"kexec_load", SYS_kexec_load, 0, 0, 0, 0},
        {"open_by_handle_at", SYS_open_by_handle_at, 0, (long)buffer, 0, 0},
        {"syslog", SYS_syslog, 3, (long)buffer, sizeof(buffer), 0},
        {"swapon", SYS_swapon, (long)"/etc/passwd", 0, 0, 0},
        {"clock_settime", SYS_clock_settime, CLOCK_REALTIME, (long)&ts, 0, 0},
        {"mknod", SYS_mknodat, AT_FDCWD, (long)"/root/probe-node", S_IFBLK | 0600, 0x801},
        {"tiocsti", SYS_ioctl, 0, TIOCSTI, (long)"x", 0},
        {"setns_host", SYS_setns, -1, 0, 0, 0},
        /* What must work: chromium's sandbox, systemd, PyTorch. */
        {"unshare_user", SYS_unshare, 0x10000000, 0, 0, 0},
        {"seccomp", SYS_seccomp, 2 /* GET_ACTION_AVAIL */, 0, (long)&(unsigned){0x7fff0000}, 0},
        {"memfd_create", SYS_memfd_create, (long)"x", 0, 0, 0},
        {"pidfd_open", SYS_pidfd_open, getpid(), 0, 0, 0},
        {"ptrace", SYS_ptrace, 0 /* TRACEME */, 0, 0, 0},
        {"mbind", SYS_get_mempolicy, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strcmp(table[i].name, name) == 0)
            return syscall(table[i].nr, table[i].a, table[i].b, table[i].c, table[i].d, 0);
    exit(2);
}

static int print_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *e;
    while (dir && (e = readdir(dir)))
        if (e->d_name[0] != '.' && atoi(e->d_name) != dirfd(dir))
            printf("%s ", e->d_name);
    puts("");
    return 0;
}

static int eat(size_t bytes) {
    volatile char *p = malloc(bytes);
    for (size_t i = 0; p && i < bytes; i += 4096)
        p[i] = 1;
    puts(p ? "full" : "refused");
    return 0;
}

static int fork_many(int n) {
    int made = 0;
    pid_t pid = 0;
    while (made < n && (pid = fork()) > 0)
        made++;
    if (pid == 0) {
        pause();
        _exit(0);
    }
    printf("%d\n", made);
    fflush(stdout);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    return 0;
}

static int burn(int n, int ms) {
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < n; i++)
        if (fork() == 0)
            for (;;) {
                clock_gettime(CLOCK_MONOTONIC, &now);
                if ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 >
                    ms)
                    _exit(0);
            }
    while (wait(NULL) > 0)
        ;
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    printf("%ld\n", (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
                        (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "call") == 0) {
        long r = make_call(argv[2]);
        puts(r >= 0 ? "ok" : strerrorname_np(errno));
        return 0;
    }
    if (argc == 2 && strcmp(argv[1], "fds") == 0)
        return print_fds();
    if (argc == 3 && strcmp(argv[1], "eat") == 0)
        return eat((size_t)atoi(argv[2]) << 20);
    if (argc == 3 && strcmp(argv[1], "fork") == 0)
        return fork_many(atoi(argv[2]));
    if (argc == 4 && strcmp(argv[1], "burn") == 0)
        return burn(atoi(argv[2]), atoi(argv[3]));
    return 2;
}
