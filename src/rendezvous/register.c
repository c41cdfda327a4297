/* src/rendezvous/register.c - what datagrams and streams have in common */
#include "rendezvous/idserver_private.h"
#include <string.h>

bool register_peer(struct px_id_worker *w, const struct px_rdv_register_pk *msg,
                   const struct px_peer_where *from, enum px_register_pk_result *ret) {
    struct px_idserver *s = w->server;
    const int64_t now = now_us(w);
    if (msg->uuid.size == 0 || msg->uuid.size > PX_PEER_UUID_MAX_BYTES ||
        msg->pk.size != PX_PEER_PK_BYTES)
        return false;
    count(w, PX_ID_REGISTERS);
    if (msg->id.size < 6) /* makes the client draw a new one */
        *ret = PX_PK_UUID_MISMATCH;
    else if (!px_peer_id_valid(msg->id))
        *ret = PX_PK_INVALID_ID_FORMAT;
    else if (!px_sources_may_register(s->opts.sources, &from->addr,
                                      px_peers_hash(s->peers, msg->id), now))
        *ret = PX_PK_TOO_FREQUENT;
    else
        *ret = px_peers_register(s->peers, msg, from, now);
    if (*ret != PX_PK_OK)
        count(w, PX_ID_REGISTERS_REFUSED);
    return true;
}

/* Always as long as the number of IDs asks for: clients index it without a check. */
size_t online_states(struct px_id_worker *w, const struct px_rdv_online_request *msg, uint8_t *out,
                     size_t cap) {
    const size_t size = (msg->peers.n + 7) / 8;
    struct px_bytes id;
    size_t pos = 0;
    if (size > cap)
        return 0;
    memset(out, 0, size);
    for (size_t i = 0; px_rdv_list_next(&msg->peers, &pos, &id); i++)
        if (id.size <= PX_PEER_ID_MAX_BYTES && px_peers_online(w->server->peers, id, now_us(w)))
            out[i / 8] |= (uint8_t)(0x80 >> (i % 8));
    count(w, PX_ID_ONLINE_QUERIES);
    return size;
}
