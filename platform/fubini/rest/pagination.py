"""Cursor pages: keyset pages that stay right while rows are added; `next`/`previous` links and a `Link` header.

A cursor holds the ordering values of the row it stands at, signed, so that a changed or foreign one is refused rather
than guessed at. An ordering always ends in a unique column. Rows are never counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.http import urlencode
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from fubini.common.errors import Invalid
from fubini.common.saying import say

PAGE_SIZE, MAX_PAGE_SIZE = 25, 200
_SIGNER = signing.Signer(salt="fubini.rest.cursor")


class BadCursor(Invalid):
    code = "cursor"
    title = "That cursor does not belong to this list"


def _bad() -> BadCursor:
    return BadCursor(
        "The cursor was changed, or made for another list or ordering.",
        next_step="Begin at the first page, without `cursor`, and follow `next`.",
        errors=[{"code": "cursor", "path": "cursor", "detail": "not one of this list's cursors"}],
    )


@dataclass(frozen=True, slots=True)
class FirstPage:
    """The first rows of a list that has a route of its own, where `next` goes on; None: these are all."""

    results: list[Any]
    next: str | None


class CursorPages(BasePagination):
    """One page of a queryset under an ordering given per list (`paginate`)."""

    page_size = PAGE_SIZE
    max_page_size = MAX_PAGE_SIZE

    def paginate(self, queryset: QuerySet[Any], request: Request, ordering: Sequence[str]) -> list[Any]:
        """Rows of the page the request's `cursor` and `page_size` name; `reply` makes its answer.

        Args:
            ordering: column names, `-` for descending; the last one must be unique, none may be null.
        """
        self.path = request.path
        self.given = [(k, v) for k, vs in request.query_params.lists() for v in vs if k != "cursor"]
        return self._rows(
            queryset,
            request,
            ordering,
            self._size(request.query_params.get("page_size")),
            request.query_params.get("cursor"),
        )

    def first(
        self,
        queryset: QuerySet[Any],
        request: Request,
        ordering: Sequence[str],
        *,
        path: str,
        given: Mapping[str, str],
        size: int = PAGE_SIZE,
    ) -> FirstPage:
        """The first page of the list at `path` under the parameters `given`, for an answer that shows several lists."""
        self.path, self.given = path, [*given.items(), ("page_size", str(size))]
        rows = self._rows(queryset, request, ordering, size, None)
        return FirstPage(rows, self._link(False, self.last) if self.has_next else None)

    def _rows(
        self, queryset: QuerySet[Any], request: Request, ordering: Sequence[str], size: int, cursor: str | None
    ) -> list[Any]:
        self.request, self.ordering = request, tuple(ordering)
        backwards, values = self._read(cursor) if cursor is not None else (False, None)
        order = [_flip(name) for name in self.ordering] if backwards else list(self.ordering)
        if values is not None:
            queryset = queryset.filter(_after(order, values))
        try:
            rows: list[Any] = list(queryset.order_by(*order)[: size + 1])
        except (ValueError, OverflowError):
            raise _bad() from None
        more, rows = len(rows) > size, rows[:size]
        if backwards:
            rows.reverse()
        self.has_next = bool(rows) and (more if not backwards else True)
        self.has_previous = bool(rows) and (more if backwards else values is not None)
        self.top: Any = rows[0] if rows else None
        self.last: Any = rows[-1] if rows else None
        return rows

    def reply(self, data: Any) -> Response:
        """The page's envelope; links are also in `Link`."""
        following = self._link(False, self.last) if self.has_next else None
        previous = self._link(True, self.top) if self.has_previous else None
        links = [f'<{url}>; rel="{rel}"' for url, rel in ((following, "next"), (previous, "prev")) if url]
        headers = {"Link": ", ".join(links)} if links else {}
        return Response({"results": data, "next": following, "previous": previous}, headers=headers)

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": "string", "format": "uri", "nullable": True}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": "cursor",
                "in": "query",
                "description": "Where to go on: from `next`, `previous` or `Link`.",
                "schema": {"type": "string", "minLength": 1},
            },
            {
                "name": "page_size",
                "in": "query",
                "description": "Rows a page.",
                "schema": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": PAGE_SIZE},
            },
        ]

    def _size(self, given: str | None) -> int:
        if given is None:
            return self.page_size
        if not (given.isascii() and given.isdigit() and len(given) < 6 and 1 <= int(given) <= self.max_page_size):
            raise Invalid(
                say(
                    "page_size is {given!r}; it is an integer from 1 to {max_page_size}.",
                    given=given[:40],
                    max_page_size=self.max_page_size,
                ),
                errors=[
                    {
                        "path": "page_size",
                        "code": "range",
                        "found": given[:40],
                        "allowed": say(
                            "1..{max_page_size}",
                            max_page_size=self.max_page_size,
                        ),
                    }
                ],
            )
        return int(given)

    def _read(self, cursor: str) -> tuple[bool, list[Any]]:
        try:
            backwards, ordering, values = json.loads(signing.b64_decode(_SIGNER.unsign(cursor).encode()).decode())
        except (signing.BadSignature, ValueError, TypeError):
            raise _bad() from None
        if ordering != list(self.ordering) or len(values) != len(ordering):
            raise _bad()
        return bool(backwards), [parse_datetime(v["at"]) if isinstance(v, dict) else v for v in values]

    def _link(self, backwards: bool, row: Model | dict[str, Any]) -> str:
        values = [_value(row, name.lstrip("-")) for name in self.ordering]
        text = json.dumps([backwards, list(self.ordering), values], separators=(",", ":"))
        token = _SIGNER.sign(signing.b64_encode(text.encode()).decode())
        return self.request.build_absolute_uri(self.path + "?" + urlencode([*self.given, ("cursor", token)]))


def _value(row: Any, name: str) -> Any:
    value = row
    for part in name.split("__"):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return {"at": value.isoformat()} if hasattr(value, "isoformat") else value


def _flip(name: str) -> str:
    return name[1:] if name.startswith("-") else f"-{name}"


def _after(order: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows that come after the given position in a lexicographic ordering."""
    found = Q()
    same: dict[str, Any] = {}
    for name, value in zip(order, values, strict=True):
        column = name.lstrip("-")
        found |= Q(**same, **{f"{column}__{'lt' if name.startswith('-') else 'gt'}": value})
        same[column] = value
    return found
