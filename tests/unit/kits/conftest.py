"""The kit's program is data to the product, not an installed package: put it on the path for these tests alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.unit.kits.leaves import KIT


@pytest.fixture(autouse=True, scope="package")
def _kit_on_path() -> Iterator[None]:
    # Byte code beside the code would become part of the dataset that a person imports.
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(KIT / "code"), str(KIT)]
    yield
    sys.path.remove(str(KIT / "code"))
    sys.path.remove(str(KIT))
    sys.dont_write_bytecode = before
