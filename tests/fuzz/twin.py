"""The two-project twin: every route x method x role, with the names of somebody else's things.

`run` goes through all of it and then repeats random calls up to `count`. A call fails the check when the stranger gets
anything but 404, a body that differs from that of a name which does not exist, or when the rightful owner gets 404 too
(then the call could prove nothing).
"""

from __future__ import annotations

import json
import random
import time
from typing import Any

from tests.fuzz.common import FuzzResult, main


def walk(count: int, seed: int) -> FuzzResult:
    """The check itself, on the database that is there; nothing of it is kept."""
    from tests.support.streams import streams_here

    with streams_here():
        return _walk(count, seed)


def _walk(count: int, seed: int) -> FuzzResult:
    from django.db import connection, transaction

    from tests.support.rest import Api
    from tests.support.routes import routes
    from tests.support.twins import Call, calls_on, make_twin

    class Undo(Exception):
        pass

    def once(api: Api, method: str, url: str, body: Any) -> tuple[int, bytes, float]:
        """Status, body without what differs by nature, seconds. The effect is undone."""
        answer: tuple[int, bytes, float] = (0, b"", 0.0)
        try:
            with transaction.atomic():
                started = time.perf_counter()
                response = api.call(method, url, body, If_Match="*")
                spent = time.perf_counter() - started
                text = b"".join(response) if response.streaming else response.content
                answer = (response.status_code, _plain(text), spent)
                raise Undo
        except Undo:
            connection.needs_rollback = connection.needs_rollback and not connection.savepoint_ids
        return answer

    result = FuzzResult("twin", seed)
    rng = random.Random(seed)
    mine, other = make_twin(), make_twin()
    calls = calls_on(other, routes())
    owner = other.house.api["owner"]
    for call in calls:
        if call.method == "HEAD":
            continue
        status, _, _ = once(owner, call.method, call.url, call.body)
        if status in {0, 404} or (status >= 500 and status != 504):  # 504: let in, and nobody is at the site to answer
            result.fail(f"control: the owner's {call.method} {call.url} answers {status}, so the call proves nothing")
    seconds = {"foreign": 0.0, "absent": 0.0}

    def check(role: str, call: Call) -> None:
        result.inputs += 1
        api = mine.clients[role]
        status, body, spent = once(api, call.method, call.url, call.body)
        nothing, empty, spent_nothing = once(api, call.method, call.absent, call.absent_body)
        seconds["foreign"] += spent
        seconds["absent"] += spent_nothing
        result.outcomes[f"{status}"] += 1
        if status != 404:
            result.fail(f"{role}: {call.method} {call.url} answers {status} {body[:200]!r}")
        elif nothing != 404 or _forget_names(body, call.url) != _forget_names(empty, call.absent):
            result.fail(
                f"{role}: {call.method} {call.url} reads {body[:200]!r}, an absent one {nothing} {empty[:200]!r}"
            )

    for role in mine.clients:
        for call in calls:
            check(role, call)
    while result.inputs < count:
        check(rng.choice(list(mine.clients)), rng.choice(calls))
    result.worst["calls"] = len(calls)
    result.worst["seconds_foreign_over_absent"] = round(seconds["foreign"] / max(seconds["absent"], 1e-9), 3)
    if not 0.5 < seconds["foreign"] / max(seconds["absent"], 1e-9) < 2.0:
        result.fail(f"time tells the two apart: {seconds}")
    return result


def _plain(text: bytes) -> bytes:
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if isinstance(document, dict):
        document.pop("request_id", None)
    return json.dumps(document, sort_keys=True).encode()


def _forget_names(text: bytes, url: str) -> bytes:
    """The body without the names the caller itself sent."""
    for part in url.split("?")[0].split("/")[4:]:
        text = text.replace(part.encode(), b"*") if len(part) > 3 else text
    return text


def run(count: int, seed: int) -> FuzzResult:
    """On a database of its own."""
    from tests.fuzz.database import test_database

    with test_database():
        return walk(count, seed)


if __name__ == "__main__":
    raise SystemExit(main(run, 0))
