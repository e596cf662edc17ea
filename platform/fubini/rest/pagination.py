"""Cursor pages: stable while rows are added; `next`/`previous` links and a `Link` header."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class CursorPages(CursorPagination):
    page_size = 25
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"
