"""Stub"""

from __future__ import annotations
from typing import Any
from fubini.manifests.context import Source


def check_annotations(source: Source) -> dict[str, dict[str, Any]]:
    return {}
