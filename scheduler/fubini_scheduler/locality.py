"""Where the bytes are: what must move to a site, how long that takes and what it costs.

A site's incoming link is one queue: what is in flight goes first. A blob already on its way is not moved twice.
Bandwidth is a pool's figure (into its site); egress is paid to the cheapest holder of the blob.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fubini_scheduler.model import STORE, BlobKey, Price, SiteId, Snapshot

Inputs = tuple[tuple[BlobKey, int], ...]


@dataclass(frozen=True, slots=True)
class Staging:
    """What one task's inputs mean for one site."""

    bytes_to_move: int
    bytes_ahead: int  # in flight before them; 0 when nothing must be waited for
    egress_micros: int

    def duration_ms(self, bandwidth_bytes_per_s: int) -> int:
        """Time until the last byte is there, rounded up."""
        total = self.bytes_to_move + self.bytes_ahead
        return -(-total * 1000 // max(1, bandwidth_bytes_per_s)) if total else 0


NOTHING = Staging(0, 0, 0)


class Locality:
    """Replicas and transfers of a snapshot, and those that this cycle's placements start. Mutable within a cycle."""

    __slots__ = ("_arriving", "_egress", "_in_flight", "_replicas")

    def __init__(self, snapshot: Snapshot) -> None:
        self._replicas: Mapping[BlobKey, frozenset[SiteId]] = snapshot.replicas
        self._in_flight: dict[SiteId, int] = {}
        self._arriving: set[tuple[SiteId, BlobKey]] = set()
        for transfer in snapshot.transfers:
            self._in_flight[transfer.site_id] = self._in_flight.get(transfer.site_id, 0) + transfer.bytes_left
            self._arriving.add((transfer.site_id, transfer.key))
        self._egress: dict[SiteId, Price] = {}  # the cheapest way out of each site
        for pool in sorted(snapshot.pools, key=lambda p: p.id):
            known = self._egress.get(pool.site_id)
            if known is None or pool.price.egress_gib_micros < known.egress_gib_micros:
                self._egress[pool.site_id] = pool.price

    def staging(self, site_id: SiteId, inputs: Inputs) -> Staging:
        """What reading `inputs` at a site needs now."""
        if not inputs:
            return NOTHING
        missing = egress = 0
        waits = False
        for key, size in inputs:
            holders = self._replicas.get(key)
            if holders is not None and site_id in holders:
                continue
            if (site_id, key) in self._arriving:
                waits = True
                continue
            missing += size
            if holders and STORE not in holders:
                egress += min(self._egress[h].egress_micros(size) if h in self._egress else 0 for h in holders)
        if not missing and not waits:
            return NOTHING
        return Staging(missing, self._in_flight.get(site_id, 0), egress)

    def start(self, site_id: SiteId, inputs: Inputs) -> None:
        """Note that a placement sends its missing inputs to a site."""
        for key, size in inputs:
            holders = self._replicas.get(key)
            if (holders is not None and site_id in holders) or (site_id, key) in self._arriving:
                continue
            self._arriving.add((site_id, key))
            self._in_flight[site_id] = self._in_flight.get(site_id, 0) + size
