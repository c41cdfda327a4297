/* src/host/clipboard/xclip_private.h - what xclip.c (reading, owning) and serve.c share */
#pragma once
#include "host/clipboard/cliprdr.h"
#include "host/clipboard/content.h"
#include "host/clipboard/xclip.h"

#define PX_XCLIP_SENDING_MAX 16
#define PX_XCLIP_WAITING_MAX 16

enum px_xclip_atom {
    PX_ATOM_CLIPBOARD,
    PX_ATOM_TARGETS,
    PX_ATOM_INCR,
    PX_ATOM_PROPERTY,
    PX_ATOM_UTF8,
    PX_ATOM_TEXT_PLAIN,
    PX_ATOM_HTML,
    PX_ATOM_RTF,
    PX_ATOM_RTF_APP,
    PX_ATOM_PNG,
    PX_ATOM_SVG,
    PX_ATOM_STRING,
    PX_ATOM_URI_LIST,
    PX_ATOM_GNOME_FILES,
    PX_N_ATOMS
};

/* Which target brings or gets which form; the first that an owner offers is asked for. */
struct px_xclip_target {
    enum px_xclip_atom atom;
    enum px_content_form form;
};
#define PX_XCLIP_N_TARGETS 9
extern const struct px_xclip_target px_xclip_targets[PX_XCLIP_N_TARGETS];

/* One program that takes a large content piece by piece. */
struct px_xclip_sending {
    xcb_window_t to;
    xcb_atom_t property, target;
    struct px_buf data;
    size_t at;
};

struct px_xclip {
    struct px_host *host;
    struct px_xdisplay *d; /* NULL: no server */
    xcb_window_t window;
    xcb_atom_t atoms[PX_N_ATOMS];
    struct px_cliprdr *files;
    struct px_content ours; /* what we offer */
    bool owner;
    bool offers_files; /* of a client, instead of @ours */
    /* being read from another program */
    struct px_content theirs;
    unsigned wanted; /* a bit per form still to be asked for */
    enum px_content_form reading;
    xcb_atom_t targets_of[PX_N_FORMS];
    bool busy, incremental;
    struct px_xclip_sending sending[PX_XCLIP_SENDING_MAX];
    unsigned oldest_sending;
    /* programs that wait for files to arrive */
    xcb_selection_request_event_t waiting[PX_XCLIP_WAITING_MAX];
    size_t n_waiting;
};

/* serve.c */
void px_xclip_end_sending(struct px_xclip_sending *s);
void px_xclip_on_request(struct px_xclip *c, const xcb_selection_request_event_t *q);
/* A piece was taken: the next one. */
void px_xclip_on_taken(struct px_xclip *c, const xcb_property_notify_event_t *e);
/* The files for which programs wait are here, or will not come. */
void px_xclip_answer_waiting(struct px_xclip *c);
