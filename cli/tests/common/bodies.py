"""A server of bodies: coded, guarded by digest, or uploaded. The first line it prints is its port."""

import gzip
import hashlib
import http.server
import socketserver
import struct
import sys
import threading
import zlib

JSON = b'{"code": 0, "text": "%s"}' % (b"words " * 200)


def raw_deflate(data):
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return coder.compress(data) + coder.flush()


def zstd_raw(data):
    """A frame of one raw block (RFC 8878 section 3.1.1): single segment, two bytes of content size less 256."""
    header = b"\x28\xb5\x2f\xfd" + bytes([0x60]) + struct.pack("<H", len(data) - 256)
    return header + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def brotli_raw(data):
    """One uncompressed meta-block and an empty last one (RFC 7932 section 9.2), window of 16 bits."""
    bits, count = 0, 0
    for value, width in [(0, 1), (0, 1), (0, 2), (len(data) - 1, 16), (1, 1)]:
        bits |= value << count
        count += width
    return bits.to_bytes((count + 7) // 8, "little") + data + b"\x03"


CODED = {
    "/gzip": ("gzip", gzip.compress(JSON)),
    "/members": ("gzip", gzip.compress(JSON[:100]) + gzip.compress(JSON[100:])),
    "/deflate": ("deflate", zlib.compress(JSON)),
    "/raw": ("deflate", raw_deflate(JSON)),
    "/br": ("br", brotli_raw(JSON)),
    "/zstd": ("zstd", zstd_raw(JSON)),
    "/both": ("deflate, gzip", gzip.compress(zlib.compress(JSON))),
    "/cut": ("gzip", gzip.compress(JSON)[:-9]),
    "/bomb": ("gzip", gzip.compress(bytes(65 * 1024 * 1024))),
    "/unknown": ("made-up", JSON),
}

SEEN = []
LOCK = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, status=200, **fields):
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def do_GET(self):
        self.body()
        path = self.path.split("?")[0]
        if path in CODED:
            coding, body = CODED[path]
            self.answer(body, Content_Encoding=coding, Content_Type="application/json")
        elif path == "/asked":
            self.answer(self.headers.get("Accept-Encoding", "nothing").encode())
        elif path == "/who":
            self.answer(self.headers.get("Authorization", "nobody").encode())
        elif path == "/away":
            self.answer(b"", 302, Location="http://localhost:%d/who" % self.server.server_port)
        elif path.startswith("/digest"):
            self.digest(path)
        else:
            self.answer(b"", 404)

    do_HEAD = do_GET

    def digest(self, path):
        name, hasher = ("SHA-256", hashlib.sha256) if path.endswith("sha") else ("MD5", hashlib.md5)
        h = lambda text: hasher(text.encode()).hexdigest()
        given = self.headers.get("Authorization", "")
        parts = dict(part.strip().split("=", 1) for part in given[len("Digest "):].split(",")) if given else {}
        parts = {key: value.strip('"') for key, value in parts.items()}
        stale = ""
        if parts:
            key, what = h("anna:a realm:s3:cret"), h(self.command + ":" + self.path)
            middle = [parts["nonce"], parts["nc"], parts["cnonce"], "auth"]
            good = parts["response"] == h(":".join([key, *middle, what])) and parts["uri"] == self.path
            with LOCK:
                fresh = (parts["nonce"], parts["nc"]) not in SEEN
                SEEN.append((parts["nonce"], parts["nc"]))
            # With "old" a nonce is good for three requests.
            if good and fresh and (path != "/digest/old" or int(parts["nc"], 16) <= 3):
                if path == "/digest/cookie":
                    return self.answer(self.headers.get("Cookie", "no cookie").encode())
                return self.answer(parts["nc"].encode())
            stale = ", stale=true" if good else ""
        nonce = hashlib.md5(str(id(object())).encode() + str(len(SEEN)).encode()).hexdigest()
        challenge = 'Digest realm="a realm", qop="auth", nonce="%s", opaque="o", algorithm=%s%s' % (nonce, name, stale)
        self.answer(b"who?", 401, WWW_Authenticate=challenge, Set_Cookie="asked=yes; Path=/")

    def do_POST(self):
        if self.path == "/early":
            self.answer(b"too large", 413, Connection="close")
            return
        whole, left, hasher = 0, int(self.headers["Content-Length"]), hashlib.sha256()
        boundary = self.headers["Content-Type"].split("boundary=")[1].encode()
        data = b""
        while left:
            piece = self.rfile.read(min(left, 1 << 20))
            if not piece:
                return
            left -= len(piece)
            whole += len(piece)
            if self.path == "/sha256":
                data += piece
        if self.path == "/sha256":
            files = [part.split(b"\r\n\r\n", 1)[1][:-2] for part in data.split(b"--" + boundary)[1:-1]]
            for part in files:
                hasher.update(part)
            self.answer(hasher.hexdigest().encode())
        else:
            self.answer(str(whole).encode())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
server.serve_forever()
