"""The CLI's half of REST: requests, retries, pages, problems.

Decides what is tried again: reads, and writes that carry an idempotency key (made before the first send, so a reply
lost on the way cannot make a second run), on a broken connection or an answer that says "later". Everything else that
is not a 2xx becomes a `CliError` with the server's own words.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fubini.cli.config import OPTIONS, Target, target
from fubini.cli.errors import CliError, Exit, exit_code_of
from fubini.cli.output import currency_from
from fubini.common.saying import ASKED

if TYPE_CHECKING:
    from httpx import Client as Client_

ATTEMPTS = 6
RETRY_STATUS = frozenset({429, 502, 503, 504})
RETRY_AFTER_MAX_S = 30.0


def _httpx() -> Any:
    """httpx without its own command line, whose imports would double the CLI's start-up."""
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    import httpx

    return httpx


def new_key() -> str:
    """An idempotency key: random, so nobody else's."""
    import secrets

    return secrets.token_hex(16)


class _Again(Exception):
    """Try the request again, not before `after_s`."""

    def __init__(self, error: CliError, after_s: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.after_s = after_s


class Client:
    """One server, one person, one project."""

    def __init__(self, where: Target, *, timeout_s: float | None = None) -> None:
        httpx = _httpx()
        self.where = where
        self.timeout_s = timeout_s if timeout_s is not None else OPTIONS.timeout_s
        headers = {"Accept": "application/json", "User-Agent": "fubini-cli", "Accept-Language": ASKED.get()}
        if where.token:
            headers["Authorization"] = f"Bearer {where.token}"
        # A proxy is for the world outside; a server on this machine is reached directly.
        local = where.url.startswith(("http://127.", "http://localhost", "http://[::1]"))
        self.http: Client_ = httpx.Client(
            base_url=where.url,
            headers=headers,
            timeout=httpx.Timeout(self.timeout_s, connect=min(10.0, self.timeout_s)),
            trust_env=not local,
            follow_redirects=False,
        )
        self._project = where.project

    # --- plain requests -------------------------------------------------------------------------------------------

    def get(self, path: str, **params: Any) -> Any:
        return self.send("GET", path, params=params)

    def post(self, path: str, body: Any = None, *, key: str = "", params: Mapping[str, Any] | None = None) -> Any:
        """POST with an idempotency key (`key`, or one made here)."""
        return self.send("POST", path, body={} if body is None else body, key=key or new_key(), params=params)

    def put(self, path: str, body: Any, *, params: Mapping[str, Any] | None = None) -> Any:
        return self.send("PUT", path, body=body, params=params, headers={"If-Match": "*"})

    def patch(self, path: str, body: Any, *, etag: str = "*") -> Any:
        return self.send("PATCH", path, body=body, headers={"If-Match": etag})

    def delete(self, path: str, *, params: Mapping[str, Any] | None = None) -> Any:
        return self.send("DELETE", path, params=params, headers={"If-Match": "*"})

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[dict[str, Any]]:
        """Rows of a list, page after page, at most `limit`."""
        left = limit
        params.setdefault("page_size", min(200, limit) if limit else 200)
        answer = self.get(path, **params)
        while True:
            rows = answer if isinstance(answer, list) else answer.get("results", [])
            for row in rows:
                if left is not None:
                    if left <= 0:
                        return
                    left -= 1
                yield row
            following = None if isinstance(answer, list) else answer.get("next")
            if not following or left == 0:
                return
            answer = self.send("GET", self._relative(str(following)))

    def send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        key: str = "",
        headers: Mapping[str, str] | None = None,
        raw: bool = False,
        content: bytes | None = None,
    ) -> Any:
        """One request, tried again where that is safe; the JSON answer, or the reply itself when `raw`.

        Args:
            content: a body of bytes in place of the JSON one.
        """
        extra = dict(headers or {})
        if key:
            extra["Idempotency-Key"] = key
        clean = {k: v for k, v in (params or {}).items() if v is not None and v != ""}

        def once() -> Any:
            return self.http.request(
                method,
                self._absolute(path),
                params=clean or None,
                json=body if body is not None else None,
                content=content,
                headers=extra,
            )

        safe = method in {"GET", "HEAD", "PUT", "DELETE"} or bool(key)
        reply = self.retrying(once, safe=safe)
        if raw:
            return reply
        if reply.status_code == 204 or not reply.content:
            return None
        try:
            return reply.json()
        except ValueError:
            raise CliError(
                f"{self.where.url} does not answer like Fubini",
                why=f"{method} {path} gave {reply.headers.get('content-type', 'no content type')} instead of JSON",
                try_="check the URL (a proxy's login page answers like that)",
                exit_code=Exit.UNREACHABLE,
            ) from None

    def retrying(self, once: Callable[[], Any], *, safe: bool) -> Any:
        """Call `once` until it gives a reply that is not "later"; raises for every reply that is not a success."""
        import stamina

        httpx = _httpx()

        def turn() -> Any:
            try:
                reply = once()
            except httpx.TransportError as error:
                problem = self.unreachable(error)
                never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
                if safe or never_sent:
                    raise _Again(problem, 0.0) from None
                raise problem from None
            currency_from(reply.headers)
            if reply.status_code in RETRY_STATUS and (safe or reply.status_code == 429):
                raise _Again(self.refused(reply), _retry_after_s(reply))
            if reply.status_code >= 300:
                raise self.refused(reply)
            return reply

        def decide(error: Exception) -> bool | float:
            if isinstance(error, _Again):
                return error.after_s or True
            return False

        attempts = int(os.environ.get("FUBINI_RETRIES", ATTEMPTS))
        stamina.instrumentation.set_on_retry_hooks([])  # a retry is our business, not a line in somebody's log
        try:
            for attempt in stamina.retry_context(on=decide, attempts=max(1, attempts), timeout=90.0, wait_max=10.0):
                with attempt:
                    return turn()
        except _Again as again:
            raise again.error from None
        raise AssertionError("unreachable")

    # --- failures -------------------------------------------------------------------------------------------------

    def unreachable(self, error: Exception) -> CliError:
        return CliError(
            f"cannot reach Fubini at {self.where.url}",
            why=f"{str(error) or type(error).__name__} (the URL comes from {self.where.source})",
            try_="fubini up   (start one here), fubini doctor, or another --url",
            exit_code=Exit.UNREACHABLE,
        )

    def refused(self, reply: Any) -> CliError:
        """A refusal in the server's own words."""
        if not reply.is_closed:
            reply.read()
        try:
            found = reply.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            return CliError(
                f"{self.where.url} answered {reply.status_code}",
                why="the answer is not Fubini's (perhaps a proxy's)",
                try_="fubini doctor",
                exit_code=exit_code_of(reply.status_code),
            )
        details = [_entry_line(entry) for entry in found.get("errors", []) if isinstance(entry, dict)]
        if left_off := found.get("errors_left_off"):
            details.append(f"... and {left_off} more")
        next_step = str(found.get("next_step", ""))
        if reply.status_code == 401:
            next_step = "fubini login, or set FUBINI_TOKEN or FUBINI_TOKEN_FILE"
        if reply.status_code >= 500 and found.get("request_id"):
            next_step = f"{next_step} (request id {found['request_id']})"
        title, detail = str(found.get("title", "refused")), str(found.get("detail", ""))
        return CliError(
            title[:1].lower() + title[1:],
            why=detail if detail != title else "",
            try_=next_step,
            exit_code=exit_code_of(reply.status_code),
            details=details,
            problem=found,
        )

    # --- who and where --------------------------------------------------------------------------------------------

    @property
    def project(self) -> str:
        """The project commands speak of: the one given, else the only one this person has."""
        if not self._project:
            mine = [p["slug"] for p in self.pages("/projects", limit=50)]
            if len(mine) != 1:
                raise CliError(
                    "which project?",
                    why=f"you can see {len(mine)}: {', '.join(mine[:8]) or 'none'}",
                    try_="give --project NAME, or set FUBINI_PROJECT",
                    exit_code=Exit.USAGE,
                )
            self._project = mine[0]
        return self._project

    def _absolute(self, path: str) -> str:
        """Paths without a leading door are under /api/v1."""
        if path.startswith(("/api/", "/objects/", "/agent/", "/healthz", "/readyz")):
            return path
        return f"/api/v1{path}"

    def _relative(self, url: str) -> str:
        """A link of our server as a path: the token never follows a link elsewhere."""
        base = self.where.url
        if url.startswith("/"):
            return url
        _, _, rest = url.partition("://")
        return "/" + rest.partition("/")[2] if rest else url.removeprefix(base)


def _retry_after_s(reply: Any) -> float:
    try:
        return min(RETRY_AFTER_MAX_S, max(0.0, float(reply.headers.get("retry-after", "0"))))
    except ValueError:
        return 0.0


def _entry_line(entry: Mapping[str, Any]) -> str:
    """One error of a list: where, what, the nearest name, what to do."""
    place = ""
    if entry.get("line"):
        place = f"line {entry['line']}" + (f":{entry['column']}" if entry.get("column") else "")
    path = str(entry.get("path") or entry.get("pointer") or "")
    where = ", ".join(part for part in (place, path) if part)
    text = str(entry.get("detail") or entry.get("code") or "not valid")
    if entry.get("nearest"):
        text += f" (did you mean {entry['nearest']!r}?)"
    return f"{where}: {text}" if where else text


def connect(*, timeout_s: float | None = None) -> Client:
    """The client of this command."""
    return Client(target(), timeout_s=timeout_s)


def segment(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="")
