#!/bin/bash
# tests/desktop.sh - the image 'desktop': what docs/image.md promises, seen from inside and outside
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host desktop
sed -i 's/^server: .*/server: {port: 28416}/' "$PHOENIX_HOST_FILE"

ok "the image builds" phoenix image build desktop || {
    echo "Bail out! no image 'desktop'"
    exit 1
}
file=$pxt_dir/lab.yaml
printf 'desktops:\n  - {name: pxt-a, keyboard: "us,german"}\n' >"$file"
fails 2 "a keyboard layout that the image lacks is refused before anything is made" phoenix up "$file"
has "with its place and a hint" "$out" "lab.yaml:2: desktop 'pxt-a': keyboard: the image has no keyboard layout 'german' (hint: "
printf 'desktops:\n  - {name: pxt-a, timezone: Europe/Berln}\n' >"$file"
fails 2 "so is a time zone" phoenix up "$file"
has "by its name" "$out" "timezone: the image has no time zone 'Europe/Berln'"
cat >"$file" <<'END'
defaults: {image: desktop}
desktops:
  - {name: pxt-a, user: alice, keyboard: de(nodeadkeys), display: {width: 1366, height: 768}}
  - {name: pxt-b, jupyter: false}
END
"$PX_SOURCE/packaging/bundle-host.sh" "$PX_BUILD/src/phoenix-host/phoenix-host" "$PX_BUILD/desktop-bundle"
ok "up waits until the desktops are painted" phoenix up "$file" || {
    echo "Bail out! no desktops"
    exit 1
}
said=$out
remote() { phoenix connect --json pxt-a | python3 -c "import json,sys; print(json.load(sys.stdin)['desktops'][0]['rustdesk']['$1'])"; }
has "and says the ID and password to type into a client" "$said" "pxt-a    $(remote id)    $(remote password)"
has "the server" "$said" "ID server   $(remote server)"
has "and its key" "$said" "key         $(remote key)"
has "a link names the server, so that a client needs no settings" "$(remote link)" \
    "rustdesk://connection/new/$(remote id)@$(remote server)?key="
inside() { phoenix exec pxt-a -- "$@" </dev/null; }
session() { inside /usr/lib/phoenix/session-env "$@"; }
fact() { phoenix show --json "$1" | python3 -c "import json,sys; d=json.load(sys.stdin)['desktops'][0]; print(d$2)"; }
windows() { session xprop -root _NET_CLIENT_LIST | grep -o 0x | wc -l; }

is "show tells the ID, too" "$(fact pxt-a '["rustdesk_id"]')" "$(remote id)"
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
http() { curl -s -o /dev/null -w '%{http_code}' --noproxy '*' --max-time 60 "$@"; }
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

# Proof of all that from outside, and what a RustDesk client gets. What the outside of this machine
# does is not asked here: tests/verify.sh has one of its own.
found() { python3 -c "
import json, sys
for d in json.load(open(sys.argv[1]))['desktops']:
    for c in d['checks']:
        for f in c['findings']:
            if (d['name'], c['check']) == (sys.argv[2], sys.argv[3]): print(f['verdict'], f['text'])" "$pxt_dir/json" "$@"; }
checks=$(phoenix verify --list | awk 'NR > 1 {print $1}' | grep -vxE 'dns|internet' | paste -sd,)
session xrandr --output DUMMY0 --mode 1366x768
ok "the host takes sessions" wait_for 60 phoenix probe pxt-a
ok "verify finds nothing to mend" sh -c "phoenix verify --json --timeout 300 --only $checks >'$pxt_dir/json'"
has "the screen" "$(found pxt-a screen)" "ok 1366x768"
case $(phoenix connect --json pxt-a) in # what this machine is outside; nothing, where it is on no network
*127.0.0.1:*) has "the session, by ID" "$(found pxt-a remote)" "encrypted" ;;
*) has "the session, by ID and straight over the bridge" "$(found pxt-a remote)" "ok by ID, encrypted" ;;
esac
has "and through the relay" "$(found pxt-a relay)" "ok through the relay, encrypted"
has "clicks show" "$(found pxt-a latency)" "click to picture"
has "a file there and back" "$(found pxt-a files)" "ok 262144 bytes"
has "JupyterLab through a tunnel" "$(found pxt-a tunnel)" "ok to JupyterLab: HTTP/1"
has "Python computes" "$(found pxt-a python)" "ok right result on cpu-numpy"
has "and so does a notebook" "$(found pxt-a notebook)" "ok right result"
has "where there is no JupyterLab there is no tunnel to it" "$(found pxt-b tunnel)" "skip"
session sh -c 'setsid xfce4-terminal --geometry=90x20+40+40 >/dev/null 2>&1 &'
three_windows() { [ "$(windows)" -ge 3 ]; }
ok "a terminal opens" wait_for 60 three_windows
ok "what is typed through the server is run" wait_for 120 sh -c "
    phoenix probe pxt-a --type 'touch typed-by-a-client
' --seconds 1 --png '$pxt_dir/session.png' && phoenix exec pxt-a -- test -e typed-by-a-client"
is "and the picture is that of the screen" "$(python3 -c "$colours" <"$pxt_dir/session.png")" "1366 768 many"
remote password >"$pxt_dir/old-password"
with_old() { "$PX_BUILD/src/session/phoenix-probe" --server "$(remote server)" --key "$(remote key)" \
    --id "$(remote id)" --password-file "$pxt_dir/old-password"; }
ok "the password opens" with_old
ok "it can be changed" phoenix connect pxt-a --new-password
has "to one that connect tells from then on" "$out" "password    $(remote password)"
lacks "it is another one" "$out" "$(cat "$pxt_dir/old-password")"
old_is_refused() { ! with_old 2>"$pxt_dir/refused.out" && grep -q 'Wrong Password' "$pxt_dir/refused.out"; }
ok "the old one opens nothing any more" wait_for 60 old_is_refused
ok "the new one does" phoenix probe pxt-a
ok "a copied text goes both ways" phoenix probe pxt-a --clipboard
ok "a file is fetched" phoenix probe pxt-a --get /etc/hostname --into "$pxt_dir/hostname"
is "whole" "$(cat "$pxt_dir/hostname")" pxt-a
inside sh -c 'pkill xfce4-terminal; rm -f typed-by-a-client'

# A screen that could not be unlocked is not locked.
locks() { session /usr/lib/phoenix/lock-session "$@"; }
fails 1 "without a password the screen is not locked" locks
has "the reason is said" "$out" "no password"
phoenix exec -u root pxt-a -- sh -c 'echo alice:secret | chpasswd' </dev/null
fails 1 "without a locker neither" locks --check
has "which is said, too" "$out" "no screen locker"
session xfconf-query -c xfce4-session -p /general/LockCommand -n -t string -s 'touch locked-by-it'
ok "a locker of one's own counts" locks --check
ok "and is run" locks
ok "by the session" wait_for 20 inside test -e locked-by-it

# The remote key changes while somebody watches: no restart of anything.
remote() { sed -i "s#user: alice\(, remote: {[^}]*}\)\?#user: alice, remote: {$1}#" "$file" && phoenix up "$file"; }
began() { inside sudo journalctl -u phoenix-host -o cat | grep -c 'began: kind=desktop'; }
more_began() { [ "$(began)" -gt "$before" ]; }
refused() { ! phoenix probe pxt-a --get /etc/hostname --into "$pxt_dir/refused" >"$pxt_dir/refused.out" 2>&1; }
listens() { inside ss -Hlnt | awk '{print $4}' | grep :21118; }
silent() { ! listens; }
ended() { ! kill -0 $viewer 2>/dev/null; }
processes() { fact pxt-a '["init_pid"]' && inside systemctl show -p MainPID --value phoenix-host phoenix-x; }
before=$(began) same=$(processes)
is "no port is open to clients without a server" "$(listens)" ""
phoenix probe pxt-a --seconds 600 >/dev/null 2>&1 </dev/null &
viewer=$!
ok "somebody watches" wait_for 60 more_began
hears() { session pw-link -l | grep -q 'phoenix-host:input'; }
ok "and hears" wait_for 60 hears
is "which is no microphone that the panel shows in red" "$(session pactl list short source-outputs)" ""
ok "up takes the permission of files away" remote "files: false"
ok "so none are given" wait_for 30 refused
has "with the reason" "$(cat "$pxt_dir/refused.out")" "No permission of file transfer"
ok "up gives it back" remote "banner: false"
ok "so they are" wait_for 30 phoenix probe pxt-a --get /etc/hostname --into "$pxt_dir/hostname"
ok "the viewer has been there all the while" kill -0 $viewer
ok "up keeps all but some addresses out" remote "allow: [203.0.113.0/24]"
ok "so the viewer has to go" wait_for 30 ended
ok "and nobody comes in" refused
is "all that without a restart" "$(processes)" "$same"
ok "up opens a direct port" remote "direct: [127.0.0.1]"
ok "where it was told to" wait_for 30 listens
is "and nowhere else" "$(listens)" 127.0.0.1:21118
ok "up closes it" remote ""
ok "so it is gone" wait_for 30 silent
is "and the session runs on" "$(processes)" "$same"

# A newer program comes beside the one that runs.
other() { phoenix ls pxt-a 2>&1 | grep another; }
is "the installed phoenix-host runs" "$(other)" ""
cp "$PX_BUILD/src/phoenix-host/phoenix-host" "$pxt_dir/newer" && echo >>"$pxt_dir/newer"
"$PX_SOURCE/packaging/bundle-host.sh" "$pxt_dir/newer" "$PX_BUILD/desktop-bundle"
has "ls says that another is installed now" "$(other)" "systemctl restart phoenix-host"
has "and show, what starts it" "$(phoenix show pxt-a)" "$(fact pxt-a '["renew"]')"
has "as doctor does" "$(phoenix doctor --quiet 2>&1)" "$(fact pxt-a '["renew"]')"
ok "which does" eval "$(fact pxt-a '["renew"]') </dev/null"
ok "so that it runs" wait_for 30 eval '! other'
ok "and takes sessions" wait_for 60 phoenix probe pxt-a
touch -d 1990-01-01 "$PX_BUILD/desktop-bundle/phoenix-host" # else it is taken for the newest
"$PX_SOURCE/packaging/bundle-host.sh" "$PX_BUILD/src/phoenix-host/phoenix-host" "$PX_BUILD/desktop-bundle"

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
