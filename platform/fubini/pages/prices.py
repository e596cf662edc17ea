"""Price books as pages show them: all of them for administrators, a project's, and what a new version would change.

What last month would have cost is worked out from the attempts that ended in it and that projects pay for, at most
`ATTEMPTS_MAX` of the newest of the pool's installation; where that cuts, the figures say from when they are. Beside them
stands what the ledger has booked for the pool in that month: it may differ, as holds cap what is booked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, Exists, F, OuterRef, Sum
from django.db.models.functions import Coalesce

from fubini.common import clock
from fubini.common.errors import Invalid
from fubini.common.saying import say
from fubini.ledger.accounting import Books, books, month_days, month_text
from fubini.ledger.selectors import spent_in_pool
from fubini.ledger.services import CHARGED_CAUSES
from fubini.projects.models import Project
from fubini.runs.models import Attempt
from fubini.sites.models import Pool, Price
from fubini.sites.pricecsv import Row, parse
from fubini.sites.prices import (
    SCALARS,
    Draft,
    RateChange,
    Rates,
    Use,
    changes,
    coming,
    cost_micros,
    in_force,
    prices_set,
    rates_of,
)

ATTEMPTS_MAX: Final = 200_000
LONGEST_MS: Final = 62 * 86_400_000  # an attempt that ended in a month was leased at most this long before it
VERSIONS_MAX: Final = 20  # shown of one pool


@dataclass(frozen=True, slots=True)
class Asked:
    """One version of what a pool asks."""

    version: int
    valid_from: datetime
    rates: Rates


@dataclass(frozen=True, slots=True)
class PriceView:
    """What one pool asks of a project, and what it will ask next."""

    site: str
    pool: str
    serves: bool  # the project
    now: Asked | None  # None: the pool is free
    next: Asked | None

    @property
    def rates(self) -> Rates:
        """Those that apply now."""
        return self.now.rates if self.now is not None else Rates()

    @property
    def version(self) -> int:
        """The version that applies; 0: none, the pool is free."""
        return self.now.version if self.now is not None else 0

    @property
    def valid_from(self) -> datetime | None:
        """Since when."""
        return self.now.valid_from if self.now is not None else None


@dataclass(frozen=True, slots=True)
class VersionView:
    """`state`: now (in force), next (begins later), past, or replaced (by another of the same time before it began)."""

    price: Price
    state: str


@dataclass(frozen=True, slots=True)
class BookView:
    """One pool's price book, newest beginning first; `more` are older ones that are not shown."""

    pool: Pool
    versions: list[VersionView]
    more: int


@dataclass(frozen=True, slots=True)
class Basis:
    """What the sums stand on. `whole`: no attempt of the month was left out; else they count from `from_ms`."""

    month: str
    running: bool  # the month has not ended yet
    from_ms: int
    to_ms: int
    whole: bool
    attempts: int
    core_ms: int
    gib_ms: int
    device_ms: dict[str, int]
    booked_micros: int


@dataclass(frozen=True, slots=True)
class Preview:
    """A version that is not made yet beside the one it follows, and what the same use costs under both."""

    site: str
    pool: str
    line: int | None
    valid_from: datetime | None
    changes: list[RateChange]
    cost_now_micros: int
    cost_then_micros: int
    basis: Basis


def price_book(project: Project) -> dict[str, PriceView]:
    """Every pool with what it asks now and next, by id in local-first order. One query."""
    allowed = Pool.projects.through.objects.filter(pool=OuterRef("pk"))
    fields = {name: f"prices__{name}" for name in ("version", "valid_from", "device_hour_micros", *SCALARS)}
    rows = list(
        Pool.objects.annotate(serves=~Exists(allowed) | Exists(allowed.filter(project=project)))
        .order_by("site__preference", "site__name", "name")
        .values("pk", "name", "site__name", "serves", *fields.values())
    )
    versions: dict[str, list[Asked]] = defaultdict(list)
    for row in rows:
        if row[fields["version"]] is not None:
            rates = {name: row[fields[name]] for name in ("device_hour_micros", *SCALARS)}
            asked = Asked(row[fields["version"]], row[fields["valid_from"]], Rates(**rates))
            versions[row["pk"]].append(asked)
    now = clock.now()
    found = {}
    for row in rows:
        if row["pk"] not in found:
            known = versions[row["pk"]]
            following = next(iter(coming(known, now)), None)
            found[row["pk"]] = PriceView(
                row["site__name"], row["name"], bool(row["serves"]), in_force(known, now), following
            )
    return found


def _versions(pools: Iterable[Pool]) -> dict[str, list[Price]]:
    found: dict[str, list[Price]] = defaultdict(list)
    for price in Price.objects.filter(pool__in=[p.pk for p in pools]).order_by("-valid_from", "-version"):
        found[price.pool_id].append(price)
    return found


def books_of(pools: Sequence[Pool]) -> list[BookView]:
    """The price books of some pools, for administrators. One query."""
    versions, now = _versions(pools), clock.now()
    return [_book(pool, versions[pool.pk], now) for pool in pools]


def _book(pool: Pool, versions: list[Price], now: datetime) -> BookView:
    current, later = in_force(versions, now), coming(versions, now)
    states = {price.pk: "next" for price in later} | ({current.pk: "now"} if current is not None else {})
    seen: set[datetime] = set()
    views = []
    for price in versions:  # of one beginning the highest version comes first
        views.append(VersionView(price, states.get(price.pk, "replaced" if price.valid_from in seen else "past")))
        seen.add(price.valid_from)
    return BookView(pool, views[:VERSIONS_MAX], max(0, len(views) - VERSIONS_MAX))


def csv_lines() -> Iterator[dict[str, Any]]:
    """Every version of every pool, oldest first, with the fields of the CSV. One query."""
    rows = Price.objects.select_related("pool__site").order_by(
        "pool__site__preference", "pool__site__name", "pool__name", "valid_from", "version"
    )
    for price in rows.iterator():
        fields = {field.attname: getattr(price, field.attname) for field in price._meta.fields}
        yield {"site": price.pool.site.name, "pool": price.pool.name, **fields}


# --- what a new version would change --------------------------------------------------------------------------------


def preview(pool: Pool, rates: Rates, valid_from: datetime | None = None, line: int | None = None) -> Preview:
    """A version beside the one that is in force when it begins, on the use of the last month."""
    now = clock.now()
    start = max(valid_from or now, now)
    before = rates_of(in_force(Price.objects.filter(pool=pool), start))
    use, basis = usage_of(pool)
    return Preview(
        pool.site.name,
        pool.name,
        line,
        valid_from,
        changes(before, rates),
        cost_micros(before, use),
        cost_micros(rates, use),
        basis,
    )


def usage_of(pool: Pool) -> tuple[Use, Basis]:
    """What steps of the last accounting month used of a pool; of the running one where the last has none."""
    calendar = books()
    now_ms = clock.now_ms()
    this = calendar.month_of(now_ms)
    last = this - 89 if this % 100 == 1 else this - 1
    use, basis = _usage(pool, last, calendar)
    if use.starts == 0:
        use, basis = _usage(pool, this, calendar)
        basis = replace(basis, running=True)
    return use, basis


def _usage(pool: Pool, month: int, calendar: Books) -> tuple[Use, Basis]:
    from_ms, to_ms = calendar.month_bounds_ms(month)
    first, cut_ms = _first_id(from_ms, to_ms)
    rows = (
        Attempt.objects.filter(
            pk__gte=first,
            pk__lt=_id_at(to_ms),
            pool=pool,
            state__in=("succeeded", "failed", "cancelled"),
            cause__in=CHARGED_CAUSES,
            started_at_ms__isnull=False,
            ended_at_ms__gte=from_ms,
            ended_at_ms__lt=to_ms,
        )
        .order_by()
        .values_list("cpu_millis", "memory_bytes", "devices")
        .annotate(count=Count("pk"), wall_ms=Sum(Coalesce("finished_at_ms", "ended_at_ms") - F("started_at_ms")))
    )
    starts = core = memory = 0
    devices: dict[str, int] = defaultdict(int)
    for cpu_millis, memory_bytes, held, count, wall_ms in rows:
        wall_ms = max(0, wall_ms)
        starts, core, memory = starts + count, core + cpu_millis * wall_ms, memory + memory_bytes * wall_ms
        for name, amount in held.items():
            devices[name] += amount * wall_ms
    use = Use(starts, core, memory, dict(devices))
    days = month_days(month)
    basis = Basis(
        month=month_text(month),
        running=False,
        from_ms=max(from_ms, cut_ms or from_ms),
        to_ms=to_ms,
        whole=cut_ms is None,
        attempts=starts,
        core_ms=core // 1000,
        gib_ms=memory // (1 << 30),
        device_ms=dict(devices),
        booked_micros=spent_in_pool(pool.pk, from_day=days[0], to_day=days[1]),
    )
    return use, basis


def _id_at(at_ms: int) -> str:
    """The smallest id there can be of that moment: ids begin with the time they were made at."""
    return f"{max(0, at_ms):012x}{'0' * 20}"


def _first_id(from_ms: int, to_ms: int) -> tuple[str, int | None]:
    """From which attempt on to count, and when that one was leased if it cuts off a part of the month."""
    first = _id_at(from_ms - LONGEST_MS)
    cut = list(
        Attempt.objects.filter(pk__gte=first, pk__lt=_id_at(to_ms))
        .order_by("-pk")
        .values_list("pk", flat=True)[ATTEMPTS_MAX : ATTEMPTS_MAX + 1]
    )
    if not cut:
        return first, None
    return cut[0], int(cut[0][:12], 16)


# --- many at once ---------------------------------------------------------------------------------------------------


class BadPrices(Invalid):
    code = "prices"
    title = "The price book has errors"


def prices_load(*, text: str, actor: str, check: bool) -> list[Preview]:
    """Add the new versions of a CSV, all or none; what each changes. With `check` nothing is made.

    Raises:
        Invalid: with every error in its line and column.
    """
    rows, errors = parse(text, books().zone)
    wrong = {entry["line"] for entry in errors.found}
    drafts: list[tuple[Row, Draft]] = []
    now = clock.now()
    pools = {
        (pool.site.name, pool.name): pool
        for pool in Pool.objects.filter(site__name__in={row.site for row in rows}).select_related("site")
    }
    known = _versions(pools.values())
    for row in rows:
        pool = pools.get((row.site, row.pool))
        if row.line in wrong:
            continue
        if pool is None:
            errors.add(row.line, "pool", "unknown", say("there is no such pool"), f"{row.site}/{row.pool}")
        elif row.version is not None:
            _stated(row, known[pool.pk], errors)
        elif row.valid_from is not None and row.valid_from < now:
            errors.add(
                row.line, "valid_from", "range", say("a price cannot begin in the past"), row.valid_from.isoformat(),
                say("empty or now, or after {now}", now=now.isoformat(timespec="seconds")),
            )  # fmt: skip
        else:
            drafts.append((row, Draft(pool, row.rates, row.valid_from)))
    if errors.found:
        raise BadPrices(
            say("Errors in the file: {count}; nothing was changed.", count=len(errors.found)),
            next_step="Put them right and send the file again.",
            errors=sorted(errors.found, key=lambda entry: entry["line"]),
        )
    found = [preview(draft.pool, draft.rates, draft.valid_from, row.line) for row, draft in drafts]
    if drafts and not check:
        prices_set([draft for _, draft in drafts], actor=actor)
    return found


def _stated(row: Row, known: Sequence[Price], errors: Any) -> None:
    """A line that names a version must say what that version says: versions do not change."""
    price = next((p for p in known if p.version == row.version), None)
    if price is None:
        allowed = ", ".join(str(p.version) for p in sorted(known, key=lambda p: p.version)[-20:]) or "none"
        errors.add(row.line, "version", "unknown", say("the pool has no such version"), row.version, allowed)
    elif rates_of(price) != row.rates or (row.valid_from is not None and row.valid_from != price.valid_from):
        errors.add(
            row.line, "version", "frozen", say("a version that was made does not change; leave its number out to make a new one"),
            row.version,
        )  # fmt: skip
