/* src/base/fuzz_main.c - runs a fuzz target over the files of its corpus, as a plain test */
#include "base/cleanup.h"
#include "base/file.h"
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(int dir_fd, const char *name) {
    px_cleanup_free char *text = NULL;
    size_t size = 0;
    struct px_error err = {0};
    if (px_file_read(dir_fd, name, 64 * 1024 * 1024, &text, &size, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return -1;
    }
    /* An exact copy, so that the sanitizer sees one byte too many. */
    px_cleanup_free uint8_t *data = malloc(size ? size : 1);
    memcpy(data, text, size);
    LLVMFuzzerTestOneInput(data, size);
    return 0;
}

int main(int argc, char **argv) {
    int n = 0;
    for (int i = 1; i < argc; i++) {
        px_cleanup_closedir DIR *dir = opendir(argv[i]);
        if (!dir) {
            fprintf(stderr, "no corpus '%s'\n", argv[i]);
            return 1;
        }
        const struct dirent *e;
        while ((e = readdir(dir)))
            if (e->d_name[0] != '.') {
                if (run_file(dirfd(dir), e->d_name) < 0)
                    return 1;
                n++;
            }
    }
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("%d inputs\n", n);
    return n > 0 ? 0 : 1;
}
