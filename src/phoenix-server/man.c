/* src/phoenix-server/man.c - the manual page, with options and commands from the program's tables
 */
#include "base/file.h"
#include "phoenix-server/admin.h"
#include "phoenix-server/server.h"
#include <stdio.h>
#include <string.h>

#define PAGE_MAX_BYTES (1024u * 1024)

static void print_options(void) {
    for (size_t i = 0; i < px_n_options; i++) {
        const struct px_option *o = &px_options[i];
        printf(".It ");
        if (o->letter)
            printf("Fl %c , ", o->letter);
        printf("Fl -%s Ns = Ns Ar %s\n%s.\n", o->name, o->value, o->help);
        if (o->fallback[0])
            printf("Default: %s.\n", o->fallback);
    }
}

static void print_line(const char *line) {
    if (strcmp(line, "@OPTIONS@") == 0)
        print_options();
    else if (strcmp(line, "@COMMANDS@") == 0)
        admin_print_man(stdout);
    else
        printf("%s\n", line);
}

int man_main(const char *path) {
    px_cleanup_free char *text = NULL;
    struct px_error err = {0};
    if (px_file_read(AT_FDCWD, path, PAGE_MAX_BYTES, &text, NULL, &err) < 0) {
        fprintf(stderr, "phoenix-server: %s\n", err.msg);
        return 1;
    }
    for (char *next = text, *line; (line = strsep(&next, "\n")) && (*line || next);)
        print_line(line);
    return 0;
}
