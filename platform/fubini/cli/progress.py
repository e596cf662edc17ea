"""Progress bars: on a terminal only, on standard error only, never under --json or --quiet."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator

from fubini.cli.config import OPTIONS
from fubini.cli.output import is_terminal


def wanted() -> bool:
    """May lines be redrawn?"""
    return is_terminal(sys.stderr) and not OPTIONS.json and not OPTIONS.quiet


@contextlib.contextmanager
def bytes_bar(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar over bytes; the function it gives takes how many came."""
    if not wanted():
        yield lambda _count: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.advance(task, count)
