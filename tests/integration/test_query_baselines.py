"""How many SQL queries every GET route takes, held to a checked-in file, and no more of them when there is more to show.

The routes come from the URL conf: one that is not in the file fails. All of them stay under ten: what a page needs is
read by few annotated queries, not cached. Asked with a token, which is one query, and the widest also in a browser's session,
which is one as well. After a change that is meant, write the file anew:
`UPDATE_BASELINES=1 pytest tests/integration/test_query_baselines.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from asgiref.sync import async_to_sync
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve

from fubini.accounts import tokens
from fubini.accounts.models import Token, User, UserSession
from fubini.audit.services import audit_append
from fubini.common import clock
from fubini.common.ids import new_id
from fubini.crons.models import CronTick
from fubini.datasets.models import Transfer
from fubini.events.sequence import by_id, events_sequence
from fubini.links.models import ShareLink
from fubini.notices.models import Notice
from fubini.pipelines.models import Pipeline, PipelineVersion
from fubini.projects.models import Membership, Quota, SavedFilter
from fubini.runs.models import Attempt, MemoEntry, Run, RunNode, RunSignal, Task
from tests.support.multiplied import multiply
from tests.support.rest import Api, api_of, make_admin
from tests.support.routes import Route, routes
from tests.support.rows import make_attempt, make_place, make_project, make_run, make_task, make_user
from tests.support.streams import streams_here
from tests.support.twins import MANIFEST, Twin, calls_on, make_twin

BASELINES = Path(__file__).parents[1] / "golden" / "queries.json"
UNDER = 10
WIDE = 7  # from so many queries on, a route is also asked in a browser's session
# Asks that one address makes of rows in another state. When a waiting step starts is simulated on the queue: that reads
# all the scheduler reads, and nothing of it may be remembered from an earlier plan.
STATES = {
    "/api/v1/tasks/{id}/start": ("waiting", "failed"),
    "/api/v1/runs/{id}/nodes/{node}/overview": ("waiting", "failed", "suspended"),
}
ELSEWHERE = frozenset({"/api/v1/datasets/{id}/versions/{number}/content"})  # answers where the bytes are
# A row for each template and phase, however many nodes; one for each flag there is.
UNGROWING = frozenset({"/api/v1/runs/{id}/summary", "/api/v1/flags", "/api/v1/projects/{ref}/flags"})
# The doors of agents and of the machine's own checks are no pages.
NOT_PAGES = (
    "/agent/",
    "/accounts/",
    "/healthz",
    "/readyz",
    "/api/schema",
    "/api/docs",
    "/api/v1/artifacts/",
    "/api/v1/objects",
)
# Routes that no row of the project lies behind, and what names them.
PLAIN = frozenset({"users", "tokens", "audit", "pause", "me", "status", "secrets", "login", "notices", "flags", "admin"})


@pytest.fixture(autouse=True)
def _on_one_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(tokens, "TOUCH_S", 24 * 3600)  # noting a token's use each minute is one query more, some time
    with streams_here():
        yield


def addresses(twin: Twin) -> dict[str, str]:
    """A URL for every GET route of the API, by the route's path."""
    found: dict[str, str] = {}
    for route in routes():
        if "GET" not in route.methods or route.path.startswith(NOT_PAGES):
            continue
        if route.words[0] in PLAIN:
            mine = Token.objects.filter(user=twin.house.users["owner"]).values_list("pk", flat=True)[0]
            values = {"id": mine, "name": "none", "username": twin.house.users["viewer"].username}
            found[route.path] = route.path.format_map(values)
            continue
        calls = [c for c in calls_on(twin, [Route(route.path, ("GET",))]) if c.method == "GET"]
        found[route.path] = calls[0].url if calls else route.path
    whole = {path: url + ("&" if "?" in url else "?") + "page_size=200" for path, url in found.items() if is_paged(url)}
    return {**found, **whole}


def in_states(twin: Twin) -> dict[str, str]:
    """URLs of `STATES`, by the route's path and the state."""
    run = Run.objects.get(pk=twin.names["runs"]["id"])
    place = make_place(f"site-{new_id()[-8:]}")
    ids: dict[str, dict[str, str]] = {}
    ended = make_run(twin.house.project)
    for state, of in (("waiting", run), ("failed", ended), ("suspended", run)):
        kind = "Suspend" if state == "suspended" else "Pod"
        RunNode.objects.create(run=of, node_id=state, name=state, display_name=state, type=kind, phase="Running")
        ids[state] = {"id": of.pk, "node": state}
    why = [{"code": "agent_away", "pool_id": place.pool.pk}]
    waits = make_task(run, "waiting", why=why)
    failed = make_task(ended, "failed")
    attempt = make_attempt(failed, place)
    Run.objects.filter(pk=ended.pk).update(state="failed", phase="Failed")
    Attempt.objects.filter(pk=attempt.pk).update(state="failed", cause="user")
    Task.objects.filter(pk=failed.pk).update(state="failed")
    tasks = {"waiting": waits.pk, "failed": failed.pk}
    found = {}
    for path, states in STATES.items():
        for state in states:
            values = {"id": tasks[state]} if path.startswith("/api/v1/tasks/") else ids[state]
            found[f"{path} {state}"] = path.format(**values) + ("?start=true" if "overview" in path else "")
    return found


def more_of_what_copies_cannot_be(twin: Twin, times: int) -> None:
    """Rows that need rows of their own beside them, or that the twin has none of."""
    project, names = twin.house.project, twin.names
    run = Run.objects.get(pk=names["runs"]["id"])
    for n in range(times):
        user, place = make_user(), make_place(f"site-{new_id()[-8:]}")
        Membership.objects.create(project=project, user=user, role="viewer")
        Quota.objects.create(project=project, user=user, runs=3)
        place.pool.projects.add(project)
        make_project(owner=twin.house.users["owner"])
        audit_append(actor="test", action="test.done", target="t", project_id=project.pk)
        RunSignal.objects.create(run=run, kind="suspend", actor="test", at_ms=n)
        make_attempt(make_task(make_run(project), "n1"), place)
        CronTick.objects.create(cron_id=names["crons"]["id"], at_ms=n + times * 1000, decided_at_ms=0, state="skipped")
        Transfer.objects.create(
            project_id=project.pk,
            run_id=run.pk,
            attempt_id="a",
            site_id=place.site.pk,
            direction="in",
            size_bytes=1,
            planned_at_ms=0,
        )
        MemoEntry.objects.create(
            project=project,
            cache=f"c{new_id()[-8:]}",
            key="k",
            run_id=run.pk,
            node_id="n1",
            created_at_ms=0,
            hit_at_ms=0,
        )
        owner = f"user:{twin.house.users['owner'].username}"
        SavedFilter.objects.create(project=project, owner=owner, page="runs", name=new_id(), updated_at_ms=0)
        code = f"c{new_id()[-11:]}"
        ShareLink.objects.create(
            project=project, code=code, address="/runs", created_by=owner, created_at_ms=n, expires_at_ms=2**52
        )
        Notice.objects.create(
            user=twin.house.users["owner"], project=project, kind="test", created_at_ms=n, updated_at_ms=n
        )
        owned = {"user": twin.house.users["owner"]}
        Authenticator.objects.create(type=Authenticator.Type.WEBAUTHN, data={"name": "key"}, **owned)
        live = Session.objects.create(session_key=new_id(), session_data="", expire_date=clock.now() + timedelta(1))
        times_seen = {"created_at": clock.now(), "last_seen_at": clock.now()}
        UserSession.objects.create(session_key=live.session_key, **owned, **times_seen)
        pipeline = Pipeline.objects.create(project=project, name=f"p{new_id()[-8:]}")
        PipelineVersion.objects.create(pipeline=pipeline, number=1, kind="Workflow", text=MANIFEST, digest="ab" * 32)


def is_list(url: str) -> bool:
    return bool(getattr(_operation(url), "many", False))


def is_paged(url: str) -> bool:
    return bool(getattr(_operation(url), "paged", False))


def _operation(url: str) -> Any:
    match = resolve(url.partition("?")[0])
    actions = getattr(match.func, "actions", None) or {}
    return getattr(getattr(getattr(match.func, "cls", None), actions.get("get", ""), None), "operation", None)


def asked(clients: list[Api], url: str) -> tuple[int, int, Any]:
    """Queries, status and document of one GET, by the first of the clients that may ask."""
    events_sequence()  # where commit order is no id order, whoever reads first numbers what is new
    Token.objects.update(last_used_at=clock.now())  # a use is noted once a minute, which a slow machine may take
    for client in clients:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = client.call("GET", url)
            body = whole(response)
        if response.status_code == 200:
            break
    kind = response.headers.get("Content-Type", "")
    # Savepoints are no questions to the database's rows.
    count = sum(
        not q["sql"].startswith(("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN")) for q in queries.captured_queries
    )
    return count, response.status_code, json.loads(body) if "json" in kind and body else None


def whole(response: Any) -> bytes:
    """An answer's bytes, also of one that is made while it is read."""
    if not response.streaming:
        return bytes(response.content)
    if not response.is_async:
        return b"".join(response.streaming_content)

    async def read() -> bytes:
        return b"".join([part async for part in response.streaming_content])

    return bytes(async_to_sync(read)())


def entries(document: Any) -> int:
    rows = document.get("results", document) if isinstance(document, dict) else document
    return len(rows) if isinstance(rows, list) else 0


def in_a_browser(user: User) -> Api:
    """A client with the session of somebody who has just signed in."""
    found = Api(client=Client(raise_request_exception=False))
    found.client.force_login(user)
    return found


@pytest.mark.django_db
def test_every_route_takes_the_queries_it_is_known_to_take_however_much_there_is() -> None:
    twin = make_twin()
    people = [twin.house.users["owner"], make_admin()]
    clients = [api_of(user) for user in people]
    urls = addresses(twin) | in_states(twin)
    for url in urls.values():  # fills what is remembered for the process's life
        asked(clients, url)
    few = {path: asked(clients, url) for path, url in urls.items()}
    more_of_what_copies_cannot_be(twin, 3)
    multiply(2)
    some = {path: asked(clients, url) for path, url in urls.items()}
    more_of_what_copies_cannot_be(twin, 5)
    multiply(1)
    many = {path: asked(clients, url) for path, url in urls.items()}

    found = {path: max(few[path][0], some[path][0], many[path][0]) for path in sorted(urls)}
    if os.environ.get("UPDATE_BASELINES"):
        BASELINES.write_text(json.dumps(found, indent=1) + "\n")
    want = json.loads(BASELINES.read_text())
    if not by_id():
        found["/api/v1/events"] -= 2  # is there anything to number? asked before waiting and before reading
    failures = [f"{path}: a new route without a baseline; it takes {found[path]}" for path in found if path not in want]
    failures += [f"{path}: in the file, but no route any more" for path in want if path not in found]
    for path, count in found.items():
        if many[path][0] > some[path][0]:
            failures.append(f"{path}: {some[path][0]} queries, and {many[path][0]} when there is twice as much")
        if path in want and count != want[path]:
            failures.append(f"{path}: {count} queries; {want[path]} are known")
        if count >= UNDER:
            failures.append(f"{path}: {count} queries; every list and every page's answer takes less than {UNDER}")
        if (
            is_list(urls[path])
            and path not in UNGROWING
            and few[path][1] == 200
            and not entries(many[path][2]) > entries(some[path][2]) > 0
        ):
            failures.append(f"{path}: the list did not grow with the rows, so it was not measured")
    browsers = [in_a_browser(user) for user in people]
    for path in (path for path in found if found[path] >= WIDE):
        for browser in browsers:
            browser.get("me")  # that one was seen is written once a minute
        count = asked(browsers, urls[path])[0]
        if count > many[path][0]:
            failures.append(f"{path}: {count} queries in a browser; {many[path][0]} with a token")
    failures += [
        f"{path}: answers {many[path][1]}, so nothing was measured"
        for path in found
        if many[path][1] != 200 and path not in ELSEWHERE
    ]
    assert not failures, "\n".join(failures)
