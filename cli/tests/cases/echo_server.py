#!/usr/bin/env python3
"""Local echo server used by the end-to-end tests of cases: python3 echo_server.py PORT. 127.0.0.1 only.
Paths (a trailing slash is tolerated):
  /status/<code>            that status, JSON body; 204 and 304 have none, though 304 states a length (RFC 9110 section 15.4.5)
  /text                     HTML text, not JSON
  /dollar                   {"v": "a$bc"}
  /list                     {"l":[1,2,3],"s":["a","b"],"o":{"k":1},"arr":[{"n":"p","age":5},{"n":"q","age":30}],"f":1.5,"i":7,"nul":null,"t":true}
  /setcookie?k=v            Set-Cookie k=v
  /chunked                  chunked transfer coding
  /delay/<ms>               sleeps
  /redirect                 302 to /get?from=redirect
  anything else             {"method","path","args","headers","cookies","text","json","form"}
"""
import http.server, json, socketserver, sys, time, urllib.parse
class H(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    wbufsize = -1
    def log_message(self, *a): pass
    def reply(self, status, body, ctype='application/json', extra=(), chunked=False):
        self.send_response(status); self.send_header('Content-Type', ctype)
        for k, v in extra: self.send_header(k, v)
        if chunked:
            self.send_header('Transfer-Encoding', 'chunked'); self.end_headers()
            self.wfile.write(b'%x\r\n%s\r\n0\r\n\r\n' % (len(body), body))
        else:
            if status != 204: self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            if self.command != 'HEAD' and status not in (204, 304): self.wfile.write(body)
        self.wfile.flush()
    def handle_any(self):
        n = int(self.headers.get('Content-Length') or 0); raw = self.rfile.read(n)
        u = urllib.parse.urlparse(self.path); q = dict(urllib.parse.parse_qsl(u.query, keep_blank_values=True))
        p = u.path.rstrip('/') or '/'
        j = lambda o: json.dumps(o).encode()
        if p.startswith('/status/'): return self.reply(int(p.split('/')[2]), j({"status": int(p.split('/')[2])}))
        if p == '/text': return self.reply(200, b'<p>user <b id="u">leo</b></p><a href="/user/signOut">Sign Out</a>', 'text/html')
        if p == '/dollar': return self.reply(200, j({"v": "a$bc"}))
        if p == '/list': return self.reply(200, j({"l":[1,2,3],"s":["a","b"],"o":{"k":1},"arr":[{"n":"p","age":5},{"n":"q","age":30}],"f":1.5,"i":7,"nul":None,"t":True}))
        if p == '/setcookie': return self.reply(200, j({"set": q}), extra=[('Set-Cookie', f'{k}={v}; Path=/') for k, v in q.items()])
        if p == '/chunked': return self.reply(200, j({"chunked": True}), chunked=True)
        if p.startswith('/delay/'): time.sleep(int(p.split('/')[2]) / 1000); return self.reply(200, j({"ok": True}))
        if p == '/redirect': return self.reply(302, b'', extra=[('Location', '/get?from=redirect')])
        ck = dict(x.strip().split('=', 1) for x in (self.headers.get('Cookie') or '').split(';') if '=' in x)
        text = raw.decode('utf-8', 'replace'); ct = self.headers.get('Content-Type') or ''
        try: js = json.loads(text)
        except Exception: js = None
        form = dict(urllib.parse.parse_qsl(text)) if ct.startswith('application/x-www-form-urlencoded') else None
        self.reply(200, j({"method": self.command, "path": self.path, "args": q, "headers": dict(self.headers.items()),
                           "cookies": ck, "text": text, "json": js, "form": form}))
    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = handle_any
class S(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True; request_queue_size = 1024; allow_reuse_address = True
if __name__ == '__main__':
    server = S(('127.0.0.1', 0), H)
    # A port of its own choice: one that was free a moment ago may be another test's by now.
    print(server.server_address[1], flush=True)
    server.serve_forever()
