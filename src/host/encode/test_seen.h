/* src/host/encode/test_seen.h - what an encoder put out, given to a client's decoder
 *
 * For tests of encoders: it asserts. */
#pragma once
#include "host/encode/encoder.h"
#include "session/decoder.h"

/* @data, lent for the call: one packet of @codec that @d has to take. */
void px_test_decode(struct px_decoder *d, enum px_codec codec, const uint8_t *data, size_t size,
                    bool key);
