/* bench/peer_rfb_none.c - built without libvncclient: no VNC servers are measured */
#include "peer.h"

const struct px_peer_ops *const px_peer_rfb = NULL;
