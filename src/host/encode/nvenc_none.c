/* src/host/encode/nvenc_none.c - built without NVIDIA's headers */
#include "host/encode/card.h"
#include "host/encode/encoder.h"

const struct px_encoder_ops px_encoders_nvenc[] = {{0}};

struct px_cards *px_cards_new(void) {
    return NULL;
}

void px_cards_free(struct px_cards *c) {
}

int px_cards_warm(struct px_cards *c, struct px_error *err) {
    return px_fail(err, -ENODEV, "built without NVIDIA's headers");
}

void px_cards_rest(struct px_cards *c) {
}
