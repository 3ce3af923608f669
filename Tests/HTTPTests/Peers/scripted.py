"""A server that follows a script, for tests of clients.

Standard input: one line of JSON {"steps": [...], "tls": bool}, then "received" lines. Standard output: one line
{"port", "authority"}, then one line of JSON for each "received". It ends when standard input does.
"""

import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

script = json.loads(sys.stdin.readline())
lock = threading.Lock()
steps = list(script["steps"])
received = []
connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one segment.
    wbufsize = -1

    def setup(self):
        global connections
        super().setup()
        with lock:
            connections += 1
            self.number = connections

    def handle_one_request(self):
        with lock:
            is_cut = bool(steps) and steps[0].get("cut") == "beforeRequest"
        if is_cut:
            self.connection.recv(1, socket.MSG_PEEK)
            with lock:
                steps.pop(0)
            self.close_connection = True
            return
        super().handle_one_request()

    def answer(self):
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        with lock:
            received.append(
                {
                    "method": self.command,
                    "path": self.path,
                    "headers": {k.lower(): v for k, v in self.headers.items()},
                    "body": body.decode("utf-8", "replace"),
                    "connection": self.number,
                    "hosts": len(self.headers.get_all("Host", [])),
                }
            )
            step = steps.pop(0) if steps else {"status": 599, "body": "the script has ended"}
        time.sleep(step.get("delay", 0))
        cut = step.get("cut")
        if cut == "afterRequest":
            self.close_connection = True
            return
        payload = step.get("body", "").encode() * step.get("times", 1)
        headers = step.get("headers", {})
        self.send_response_only(step["status"])
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload) * (2 if cut == "insideBody" else 1)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)
        self.wfile.flush()
        if cut == "insideBody":
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = answer

    def log_message(self, *arguments):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
authority = ""
if script.get("tls"):
    folder = tempfile.mkdtemp()
    key, certificate = os.path.join(folder, "key.pem"), os.path.join(folder, "certificate.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        + ["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=peer"]
        + ["-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(certificate) as file:
        authority = file.read()

threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"port": server.server_port, "authority": authority}), flush=True)
for _ in sys.stdin:
    with lock:
        print(json.dumps(received), flush=True)
