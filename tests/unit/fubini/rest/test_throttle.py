"""A flood is told to wait, and for how long."""

from __future__ import annotations

import pytest

from fubini.rest import throttle
from fubini.rest.throttle import Buckets
from tests.support.rest import api_of, problem_of
from tests.support.rows import make_user


def test_a_bucket_lets_the_burst_through_and_then_the_rate() -> None:
    buckets = Buckets(rate_per_s=2, burst=3)
    assert [buckets.take("a", now=0.0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", now=0.0) == pytest.approx(0.5)
    assert buckets.take("a", now=0.5) == 0
    assert buckets.take("a", now=0.5) > 0
    assert buckets.take("b", now=0.5) == 0


def test_a_bucket_never_holds_more_than_its_burst() -> None:
    buckets = Buckets(rate_per_s=10, burst=2)
    buckets.take("a", now=0.0)
    assert [buckets.take("a", now=1000.0) > 0 for _ in range(3)] == [False, False, True]


@pytest.mark.django_db
def test_who_asks_too_often_gets_the_seconds_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_requests", Buckets(rate_per_s=0.1, burst=2))
    api = api_of(make_user())
    assert [api.get("projects").status_code for _ in range(2)] == [200, 200]
    response = api.get("projects")
    problem_of(response, 429, "too_many_requests")
    assert 1 <= int(response["Retry-After"]) <= 10
    assert api_of(make_user()).get("projects").status_code == 200
