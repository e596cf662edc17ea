"""Our middleware: static files, the request's id and language, the answer's currency; a body that is too large is refused unread."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from fubini.common.figures import CURRENCY_HEADER
from fubini.common.saying import ASKED, CHINESE, ENGLISH, language_of
from fubini.rest.limits import max_body_bytes, too_large
from fubini.rest.problems import problem_response
from fubini.rest.request_id import CURRENT, request_id_of

DJANGO_LANGUAGE = {ENGLISH: "en", CHINESE: "zh-hans"}


class RequestLimitsMiddleware:
    """Works for sync and async views alike, so that streams do not hold a thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if self.is_async:
            return self._async_call(request)
        refused = self._begin(request)
        return self._end(request, refused if refused is not None else self.get_response(request))

    async def _async_call(self, request: HttpRequest) -> HttpResponse:
        refused = self._begin(request)
        return self._end(request, refused if refused is not None else await self.get_response(request))

    def _begin(self, request: HttpRequest) -> HttpResponse | None:
        request.request_id = request_id_of(request.headers.get("X-Request-ID"))  # type: ignore[attr-defined]
        CURRENT.set(request.request_id)  # type: ignore[attr-defined]
        language = language_of(request.headers.get("Accept-Language", ""))
        ASKED.set(language)
        translation.activate(DJANGO_LANGUAGE[language])
        limit = max_body_bytes(request.path)
        declared = request.META.get("CONTENT_LENGTH") or ""
        if limit is not None and declared.isdigit() and int(declared) > limit:
            return problem_response(too_large(limit, int(declared)))
        return None

    def _end(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response["X-Request-ID"] = request.request_id  # type: ignore[attr-defined]
        if request.path.startswith("/api/v1/"):
            response[CURRENCY_HEADER] = quote(str(settings.FUBINI["CURRENCY"]))
        patch_vary_headers(response, ("Accept-Language",))
        return response


class StaticFilesMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise that lets async views pass: its own is sync only, so each long poll or agent's sync would hold a thread."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        return self._async_call(request) if self.is_async else super().__call__(request)

    async def _async_call(self, request: HttpRequest) -> Any:
        # The same look-up as the sync one, in memory; only a found file is opened, in a thread.
        known = None if self.autorefresh else self.files.get(request.path_info)
        if self.autorefresh and request.path_info.startswith(str(self.static_prefix)):
            known = await sync_to_async(self.find_file)(request.path_info)
        if known is not None:
            return await sync_to_async(self.serve)(known, request)
        return await self.get_response(request)
