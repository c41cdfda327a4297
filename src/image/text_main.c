/* src/image/text_main.c - px-image-text TREE: the text that a layer's digest is made of
 *
 * For finding out why two builds differ: diff the texts of their layers. Not installed. */
#include "image/digest.h"
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct px_error err = {0};
    struct px_tree_digest got;
    if (argc != 2) {
        fprintf(stderr, "usage: px-image-text TREE\n");
        return 2;
    }
    if (px_tree_digest(argv[1], 0, STDOUT_FILENO, &got, &err) < 0) {
        fprintf(stderr, "px-image-text: %s\n", err.msg);
        return 1;
    }
    fprintf(stderr, "%s\n", got.digest);
    return 0;
}
