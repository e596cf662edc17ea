"""One dispatch process leads. The lock is a row: taken when free or silent, renewed by its holder, lost when overtaken.

Server time decides. `epoch` rises with every change of leader, so that a stalled former leader notices before it writes.
"""

from __future__ import annotations

import os
import secrets
import socket
from typing import Any

from django.db import transaction

from fubini.common import clock
from fubini.dispatch.models import Leader

SILENT_MS = 5_000


class Leadership:
    """This process's claim to lead."""

    def __init__(self) -> None:
        self.holder = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.epoch = 0

    def hold(self) -> bool:
        """Take or renew; False while somebody else leads and is alive."""
        now = clock.now_ms()
        with transaction.atomic():
            Leader.objects.get_or_create(pk=1)
            row = Leader.objects.select_for_update().get(pk=1)
            if row.holder != self.holder:
                if row.holder and now - row.renewed_at_ms < SILENT_MS and _alive(row.holder):
                    return False
                row.epoch += 1
                row.holder = self.holder
            elif now - row.renewed_at_ms < 1000 and row.epoch == self.epoch:
                return True
            row.renewed_at_ms = now
            row.save(update_fields=["holder", "epoch", "renewed_at_ms"])
            self.epoch = row.epoch
        return True

    def cycle_done(self, figures: dict[str, Any]) -> None:
        """Note that a cycle ended; `readyz` tells its age."""
        Leader.objects.filter(pk=1, holder=self.holder).update(cycle_at_ms=clock.now_ms(), cycle=figures)

    def release(self) -> None:
        Leader.objects.filter(pk=1, holder=self.holder).update(holder="", renewed_at_ms=0)


def _alive(holder: str) -> bool:
    """A holder on this host whose process is gone need not be waited for; elsewhere only silence tells."""
    host, pid, _ = holder.rsplit(":", 2)
    if host != socket.gethostname()[:40]:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
