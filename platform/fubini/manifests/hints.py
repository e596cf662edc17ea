from __future__ import annotations
from fubini.manifests.context import Source
from fubini.manifests.semantics import Semantics


def add_hints(source: Source, semantics: Semantics) -> None:
    return
