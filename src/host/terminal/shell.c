/* src/host/terminal/shell.c - a login shell of the desktop's user on a terminal of its own */
#include "host/terminal/shell.h"
#include "base/alloc.h"
#include "base/buf.h"
#include <fcntl.h>
#include <pty.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SIDE_MAX 1000

void px_shell_set_size(int fd, unsigned rows, unsigned cols) {
    const struct winsize w = {.ws_row = (unsigned short)(rows > SIDE_MAX ? SIDE_MAX : rows),
                              .ws_col = (unsigned short)(cols > SIDE_MAX ? SIDE_MAX : cols)};
    ioctl(fd, TIOCSWINSZ, &w);
}

/* In the child; only what is safe there. */
static void exec_shell(const char *shell, const char *home, char *argv0, char **env) {
    char *argv[] = {argv0, NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int i = 1; i < 32; i++)
        signal(i, SIG_DFL);
    if (chdir(home) < 0 && chdir("/") < 0)
        _exit(126);
    execve(shell, argv, env);
    _exit(127);
}

static char **shell_env(const struct passwd *pw, struct px_buf names[], size_t n) {
    static const char *const kept[] = {"DISPLAY", "XAUTHORITY",      "LANG",
                                       "PATH",    "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"};
    char **env = px_new0(char *, n);
    size_t used = 0;
    px_buf_printf(&names[used], "TERM=xterm-256color");
    px_buf_printf(&names[++used], "HOME=%s", pw->pw_dir);
    px_buf_printf(&names[++used], "USER=%s", pw->pw_name);
    px_buf_printf(&names[++used], "LOGNAME=%s", pw->pw_name);
    px_buf_printf(&names[++used], "SHELL=%s", pw->pw_shell);
    for (size_t i = 0; i < PX_N_ELEMENTS(kept); i++) {
        const char *v = getenv(kept[i]);
        if (v)
            px_buf_printf(&names[++used], "%s=%s", kept[i], v);
    }
    for (size_t i = 0; i <= used; i++)
        env[i] = names[i].data;
    return env;
}

pid_t px_shell_start(unsigned rows, unsigned cols, int *fd, struct px_error *err) {
    const struct passwd *pw = getpwuid(getuid());
    if (!pw || !*pw->pw_shell)
        return px_fail(err, -ENOENT, "the desktop's user has no shell");
    struct px_buf names[16] = {0};
    px_cleanup_free char **env = shell_env(pw, names, 16);
    px_cleanup_free char *shell = px_strdup(pw->pw_shell), *home = px_strdup(pw->pw_dir);
    const char *base = strrchr(shell, '/');
    px_cleanup_free char *argv0 = px_asprintf("-%s", base ? base + 1 : shell); /* a login shell */
    const pid_t pid = forkpty(fd, NULL, NULL, NULL);
    if (pid == 0)
        exec_shell(shell, home, argv0, env);
    const int e = errno;
    for (size_t i = 0; i < 16; i++)
        px_buf_fini(&names[i]);
    if (pid < 0)
        return px_fail_sys(err, -e, "cannot start a shell");
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
    px_shell_set_size(*fd, rows, cols);
    return pid;
}

size_t px_utf8_whole(const char *text, size_t size) {
    for (size_t back = 1; back <= 3 && back <= size; back++) {
        const unsigned char c = (unsigned char)text[size - back];
        if (c < 0x80)
            break;
        if (c >= 0xc0) { /* begins one: is it all here? */
            const size_t need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
            return need > back ? size - back : size;
        }
    }
    return size;
}
