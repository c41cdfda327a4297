/* src/host/absent.c - what this host does not do yet, declined where a client asks for it */
#include "host/audio/audio.h"
#include <stddef.h>

struct px_audio *px_audio_new(struct px_host *h) {
    return NULL; /* clients are told that there is no sound */
}

void px_audio_update(struct px_audio *a) {
}

void px_audio_send_format(struct px_session *s) {
}

void px_audio_close(struct px_audio *a) {
}
