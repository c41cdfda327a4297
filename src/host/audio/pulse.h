/* src/host/audio/pulse.h - what the default sink plays, as 48 kHz stereo samples
 *
 * Works with PulseAudio and with PipeWire's stand-in for it. The library has a thread of its own,
 * on which on_samples is called. Reconnects by itself when the sound server restarts. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define PX_AUDIO_RATE 48000
#define PX_AUDIO_CHANNELS 2

struct px_pulse;

/* Records until closed. @samples: @n frames of two signed 16-bit values, lent. */
struct px_pulse *px_pulse_open(void (*on_samples)(void *data, const int16_t *samples, size_t n),
                               void *data);
void px_pulse_close(struct px_pulse *p); /* no callback afterwards */
/* -ENOTCONN: there is no sound server now; it is tried again once per call. */
int px_pulse_check(struct px_pulse *p);
