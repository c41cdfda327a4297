/* src/host/audio/audio.h - the desktop's sound, as Opus packets
 *
 * Records the default sink's monitor while some session listens; nothing runs otherwise, and
 * nothing is sent in silence. 48 kHz stereo, 10 ms a packet. Its PulseAudio connection has a thread
 * of its own; everything declared here runs on the loop. */
#pragma once
#include "base/error.h"

struct px_host;
struct px_session;
struct px_audio;

struct px_audio *px_audio_new(struct px_host *h);
void px_audio_update(struct px_audio *a); /* who listens has changed */
void px_audio_send_format(struct px_session *s);
void px_audio_close(struct px_audio *a);
