#!/bin/bash
# tests/desktop.sh - the image 'desktop': what docs/image.md promises, seen from inside and outside
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host desktop

ok "the image builds" phoenix image build desktop || {
    echo "Bail out! no image 'desktop'"
    exit 1
}
file=$pxt_dir/lab.yaml
cat >"$file" <<'END'
defaults: {image: desktop}
desktops:
  - {name: pxt-a, user: alice, keyboard: de(nodeadkeys), display: {width: 1366, height: 768}}
  - {name: pxt-b, jupyter: false}
END
ok "up waits until the desktops are painted" phoenix up "$file"
inside() { phoenix exec pxt-a -- "$@" </dev/null; }
session() { inside /usr/lib/phoenix/session-env "$@"; }
fact() { phoenix show --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin)['desktops'][0]; print(d$2)"; }
windows() { session xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l; }

is "systemd is content" "$(inside systemctl is-system-running --wait)" running
is "the session runs as the desktop's user" "$(inside ps -o user= -C xfce4-session)" alice
is "who may become root" "$(inside sudo -n id -un)" root
is "the screen has the size asked for" "$(session xrandr | grep -o 'current [0-9]* x [0-9]*')" "current 1366 x 768"
is "the keyboard has the layout" "$(session setxkbmap -query | awk '/layout|variant/ {print $2}' | xargs)" "de nodeadkeys"
ok "the X server listens on no network" inside sh -c '! ss -Hlnx | grep -q @/tmp/.X11 && ! ss -Hlnt | grep -q :60'

# What a person sees.
colours='import struct, sys, zlib
d, at, idat = sys.stdin.buffer.read(), 8, b""
while at < len(d):
    n, kind = struct.unpack(">I4s", d[at:at + 8])
    if kind == b"IHDR": w, h, depth, colour = struct.unpack(">IIBB", d[at + 8:at + 18])
    if kind == b"IDAT": idat += d[at + 8:at + 8 + n]
    at += 12 + n
raw = zlib.decompress(idat)
print(w, h, "many" if len(set(raw)) > 100 else "few")'
is "the screenshot shows a picture" "$(phoenix screenshot pxt-a -o - </dev/null | python3 -c "$colours")" "1366 768 many"
sleep 3
is "nothing but panel and desktop is open: no questions, no errors" "$(windows)" 2
is "a new mode is there at once" "$(session sh -c '
    xrandr --newmode 1001x603 60 1001 1100 1200 1400 603 606 611 643 &&
    xrandr --addmode DUMMY0 1001x603 && xrandr --output DUMMY0 --mode 1001x603 &&
    xrandr | grep -o "current [0-9]* x [0-9]*"')" "current 1001 x 603"
is "sound has somewhere to go" "$(session pactl get-default-sink)" auto_null
has "the browser works in its sandbox" \
    "$(session timeout 60 chromium --headless --dump-dom 'data:text/html,<p>hello' 2>/dev/null)" "<p>hello</p>"
lacks "and is never told to go without" "$(inside sh -c 'cat /etc/chromium.d/*')" no-sandbox

# JupyterLab.
address=$(fact pxt-a '["address"]')
token=$(cat "$pxt_state"/desktops/pxt-a/etc/jupyter-token)
http() { curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 10 "$@"; }
is "Jupyter answers who has the token" "$(http -H "Authorization: token $token" "http://$address:8888/api/status")" 200
is "and nobody else" "$(http "http://$address:8888/api/status")" 403
lacks "no process shows the token" "$(inside ps axeww -o args)" "$token"
is "only the user may read it" "$(inside stat -L -c '%u %a' /etc/phoenix/desktop/jupyter-token)" "1000 400"
# shellcheck disable=SC2016
has "a notebook computes" "$(inside sh -c '
    cd && printf "%s" "{\"cells\": [{\"cell_type\": \"code\", \"metadata\": {}, \"outputs\": [],
      \"execution_count\": null, \"source\": \"import numpy, scipy, pandas, matplotlib\\nprint(6 * numpy.int64(7))\"}],
      \"metadata\": {}, \"nbformat\": 4, \"nbformat_minor\": 4}" >t.ipynb &&
    /opt/jupyter/bin/jupyter execute --inplace t.ipynb 2>/dev/null && cat t.ipynb')" '42\n'
is "where it is not wanted it is not there" \
    "$(phoenix exec pxt-b -- systemctl is-active phoenix-jupyter </dev/null)" inactive

# Sessions come back.
marker=/run/phoenix-session/painted
renewed() { # COMMAND...: ends the session; whether a new one paints
    inside sudo touch -d 1990-01-01 $marker
    "$@" >/dev/null 2>&1
    wait_for 30 inside sh -c "test \$(stat -c %Y $marker) -gt 700000000"
}
ok "logging out starts a fresh session" renewed session xfce4-session-logout --logout
ok "so does the end of the X server" renewed inside sudo pkill Xorg
is "and systemd stays content" "$(inside systemctl is-system-running --wait)" running
done_testing
