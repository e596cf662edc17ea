"""Price books as CSV: writing them, and reading what came back with every error in its line and column. Pure.

A row without a version is a new one. A row with a version states one there is, so that a file that was downloaded can be
sent back with lines added; it must say what that version says. `device_hour_micros` is ``NAME=MICROS``, several joined by
semicolons. A beginning is empty or ``now``, a date (its midnight in the accounting zone) or a time with its offset.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from fubini.common.saying import say
from fubini.sites.prices import MICROS_MAX, SCALARS, Rates

COLUMNS: Final = ("site", "pool", "version", "valid_from", *SCALARS, "device_hour_micros", "created_by")
REQUIRED: Final = ("site", "pool")
ROWS_MAX: Final = 1000
CELL_MAX: Final = 2000
ERRORS_MAX: Final = 100
_DEVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9./_-]{0,79}")
_MONEY: Final = say("an integer from 0 to {most}: micros, a millionth of the currency", most=MICROS_MAX)
_WHEN: Final = say("empty or now, a date like 2026-12-01, or a time like 2026-12-01T08:00:00+08:00")


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `version` None: a new one. `valid_from` None: now."""

    line: int
    site: str
    pool: str
    version: int | None
    valid_from: datetime | None
    rates: Rates


class Errors:
    """What is wrong where; bounded."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []

    def add(self, line: int, column: str, code: str, detail: str, found: object = "", allowed: object = "") -> None:
        if len(self.found) < ERRORS_MAX:
            entry = {"line": line, "path": column, "code": code, "detail": detail, "found": str(found)[:80]}
            self.found.append({**entry, "allowed": allowed} if allowed else entry)


def parse(text: str, zone: str) -> tuple[list[Row], Errors]:
    """The rows of a file, and what is wrong in it; with errors the rows are not to be used."""
    errors = Errors()
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    rows: list[Row] = []
    columns: list[str] | None = None
    try:
        for cells in reader:
            line = reader.line_num
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = _header([cell.strip() for cell in cells], line, errors)
                if errors.found:
                    break
                continue
            if len(rows) >= ROWS_MAX:
                errors.add(line, "", "too_many", say("more than {most} lines", most=ROWS_MAX))
                break
            rows.append(_row(cells, columns, line, zone, errors))
    except csv.Error as error:
        errors.add(reader.line_num, "", "csv", say("not CSV: {error}", error=str(error)))
    if columns is None and not errors.found:
        errors.add(1, "", "empty", say("the file has no header line"), allowed=",".join(COLUMNS))
    return rows, errors


def _header(cells: list[str], line: int, errors: Errors) -> list[str]:
    for cell in cells:
        if cell not in COLUMNS:
            errors.add(line, cell[:40], "column", say("no such column"), cell, ", ".join(COLUMNS))
        elif cells.count(cell) > 1:
            errors.add(line, cell, "column", say("the column is there twice"))
    for name in REQUIRED:
        if name not in cells:
            errors.add(line, name, "required", say("the column is missing"))
    return cells


def _row(cells: list[str], columns: list[str], line: int, zone: str, errors: Errors) -> Row:
    if len(cells) != len(columns):
        errors.add(
            line, "", "cells", say("the line has another number of cells than the header"), len(cells), len(columns)
        )
    values = {name: cell.strip()[:CELL_MAX] for name, cell in zip(columns, cells, strict=False)}
    for name in REQUIRED:
        if not values.get(name):
            errors.add(line, name, "required", say("it is empty"))
    scalars = {name: _number(values.get(name, ""), line, name, errors, MICROS_MAX, _MONEY) or 0 for name in SCALARS}
    devices = _devices(values.get("device_hour_micros", ""), line, errors)
    return Row(
        line,
        values.get("site", ""),
        values.get("pool", ""),
        _number(values.get("version", ""), line, "version", errors, 10**9, say("a version there is; empty: a new one")),
        _when(values.get("valid_from", ""), line, zone, errors),
        Rates(**scalars, device_hour_micros=devices),
    )


def _number(text: str, line: int, column: str, errors: Errors, most: int, allowed: str) -> int | None:
    if text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18 and int(text) <= most):
        errors.add(line, column, "number", say("not such a number"), text, allowed)
        return None
    return int(text)


def _devices(text: str, line: int, errors: Errors) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, amount = part.partition("=")
        if not equals or not _DEVICE.fullmatch(name.strip()) or name.strip() in found:
            allowed = say("NAME=MICROS once a name, joined by semicolons, such as nvidia.com/gpu=1800000")
            errors.add(line, "device_hour_micros", "device", say("not a device's price"), part, allowed)
            continue
        number = _number(amount.strip(), line, "device_hour_micros", errors, MICROS_MAX, _MONEY)
        found[name.strip()] = number or 0
    return found


def _when(text: str, line: int, zone: str, errors: Errors) -> datetime | None:
    if text in ("", "now"):
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        errors.add(line, "valid_from", "time", say("not a time"), text, _WHEN)
        return None
    return found


def write(lines: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """CSV text in pieces, of rows that have the fields of `COLUMNS` as the models do."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        devices = ";".join(f"{name}={micros}" for name, micros in sorted(line["device_hour_micros"].items()))
        values = {**line, "valid_from": line["valid_from"].isoformat(), "device_hour_micros": devices}
        writer.writerow([_harmless(values[name]) for name in COLUMNS])
        if buffer.tell() > 16_384:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def _harmless(value: Any) -> Any:
    """A cell no spreadsheet takes for a formula."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
