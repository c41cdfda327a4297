/* src/host/stats.h - how long the stages of a picture take, as histograms
 * Pure; loop thread. */
#pragma once
#include "base/buf.h"
#include "base/histogram.h"
#include "host/encode/encoder.h"
#include "host/video.h"
#include <stdint.h>

enum px_stage {
    PX_STAGE_WAIT, /* the screen changed; nobody had room, or the frame rate's turn had not come */
    PX_STAGE_GRAB, /* pixels from the X server */
    PX_STAGE_CONVERT, /* to Y, U, V */
    PX_STAGE_ENCODE,
    PX_STAGE_SEND, /* until the kernel has all of it and next to nothing unsent; for each viewer */
    PX_STAGE_ACK,  /* until the client says that it came, where clients do */
};
#define PX_N_STAGES 6

struct px_stats {
    struct px_histogram stages[PX_N_CODECS][PX_N_STAGES];
    uint64_t packets[PX_N_CODECS], keys[PX_N_CODECS], bytes[PX_N_CODECS];
};

void px_stats_packet(struct px_stats *s, const struct px_video_packet *p);
void px_stats_stage(struct px_stats *s, enum px_codec codec, enum px_stage stage, int64_t us);
/* In Prometheus' text form; codecs that were not used are left out. */
void px_stats_print(const struct px_stats *s, struct px_buf *out);
