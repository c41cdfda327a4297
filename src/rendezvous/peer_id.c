/* src/rendezvous/peer_id.c - which IDs are fit to be registered */
#include "rendezvous/peers.h"
#include <string.h>

#define ID_MIN_BYTES 6

bool px_peer_id_valid(struct px_bytes id) {
    if (id.size < ID_MIN_BYTES || id.size > PX_PEER_ID_MAX_BYTES)
        return false;
    for (size_t i = 0; i < id.size; i++)
        if (id.data[i] <= ' ' || id.data[i] == 0x7f || strchr("\"<>/\\|?*", id.data[i]))
            return false;
    return true;
}

bool px_peer_id_chosen_valid(struct px_bytes id) {
    if (id.size < 6 || id.size > 16)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        const uint8_t c = id.data[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '_' || c == '-')))
            return false;
    }
    return true;
}
