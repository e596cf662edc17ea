"""Receivers on loopback for what the platform sends out: an HTTP server for webhooks, an SMTP server for e-mail."""

from __future__ import annotations

import contextlib
import email
import email.policy
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Posts:
    """What came, and the statuses to answer with: the first for the first post, the last for all behind it."""

    statuses: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    port: int = 0


@contextlib.contextmanager
def http_receiver() -> Iterator[Posts]:
    posts = Posts()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posts.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status = posts.statuses[min(len(posts.got), len(posts.statuses)) - 1]
            self.send_response(status)
            said = b"" if status == 204 else b"not now"
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    posts.port = server.server_address[1]
    posts.url = f"http://127.0.0.1:{posts.port}/hook"
    with _serving(server):
        yield posts


@dataclass
class Mails:
    port: int = 0
    got: list[tuple[list[str], EmailMessage]] = field(default_factory=list)


@contextlib.contextmanager
def smtp_receiver() -> Iterator[Mails]:
    mails = Mails()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            to: list[str] = []
            while line := self.rfile.readline():
                word = line[:4].upper()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    text = b""
                    while (piece := self.rfile.readline()) not in (b".\r\n", b""):
                        text += piece.removeprefix(b".") if piece.startswith(b"..") else piece
                    message = email.message_from_bytes(text, policy=email.policy.default)
                    assert isinstance(message, EmailMessage)
                    mails.got.append((to, message))
                    to = []
                elif word == b"RCPT":
                    to.append(line.decode().partition(":")[2].strip().strip("<>"))
                elif word == b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
                self.wfile.write(b"250 ok\r\n")

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    mails.port = server.server_address[1]
    with _serving(server):
        yield mails


@contextlib.contextmanager
def _serving(server: Any) -> Iterator[None]:
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
