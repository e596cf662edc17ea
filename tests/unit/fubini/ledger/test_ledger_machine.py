"""The ledger as a state machine: whatever the order of top-ups, holds, extensions and settlements, it stays exact."""

from __future__ import annotations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from fubini.common.ids import new_id
from fubini.ledger.models import Account, Hold
from fubini.ledger.services import (
    BudgetExhausted,
    HoldRequest,
    Settlement,
    account_topup,
    available_by_project,
    hold_extend,
    holds_place,
    holds_settle,
    ledger_check,
)

CAUSES = ["", "user", "oom", "walltime", "node", "site", "data", "image", "lost", "preempted"]
INFRA = {"node", "site", "data", "image", "lost", "preempted"}


class LedgerMachine(RuleBasedStateMachine):
    """A model of three numbers a project beside the real tables."""

    holds = Bundle("holds")

    def __init__(self) -> None:
        super().__init__()
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.projects = [new_id(), new_id()]
        self.budget = dict.fromkeys(self.projects, 0)
        self.held: dict[str, int] = {}
        self.spent = dict.fromkeys(self.projects, 0)
        self.loss = 0
        self.owner: dict[str, str] = {}
        self.extensions: dict[str, int] = {}

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @rule(which=st.integers(0, 1), amount=st.integers(-500, 1000).filter(bool))
    def topup(self, which: int, amount: int) -> None:
        project = self.projects[which]
        try:
            account_topup(project_id=project, amount_micros=amount, actor="test", key=new_id())
        except BudgetExhausted as error:
            assert self.budget[project] + amount < 0
            assert error.data["missing_micros"] == -amount - self.budget[project]
        else:
            self.budget[project] += amount
            assert self.budget[project] >= 0

    @rule(target=holds, which=st.integers(0, 1), amount=st.integers(0, 400))
    def place(self, which: int, amount: int) -> str:
        project, attempt = self.projects[which], new_id()
        granted = holds_place([HoldRequest(attempt, project, "run", "site", "pool", amount)], at_ms=1)
        assert bool(granted) == (amount <= self.budget[project])
        if granted:
            self.budget[project] -= amount
            self.held[attempt] = amount
            self.owner[attempt] = project
        return attempt

    @rule(hold=holds, amount=st.integers(0, 200))
    def extend(self, hold: str, amount: int) -> None:
        if hold not in self.held:
            return
        number = self.extensions.get(hold, 0) + 1
        try:
            hold_extend(attempt_id=hold, amount_micros=amount, number=number, at_ms=2)
            hold_extend(attempt_id=hold, amount_micros=amount, number=number, at_ms=2)  # a repeat books nothing
        except BudgetExhausted:
            assert amount > self.budget[self.owner[hold]]
        else:
            self.extensions[hold] = number
            self.budget[self.owner[hold]] -= amount
            self.held[hold] += amount

    @rule(hold=consumes(holds), cost=st.integers(0, 600), cause=st.sampled_from(CAUSES), repeat=st.booleans())
    def settle(self, hold: str, cost: int, cause: str, repeat: bool) -> None:
        for _ in range(2 if repeat else 1):
            done = holds_settle([Settlement(hold, cost, cause)], at_ms=3)
        if hold not in self.held:
            assert done == []
            return
        project, held = self.owner[hold], self.held.pop(hold)
        price = min(cost, held)
        if cause in INFRA:
            self.loss += price
            self.budget[project] += held
        else:
            self.spent[project] += price
            self.budget[project] += held - price
        row = Hold.objects.get(pk=hold)
        assert row.state == ("released" if cause in INFRA else "settled")

    @invariant()
    def the_books_are_exact(self) -> None:
        assert ledger_check()["imbalance_micros"] == 0

    @invariant()
    def balances_are_the_models(self) -> None:
        found = available_by_project(self.projects)
        for project in self.projects:
            assert found.get(project, 0) == self.budget[project]
            accounts = {a.kind: a.balance_micros for a in Account.objects.filter(owner=f"project:{project}")}
            assert accounts.get("spent", 0) == self.spent[project]
            assert accounts.get("held", 0) == sum(v for k, v in self.held.items() if self.owner[k] == project)
        assert sum(a.balance_micros for a in Account.objects.filter(kind="loss")) == self.loss


class TestLedgerMachine(TestCase):
    def test_any_order_of_bookings_keeps_the_ledger_exact(self) -> None:
        from hypothesis.stateful import run_state_machine_as_test

        run_state_machine_as_test(
            LedgerMachine,
            settings=settings(
                max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
            ),
        )


@pytest.mark.django_db
def test_a_topup_with_the_same_key_books_once() -> None:
    project = new_id()
    first = account_topup(project_id=project, amount_micros=100, actor="a", key="k")
    again = account_topup(project_id=project, amount_micros=100, actor="a", key="k")
    assert first.pk == again.pk
    assert available_by_project([project]) == {project: 100}
