"""A fake identity provider on loopback: discovery, authorization, token and user info, enough of OpenID Connect to sign in.

It stands for the real ones (Keycloak, Entra, Google), which cannot be had here; its answers follow OpenID Connect Core 1.0.
Nobody is asked for a password: whoever is set as `person` is who signs in.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "fubini", "a-client-secret"


@dataclass
class Provider:
    url: str
    person: dict[str, Any] = field(default_factory=dict)
    refuses: bool = False
    codes: dict[str, str] = field(default_factory=dict)  # code -> PKCE challenge


@contextmanager
def identity_provider() -> Iterator[Provider]:
    """One that runs while the block does."""
    found = Provider("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            if url.path == "/.well-known/openid-configuration":
                ends = {
                    "authorization_endpoint": "/authorize",
                    "token_endpoint": "/token",
                    "userinfo_endpoint": "/me",
                    "jwks_uri": "/keys",
                }
                document = {"issuer": found.url, **{name: found.url + path for name, path in ends.items()}}
                return self._json(document | {"token_endpoint_auth_methods_supported": ["client_secret_post"]})
            if url.path == "/authorize":
                if found.refuses:
                    answer = {"error": "access_denied", "state": asked["state"]}
                else:
                    code = f"code-{len(found.codes)}"
                    found.codes[code] = asked.get("code_challenge", "")
                    answer = {"code": code, "state": asked["state"]}
                self.send_response(302)
                self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
                return self.end_headers()
            if url.path == "/me" and self.headers["Authorization"] == "Bearer an-access-token":
                return self._json(found.person)
            return self._json({"error": "not_found"}, 404)

        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", 0)), 10_000)
            sent = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
            digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            right = (sent.get("client_id"), sent.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
            if not right or found.codes.pop(sent.get("code", ""), None) != challenge:
                return self._json({"error": "invalid_grant"}, 400)
            return self._json({"access_token": "an-access-token", "token_type": "Bearer", "expires_in": 60})

        def _json(self, document: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
