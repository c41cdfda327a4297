/* src/gpu/probe/codec_absent.c - built without NVIDIA's codec headers (ffnvcodec) */
#include "gpu/probe/probe.h"

void probe_codec(struct probe *p, int card) {
    probe_note(p, PROBE_SKIP, "nvenc", "this probe was built without the codec headers");
}
