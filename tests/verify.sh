#!/bin/bash
# tests/verify.sh - `phoenix verify` on small desktops; tests/desktop.sh has it on a whole one
. "$(dirname "$0")/lib.sh"
needs_root
pxt_host verify
sed -i "s|^network: .*|network: {bridge: $pxt_bridge, range: $pxt_range, dns: [$pxt_gateway], open: [53/udp, 80/tcp]}|" "$PHOENIX_HOST_FILE"
needs_minimal
file=$pxt_dir/two.yaml
cat >"$file" <<'END'
defaults: {image: minimal, memory: 256MiB, cores: 1}
desktops: [{name: pxt-v}, {name: pxt-w}]
END
inside() { phoenix exec -u root "$@" </dev/null; }
# found DESKTOP CHECK: its verdict and text, of what was printed last
found() { python3 -c "
import json, sys
for d in json.load(open(sys.argv[1]))['desktops']:
    for c in d['checks']:
        for f in c['findings']:
            if (d['name'], c['check']) == (sys.argv[2], sys.argv[3]): print(f['verdict'], f['text'])" "$pxt_dir/json" "$@"; }
verify() { phoenix verify --json "$@" 2>"$pxt_dir/err" >"$pxt_dir/json" </dev/null; }

ok "up" phoenix up "$file"
well=$(phoenix verify --list | awk 'NR > 1 {print $1}' | grep -vxE 'dns|internet' | paste -sd,)
ok "both are well" phoenix verify --only "$well"
has "a line each, with the desktop in front" "$out" "pxt-w  ok    running"
ok "as JSON, too" verify --only "$well"
has "the limits are those of the file" "$(found pxt-v limits)" "ok 256.0 MiB memory, 1 core, 4096 processes"
has "what the image has not is passed over" "$(found pxt-v screen)" "skip its image has no X session"
has "an id block of its own" "$(found pxt-w isolation)" "ok 7 namespaces, ids"

inside pxt-v systemd-run -q --unit=pxt-bad /bin/false
ok "the unit has failed" wait_for 20 inside pxt-v systemctl is-failed pxt-bad.service
fails 4 "a failed unit is a finding" phoenix verify --only "$well"
has "it is named" "$out" "pxt-bad.service"
fails 4 "one desktop's finding does not hide behind --quiet" phoenix verify -q --only "$well"
lacks "but what is well does" "$out" "pxt-w"

inside pxt-v sh -c 'mv /usr/bin/systemctl /usr/bin/systemctl.real &&
    printf "#!/bin/sh\nexec sleep 1000\n" >/usr/bin/systemctl && chmod 755 /usr/bin/systemctl'
fails 4 "a check that hangs ends" verify --timeout 2 --only systemd,limits
has "as a failure" "$(found pxt-v systemd)" "fail no end after 2 s"
has "the next one is run" "$(found pxt-v limits)" "ok "
has "the other desktop does not notice" "$(found pxt-w systemd)" "ok running"
inside pxt-v mv /usr/bin/systemctl.real /usr/bin/systemctl

# A name server and an outside of our own, on the desktops' gateway.
cat >"$pxt_dir/outside.py" <<'END'
import socket, sys, threading
here = sys.argv[1]
tcp = socket.create_server((here, 80))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind((here, 53))
def accept():
    while True: tcp.accept()[0].close()
threading.Thread(target=accept, daemon=True).start()
print("ready", flush=True)
while True:
    q, who = udp.recvfrom(512)
    udp.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + q[12:] +
               b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + socket.inet_aton(here), who)
END
python3 "$pxt_dir/outside.py" "$pxt_gateway" >"$pxt_dir/outside" 2>&1 &
outside=$!
ok "an outside of our own" wait_for 20 grep ready "$pxt_dir/outside"
ok "names and the outside are looked at" verify --only dns,internet pxt-v
has "the name server answers inside" "$(found pxt-v dns)" "ok $pxt_gateway answers in"
has "and the outside is reached" "$(found pxt-v internet)" "ok www.debian.org in"
sed -i 's/^desktops:.*/desktops: [{name: pxt-v, network: {internet: false}}, {name: pxt-w}]/' "$file"
ok "without internet" phoenix up "$file"
verify --only dns pxt-v
has "name servers are of no use to it" "$(found pxt-v dns)" "skip its file gives it no internet"
kill $outside

ok "stop" phoenix stop pxt-v
ok "what is stopped on purpose is passed over" verify
has "and said to be" "$(found pxt-v running)" "skip it is stopped"
fails 4 "unless it was asked for by name" verify pxt-v
fails 2 "a check that is none" phoenix verify --only sytemd
has "with the near one" "$out" "did you mean 'systemd'?"
fails 1 "a desktop that is none" phoenix verify pxt-x
ok "the checks are listed" phoenix verify --list
done_testing
