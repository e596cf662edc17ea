"""The middleware lets async views be async, and still serves static files."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory

from fubini.common.figures import CURRENCY_HEADER
from fubini.rest.middleware import RequestLimitsMiddleware, StaticFilesMiddleware


@pytest.fixture
def static_file(tmp_path: Path, settings: Any) -> str:
    (tmp_path / "app.js").write_text("1;")
    settings.STATIC_ROOT = str(tmp_path)
    return "/static/app.js"


async def test_an_async_view_behind_them_stays_on_the_event_loops_thread(static_file: str) -> None:
    seen: list[int] = []

    async def view(request: HttpRequest) -> HttpResponse:
        seen.append(threading.get_ident())
        return HttpResponse("view")

    chain: Any = StaticFilesMiddleware(RequestLimitsMiddleware(view))  # type: ignore[arg-type]
    response = await chain(AsyncRequestFactory().get("/api/v1/events"))
    assert response.content == b"view" and response["X-Request-ID"]
    assert seen == [threading.get_ident()]
    found = await chain(AsyncRequestFactory().get(static_file))
    assert b"".join(found.streaming_content) == b"1;"


async def test_forty_waiting_requests_wait_together(static_file: str) -> None:
    together = asyncio.Barrier(40)  # nobody gets past it before all are there

    async def view(request: HttpRequest) -> HttpResponse:
        await together.wait()
        return HttpResponse("view")

    chain: Any = StaticFilesMiddleware(RequestLimitsMiddleware(view))  # type: ignore[arg-type]
    async with asyncio.timeout(60):
        await asyncio.gather(*(chain(AsyncRequestFactory().get("/x")) for _ in range(40)))


def test_sync_requests_get_static_files_and_views_too(static_file: str) -> None:
    chain: Any = StaticFilesMiddleware(RequestLimitsMiddleware(lambda request: HttpResponse("view")))
    assert b"".join(chain(RequestFactory().get(static_file)).streaming_content) == b"1;"
    assert chain(RequestFactory().get("/x")).content == b"view"


def test_every_answer_of_the_api_says_the_currency_of_its_amounts(settings: Any) -> None:
    settings.FUBINI = {**settings.FUBINI, "CURRENCY": "元"}
    chain: Any = RequestLimitsMiddleware(lambda request: HttpResponse("view"))
    assert chain(RequestFactory().get("/api/v1/me"))[CURRENCY_HEADER] == "%E5%85%83"
    assert CURRENCY_HEADER not in chain(RequestFactory().get("/"))
