/* src/image/dev.c - drives the image engine without the command line, for its developers and tests
 *
 *     px-image-dev build STATE RECIPES RECIPE [locked|newest]
 *     px-image-dev lock STATE RECIPES RECIPE
 *     px-image-dev rm STATE IMAGE
 *     px-image-dev gc STATE [pool]
 *     px-image-dev text TREE             the text that a layer's digest is made of */
#include "image/build.h"
#include "image/digest.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void on_progress(void *data, const struct px_image_progress *p) {
    fprintf(stderr, "%3.0f%% %s: %s %s\n", p->fraction * 100, p->recipe, p->stage, p->item);
}

static void on_log(void *data, const char *path) {
    fprintf(stderr, "log %s\n", path);
}

static int text(const char *tree, struct px_error *err) {
    struct px_tree_digest d;
    int r = px_tree_digest(tree, 0, STDOUT_FILENO, &d, err);
    if (r == 0)
        fprintf(stderr, "%s\n", d.digest);
    return r;
}

static int build(int argc, char **argv, struct px_error *err) {
    px_cleanup(px_image_freep) struct px_image *image = NULL;
    struct px_image_opts opts = {.state_dir = argv[2],
                                 .recipes_dir = argv[3],
                                 .recipe = argv[4],
                                 .on_progress = on_progress,
                                 .on_log = on_log};
    if (argc > 5)
        opts.lock = strcmp(argv[5], "locked") == 0 ? PX_LOCK_REQUIRE : PX_LOCK_IGNORE;
    unsigned changed = 0;
    if (strcmp(argv[1], "lock") == 0) {
        int r = px_image_lock(&opts, &changed, err);
        if (r == 0)
            printf("%u changed\n", changed);
        return r;
    }
    int r = px_image_build(&opts, &image, err);
    if (r == 0)
        printf("%s %s %zu %" PRIu64 "\n", image->name, image->digest, image->n_layers,
               image->size_bytes);
    return r;
}

static int clean(int argc, char **argv, struct px_error *err) {
    struct px_image_gc got = {0};
    int r = strcmp(argv[1], "rm") == 0 ? px_image_rm(argv[2], argv[3], NULL, 0, &got, err)
                                       : px_image_gc(argv[2], NULL, 0, argc > 3, &got, err);
    printf("%u images, %u layers, %" PRIu64 " bytes\n", got.n_images, got.n_layers, got.bytes);
    return r;
}

int main(int argc, char **argv) {
    struct px_error err = {0};
    int r = -EINVAL;
    if (argc == 3 && strcmp(argv[1], "text") == 0)
        r = text(argv[2], &err);
    else if ((argc == 4 && strcmp(argv[1], "rm") == 0) ||
             ((argc == 3 || argc == 4) && strcmp(argv[1], "gc") == 0))
        r = clean(argc, argv, &err);
    else if (argc >= 5 && (strcmp(argv[1], "build") == 0 || strcmp(argv[1], "lock") == 0))
        r = build(argc, argv, &err);
    else
        px_fail(&err, r, "usage: px-image-dev build|lock STATE RECIPES RECIPE | text TREE");
    if (r < 0)
        fprintf(stderr, "px-image-dev: %s%s%s\n", err.msg, err.hint[0] ? ", hint: " : "", err.hint);
    return r < 0 ? 1 : 0;
}
