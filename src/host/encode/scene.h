/* src/host/encode/scene.h - pictures of a made-up desktop, to measure encoders with
 *
 * Text as dense as an editor's covers it. Each step changes it as one kind of use does, and tells
 * where. The same numbers give the same pictures. Pure. */
#pragma once
#include "host/capture/picture.h"
#include "host/capture/region.h"

enum px_scene_kind {
    PX_SCENE_TYPING, /* a letter */
    PX_SCENE_DRAG,   /* a window of a tenth of the screen that moves */
    PX_SCENE_SCROLL, /* text over all of the screen, a line up */
    PX_SCENE_VIDEO,  /* a film over all of the screen: glides by parts of pixels, with grain */
};
#define PX_N_SCENES 4
extern const char *const px_scene_names[PX_N_SCENES];

struct px_scene {
    struct px_picture picture;
    unsigned line, letter, picture_no; /* scrolled, typed, of the film */
    struct px_rect window;
};

/* @width and @height: even, at least 64. */
void px_scene_init(struct px_scene *s, int width, int height);
void px_scene_fini(struct px_scene *s);
/* The next picture; *ret: what differs from the last. */
void px_scene_step(struct px_scene *s, enum px_scene_kind content, struct px_region *ret);
