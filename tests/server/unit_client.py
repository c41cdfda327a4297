#!/usr/bin/env python3
"""What the packaged server is asked for by tests/server-unit.sh: every function that needs system calls
of its own. Usage: unit_client.py STEP KEY; runs beside the server, ends with 0 or a traceback."""
import os, socket, sys, threading
from rdwire import *

STEP, KEY = sys.argv[1], sys.argv[2].encode()
HOST, P = '127.0.0.1', 21116


def register(i, **k):
    with Udp(HOST, P) as u:
        return u.answer(register_pk(i, **k))


def relay():
    """both ways, with enough data for splice, and over a WebSocket"""
    for make in (lambda: Tcp(HOST, P + 1), lambda: Ws(HOST, P + 3)):
        uuid = os.urandom(16).hex().encode()
        with Tcp(HOST, P + 1) as a, make() as b:
            a.send(request_relay(uuid, KEY))
            b.send(request_relay(uuid, KEY))
            data = os.urandom(4 << 20)
            t = threading.Thread(target=a.raw, args=(frame(data),))
            t.start()
            assert (b.recv() if isinstance(b, Ws) else b.read(len(frame(data)))[4:]) in (data, frame(data)[4:])
            t.join()


def http(port, path):
    with socket.create_connection((HOST, port), 5) as c:
        c.sendall(b'GET %s HTTP/1.1\r\nHost: x\r\n\r\n' % path)
        text = b''
        while d := c.recv(65536):
            text += d
    return text


if STEP == 'id':
    assert register(b'987654321') == pk_result(0)
    with Tcp(HOST, P - 1) as c:
        assert member(c.answer(online([b'987654321'])))[1] == {1: b'\x80'}
    with Tcp(HOST, P) as c:
        assert member(c.recv())[0] == 25  # the key exchange of one who waits
    with Ws(HOST, P + 2) as c:
        assert c.answer(punch_request(b'nobody', KEY)) == b'\x5a\x00'
    assert http(P - 2, b'/api/heartbeat').startswith(b'HTTP/1.1 404')
    assert b'phoenix_id_peers' in http(9116, b'/metrics')
elif STEP == 'bound':  # another machine must not take the ID
    assert register(b'987654321', uuid=b'another') == pk_result(2)
elif STEP == 'imported':
    assert register(b'123456789', uuid=b'another') == pk_result(2)
elif STEP == 'relay':
    relay()
