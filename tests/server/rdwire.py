"""What a RustDesk client puts on the wire, written from the specification and independent of the C
code under test: protobuf by hand, frames, WebSocket, secure channel (libsodium through ctypes)."""
import ctypes, ctypes.util, os, socket, struct, time, base64, hashlib

ID9 = b'123456789'
PATIENCE = 20  # seconds for what has to come: a machine that is busy is slow
OFFER = bytes.fromhex('ca01620a60')  # how an offer of KeyExchange begins, OFFER_BYTES with its header
OFFER_BYTES = 103


def varint(v):
    out = b''
    v &= (1 << 64) - 1
    while True:
        b = v & 127
        v >>= 7
        out += bytes([b | (128 if v else 0)])
        if not v:
            return out


def fb(num, data):
    return varint(num << 3 | 2) + varint(len(data)) + data


def fu(num, v):
    return varint(num << 3) + varint(v)


def fields(data):
    """[(number, value)]: ints of varints, bytes of the rest"""
    out, i = [], 0

    def take():
        nonlocal i
        v = s = 0
        while True:
            b = data[i]
            i += 1
            v |= (b & 127) << s
            s += 7
            if not b & 128:
                return v
    while i < len(data):
        tag = take()
        if tag & 7 == 0:
            out.append((tag >> 3, take()))
        elif tag & 7 == 2:
            n = take()
            assert i + n <= len(data)
            out.append((tag >> 3, data[i:i + n]))
            i += n
        else:
            raise AssertionError('wire type %d' % (tag & 7))
    return out


def member(raw):
    """(kind, {field: value}) of an envelope with one member"""
    f = fields(raw)
    assert len(f) == 1, raw.hex()
    return f[0][0], dict(fields(f[0][1]))


def frame(p):
    n = len(p)
    if n < 64:
        return bytes([n << 2]) + p
    if n < 1 << 14:
        return struct.pack('<H', n << 2 | 1) + p
    if n < 1 << 22:
        return struct.pack('<I', n << 2 | 2)[:3] + p
    return struct.pack('<I', n << 2 | 3) + p


def mangle(host, port, t=None):
    if ':' in host:
        return socket.inet_pton(socket.AF_INET6, host) + struct.pack('<H', port)
    t = int(time.time() * 1e6) & 0xffffffff if t is None else t
    ip = int.from_bytes(socket.inet_aton(host), 'little')
    v = (port + (t & 0xffff)) + (t << 17) + ((ip + t) << 49)
    return v.to_bytes(16, 'little').rstrip(b'\0')


def unmangle(b):
    if len(b) == 18:
        return socket.inet_ntop(socket.AF_INET6, b[:16]), struct.unpack('<H', b[16:])[0]
    v = int.from_bytes(b.ljust(16, b'\0'), 'little')
    t = (v >> 17) & 0xffffffff
    ip = ((v >> 49) - t) & 0xffffffff
    return socket.inet_ntoa(ip.to_bytes(4, 'little')), ((v & 0xffffff) - (t & 0xffff)) & 0xffff


# messages
def register_peer(i, serial=0):
    return fb(6, fb(1, i) + (fu(2, serial) if serial else b''))


def register_pk(i, uuid=b'uuid-1234', pk=bytes(range(32)), old=b''):
    return fb(15, fb(1, i) + (fb(2, uuid) if uuid else b'') + (fb(3, pk) if pk else b'') +
              (fb(4, old) if old else b''))


def pk_result(n, keep_alive=0):
    return fb(16, (fu(1, n) if n else b'') + (fu(2, keep_alive) if keep_alive else b''))


def punch_request(i, key, nat=1, udp_port=0, force=False, v6=b'', version=b'1.4.9'):
    return fb(8, fb(1, i) + (fu(2, nat) if nat else b'') + fb(3, key) + fb(6, version) +
              (fu(7, udp_port) if udp_port else b'') + (fu(8, 1) if force else b'') +
              (fb(10, v6) if v6 else b''))


def punch_sent(addr, i, relay=b'rs.example.com', nat=1, version=b'1.4.9', v6=b''):
    return fb(10, fb(1, addr) + fb(2, i) + fb(3, relay) + (fu(4, nat) if nat else b'') +
              (fb(5, version) if version else b'') + (fb(7, v6) if v6 else b''))


def local_addr(addr, local, i, relay=b'rs.example.com', version=b'1.4.9'):
    return fb(13, fb(1, addr) + fb(2, local) + fb(3, relay) + fb(4, i) + fb(5, version))


def relay_response(addr, uuid=b'', relay=b'', i=None, version=b'1.4.9', extra=b''):
    return fb(19, fb(1, addr) + (fb(2, uuid) if uuid else b'') + (fb(3, relay) if relay else b'') +
              (fb(4, i) if i is not None else b'') + fb(7, version) + extra)


def request_relay(uuid, key=b'', i=b'', relay=b'', extra=b''):
    return fb(18, (fb(1, i) if i else b'') + fb(2, uuid) + (fb(4, relay) if relay else b'') +
              (fb(6, key) if key else b'') + extra)


def nat_test(serial=0):
    return fb(20, fu(1, serial) if serial else b'')


def online(ids, me=b'987654321'):
    return fb(23, fb(1, me) + b''.join(fb(2, i) for i in ids))


# libsodium
sodium = ctypes.CDLL(ctypes.util.find_library('sodium') or 'libsodium.so.23')
assert sodium.sodium_init() >= 0


def sign_open(signed, pk):
    out = ctypes.create_string_buffer(len(signed))
    n = ctypes.c_ulonglong()
    if sodium.crypto_sign_open(out, ctypes.byref(n), signed, ctypes.c_ulonglong(len(signed)), pk):
        return None
    return out.raw[:n.value]


class Secure:
    """the client's half of the secure channel"""

    def __init__(self, signed, server_pk):
        pk_s = sign_open(signed, server_pk)
        assert pk_s and len(pk_s) == 32
        pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
        sodium.crypto_box_keypair(pk, sk)
        self.key, self.n_out, self.n_in = os.urandom(32), 0, 0
        box = ctypes.create_string_buffer(48)
        assert sodium.crypto_box_easy(box, self.key, ctypes.c_ulonglong(32), b'\0' * 24, pk_s, sk) == 0
        self.reply = fb(25, fb(1, pk.raw) + fb(1, box.raw))

    def seal(self, p):
        if len(p) < 2:
            return p
        self.n_out += 1
        out = ctypes.create_string_buffer(len(p) + 16)
        sodium.crypto_secretbox_easy(out, p, ctypes.c_ulonglong(len(p)),
                                     struct.pack('<Q', self.n_out) + b'\0' * 16, self.key)
        return out.raw

    def open(self, p):
        if len(p) < 2:
            return p
        self.n_in += 1
        out = ctypes.create_string_buffer(len(p) - 16)
        assert sodium.crypto_secretbox_open_easy(out, p, ctypes.c_ulonglong(len(p)),
                                                 struct.pack('<Q', self.n_in) + b'\0' * 16, self.key) == 0
        return out.raw


class Closed(Exception):
    pass


class Tcp:
    """framed TCP; source: (address, port) to bind. Once it has spoken in plain it does not look at an offer of
    KeyExchange, which a server makes when it hears nothing for a while: as clients do, and as our first word may
    be late on a busy machine"""

    def __init__(self, host, port, source=None, timeout=PATIENCE):
        self.s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET)
        self.s.settimeout(timeout)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.s.bind(source)
        self.s.connect((host, port))
        self.secure, self.buf, self.spoke = None, b'', False

    def addr(self):
        return self.s.getsockname()[:2]

    def raw(self, data):
        self.spoke = True
        self.s.sendall(data)

    def send(self, p):
        self.raw(frame(self.secure.seal(p) if self.secure else p))

    def read(self, n):
        while len(self.buf) < n:
            try:
                d = self.s.recv(1 << 20)
            except ConnectionError:
                d = b''
            if not d:
                raise Closed('after %d of %d bytes' % (len(self.buf), n))
            self.buf += d
        out, self.buf = self.buf[:n], self.buf[n:]
        return out

    def head(self):
        """(N, header bytes) of the next frame"""
        b = self.read(1)
        b += self.read(b[0] & 3)
        return int.from_bytes(b, 'little') >> 2, b

    def recv(self, keepalives=False):
        while True:
            p = self.read(self.head()[0])
            if self.spoke and not self.secure and p[:5] == OFFER:
                continue
            if p or keepalives:
                return self.secure.open(p) if self.secure else p

    def answer(self, p):
        self.send(p)
        return self.recv()

    def more(self):
        """what comes next but for an offer; b'' is the end"""
        d = self.s.recv(1 << 20)
        if self.spoke and not self.secure and d[2:7] == OFFER:
            d = d[OFFER_BYTES:]
            return d or self.more()
        return d

    def closed(self, within=PATIENCE):
        """whether the server ends the connection without another byte"""
        self.s.settimeout(within)
        try:
            return self.more() == b'' and not self.buf
        except socket.timeout:
            return False
        except ConnectionError:
            return True

    def silent(self, within=0.4):
        self.s.settimeout(within)
        try:
            self.buf += self.more()
            return False
        except socket.timeout:
            return not self.buf
        finally:
            self.s.settimeout(PATIENCE)

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()


class Ws(Tcp):
    def __init__(self, host, port, source=None, path='/', headers='', timeout=PATIENCE, shake=True):
        super().__init__(host, port, source, timeout)
        if shake:
            self.shake(path, headers)

    def shake(self, path='/', headers=''):
        key = base64.b64encode(os.urandom(16)).decode()
        self.raw(('GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                  'Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n%s\r\n' % (path, key, headers)).encode())
        head = b''
        while not head.endswith(b'\r\n\r\n'):
            head += self.read(1)
        want = base64.b64encode(hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest())
        assert head.startswith(b'HTTP/1.1 101') and want in head, head

    @staticmethod
    def piece(data, opcode=2, fin=True):
        m = os.urandom(4)
        n = len(data)
        ln = bytes([128 | n]) if n < 126 else b'\xfe' + struct.pack('>H', n) if n < 65536 else \
            b'\xff' + struct.pack('>Q', n)
        masked = bytes(a ^ b for a, b in zip(data, m * (n // 4 + 1))) if n < 4096 else \
            (int.from_bytes(data, 'little') ^ int.from_bytes((m * (n // 4 + 1))[:n], 'little')).to_bytes(n, 'little')
        return bytes([(128 if fin else 0) | opcode]) + ln + m + masked

    def send(self, p):
        self.raw(self.piece(p))

    def message(self):
        """(opcode, payload) of the next frame"""
        b0, b1 = self.read(2)
        assert not b1 & 128 and b0 & 128
        n = b1 & 127
        if n == 126:
            n = struct.unpack('>H', self.read(2))[0]
        elif n == 127:
            n = struct.unpack('>Q', self.read(8))[0]
        return b0 & 15, self.read(n)

    def recv(self, keepalives=False):
        while True:
            op, p = self.message()
            assert op == 2, op
            if p or keepalives:
                return p


class Udp:
    def __init__(self, host, port, source=None):
        self.s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.s.settimeout(PATIENCE)
        if source:
            self.s.bind(source)
        self.to = (host, port)
        self.s.connect(self.to)

    def addr(self):
        return self.s.getsockname()[:2]

    def send(self, p):
        self.s.send(p)

    def recv(self, timeout=PATIENCE):
        self.s.settimeout(timeout)
        return self.s.recv(65536)

    def answer(self, p):
        self.send(p)
        return self.recv()

    def silent(self, within=0.3):
        self.s.settimeout(within)
        try:
            self.s.recv(65536)
            return False
        except socket.timeout:
            return True

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *a):
        self.close()
