/* src/image/warm.h - the image's pages are read before a desktop reads them
 *
 * The kernel charges a page of the page cache to the memory cgroup of whoever reads it first, and
 * the desktops of one image share its pages: after a boot the first desktop would pay for all
 * (about 340 MB of the image `desktop`). So what a start reads is noted once, and read from then on
 * by processes in the root cgroup, ahead of the start, when it is not in the cache.
 *
 *     STATE/images/warm/sha256-<hex>     text: a line "LAYER FIRST COUNT PATH" per run of pages (of
 *                                        4 KiB) that were in the cache after a start
 *
 * Nothing here fails a start: without a list, or where it cannot be read, the kernel does as
 * always. Blocking. One thread. Source: mincore(2), readahead(2), the kernel's cgroup-v2.rst,
 * "Memory Ownership". */
#pragma once
#include "image/image.h"
#include <stdbool.h>

/* Before a start: reads what the list names, when a sample of it is not in the cache. Returns once
 * the reads are under way, which is when the pages have their owner; true: it was cold. With
 * everything in the cache this takes about 1 ms. */
bool px_warm_read(const char *state_dir, const struct px_image *image);

/* After a start: once per boot and image without a list, leaves a process behind that writes it
 * after @delay_ms, where between 1/200 and a third of the image is in the cache: more says that
 * somebody else read it (a build, a backup), less that the desktop is gone already. @run_dir holds
 * the mark of having tried. */
void px_warm_note(const char *state_dir, const char *run_dir, const struct px_image *image,
                  int delay_ms);

/* That process's work. Returns how many bytes of the image are in the cache. -EIO and others. */
int px_warm_write(const char *state_dir, const struct px_image *image, uint64_t *ret_bytes,
                  struct px_error *err);
