"""How views become OpenAPI operations."""

from __future__ import annotations

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """The place for what drf-spectacular cannot know."""
