"""Price books: which version applies when, how two compare, and adding versions.

A version applies from its `valid_from` until another begins; of two that begin at the same time the later made one does.
So a planned change takes place whatever is made before it, and another of the same time replaces it. No version begins in
the past, and what was placed keeps the rates it was placed under (`dispatch.grants`): no price changes what is booked.
Amounts are integer micros.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol, TypeVar

from django.db import transaction
from django.db.models import Max

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.sites.models import Pool, Price
from fubini.sites.services import place_note

MICROS_MAX: Final = 10**15
SCALARS: Final = ("core_hour_micros", "memory_gib_hour_micros", "start_micros", "egress_gib_micros")
HOUR_MS: Final = 3_600_000
GIB: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Rates:
    """What a pool asks. `device_hour_micros`: by the vendor's resource name."""

    core_hour_micros: int = 0
    memory_gib_hour_micros: int = 0
    start_micros: int = 0
    egress_gib_micros: int = 0
    device_hour_micros: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Use:
    """What steps used: `core_milli_ms` milli-cores times ms, `byte_ms` bytes times ms, `device_ms` devices times ms."""

    starts: int = 0
    core_milli_ms: int = 0
    byte_ms: int = 0
    device_ms: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RateChange:
    """One rate before and after. `permille`: the change in thousandths of what it was, rounded; None: it was nothing."""

    rate: str  # one of `SCALARS`, or ``device:NAME``
    before_micros: int
    after_micros: int
    permille: int | None


class Version(Protocol):
    """What decides when a version applies."""

    @property
    def version(self) -> int: ...
    @property
    def valid_from(self) -> datetime: ...


V = TypeVar("V", bound=Version)


def _place(price: Version) -> tuple[datetime, int]:
    return price.valid_from, price.version


def in_force(versions: Iterable[V], at: datetime) -> V | None:
    """The version that applies at a moment; None before the first begins."""
    return max((v for v in versions if v.valid_from <= at), key=_place, default=None)


def coming(versions: Iterable[V], at: datetime) -> list[V]:
    """Those that will apply after a moment, in the order they begin; replaced ones are left out."""
    found: dict[datetime, V] = {}
    for version in sorted((v for v in versions if v.valid_from > at), key=_place):
        found[version.valid_from] = version
    return list(found.values())


def rates_of(price: Price | None) -> Rates:
    """The rates of a version; no version: the pool is free."""
    if price is None:
        return Rates()
    return Rates(**{name: getattr(price, name) for name in SCALARS}, device_hour_micros=price.device_hour_micros)


def changes(before: Rates, after: Rates) -> list[RateChange]:
    """Every rate that either asks, with the difference."""
    found = [_change(name, getattr(before, name), getattr(after, name)) for name in SCALARS]
    for name in sorted({*before.device_hour_micros, *after.device_hour_micros}):
        was, becomes = before.device_hour_micros.get(name, 0), after.device_hour_micros.get(name, 0)
        found.append(_change(f"device:{name}", was, becomes))
    return found


def _change(rate: str, before: int, after: int) -> RateChange:
    return RateChange(rate, before, after, (2000 * (after - before) + before) // (2 * before) if before else None)


def cost_micros(rates: Rates, use: Use) -> int:
    """The price of what was used, rounded up once. Bytes that leave the site are in no use and so in no sum."""
    total = use.starts * rates.start_micros
    total += -(-rates.core_hour_micros * use.core_milli_ms // (1000 * HOUR_MS))
    total += -(-rates.memory_gib_hour_micros * use.byte_ms // (GIB * HOUR_MS))
    devices = sum(rates.device_hour_micros.get(name, 0) * ms for name, ms in use.device_ms.items())
    return total + -(-devices // HOUR_MS)


@dataclass(frozen=True, slots=True)
class Draft:
    """A version to be made. `valid_from` None: now."""

    pool: Pool
    rates: Rates
    valid_from: datetime | None = None


def price_set(*, pool: Pool, actor: str, valid_from: datetime | None = None, **rates: Any) -> Price:
    """Add one version; see `prices_set`. Rates that are not given are 0."""
    rates["device_hour_micros"] = dict(rates.get("device_hour_micros") or {})
    return prices_set([Draft(pool, Rates(**rates), valid_from)], actor=actor)[0]


@transaction.atomic
def prices_set(drafts: Sequence[Draft], *, actor: str) -> list[Price]:
    """Add versions to price books, all or none; what runs keeps its rates.

    Raises:
        Invalid: a negative rate, or a beginning in the past.
    """
    moment = clock.now()
    for draft in drafts:
        _checked(draft, moment)
    pools = sorted({draft.pool.pk for draft in drafts})
    list(Pool.objects.select_for_update().filter(pk__in=pools).order_by("pk"))
    last = dict(Price.objects.filter(pool__in=pools).values_list("pool").annotate(last=Max("version")))
    made = []
    for draft in drafts:
        last[draft.pool.pk] = last.get(draft.pool.pk, 0) + 1
        rates = {name: getattr(draft.rates, name) for name in SCALARS}
        price = Price.objects.create(
            pool=draft.pool,
            version=last[draft.pool.pk],
            valid_from=draft.valid_from or moment,
            **rates,
            device_hour_micros=dict(draft.rates.device_hour_micros),
            created_by=actor[:80],
        )
        said = {**rates, "device_hour_micros": price.device_hour_micros}
        place_note(
            "pool", "price", draft.pool, actor,
            {"version": price.version, "valid_from": price.valid_from.isoformat(), **said},
        )  # fmt: skip
        made.append(price)
    return made


def _checked(draft: Draft, moment: datetime) -> None:
    rates = [*(getattr(draft.rates, name) for name in SCALARS), *draft.rates.device_hour_micros.values()]
    if not all(0 <= rate <= MICROS_MAX for rate in rates):
        raise Invalid(
            "A rate is out of range.", next_step=say("Give integer micros from 0 to {most}.", most=MICROS_MAX)
        )
    if draft.valid_from is not None and draft.valid_from < moment:
        raise Invalid(
            "A price cannot begin in the past.",
            next_step="Leave out valid_from to begin now.",
            errors=[
                {
                    "pointer": "/valid_from",
                    "code": "range",
                    "found": draft.valid_from.isoformat(),
                    "allowed": say("from {moment} on, or left out", moment=moment.isoformat(timespec="seconds")),
                }
            ],
        )
