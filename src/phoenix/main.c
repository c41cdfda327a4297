/* src/phoenix/main.c */
#include "phoenix/cli.h"
#include <locale.h>
#include <sys/stat.h>

int main(int argc, char **argv) {
    /* Modes are chosen file by file; a stricter umask of root's would lock containers out of their
     * own. */
    umask(022);
    /* For the widths of characters only: the program's words and numbers are the same everywhere.
     */
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        setlocale(LC_CTYPE, "");
    return px_cli_main(&px_program, argc, argv);
}
