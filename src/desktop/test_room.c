/* src/desktop/test_room.c - in a user namespace of its own, which has a limit of its own */
#include "base/test.h"
#include "desktop/room.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT "5"
#define CANNOT 99

/* In a child. */
static int left_under_a_limit(void) {
    if (unshare(CLONE_NEWUSER) < 0)
        return CANNOT;
    const int fd = open("/proc/sys/user/max_inotify_instances", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, LIMIT, 1) != 1)
        return CANNOT;
    close(fd);
    return px_inotify_left(3) == 3 ? (int)px_inotify_left(13) : 0;
}

static void instances_are_counted_up_to_the_limit(void **state) {
    int status = 0;
    const pid_t pid = fork();
    if (pid == 0)
        _exit(left_under_a_limit());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CANNOT)
        skip(); /* no user namespaces here */
    assert_int_equal(WEXITSTATUS(status), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(instances_are_counted_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
