/* src/gpu/fuzz_cdi.c - what is read from a CDI file are paths that go nowhere else */
#include "gpu/cdi_read.h"
#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool goes_up(const char *path) {
    const size_t n = strlen(path);
    return strstr(path, "/../") || (n >= 3 && strcmp(path + n - 3, "/..") == 0);
}

static void check(const struct px_cdi_edits *e) {
    for (size_t i = 0; i < e->n_nodes; i++)
        assert(strncmp(e->nodes[i], "/dev/", 5) == 0 && !goes_up(e->nodes[i]));
    for (size_t i = 0; i < e->n_mounts; i++)
        assert(e->mounts[i][0] == '/' && !goes_up(e->mounts[i]) &&
               !strpbrk(e->mounts[i], "\n\x1b"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    px_cleanup(px_cdi_freep) struct px_cdi *cdi = NULL;
    static struct px_gpu_host host;
    static struct px_gpu_nodes nodes;
    struct px_error err = {0};
    if (px_cdi_parse("f", (const char *)data, size, &cdi, &err) < 0) {
        assert(err.msg[0] && !strchr(err.msg, '\n') && !cdi);
        return 0;
    }
    check(&cdi->common);
    for (size_t i = 0; i < cdi->n_devices; i++)
        check(&cdi->devices[i].edits);
    host = (struct px_gpu_host){.n_cards = 1};
    host.cards[0] = (struct px_gpu_card){.minor = 0, .uuid = "GPU-3fe65279"};
    struct px_gpu_grants grants = {.n = 1, .items = {{.uuid = "GPU-3fe65279"}}};
    if (px_cdi_nodes(cdi, &host, &grants, size % 2, &nodes, NULL) == 0)
        assert(nodes.n <= PX_GPU_NODES_MAX);
    return 0;
}
