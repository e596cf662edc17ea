"""A store of its own for each test, and a project to put things in."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from fubini.datasets.selectors import memory_clear
from fubini.datasets.services import blob_record
from fubini.datasets.store import Store, default_store
from fubini.projects.models import Project
from tests.support.rows import make_project


@pytest.fixture
def store(tmp_path: Path, settings: Any) -> Store:
    settings.FUBINI = {**settings.FUBINI, "OBJECTS_URL": str(tmp_path / "objects")}
    memory_clear()
    return default_store()


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects' door works on the test's own connection, inside its transaction."""

    async def here(work: Any) -> Any:
        return await sync_to_async(work)()

    monkeypatch.setattr("fubini.datasets.exchanges.in_database", here)


@pytest.fixture
def project(db: None) -> Project:
    return make_project(budget_micros=0)


@pytest.fixture
def keep(store: Store, project: Project) -> Any:
    """Keep bytes for a project; an entry of them."""

    def put(data: bytes, path: str = "", *, owner: Project | None = None) -> dict[str, Any]:
        digest = store.put_bytes(data)
        blob_record(project_id=(owner or project).pk, digest=digest, size_bytes=len(data))
        return {"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "mode": 0o644}

    return put
