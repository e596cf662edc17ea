"""The trail cannot be changed without being seen."""

from __future__ import annotations

import pytest

from fubini.audit.models import AuditEntry
from fubini.audit.services import audit_append, audit_check
from tests.support.rest import api_of, make_admin, make_house, problem_of
from tests.support.rows import make_user

pytestmark = pytest.mark.django_db


def _fill(count: int = 10) -> list[AuditEntry]:
    return [
        audit_append(actor="a", action="test", target=f"t{n}", data={"n": n, "ü": [None, 1.5]}) for n in range(count)
    ]


def test_a_whole_chain_checks() -> None:
    _fill()
    check = audit_check()
    assert (check.entries, check.broken_at) == (10, None)
    assert check.head == AuditEntry.objects.get(target="t9").hash


def test_a_deleted_row_is_noticed_at_the_next_one() -> None:
    rows = _fill()
    rows[4].delete()
    assert audit_check().broken_at == rows[5].pk


@pytest.mark.parametrize("field", ["actor", "action", "target", "project_id", "data", "at"])
def test_a_changed_field_is_noticed(field: str) -> None:
    rows = _fill(3)
    value = {"data": {"n": 7}, "at": rows[0].at}.get(field, "forged")
    AuditEntry.objects.filter(pk=rows[1].pk).update(**{field: value})
    assert audit_check().broken_at == rows[1].pk


def test_two_swapped_rows_are_noticed() -> None:
    rows = _fill(4)
    first, second = rows[1], rows[2]
    AuditEntry.objects.filter(pk=first.pk).update(target="x")
    AuditEntry.objects.filter(pk=second.pk).update(target=first.target)
    AuditEntry.objects.filter(pk=first.pk).update(target=second.target)
    assert audit_check().broken_at == first.pk


def test_administrators_read_it_and_their_deeds_are_in_it() -> None:
    user = make_admin()
    admin = api_of(user)
    admin.post("users", {"username": "ada", "password": "long enough phrase"})
    rows = admin.get(f"audit?actor=user:{user.username}&action=user.").json()["results"]
    assert [row["target"] for row in rows] == ["user:ada"]
    assert "long enough phrase" not in str(list(AuditEntry.objects.values()))
    assert admin.get("audit/check").json()["broken_at"] is None


def test_nobody_else_reads_it() -> None:
    problem_of(api_of(make_user()).get("audit"), 403)
    problem_of(make_house().api["owner"].get("audit/check"), 403)


def test_no_route_writes_or_deletes_it() -> None:
    admin = api_of(make_admin())
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        problem_of(admin.call(method, "audit", {}), 405)
