/* src/host/encode/av.h - libavcodec, opened by who needs it
 *
 * It brings a hundred libraries along, which take 2.5 MB of each process that only might need them:
 * so it is not linked. Which one it is was settled by the headers at build time. Any thread. */
#pragma once
#include "base/error.h"
#include <libavcodec/avcodec.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>
#include <stdbool.h>

#define PX_AV_FUNCTIONS(X)                                                                         \
    X(av_frame_alloc)                                                                              \
    X(av_frame_free)                                                                               \
    X(av_log_get_level)                                                                            \
    X(av_log_set_level)                                                                            \
    X(av_new_packet)                                                                               \
    X(av_opt_set)                                                                                  \
    X(av_packet_alloc)                                                                             \
    X(av_packet_free)                                                                              \
    X(av_packet_get_side_data)                                                                     \
    X(av_packet_unref)                                                                             \
    X(av_strerror)                                                                                 \
    X(avcodec_alloc_context3)                                                                      \
    X(avcodec_find_decoder)                                                                        \
    X(avcodec_find_decoder_by_name)                                                                \
    X(avcodec_find_encoder_by_name)                                                                \
    X(avcodec_free_context)                                                                        \
    X(avcodec_open2)                                                                               \
    X(avcodec_receive_frame)                                                                       \
    X(avcodec_receive_packet)                                                                      \
    X(avcodec_send_frame)                                                                          \
    X(avcodec_send_packet)

/* Its functions, by their names. */
struct px_av {
    void *handle; /* NULL: not open */
#define PX_AV_MEMBER(name) __typeof__(name) *name;
    PX_AV_FUNCTIONS(PX_AV_MEMBER)
#undef PX_AV_MEMBER
};

/* Each that opens it closes it, and with the last it goes, but for 40 kB that some of its libraries
 * forget. @stay: it does not, for who may come any number of times. -ENOTSUP: it is not there. */
int px_av_open(bool stay, struct px_av *ret, struct px_error *err);
void px_av_close(struct px_av *av); /* may be zeroed */
/* The file that px_av_open() opens; the caller frees it. */
int px_av_find(char **ret, struct px_error *err);

/* What an error of its means, in words. */
const char *px_av_reason(const struct px_av *av, int error, char ret[AV_ERROR_MAX_STRING_SIZE]);
