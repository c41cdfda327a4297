/* src/host/absent.c - what this host does not do yet, declined where a client asks for it */
#include "host/audio/audio.h"
#include "host/clipboard/xclip.h"
#include "host/files/files.h"
#include "host/terminal/terminal.h"

struct px_audio *px_audio_new(struct px_host *h) {
    return NULL; /* clients are told that there is no sound */
}
void px_audio_update(struct px_audio *a) {
}
void px_audio_send_format(struct px_session *s) {
}
void px_audio_close(struct px_audio *a) {
}
struct px_xclip *px_xclip_new(struct px_host *h) {
    return NULL;
}
void px_xclip_free(struct px_xclip *c) {
}
void px_xclip_start(struct px_xclip *c, struct px_xdisplay *d) {
}
void px_xclip_stop(struct px_xclip *c) {
}
bool px_xclip_event(struct px_xclip *c, const xcb_generic_event_t *e) {
    return false;
}
void px_xclip_from_client(struct px_xclip *c, struct px_session *from, Pxs__Clipboard *const *items,
                          size_t n) {
}
struct px_files *px_files_new(struct px_session *s) {
    return NULL;
}
void px_files_message(struct px_files *f, const Pxs__Message *m) {
}
void px_files_dry(struct px_files *f) {
}
void px_files_tick(struct px_files *f) {
}
void px_files_free(struct px_files *f) {
}
struct px_terminals *px_terminals_new(struct px_host *h) {
    return NULL;
}
void px_terminals_attach(struct px_terminals *t, struct px_session *s) {
}
void px_terminals_message(struct px_terminals *t, struct px_session *s, const Pxs__Message *m) {
}
void px_terminals_dry(struct px_terminals *t, struct px_session *s) {
}
void px_terminals_detach(struct px_terminals *t, struct px_session *s) {
}
void px_terminals_close(struct px_terminals *t) {
}
