"""A look at a step's files: a row an agent's poll carries, and an answer only the asked agent can give."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from fubini.common.errors import Invalid, NotFound, TooManyRequests
from fubini.gateway.looks import answer_take, asks_for
from fubini.runs.look_apis import look_shown
from fubini.runs.looks import AT_ONCE, SiteSilent, look_make, look_wait
from fubini.runs.models import Attempt, FileLook
from fubini_protocol.v1 import messages as wire
from tests.support.rows import Place, make_attempt, make_place, make_project, make_run, make_task

pytestmark = pytest.mark.django_db


@pytest.fixture
def place() -> Place:
    return make_place()


@pytest.fixture
def attempt(place: Place) -> Attempt:
    return make_attempt(make_task(make_run(make_project())), place)


def make(attempt: Attempt, **more: Any) -> FileLook:
    return look_make(attempt=attempt, **({"path": "log", "offset": 0, "limit": 100} | more))


def answer(ask: wire.FilesAsk, **more: Any) -> wire.FilesAnswer:
    content = base64.b64encode("grün".encode()[:3]).decode()
    values: dict[str, Any] = {"kind": "file", "path": "/log", "size": 5, "content": content, "live": True}
    return wire.FilesAnswer(ask_id=ask.ask_id, attempt_id=ask.attempt_id, **(values | more))


def test_a_look_is_said_once_and_its_answer_reaches_who_asked(place: Place, attempt: Attempt) -> None:
    row = make(attempt)
    (ask,) = asks_for(place.agent)
    assert (ask.attempt_id, ask.fence, ask.path) == (attempt.pk, attempt.fence, "log")
    assert asks_for(place.agent) == ()
    answer_take(make_place("other").agent, answer(ask, text="of a stranger"))
    answer_take(place.agent, answer(ask))
    shown = look_shown(look_wait(row, wait_s=0), 1)
    assert (shown["text"], shown["next_offset"], shown["live"]) == ("gr", 2, True)  # no half character
    assert not FileLook.objects.exists()
    answer_take(place.agent, answer(ask))  # too late: dropped


def test_a_silent_site_is_said_to_be_and_the_row_goes(attempt: Attempt) -> None:
    with pytest.raises(SiteSilent):
        look_wait(make(attempt), wait_s=0)
    assert not FileLook.objects.exists()


def test_what_succeeded_has_no_files_and_a_site_is_not_asked_too_much(attempt: Attempt) -> None:
    for _ in range(AT_ONCE):
        make(attempt)
    with pytest.raises(TooManyRequests):
        make(attempt)
    attempt.state = "succeeded"
    with pytest.raises(NotFound, match="succeeded"):
        make(attempt)


def test_what_the_agent_refuses_is_told_with_its_reason(place: Place, attempt: Attempt) -> None:
    make(attempt)
    (ask,) = asks_for(place.agent)
    shown = answer(ask, problem="gone", text="not here").model_dump(mode="json")
    with pytest.raises(NotFound, match="not here"):
        look_shown(shown, 1)
    with pytest.raises(Invalid, match="a pipe"):
        look_shown(shown | {"problem": "refused", "text": "a pipe"}, 1)
    assert look_shown(answer(ask, content="AAA=").model_dump(mode="json"), 1)["binary"]
