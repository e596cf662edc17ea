"""Performing `http` and `data` leaves: the request under the guard, the listing over stored files; an outcome either way.

A request is sent at least once: a worker that dies between the sending and the recording leaves it to another, which sends
it again. Each carries an ``Idempotency-Key`` that is the same for every sending of one node in one generation, so that the
other side can tell. Values of secrets are hidden in what comes back.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any, Final

from fubini.common import clock
from fubini.common.errors import FubiniError
from fubini.datasets.selectors import artifact_resolve
from fubini.dispatch.fetching import Secrets, remote_policy
from fubini.language import expr, gojson
from fubini.language.errors import LanguageError
from fubini.remote.guard import RemoteError
from fubini.remote.http import Header, exchange
from fubini.runs.codec import spec_of
from fubini.runs.engine import HttpCall, LeafOutcome, Listing, OutcomeKind
from fubini.runs.models import Task

RESULT_MAX_BYTES: Final = 256 * 1024  # what a step's result may have, too
SENT_MAX_BYTES: Final = 1024 * 1024
HIDDEN_MIN: Final = 4


def inhouse_perform(task: Task) -> LeafOutcome:
    """Do it; every way it can go wrong is an outcome."""
    spec, began = spec_of(task.spec), clock.now_ms()
    try:
        if spec.http is not None:
            error, result = _request(task, spec.http)
            kind, code = OutcomeKind.EXITED, None
        elif spec.listing is not None:
            error, result = _list(task, spec.listing)
            kind, code = OutcomeKind.EXITED, (1 if error else 0)
        else:
            error, result, kind, code = "this version does not know such a step", None, OutcomeKind.PLATFORM, None
    except FubiniError as failure:
        error, result, kind, code = failure.detail, None, OutcomeKind.PLATFORM, None
    return LeafOutcome(
        kind=kind, exit_code=code, error=error[:2000], result=result, started_ms=began, finished_ms=clock.now_ms()
    )


# --- http ---


def _request(task: Task, call: HttpCall) -> tuple[str, str | None]:
    """(what went wrong, the body): as Argo has it, a body that came is the result even of a failure."""
    secrets = Secrets(task.project_id, [h.secret for h in call.headers])
    hidden: list[str] = []
    try:
        headers = secrets.headers(call.headers)
        hidden = [h.value for h in headers if h.secret and len(h.value) >= HIDDEN_MIN]
        if not any(h.name.lower() == "idempotency-key" for h in headers):
            headers.append(Header("Idempotency-Key", _call_id(task)))
        content = _content(call)
        with exchange(
            call.method,
            call.url,
            policy=remote_policy(task.project_id),
            timeout_s=float(call.timeout_s),
            headers=headers,
            content=content,
            verify=not call.insecure,
        ) as answer:
            body = answer.read(RESULT_MAX_BYTES).decode("utf-8", "replace")
            status, got = answer.status, answer.headers
    except RemoteError as failure:
        return _hide(failure.message, hidden), None
    shown = _hide(body, hidden)
    if not call.success_condition:
        return ("" if 200 <= status < 300 else f"received non-2xx response code: {status}"), shown
    scope = {
        "request": {
            "method": call.method,
            "url": call.url,
            "body": call.body,
            "bodyBytes": list(content) if call.body_base64 else [],
            "headers": _canonical([(h.name, "" if h.secret else h.value) for h in headers]),
        },
        "response": {"statusCode": status, "body": body, "headers": _canonical(got.multi_items())},
    }
    text = call.success_condition
    try:
        good = expr.evaluate_bool(expr.parse(text), scope, text, now_ms=clock.now_ms())
    except LanguageError as failure:
        return _hide(failure.message, hidden), shown
    return ("" if good else f"successCondition '{text}' evaluated false"), shown


def _content(call: HttpCall) -> bytes:
    """The body to send.

    Raises:
        RemoteError: not base64, or too long.
    """
    content = call.body.encode("utf-8", "replace")
    if call.body_base64:
        try:
            content = base64.b64decode(call.body_base64, validate=True)
        except (binascii.Error, ValueError):
            raise RemoteError("bodyFrom.bytes is not base64") from None
    if len(content) > SENT_MAX_BYTES:
        raise RemoteError(f"the body has {len(content)} bytes; {SENT_MAX_BYTES} are allowed")
    return content


def _call_id(task: Task) -> str:
    text = f"{task.run_id}/{task.node_id}/{task.generation}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _canonical(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Headers as Go has them: canonical names, each with a list of values."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault("-".join(part.capitalize() for part in name.split("-")), []).append(value)
    return found


def _hide(text: str, values: list[str]) -> str:
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "***")
        scheme, _, rest = value.partition(" ")
        if len(rest) >= HIDDEN_MIN and len(scheme) < len(rest):
            text = text.replace(rest, "***")
    return text


# --- data ---


def _list(task: Task, listing: Listing) -> tuple[str, str | None]:
    """(what went wrong, the paths as JSON): each is a key that an artifact's ``s3.key`` may name."""
    try:
        found = artifact_resolve(task.project_id, listing.key, listing.below)
    except FubiniError as failure:
        return failure.detail, None
    below = listing.below.strip("/")
    base = "/".join(part for part in (found.key, below) if part)
    data: Any = [f"{base}/{entry['path']}" if entry["path"] else base for entry in found.entries]
    for text in listing.transformations:
        try:
            data = expr.evaluate(expr.parse(text), {"data": data}, now_ms=clock.now_ms())
        except LanguageError as failure:
            return f"transformation '{text[:200]}': {failure.located(text)}", None
    if not isinstance(data, list):
        return "the last transformation does not give a list", None
    result = gojson.dumps(data)
    if len(result.encode()) > RESULT_MAX_BYTES:
        return f"the list has {len(result.encode())} bytes; {RESULT_MAX_BYTES} are allowed: filter it", None
    return "", result
