#!/bin/bash
# packaging/up.sh PHOENIX FILE - `make up`: the image where it is missing, then the desktops
set -eu
phoenix=$1 file=$2
"$phoenix" image show desktop >/dev/null 2>&1 || {
    echo "no image 'desktop' yet: it is built now, which takes some five minutes, once" >&2
    "$phoenix" image build desktop
}
"$phoenix" up "$file"
command -v phoenix >/dev/null || echo "
phoenix is $phoenix here; \`make install\` puts it into the PATH"
