#!/bin/bash
# tests/server-asan.sh - the whole server under AddressSanitizer: hostile bytes, floods, slow peers
#
# The items of tests/server.sh that send what nobody should send, to the program of the sanitizer build.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/server.sh" "${PX_SANITIZED:-${PX_BUILD:-$here/../build}-asan}/src/phoenix-server/phoenix-server" \
    4 5 6 7 8 9 10 15 29 57 60 66 75 82 83 84 86 89 92 93 94 96 106 201 205 206 208 209 210 \
    211 212 213 214 216 217 218
