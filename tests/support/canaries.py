"""Look for a planted secret in everything that is stored: files of a folder, rows of every table."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path


def forms(text: str) -> list[bytes]:
    """A canary as it may lie around: plain, in hex, and base64 at each of the three alignments."""
    raw = text.encode()
    found = [raw, raw.hex().encode()]
    for pad in range(3):
        # Only the characters that depend on the canary alone, whatever stands before and after it.
        encoded = base64.b64encode(b"\0" * pad + raw)
        found.append(encoded[-(-pad * 8 // 6) : (pad + len(raw)) * 8 // 6])
    return found


def holds(content: bytes, text: str) -> bool:
    return any(form in content for form in forms(text))


def files_with(folder: Path, text: str) -> list[str]:
    """Files below `folder` that have the canary, gzipped ones looked into."""
    found = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink()):
        try:
            content = path.read_bytes()
        except (PermissionError, FileNotFoundError):
            continue
        if content[:2] == b"\x1f\x8b":
            content += gzip.decompress(content)
        if holds(content, text):
            found.append(str(path.relative_to(folder)))
    return found


def tables_with(texts: Iterable[str]) -> Iterator[str]:
    """``table.column`` of every row that has one of the canaries, over all tables of the database."""
    from django.db import connection

    wanted = list(texts)
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    content = value if isinstance(value, bytes) else str(value).encode()
                    if any(holds(content, text) for text in wanted):
                        yield f"{table}.{name}"
