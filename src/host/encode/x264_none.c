/* src/host/encode/x264_none.c - built without libx264: H.264 only by a card */
#include "host/encode/encoder.h"

const struct px_encoder_ops px_encoders_x264[] = {{0}};
