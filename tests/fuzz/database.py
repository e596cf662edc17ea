"""A throw-away database for fuzzers that are started by themselves, outside pytest."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def test_database() -> Iterator[None]:
    """An empty, migrated database in memory while the block runs."""
    for root in ("platform", "scheduler", "edge_agent", "."):
        if str(REPOSITORY / root) not in sys.path:
            sys.path.insert(0, str(REPOSITORY / root))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fubini.settings.test")
    import django

    django.setup()
    from django.conf import settings
    from django.test.runner import DiscoverRunner
    from django.test.utils import setup_test_environment, teardown_test_environment

    (Path(settings.FUBINI_HOME) / "static").mkdir(parents=True, exist_ok=True)
    setup_test_environment()
    runner = DiscoverRunner(verbosity=0, interactive=False)
    names = runner.setup_databases()
    try:
        yield
    finally:
        runner.teardown_databases(names)
        teardown_test_environment()
