/* src/host/options.h - what a client wants of its session, put together from its option messages
 * Pure. A message changes only what it sets. */
#pragma once
#include "host/choice.h"
#include "host/encode/encoder.h"
#include "host/video.h"
#include "proto/session.h"

struct px_options {
    unsigned can;      /* a bit per enum px_codec */
    unsigned can_i444; /* likewise, in 4:4:4 */
    enum px_prefer_codec prefer;
    bool want_i444;
    unsigned quality_percent; /* 100 is what the official host calls 1.0 */
    unsigned fps;             /* at most; 0: not said */
    bool no_audio, no_clipboard, no_input, show_cursor, lock_at_end;
    bool show_mine;                    /* its own pointer, though its input does nothing */
    bool follow_cursor, follow_window; /* the client shows the display where that is */
    bool terminal_persistent, recording, copy_files;
};

/* Before any message: VP9 only, balanced. */
void px_options_init(struct px_options *o);
void px_options_merge(struct px_options *o, const Pxs__OptionMessage *m);

/* The codec for this client: its preference if both can, else the quickest that both can. */
void px_options_codec(const struct px_options *o, const struct px_encoders *able,
                      const struct px_situation *now, struct px_choice *ret);
/* Everything a stream of @codec needs but the rate. */
void px_options_stream(const struct px_options *o, enum px_codec codec,
                       struct px_vstream_opts *ret);
/* kbit/s that this client's quality is usually worth at @width x @height. @ret_frugal: and no more
 * is wanted, however much the line takes (less than balanced quality). */
unsigned px_options_rate(const struct px_options *o, int width, int height, bool *ret_frugal);
