"""The stream: live, resumable, by what one may see, and closed when that ends."""

from __future__ import annotations

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, transaction
from django.test import AsyncClient

from fubini.accounts import tokens
from fubini.accounts.models import Token
from fubini.events import stream
from fubini.events.services import EventDraft, events_append
from fubini.events.window import Window
from fubini.projects.models import Membership
from tests.support.rest import Api, House, api_of, make_admin, make_house, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE_S = 60  # ends a test that hangs; nothing is said of how long things take


def _append(house: House, name: str, *, run: str = "r1", topic: str = "run") -> None:
    """Tests share their database in memory between threads: there a writer does not wait for a reader, it is refused."""
    draft = EventDraft(
        topic=topic, kind=f"{topic}.made", entity_id=name, at_ms=1, project_id=house.project.pk, run_id=run
    )
    _patiently(lambda: events_append([draft]))


def _patiently(write: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            with transaction.atomic():
                write()
            return
        except OperationalError as error:
            if "is locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


class Reader:
    """One open stream, read frame by frame."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self.body, self.buffer = body, ""

    async def frame(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        while "\n\n" not in self.buffer:
            self.buffer += (await asyncio.wait_for(self.body.__anext__(), timeout_s)).decode()
        text, self.buffer = self.buffer.split("\n\n", 1)
        lines = dict(line.split(": ", 1) for line in text.split("\n") if line and not line.startswith(":"))
        return {"event": lines.get("event", "message"), "id": int(lines["id"]), "data": json.loads(lines["data"])}

    async def message(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        while True:
            frame = await self.frame(timeout_s)
            if frame["event"] != "cursor":
                return frame

    async def close(self) -> None:
        await self.body.aclose()  # type: ignore[attr-defined]
        del self.body
        gc.collect()  # the generator within is closed when nobody holds it any more, as a server drops it


async def _open(api: Api, query: str = "", **headers: str) -> Reader:
    sent = {"Authorization": f"Bearer {api.token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
    response: Any = await AsyncClient().get(f"/api/v1/events{query}", headers=sent)
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "text/event-stream"
    assert response["X-Accel-Buffering"] == "no"
    return Reader(response.streaming_content.__aiter__())


@pytest.fixture(autouse=True)
def _no_reader_is_left(transactional_db: None) -> Iterator[None]:
    """The tail's thread ends a moment after its last stream; until then it would get in the next test's way."""
    yield
    thread = stream.TAIL._thread
    if thread is not None:
        thread.join(PATIENCE_S)


@pytest.fixture
def house() -> House:
    return make_house()


async def test_an_event_arrives_while_the_stream_is_open(house: House) -> None:
    reader = await _open(house.api["viewer"], f"?project={house.project.slug}")
    first = await reader.frame()
    assert first["event"] == "cursor"
    await sync_to_async(_append, thread_sensitive=False)(house, "one")
    message = await reader.message()
    assert message["data"]["entity_id"] == "one" and message["data"]["seq"] == message["id"]
    await reader.close()


async def test_a_client_that_comes_back_misses_none(house: House) -> None:
    api = house.api["viewer"]
    reader = await _open(api)
    await reader.frame()
    await sync_to_async(_append, thread_sensitive=False)(house, "one")
    last = (await reader.message())["id"]
    await reader.close()
    for name in ("two", "three"):
        await sync_to_async(_append, thread_sensitive=False)(house, name)
    again = await _open(api, "", Last_Event_ID=str(last))
    assert [(await again.message())["data"]["entity_id"] for _ in range(2)] == ["two", "three"]
    await again.close()
    by_cursor = await _open(api, f"?cursor={last}")
    assert (await by_cursor.message())["data"]["entity_id"] == "two"
    await by_cursor.close()


async def test_nobody_hears_of_another_project(house: House) -> None:
    other = await sync_to_async(make_house)()
    reader = await _open(other.api["owner"], "?cursor=0")
    await sync_to_async(_append, thread_sensitive=False)(house, "secret")
    await sync_to_async(_append, thread_sensitive=False)(other, "own", run="r2")
    seen = []
    while "own" not in seen:
        message = await reader.message()
        assert message["data"]["project_id"] == other.project.pk
        seen.append(message["data"]["entity_id"])
    await reader.close()
    for query in (f"?project={house.project.slug}", f"?project={house.project.pk}", "?run=r1"):
        response: Any = await AsyncClient().get(
            f"/api/v1/events{query}", headers={"Authorization": f"Bearer {other.api['owner'].token}"}
        )
        problem_of(response, 404, "not_found")


@pytest.mark.parametrize("how", ["token revoked", "membership ended", "user inactive"])
async def test_a_stream_ends_when_its_right_ends(house: House, how: str, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "STREAM_RECHECK_S": 0.2}
    reader = await _open(house.api["viewer"], f"?project={house.project.slug}")
    await reader.frame()
    user = house.users["viewer"]

    def end() -> None:
        if how == "token revoked":
            tokens.token_revoke(token=Token.objects.get(user=user), actor="test")
        elif how == "membership ended":
            Membership.objects.filter(user=user).delete()
        else:
            user.is_active = False
            user.save()

    await sync_to_async(_patiently, thread_sensitive=False)(end)
    await asyncio.sleep(0.2)
    await sync_to_async(_append, thread_sensitive=False)(house, "wakes it")
    while True:
        frame = await reader.frame()
        if frame["event"] == "end":
            break
    assert frame["data"]["code"] in {"unauthenticated", "not_found"}
    with pytest.raises(StopAsyncIteration):
        await reader.frame()


async def test_a_quiet_stream_beats_and_its_beat_moves_the_cursor(house: House) -> None:
    def watch() -> stream.EventFilter:
        return stream.EventFilter(("nothing",))

    frames = Reader(stream.frames(watch, None, beat_s=0.1))
    first = await frames.frame()
    await sync_to_async(_append, thread_sensitive=False)(house, "hidden")
    async with asyncio.timeout(PATIENCE_S):
        while (await frames.frame())["id"] <= first["id"]:
            pass
    await frames.close()


async def test_a_long_poll_waits_for_an_event_and_no_longer(house: House) -> None:
    api = house.api["viewer"]
    headers = {"Authorization": f"Bearer {api.token}"}
    client = AsyncClient()
    empty = (await client.get("/api/v1/events?wait=0&cursor=0", headers=headers)).json()
    assert empty["events"] == [] and empty["gap"] is False

    async def later() -> None:
        await asyncio.sleep(0.2)
        await sync_to_async(_append, thread_sensitive=False)(house, "one")

    task = asyncio.create_task(later())
    async with asyncio.timeout(PATIENCE_S / 2):
        response = await client.get(f"/api/v1/events?wait=60s&cursor={empty['cursor']}", headers=headers)
    await task
    body = response.json()
    assert [e["entity_id"] for e in body["events"]] == ["one"] and body["cursor"] >= body["events"][0]["seq"]
    ended = await client.get(f"/api/v1/events?wait=0.3&cursor={body['cursor']}", headers=headers)
    assert ended.json()["events"] == []


async def test_open_streams_are_limited_and_a_closed_one_frees_its_place(house: House, settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "STREAMS_MAX_A_PRINCIPAL": 2}
    api = house.api["viewer"]
    readers = [await _open(api) for _ in range(2)]
    for reader in readers:
        await reader.frame()
    headers = {"Authorization": f"Bearer {api.token}"}
    response: Any = await AsyncClient().get("/api/v1/events", headers=headers)
    problem_of(response, 429)
    assert response["Retry-After"] == "5"
    other = await _open(house.api["member"])
    await other.frame()
    await readers[0].close()
    async with asyncio.timeout(PATIENCE_S):
        while stream.SEATS.taken >= 3:  # the closed generator's end is a task of the loop
            await asyncio.sleep(0.01)
    again = await _open(api)
    await again.frame()
    for reader in (readers[1], other, again):
        await reader.close()


async def test_what_comes_while_streams_are_open_is_read_once_for_all_of_them(house: House) -> None:
    readers = [await _open(house.api["viewer"]) for _ in range(5)]
    for reader in readers:
        await reader.frame()
    await sync_to_async(_append, thread_sensitive=False)(house, "first")
    for reader in readers:
        assert (await reader.message())["data"]["entity_id"] == "first"
    asked: list[str] = []

    def note(execute: Any, sql: str, *rest: Any) -> Any:
        asked.append(sql)
        return execute(sql, *rest)

    read = stream.events_all_after

    def noting(*arguments: Any, **named: Any) -> Any:
        with connection.execute_wrapper(note):  # the tail's own connection
            return read(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "events_all_after", noting)
        patch.setattr(stream, "events_after", None)  # no stream asks the database for itself
        await sync_to_async(_append, thread_sensitive=False)(house, "second")
        for reader in readers:
            assert (await reader.message())["data"]["entity_id"] == "second"
    assert all("ORDER BY" in sql and "project_id IN" not in sql for sql in asked)
    for reader in readers:
        await reader.close()


async def test_a_reader_behind_the_window_catches_up_from_the_database(house: House, monkeypatch: Any) -> None:
    monkeypatch.setattr(stream.TAIL, "window", Window(most=3))
    reader = await _open(house.api["viewer"])
    begin = (await reader.frame())["id"]
    for name in "abcdefgh":
        await sync_to_async(_append, thread_sensitive=False)(house, name)
    late = await _open(house.api["viewer"], f"?cursor={begin}")
    for one in (reader, late):
        assert [(await one.message())["data"]["entity_id"] for _ in range(8)] == list("abcdefgh")
        await one.close()


@pytest.mark.parametrize(
    ("query", "headers", "want"),
    [
        pytest.param("?wait=x", {}, 422, id="a wait that is no time"),
        pytest.param("?wait=61", {}, 422, id="a wait too long"),
        pytest.param("?cursor=-1", {}, 422, id="a negative cursor"),
        pytest.param("?cursor=99999999999999999999", {}, 422, id="a cursor beyond 64 bits"),
        pytest.param("?porject=x", {}, 422, id="a misspelt parameter"),
        pytest.param("?project=none", {}, 404, id="no such project"),
        pytest.param("", {"Last-Event-ID": "abc"}, 422, id="a foreign event id"),
    ],
)
async def test_a_wrong_request_is_a_problem(house: House, query: str, headers: dict[str, str], want: int) -> None:
    sent = {"Authorization": f"Bearer {house.api['viewer'].token}", **headers}
    response: Any = await AsyncClient().get(f"/api/v1/events{query}", headers=sent)
    problem_of(response, want)


async def test_no_sign_in_no_stream() -> None:
    response: Any = await AsyncClient().get("/api/v1/events?porject=x")
    problem_of(response, 401)


def test_administrators_hear_of_what_belongs_to_no_project(house: House) -> None:
    with transaction.atomic():
        events_append([EventDraft(topic="site", kind="site.made", entity_id="s", at_ms=1)])
    heard = api_of(make_admin()).get("events?wait=0&cursor=0").json()["events"]
    assert any(e["entity_id"] == "s" for e in heard)
    for api in (house.api["owner"], api_of(make_user())):
        assert not any(e["project_id"] is None for e in api.get("events?wait=0&cursor=0").json()["events"])


async def test_a_stream_that_was_never_read_frees_its_place_and_a_rush_gets_no_more_places(
    house: House, settings: Any
) -> None:
    settings.FUBINI = {**settings.FUBINI, "STREAMS_MAX_A_PRINCIPAL": 3}
    headers = {"Authorization": f"Bearer {house.api['owner'].token}"}
    await sync_to_async(house.api["owner"].get)("me")  # notes the token's use, which the rush then need not
    answers: list[Any] = await asyncio.gather(*(AsyncClient().get("/api/v1/events", headers=headers) for _ in range(8)))
    assert sorted(a.status_code for a in answers) == [200] * 3 + [429] * 5
    for answer in answers:
        answer.close()
    again: Any = await AsyncClient().get("/api/v1/events", headers=headers)
    assert again.status_code == 200
