"""The rules of locks: never more holders than the size, order by priority, age and arrival, and nobody forgotten."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fubini.runs.engine import LockKind, LockName
from fubini.runs.locktable import LockTable, size_in, waiting_message

MUTEX = LockName("lab", LockKind.MUTEX, "beam")
OTHER = LockName("lab", LockKind.MUTEX, "stage")
SEMAPHORE = LockName("lab", LockKind.CONFIG_MAP, "limits", "licences", semaphore=True)
DATABASE = LockName("lab", LockKind.DATABASE, "seats", semaphore=True)


def table(**sizes: int | None) -> LockTable:
    return LockTable(lambda lock: sizes.get(lock.resource))


def gains(got: tuple[str, list]) -> list[str]:  # type: ignore[type-arg]
    return [wish.holder for wish in got[1]]


def test_a_mutex_has_one_holder_and_the_next_gets_it_on_release() -> None:
    locks = table()
    assert gains(locks.request("a", [MUTEX])) == ["a"]
    assert gains(locks.request("b", [MUTEX])) == []
    assert locks.obstacle_of("b") == (MUTEX, "Waiting for lab/Mutex/beam lock. Lock status: 0/1")
    assert [w.holder for w in locks.release("a")] == ["b"]
    assert locks.holders(MUTEX) == ["b"]


def test_asking_again_changes_nothing() -> None:
    locks = table()
    locks.request("a", [MUTEX])
    locks.request("b", [MUTEX])
    assert locks.request("a", [MUTEX]) == ("", []) and locks.request("b", [MUTEX]) == ("", [])
    assert [w.holder for w in locks.release("a")] == ["b"]
    assert locks.release("b") == []


def test_priority_goes_before_age_and_age_before_arrival() -> None:
    locks = table()
    locks.request("holder", [MUTEX])
    locks.request("young", [MUTEX], created_ms=20)
    locks.request("old", [MUTEX], created_ms=10)
    locks.request("second", [MUTEX], created_ms=10)
    locks.request("urgent", [MUTEX], priority=5, created_ms=30)
    order = []
    holder = "holder"
    while gained := locks.release(holder):
        holder = gained[0].holder
        order.append(holder)
    assert order == ["urgent", "old", "second", "young"]


def test_several_locks_are_taken_together_or_not_at_all() -> None:
    locks = table()
    locks.request("a", [MUTEX])
    locks.request("both", [OTHER, MUTEX])
    assert locks.holders(OTHER) == []
    assert locks.obstacle_of("both") == (MUTEX, "Waiting for lab/Mutex/beam lock. Lock status: 0/1")
    # As on Argo, the first in a queue keeps later ones out, also where it waits for another lock.
    assert gains(locks.request("late", [OTHER])) == []
    assert [w.holder for w in locks.release("a")] == ["both"]
    assert [w.holder for w in locks.release("both")] == ["late"]


def test_a_waiter_that_leaves_lets_the_next_one_in() -> None:
    locks = table()
    locks.request("a", [MUTEX])
    locks.request("both", [OTHER, MUTEX])
    locks.request("late", [OTHER])
    assert [w.holder for w in locks.release("both")] == ["late"]


def test_a_larger_size_lets_waiters_in_and_a_smaller_one_takes_nothing_away() -> None:
    sizes: dict[str, int | None] = {"limits": 1}
    locks = LockTable(lambda lock: sizes.get(lock.resource))
    for name in "abc":
        locks.request(name, [SEMAPHORE])
    assert locks.holders(SEMAPHORE) == ["a"]
    sizes["limits"] = 2
    assert [w.holder for w in locks.resized(SEMAPHORE)] == ["b"]
    sizes["limits"] = 1
    assert locks.resized(SEMAPHORE) == [] and locks.release("a") == []
    assert [w.holder for w in locks.release("b")] == ["c"]


def test_a_size_that_can_no_longer_be_read_stays_as_it_was() -> None:
    sizes: dict[str, int | None] = {"limits": 1}
    locks = LockTable(lambda lock: sizes.get(lock.resource))
    locks.request("a", [SEMAPHORE])
    sizes["limits"] = None
    assert locks.request("b", [SEMAPHORE]) == ("", [])
    assert [w.holder for w in locks.release("a")] == ["b"]


def test_a_semaphore_without_a_size_is_refused_in_argos_words() -> None:
    locks = table()
    refused, gained = locks.request("a", [MUTEX, SEMAPHORE])
    assert refused == "failed to initialize semaphore lab/ConfigMap/limits/licences with limit" and gained == []
    assert gains(locks.request("b", [MUTEX])) == ["b"], "a refused request must leave no trace"


def test_a_size_is_a_whole_number_above_zero_as_go_reads_it() -> None:
    read = {text: size_in({"n": text}, "n") for text in ("3", "+3", "03", "0", "-1", "", " 3", "3.0", "1_0", "x")}
    assert read == {"3": 3, "+3": 3, "03": 3} | dict.fromkeys(("0", "-1", "", " 3", "3.0", "1_0", "x"))
    assert size_in(None, "n") is None and size_in({"m": "1"}, "n") is None


def test_database_locks_show_holders_and_how_the_table_calls_them() -> None:
    assert waiting_message(DATABASE, 2, 2) == "Waiting for lab/Database/seats lock (sem/lab/seats). Lock status: 2/2"
    mutex = LockName("lab", LockKind.DATABASE, "seats")
    assert waiting_message(mutex, 1, 1) == "Waiting for lab/Database/seats lock (mtx/lab/seats). Lock status: 1/1"
    assert mutex != DATABASE


# --- any history -------------------------------------------------------------------------------------------------

POOL = [MUTEX, OTHER, SEMAPHORE, DATABASE]
HOLDERS = st.sampled_from([f"h{n}" for n in range(12)])


class AnyHistory(RuleBasedStateMachine):
    """Requests, releases and changes of size in any order, against what must always hold."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = {"limits": 2, "seats": 1}
        self.locks = LockTable(lambda lock: self.sizes.get(lock.resource))
        self.wanted: dict[str, tuple[tuple[int, int, int], list[LockName]]] = {}
        self.inside: set[str] = set()
        self.above: dict[LockName, int] = {}
        self.clock = 0

    def gained(self, wishes: list) -> None:  # type: ignore[type-arg]
        for wish in wishes:
            assert wish.holder in self.wanted and wish.holder not in self.inside
            self.inside.add(wish.holder)

    @rule(
        who=HOLDERS, locks=st.sets(st.sampled_from(POOL), min_size=1), priority=st.integers(0, 2), age=st.integers(0, 2)
    )
    def request(self, who: str, locks: set[LockName], priority: int, age: int) -> None:
        wanted = sorted(locks, key=POOL.index)
        refused, wishes = self.locks.request(who, wanted, priority=priority, created_ms=age)
        assert refused == ""
        self.clock += 1
        self.wanted.setdefault(who, ((-priority, age, self.clock), wanted))
        self.gained(wishes)

    @rule(who=HOLDERS)
    def release(self, who: str) -> None:
        self.wanted.pop(who, None)
        self.inside.discard(who)
        self.gained(self.locks.release(who))

    @rule(which=st.sampled_from(["limits", "seats"]), size=st.integers(1, 4))
    def resize(self, which: str, size: int) -> None:
        lock = SEMAPHORE if which == "limits" else DATABASE
        self.sizes[which] = size
        self.above[lock] = max(len(self.locks.holders(lock)), size)
        self.gained(self.locks.resized(lock))

    def limit(self, lock: LockName) -> int:
        return self.sizes[lock.resource] if lock.semaphore else 1

    @invariant()
    def never_more_holders_than_the_size(self) -> None:
        for lock in POOL:
            held = [h for h in self.inside if lock in self.wanted[h][1]]
            assert sorted(held) == sorted(self.locks.holders(lock))
            assert len(held) <= max(self.limit(lock), self.above.get(lock, 0))
            if len(held) <= self.limit(lock):
                self.above.pop(lock, None)

    @invariant()
    def no_waiter_is_lost_and_none_overtakes(self) -> None:
        waiting = sorted((order, who) for who, (order, _) in self.wanted.items() if who not in self.inside)
        for _, who in waiting:
            assert self.locks.obstacle_of(who) is not None, f"{who} could have its locks and has not"
        for lock in POOL:
            queue = [who for _, who in waiting if lock in self.wanted[who][1]]
            first = self.locks.first(lock)
            assert (first.holder if first else None) == (queue[0] if queue else None)

    @invariant()
    def not_everybody_waits(self) -> None:
        if self.wanted and not self.above:
            assert self.inside


AnyHistory.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestAnyHistory = AnyHistory.TestCase


@given(st.integers(2, 400))
@settings(max_examples=20, deadline=None)
def test_a_release_looks_at_a_few_claims_however_long_the_queue(length: int) -> None:
    asked = [0]

    class Counting(LockTable):
        def first(self, lock: LockName):  # type: ignore[no-untyped-def]
            asked[0] += 1
            return super().first(lock)

    locks = Counting(lambda _: None)
    for n in range(length):
        locks.request(f"h{n}", [MUTEX])
    asked[0] = 0
    assert [w.holder for w in locks.release("h0")] == ["h1"]
    assert asked[0] <= 4
